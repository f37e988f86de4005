/** Value targets of the warm start: returns as if no step limit cut an episode. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { makeEnv, numberLine, Random, type ResetResult, type StepResult } from "../../envs/mod.ts";
import { type DemonstratedEpisode, demonstratedReturns } from "../../rl/demonstrated_returns.ts";
import { demonstrate } from "../../rl/demonstrations.ts";
import { newAgent, sftOptimizer } from "../../rl/setup.ts";
import { sftUpdate } from "../../rl/sft.ts";
import { gpuTest } from "../gpu.ts";
import { tinyConfig } from "./tiny_run.ts";

const episode = (path: string, rewards: readonly number[], cutIn: string | null = null) => ({
  states: [...path],
  rewards,
  cutIn,
});

Deno.test("an episode that the rules end has its own discounted return", () => {
  assertEquals(demonstratedReturns([episode("abc", [1, 2, 4])], 0.5), [[3, 4, 4]]);
  assertEquals(demonstratedReturns([episode("abc", [1, 2, 4])], 0), [[1, 2, 4]]);
});

Deno.test("an episode that was cut goes on with what was earned from the state it was cut in", () => {
  // From c: 4 in one episode, 8 in another, so 6 on average.
  const others = [episode("bc", [0, 4]), episode("c", [8])];
  assertEquals(demonstratedReturns([episode("ab", [1, 2], "c"), ...others], 0.5)[0], [3.5, 5]);
});

Deno.test("a state's value is the fixed point over all visits, those of cut episodes too", () => {
  // V(a) = (1 + V(a) / 2 + 3) / 2: a visit stays in a, another one ends.
  const [stays] = demonstratedReturns([episode("a", [1], "a"), episode("a", [3])], 0.5);
  assertAlmostEquals(stays[0]!, 1 + 0.5 * (8 / 3), 1e-6);
  // Without a discount as well, where the way out is seldom taken.
  const [loop] = demonstratedReturns([episode("aaaaaaaaa", Array(9).fill(-1), "a"), episode("a", [-1])], 1);
  assertAlmostEquals(loop[0]!, -19, 1e-3);
});

Deno.test("an episode that was cut where nothing is known has no return, and teaches others none", () => {
  const unknown = episode("ax", [1, 1], "y");
  assertEquals(demonstratedReturns([unknown, episode("b", [2])], 0.5), [[null, null], [2]]);
  // What loops without an end is not known either.
  assertEquals(demonstratedReturns([episode("x", [1], "x")], 0.5), [[null]]);
  // a leads to an end as well: only that counts.
  assertEquals(demonstratedReturns([unknown, episode("a", [2]), episode("c", [0], "a")], 0.5)[2], [1]);
  assertEquals(demonstratedReturns([], 0.9), []);
});

Deno.test("on NumberLine the mean target is the mean return without the step limit", () => {
  const env = makeEnv("NumberLine"), random = new Random(0, "demonstrations"), gamma = 0.9;
  const act = () => env.step(env.parse(env.demonstrate(random, { cot: true })).action ?? env.randomAction());
  const episodes: DemonstratedEpisode[] = [], free: number[] = [];
  for (let index = 0; index < 3000; index++) {
    let state: ResetResult | StepResult = env.reset({ seed: 1_000_000 - 1 - index });
    const states: string[] = [], rewards: number[] = [];
    let [steps, cutIn] = [0, null as string | null];
    for (let isOver = false; !isOver && rewards.length < 400;) {
      if (steps === 0) states.push(env.stateKey());
      const result = act();
      rewards.push(result.reward);
      state = result;
      isOver = result.terminated;
      if (!result.truncated) continue;
      if (steps === 0) [steps, cutIn] = [rewards.length, env.stateKey()];
      // The same state goes on.
      state = env.reset({ seed: 7, options: { start: state.info.current, target: state.info.target } });
    }
    const length = steps || rewards.length;
    episodes.push({ states, rewards: rewards.slice(0, length), cutIn });
    let discounted = 0;
    const returns = rewards.toReversed().map((reward) => discounted = reward + gamma * discounted).reverse();
    free.push(...returns.slice(0, length));
  }
  const mean = (values: readonly (number | null)[]) =>
    values.reduce((sum: number, value) => sum + value!, 0) / values.length;
  const targets = demonstratedReturns(episodes, gamma).flat();
  assertEquals(targets.length, free.length);
  assertAlmostEquals(mean(free), -2.575, 0.01);
  assertAlmostEquals(mean(targets), mean(free), 0.05);
  // With a return of 0 after the limit it was:
  const cut = demonstratedReturns(episodes.map((one) => ({ ...one, cutIn: null })), gamma).flat();
  assertAlmostEquals(mean(cut), -1.394, 0.01);
});

gpuTest("the warm start learns values of steps whose return is known, and of no others", async (gpu) => {
  const config = tinyConfig({ demonstrations: 16 });
  const agent = newAgent(gpu, numberLine, config);
  const all = (await demonstrate(agent, numberLine, config)).map(({ prompt, response, ...step }) => ({
    ...{ prompt, response, discountedReturn: step.discountedReturn },
    valueWeight: 1 as const,
  }));
  const values = await agent.values(all.map(({ prompt }) => prompt));
  const error = (index: number) => (values[index] - all[index].discountedReturn) ** 2 / 2;
  const lossOf = async (weights: (0 | 1)[]) => {
    const batch = all.map((step, index) => ({ ...step, valueWeight: weights[index % weights.length] }));
    const optimizer = sftOptimizer(agent, config);
    const { valueLoss } = await sftUpdate(agent, optimizer, batch, 0);
    optimizer.dispose();
    return valueLoss;
  };
  const meanError = (indices: readonly number[]) =>
    indices.reduce((sum, index) => sum + error(index), 0) / indices.length;
  const indices = all.map((_, index) => index);
  assertAlmostEquals(await lossOf([1]), meanError(indices), 1e-4);
  assertAlmostEquals(await lossOf([0, 1]), meanError(indices.filter((index) => index % 2 === 1)), 1e-4);
  assertEquals(await lossOf([0]), 0);
  assert(meanError(indices) > 0);
});
