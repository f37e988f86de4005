/** Deals that take the place of ones whose episodes all returned the same: which, how many, and with what chance. */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { type Algorithm, grpo, type LearnContext } from "../../rl/algorithms/mod.ts";
import type { Rollout, Transition } from "../../rl/rollout.ts";
import { collectVaried } from "../../rl/varied_groups.ts";
import { plainSettings } from "./algorithms/table_policy.ts";

const GROUP_SIZE = 2;

/** Deals of two episodes of two turns. Returns are 0 and 1 if a deal is varied, else the same. */
function rolloutOf(first: number, varied: readonly boolean[]): Rollout {
  const transitions: Transition[] = [];
  const trajectories = varied.flatMap((isVaried, i) =>
    Array.from({ length: GROUP_SIZE }, (_, episode) => ({
      deal: first + i,
      outcome: { episodeReturn: 0, steps: 2, goalReached: false, success: isVaried },
      turns: [0, 1].map((turn) =>
        transitions.push({
          response: [first + i, episode, turn],
          reward: isVaried && episode === 1 ? 0.5 : 0,
        } as unknown as Transition) - 1
      ),
    }))
  );
  return {
    transitions,
    trajectories,
    bootstrapValues: Float32Array.from(transitions, ({ response: [deal] }) => deal),
    episodes: trajectories.map(({ outcome }) => outcome!),
  };
}

/** Plays deals, of which those at `varied` are varied, and notes what was asked for. */
async function collected(varied: readonly boolean[], groups: number, extraGroups: number) {
  const asked: number[][] = [];
  const rollout = await collectVaried((first, deals) => {
    asked.push([first, deals]);
    return Promise.resolve(rolloutOf(first, varied.slice(first, first + deals)));
  }, { groups, extraGroups });
  const deals = [...new Set(rollout.trajectories.map(({ deal }) => deal))];
  return { rollout, deals, asked };
}

const [Y, n] = [true, false];

Deno.test("deals of equal returns give way to the first ones whose returns differ, in the order of play", async () => {
  const cases: [varied: boolean[], extra: number, deals: number[], asked: number[][]][] = [
    [[Y, Y, Y], 8, [0, 1, 2], [[0, 3]]],
    [[n, Y, n], 0, [0, 1, 2], [[0, 3]]],
    [[n, Y, n, Y, Y], 8, [1, 3, 4], [[0, 3], [3, 2]]],
    [[n, Y, n, n, Y, Y], 8, [1, 4, 5], [[0, 3], [3, 2], [5, 1]]],
    // The bound is reached: the earliest of the others fill up.
    [[n, Y, n, n, Y], 2, [0, 1, 4], [[0, 3], [3, 2]]],
    [[n, n, n, n], 1, [0, 1, 2], [[0, 3], [3, 1]]],
  ];
  for (const [varied, extra, deals, asked] of cases) {
    const got = await collected(varied, 3, extra);
    assertEquals([got.deals, got.asked], [deals, asked], varied.join());
  }
});

Deno.test("a rollout keeps its size, its turns and their values, and counts all that was played", async () => {
  const { rollout } = await collected([n, Y, n, Y, n, n, Y], 3, 4);
  const { transitions, trajectories, bootstrapValues, episodes, beside } = rollout;
  assertEquals([trajectories.length, transitions.length, episodes.length], [6, 12, 14]);
  assertEquals(beside, { deals: [0, 2, 4, 5], turns: 16, tokens: 48 });
  for (const { deal, turns } of trajectories) {
    for (const turn of turns) {
      assertEquals([transitions[turn].response[0], bootstrapValues[turn]], [deal, deal]);
    }
  }
  assertEquals(trajectories.flatMap(({ turns }) => turns), Array.from(transitions, (_, turn) => turn));
});

Deno.test("a place stays without a lesson with a chance of q to the power of 1 + extra deals", async () => {
  const p = 0.3, q = 1 - p;
  for (const [groups, extra] of [[1, 0], [1, 3], [2, 2], [3, 3]]) {
    let expected = 0;
    const most = groups + extra;
    // Every pattern of what may be played, with its probability.
    for (let pattern = 0; pattern < 2 ** most; pattern++) {
      const varied = Array.from({ length: most }, (_, i) => (pattern >> i & 1) === 1);
      const probability = varied.reduce((product, isVaried) => product * (isVaried ? p : q), 1);
      const { deals, rollout } = await collected(varied, groups, extra);
      assertEquals(deals.length, groups);
      const lessons = deals.filter((deal) => varied[deal]).length;
      assertEquals(rollout.episodes.length <= GROUP_SIZE * most, true);
      expected += probability * lessons;
    }
    // As many as there are among all, but for those beyond the places.
    const choose = (k: number) => {
      let ways = 1;
      for (let i = 0; i < k; i++) ways *= (most - i) / (i + 1);
      return ways;
    };
    let want = 0;
    for (let k = 0; k <= most; k++) want += Math.min(k, groups) * choose(k) * p ** k * q ** (most - k);
    assertAlmostEquals(expected, want, 1e-12, `${groups} and ${extra}`);
    if (groups === 1) assertAlmostEquals(1 - expected, q ** (1 + extra), 1e-12);
  }
});

Deno.test("grpo learns from the deals in place as if they had been dealt first", async () => {
  const settings = plainSettings(grpo as Algorithm, { groupSize: GROUP_SIZE, extraGroups: 4 });
  const score = async (rollout: Rollout) =>
    await (grpo as Algorithm).score!(rollout, settings, {} as LearnContext);
  const inPlace = await score((await collected([n, Y, n, Y], 2, 2)).rollout);
  const first = rolloutOf(0, [Y, Y]);
  const direct = await score(first);
  const credits = ({ samples }: typeof direct) => samples.map(({ advantage, weight }) => [advantage, weight]);
  assertEquals(credits(inPlace), credits(direct));
  assertEquals(inPlace.metrics, { groupStd: 0.5, groupsKept: 1, dealsPlayed: 4 });
  assertEquals(direct.metrics, { groupStd: 0.5, groupsKept: 1, dealsPlayed: 2 });
});
