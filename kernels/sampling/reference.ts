/** One decoding step in plain f64 loops. */
import { DRAW_BLOCK, uniformsFromCounter } from "./uniform.ts";
import type { SampleTokensShape } from "./mod.ts";

type Numbers = ArrayLike<number>;

type StateName = "done" | "tokens" | "logprobs" | "entropies" | "current" | "position";

/**
 * The token that two uniform numbers pick: the first its block of {@linkcode DRAW_BLOCK}, the second the token in it. Rows of
 * one block need the first alone. Null when rounding leaves a sum short of its threshold.
 */
export function drawReference(
  probabilities: readonly number[],
  [uniform, second]: readonly [number, number],
): number | null {
  const total = sumOf(probabilities);
  if (probabilities.length <= DRAW_BLOCK) return firstAbove(probabilities, uniform * total);
  const blocks: number[] = [];
  for (let first = 0; first < probabilities.length; first += DRAW_BLOCK) {
    blocks.push(sumOf(probabilities.slice(first, first + DRAW_BLOCK)));
  }
  const block = firstAbove(blocks, uniform * total);
  if (block === null) return null;
  const first = block * DRAW_BLOCK;
  const token = firstAbove(probabilities.slice(first, first + DRAW_BLOCK), second * blocks[block]);
  return token === null ? null : first + token;
}

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

/** The first index at which the values' sum passes the threshold. */
function firstAbove(values: readonly number[], threshold: number): number | null {
  let sum = 0;
  const index = values.findIndex((value) => (sum += value) > threshold);
  return index < 0 ? null : index;
}

/** The state after the step; nothing that is passed in is changed. */
export function sampleTokensReference(
  { logits, random, ...state }: Readonly<Record<"logits" | "random" | StateName, Numbers>>,
  { B, V, step, maxSteps, temperature, greedy, endId, padId }: SampleTokensShape,
): Record<StateName, Float64Array> {
  const names: StateName[] = ["done", "tokens", "logprobs", "entropies", "current", "position"];
  const next = Object.fromEntries(names.map((name) => [name, Float64Array.from(state[name])]));
  for (let b = 0; b < B; b++) {
    const out = b * maxSteps + step;
    if (next.done[b] !== 0) {
      next.tokens[out] = padId;
      next.logprobs[out] = 0;
      next.entropies[out] = 0;
      continue;
    }
    const scaled = Array.from({ length: V }, (_, v) => logits[b * V + v] / temperature);
    const largest = scaled.reduce((x, y) => Math.max(x, y));
    const total = scaled.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
    const logps = scaled.map((logit) => logit - largest - Math.log(total));

    let token = logps.indexOf(logps.reduce((a, b) => Math.max(a, b)));
    if (!greedy) {
      const uniforms = uniformsFromCounter(random[2 * b], random[2 * b + 1] + step);
      token = drawReference(logps.map(Math.exp), uniforms) ?? token;
    }
    next.tokens[out] = token;
    next.logprobs[out] = logps[token];
    next.entropies[out] = -logps.reduce((sum, logp) => sum + (logp > -700 ? Math.exp(logp) * logp : 0), 0);
    next.current[b] = token;
    next.position[b] += 1;
    if (token === endId) next.done[b] = 1;
  }
  return next as Record<StateName, Float64Array>;
}
