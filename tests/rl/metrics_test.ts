/** What a rollout says of itself. */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { rolloutMetrics } from "../../rl/metrics.ts";
import type { Rollout, Transition } from "../../rl/rollout.ts";

const transition = (over: Partial<Transition>): Transition => ({
  prompt: [],
  response: [1, 2],
  logprobs: new Float32Array(2),
  weights: new Float32Array(2),
  logPi: 0,
  actionSpan: [0, 1],
  isParsed: true,
  action: 0,
  value: 0,
  reward: 0,
  terminated: false,
  truncated: false,
  random: [0, 0],
  entropies: new Float32Array(2),
  perception: null,
  faithful: null,
  correction: null,
  state: "",
  ...over,
});

/** Writes ids as words, with an action after the first. */
const tokenizer = {
  decode: (ids: ArrayLike<number>) => {
    const words = Array.from(ids, (id, i) => i === 1 ? '"action": "-"' : `w${id}`);
    const ends = words.map((_, i) => words.slice(0, i + 1).join("").length);
    return { text: words.join(""), starts: [0, ...ends.slice(0, -1)], ends };
  },
};

const rollout = (transitions: Transition[], returns: number[] = []): Rollout => ({
  transitions,
  bootstrapValues: new Float32Array(transitions.length),
  trajectories: [],
  episodes: returns.map((episodeReturn) => ({
    episodeReturn,
    steps: 1,
    goalReached: episodeReturn > -2,
    success: episodeReturn > 0,
  })),
});

Deno.test("success is a return above 0, over the episodes that ended", () => {
  const { episodes, success, meanReturn } = rolloutMetrics(
    rollout([transition({})], [1, 0, -2, 1]),
    tokenizer,
  );
  assertEquals([episodes, success, meanReturn], [4, 0.5, 0]);
});

Deno.test("without an ended episode there is no success rate, and no thought no perception", () => {
  const metrics = rolloutMetrics(
    rollout([transition({}), transition({ isParsed: false, response: [1, 2, 3, 4] })]),
    tokenizer,
  );
  assertEquals(metrics, {
    episodes: 0,
    success: null,
    meanReturn: null,
    parseRate: 0.5,
    perception: null,
    faithfulness: null,
    responseTokens: 3,
    thoughtDiversity: null,
    thoughtInformation: null,
  });
});

Deno.test("once some response states a thought, one that states none counts as wrong", () => {
  const stated = transition({ perception: 1, faithful: true });
  const { perception, faithfulness } = rolloutMetrics(
    rollout([stated, stated, transition({}), transition({})]),
    tokenizer,
  );
  assertEquals([perception, faithfulness], [0.5, 0.5]);
});

Deno.test("thoughts are compared with the prompts they answer, whatever the action", () => {
  const answer = (state: number, thought: number, action: number) =>
    transition({
      prompt: [{ kind: "text", ids: [state] }],
      response: [thought, 2, action],
      actionSpan: [13, 14],
      perception: 1,
    });
  const metrics = rolloutMetrics(
    rollout([answer(0, 5, 1), answer(1, 6, 1), answer(2, 6, 2), answer(3, 5, 2)]),
    tokenizer,
  );
  // Two thoughts halve four states.
  assertEquals(metrics.thoughtDiversity, 0.5);
  assertAlmostEquals(metrics.thoughtInformation!, 0.5, 1e-12);
});
