/** What a rollout says of itself. */
import { assertEquals } from "@std/assert";
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
  ...over,
});

const rollout = (transitions: Transition[], returns: number[] = []): Rollout => ({
  transitions,
  bootstrapValues: new Float32Array(transitions.length),
  episodes: returns.map((episodeReturn) => ({
    episodeReturn,
    steps: 1,
    goalReached: episodeReturn > -2,
    success: episodeReturn > 0,
  })),
});

Deno.test("success is a return above 0, over the episodes that ended", () => {
  const { episodes, success, meanReturn } = rolloutMetrics(rollout([transition({})], [1, 0, -2, 1]));
  assertEquals([episodes, success, meanReturn], [4, 0.5, 0]);
});

Deno.test("without an ended episode there is no success rate, and no thought no perception", () => {
  const metrics = rolloutMetrics(
    rollout([transition({}), transition({ isParsed: false, response: [1, 2, 3, 4] })]),
  );
  assertEquals(metrics, {
    episodes: 0,
    success: null,
    meanReturn: null,
    parseRate: 0.5,
    perception: null,
    faithfulness: null,
    responseTokens: 3,
  });
});

Deno.test("once some response states a thought, one that states none counts as wrong", () => {
  const stated = transition({ perception: 1, faithful: true });
  const { perception, faithfulness } = rolloutMetrics(
    rollout([stated, stated, transition({}), transition({})]),
  );
  assertEquals([perception, faithfulness], [0.5, 0.5]);
});
