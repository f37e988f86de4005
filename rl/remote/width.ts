/**
 * How few rows a batch may be cut into. Some kernels are chosen by the number of rows, and add up in another order then.
 *
 * @module
 */
import type { Policy, RespondSettings, Situation } from "../policy.ts";

/**
 * Finds the least width from `wanted` on, in doublings, at which the first rows get the same bits as in the whole batch. It
 * computes them here, with the learner's own weights.
 */
export async function safeWidth(
  policy: Policy,
  situations: readonly Situation[],
  settings: RespondSettings,
  wanted: number,
): Promise<number> {
  const whole = situations.length;
  const expected = await bits(policy, situations, settings);
  for (let width = wanted; width < whole; width *= 2) {
    // The last job may have fewer rows.
    const rest = whole % width;
    const widths = rest === 0 ? [width] : [width, rest];
    const isSame = await Promise.all(widths.map(async (rows) => {
      const random = settings.random.slice(0, 2 * rows);
      const got = await bits(policy, situations.slice(0, rows), { ...settings, random });
      return got.every((row, i) => row === expected[i]);
    }));
    if (isSame.every(Boolean)) return width;
  }
  return whole;
}

/** Everything in each response, as text. */
async function bits(
  policy: Policy,
  situations: readonly Situation[],
  settings: RespondSettings,
): Promise<string[]> {
  const decisions = await policy.respond(situations, settings);
  return decisions.map(({ response: { ids, logprobs, entropies, value } }) =>
    [ids, logprobs, entropies, [value]].map((words) => words.join()).join(";")
  );
}
