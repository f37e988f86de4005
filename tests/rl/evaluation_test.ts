/** Evaluation: held-out seeds, determinism, counting. */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { household, NumberLine, numberLine } from "../../envs/mod.ts";
import {
  evaluate,
  evaluateBoth,
  EVALUATION_SEEDS,
  type EvaluationSettings,
  ResponseTally,
} from "../../rl/evaluation.ts";
import { trainOptions } from "../../rl/config.ts";
import { TRAINING_SEEDS, VectorEnv } from "../../rl/rollout.ts";
import { newAgent } from "../../rl/setup.ts";
import { scriptedPolicy } from "../../rl/scripted_policy.ts";
import { demonstrate } from "../../rl/demonstrations.ts";
import { wilsonInterval } from "../../rl/statistics.ts";
import { gpuTest } from "../gpu.ts";
import { tinyConfig } from "./tiny_run.ts";

const settings: EvaluationSettings = {
  environment: numberLine,
  episodes: 6,
  seed: 0,
  greedy: false,
  temperature: 1,
  maxNewTokens: 4,
};

/** Episode seeds that `run` resets environments with. */
async function seedsOf(run: () => unknown): Promise<number[]> {
  const seeds: number[] = [];
  const reset = NumberLine.prototype.reset;
  NumberLine.prototype.reset = function (settings) {
    if (settings?.seed !== undefined) seeds.push(settings.seed);
    return reset.call(this, settings);
  };
  try {
    await run();
  } finally {
    NumberLine.prototype.reset = reset;
  }
  return seeds;
}

gpuTest("evaluation plays seeds that neither demonstrations nor RL ever see", async (gpu) => {
  const seed = trainOptions.seed.max!;
  const config = tinyConfig({ seed, demonstrations: 64 });
  const agent = newAgent(gpu, numberLine, config);
  const demonstrated = await seedsOf(() => demonstrate(agent, numberLine, config));
  const played = await seedsOf(() => {
    const vectorEnv = new VectorEnv(numberLine, 4, seed);
    for (let step = 0; step < 60; step++) vectorEnv.step(step % 4, null);
  });
  const evaluated = await seedsOf(() => evaluate(agent, settings));
  assert(demonstrated.length > 5 && played.length > 4 && evaluated.length >= 6);
  // The highest seed a run can have ends below the first held-out one.
  assert(Math.max(...demonstrated, ...played) < EVALUATION_SEEDS);
  assert((seed + 1) * TRAINING_SEEDS <= EVALUATION_SEEDS);
  assert(Math.min(...evaluated) >= EVALUATION_SEEDS);
  assertEquals(new Set([...demonstrated, ...played]).size, demonstrated.length + played.length);
  const other = await seedsOf(() => evaluate(agent, { ...settings, seed: 1 }));
  assertEquals(new Set([...evaluated, ...other]).size, evaluated.length + other.length);
});

gpuTest("one seed gives one result, sampled and greedy, and progress counts both", async (gpu) => {
  const agent = newAgent(gpu, numberLine, tinyConfig());
  const counts: number[] = [];
  const first = await evaluateBoth(agent, { ...settings, onProgress: (done) => counts.push(done) });
  assertEquals(await evaluateBoth(agent, settings), first);
  assertEquals(counts, [...counts].sort((a, b) => a - b));
  assertEquals(counts.at(-1), 12);
  for (const result of [first.sampled, first.greedy]) {
    assertEquals(result.ci95, wilsonInterval(Math.round(result.success * 6), 6));
    assert(result.goalReached >= result.success);
    assert(result.meanSteps >= 1 && result.meanSteps <= 10);
  }
});

gpuTest("fewer environments than episodes play the same deals", async (gpu) => {
  const agent = newAgent(gpu, numberLine, tinyConfig());
  const narrow = await seedsOf(() => evaluate(agent, { ...settings, envs: 2 }));
  const wide = await seedsOf(() => evaluate(agent, { ...settings, envs: 6 }));
  const first = Array.from({ length: 6 }, (_, i) => EVALUATION_SEEDS + i);
  for (const seeds of [narrow, wide]) assertEquals(first.filter((seed) => !seeds.includes(seed)), []);
});

Deno.test("rates are over all responses once one states a thought, null while none does", () => {
  const parsed = { action: 1, start: 0, end: 1 }, lost = { action: null, start: -1, end: -1 };
  const tally = new ResponseTally();
  tally.add({ parse: parsed, judgement: { perception: null, faithful: null } });
  tally.add({ parse: lost, judgement: { perception: null, faithful: null } });
  assertEquals(tally.rates(), {
    parseRate: 0.5,
    perception: null,
    faithfulness: null,
    thoughtDiversity: null,
    thoughtInformation: null,
  });
  tally.add({ parse: parsed, judgement: { perception: 0.5, faithful: true } });
  const { parseRate, perception, faithfulness } = tally.rates();
  assertAlmostEquals(parseRate, 2 / 3);
  assertAlmostEquals(perception!, 0.5 / 3);
  assertAlmostEquals(faithfulness!, 1 / 3);
});

Deno.test("the tally compares thoughts with what was shown, where responses are written", () => {
  const parse = { action: 1, start: 13, end: 14 };
  const tally = new ResponseTally();
  const answer = (state: number, thought: string) => {
    const text = `${thought}"action": "+"`;
    const decoding = { text, starts: [0, thought.length], ends: [thought.length, text.length] };
    const prompt = [{ kind: "text", ids: [state] }] as const;
    tally.add({ prompt, decoding, parse, judgement: { perception: 1, faithful: true } });
  };
  for (const [state, thought] of [[0, "a"], [1, "b"], [2, "b"]] as const) answer(state, thought);
  const { thoughtDiversity, thoughtInformation } = tally.rates();
  assertAlmostEquals(thoughtDiversity!, 2 / 3);
  assertAlmostEquals(thoughtInformation!, 1 - 2 / 3 * Math.log(2) / Math.log(3));
});

Deno.test("the solver reaches the ceiling, chance does not, and no picture is drawn for either", async () => {
  const reset = NumberLine.prototype.reset;
  let drawn = 0;
  NumberLine.prototype.reset = function (settings) {
    const result = reset.call(this, settings);
    return {
      info: result.info,
      get observation() {
        return drawn++, result.observation;
      },
    };
  };
  try {
    const many = { ...settings, episodes: 2000 };
    const optimal = await evaluate(scriptedPolicy("optimal", 0), many);
    assertEquals([optimal.success, optimal.goalReached, optimal.perception], [1, 1, null]);
    const random = await evaluate(scriptedPolicy("random", 0), many);
    // 28.3% by exact enumeration of the 30 deals.
    assertAlmostEquals(random.success, 0.283, 4 * Math.sqrt(0.283 * 0.717 / 2000));
    assertEquals(await evaluate(scriptedPolicy("random", 0), many), random);
    assert((await evaluate(scriptedPolicy("random", 1), many)).meanReturn !== random.meanReturn);
    assertEquals(drawn, 0);
  } finally {
    NumberLine.prototype.reset = reset;
  }
});

Deno.test("random actions are those an environment allows, and the solver wins where it can be won", async () => {
  const many = { ...settings, environment: household, episodes: 40 };
  const random = await evaluate(scriptedPolicy("random", 0), many);
  // An illegal action costs 1: with none, every return is a sum of shares of goal conditions.
  assert(random.meanReturn >= 0, `${random.meanReturn}`);
  assertEquals((await evaluate(scriptedPolicy("optimal", 0), many)).success, 1);
});

Deno.test("a reward that is no finite number is refused by whoever plays, and is no failure", async () => {
  for (const reward of [NaN, Infinity, undefined]) {
    const make = () => {
      const env = numberLine.make();
      const step = env.step.bind(env);
      return Object.assign(env, {
        step: (action: number) => ({ ...step(action), reward: reward as number }),
      });
    };
    const environment = { ...numberLine, make };
    const message = `Cannot step NumberLine: reward is ${reward}, expected a finite number`;
    await assertRejects(
      () => evaluate(scriptedPolicy("random", 0), { ...settings, environment }),
      TypeError,
      message,
    );
    assertThrows(() => new VectorEnv(environment, 1, 0).step(0, 0), TypeError, message);
  }
});

Deno.test("a panel names the deals: the same for any policy, another for other seeds, settings and counts", async () => {
  const panelOf = async (over: Partial<EvaluationSettings>, policy: "optimal" | "random" = "optimal") =>
    (await evaluate(scriptedPolicy(policy, 0), { ...settings, ...over })).panel;
  const panel = await panelOf({});
  assertEquals(panel.length, 12);
  assertEquals(await panelOf({ envs: 2 }, "random"), panel);
  const others = [{ seed: 1 }, { episodes: 7 }, { envSettings: { maxPosition: 9 } }, {
    environment: household,
  }];
  assertEquals(new Set([panel, ...await Promise.all(others.map((over) => panelOf(over)))]).size, 5);
});

Deno.test("outcomes are in the panel's order, however many environments play side by side", async () => {
  const run = (envs: number) => evaluate(scriptedPolicy("optimal", 0), { ...settings, episodes: 9, envs });
  const [one, many] = [await run(1), await run(9)];
  assertEquals([one.outcomes, many.outcomes], ["1".repeat(9), "1".repeat(9)]);
  const random = await evaluate(scriptedPolicy("random", 0), { ...settings, episodes: 400 });
  const wins = Array.from(random.outcomes).filter((digit) => digit === "1").length;
  assertEquals([random.outcomes.length, wins / 400], [400, random.success]);
});

Deno.test("samples of a deal stand together and are deals of the same panel", async () => {
  const seeds: number[] = await seedsOf(() =>
    evaluate(scriptedPolicy("random", 0), { ...settings, episodes: 6, samples: 3, envs: 1 })
  );
  const [first, second] = [EVALUATION_SEEDS, EVALUATION_SEEDS + 1];
  assertEquals(seeds.slice(0, 6), [first, first, first, second, second, second]);
  const { sampled, greedy } = await evaluateBoth(scriptedPolicy("random", 0), { ...settings, samples: 3 });
  assertEquals([sampled.outcomes.length, greedy.outcomes.length], [18, 6]);
  assertEquals(sampled.panel, greedy.panel);
});
