/** What expert iteration keeps of its episodes, and which turns it imitates. */
import { assertEquals } from "@std/assert";
import { chooseTurns, type KeptEpisode, successesOf } from "../../../rl/algorithms/expert_iteration.ts";
import type { Rollout, Transition } from "../../../rl/rollout.ts";

/** An episode by its rewards; an `x` in `states` was answered without an action. */
function rollout(episodes: readonly { deal: number; states: string; rewards: readonly number[] }[]): Rollout {
  const transitions = episodes.flatMap(({ states, rewards }) =>
    rewards.map((reward, t) => ({
      reward,
      state: states[t],
      response: [t],
      action: 1,
      isParsed: states[t] !== "x",
    } as unknown as Transition))
  );
  let next = 0;
  const trajectories = episodes.map(({ deal, rewards }) => {
    const episodeReturn = rewards.reduce((x, y) => x + y, 0);
    const outcome = { episodeReturn, steps: rewards.length, goalReached: true, success: episodeReturn > 0 };
    return { turns: rewards.map(() => next++), deal, outcome };
  });
  return { transitions, trajectories, bootstrapValues: new Float32Array(), episodes: [] };
}

const played = rollout([
  { deal: 1, states: "abc", rewards: [0, 0, 1] },
  { deal: 2, states: "abcd", rewards: [-1, -1, 0, 1] },
  { deal: 3, states: "ab", rewards: [-1, -1] },
  { deal: 4, states: "bx", rewards: [0, 1] },
]);
const summary = (kept: readonly KeptEpisode[]) => kept.map(({ deal, from }) => [deal, from]);

Deno.test("episodes that succeeded are kept whole, others from where the rest would have, the shortest first", () => {
  assertEquals(summary(successesOf(played, 0, true)), [[2, 2], [4, 0], [1, 0]]);
  assertEquals(successesOf(played, 0, true)[0].responses, [[], [], [2], [3]]);
});

Deno.test("an environment that measures success by its goal is not asked for the returns of parts", () => {
  assertEquals(summary(successesOf(played, 0, false)), [[4, 0], [1, 0]]);
});

Deno.test("each state has its freshest example, then the one nearest to the end; a text without an action is none", () => {
  const pool = [
    ...successesOf(rollout([{ deal: 9, states: "ax", rewards: [0, 1] }]), 1, true),
    ...successesOf(played, 0, true),
  ];
  const chosen = chooseTurns(pool, { keepBy: "state", perKey: 1 });
  const turns = Array.from(chosen, ([{ deal }, turns]) => [deal, [...turns]]);
  // a from deal 9, c at the end of deal 1, d at that of deal 2; b has two turns left in deals 4 and 1, and 4 is shorter.
  assertEquals(turns.sort(), [[1, [2]], [2, [3]], [4, [0]], [9, [0]]]);
});

Deno.test("by deal, whole successes alone are imitated, as many of each as asked for", () => {
  const pool = [...successesOf(played, 1, true), ...successesOf(played, 0, true)];
  const dealsBy = (perKey: number) =>
    Array.from(chooseTurns(pool, { keepBy: "deal", perKey }), ([{ deal, iteration }]) => [deal, iteration]);
  assertEquals(dealsBy(1).sort(), [[1, 1], [4, 1]]);
  assertEquals(dealsBy(2).sort(), [[1, 0], [1, 1], [4, 0], [4, 1]]);
});
