/** PPO's losses against plain TypeScript in f64, its guards, and what an update does to the policy. */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { type Gpu, NotFiniteError } from "../../kernels/gpu/mod.ts";
import { numberLine, Random } from "../../envs/mod.ts";
import { layOut, promptLength, Tape } from "../../model/mod.ts";
import type { Agent } from "../../rl/agent.ts";
import { resolveConfig, type TrainConfig } from "../../rl/config.ts";
import { improve } from "../../rl/improve.ts";
import { objectiveSettings } from "../../rl/objective.ts";
import { generalizedAdvantages } from "../../rl/gae.ts";
import { collectRollout, type Rollout, type Transition, VectorEnv } from "../../rl/rollout.ts";
import { newAgent } from "../../rl/setup.ts";
import { rlOptimizer } from "../../rl/optimizers.ts";
import { shuffled } from "../../rl/shuffled.ts";
import { mean } from "../../rl/statistics.ts";
import { gpuTest } from "../gpu.ts";
import { ppoIteration, tinyConfig } from "./tiny_run.ts";

async function setUp(gpu: Gpu, config: TrainConfig) {
  const agent = newAgent(gpu, numberLine, config);
  const rollout = await collectRollout(agent, new VectorEnv(numberLine, config.envs, config.seed), {
    steps: config.rolloutSteps,
    lambda: config.lambda,
    temperature: config.temperature,
    maxNewTokens: config.maxNewTokens,
    rewardScale: config.rewardScale,
    formatPenalty: config.formatPenalty,
    seed: config.seed,
    stepsBefore: 0,
  });
  return { agent, rollout, optimizer: rlOptimizer(agent, config) };
}

/** log pi of each transition's response under the present weights. */
async function logPiOf(
  { vlm }: Agent,
  transitions: readonly Transition[],
  temperature: number,
): Promise<number[]> {
  using tape = new Tape(vlm.gpu, { record: false });
  const layout = layOut(transitions, vlm.config);
  const { logprob } = vlm.responseLogprobs(tape, vlm.hidden(tape, layout), layout, temperature);
  const [words] = await vlm.gpu.read(logprob.data);
  return transitions.map(({ weights }, b) =>
    weights.reduce((sum, weight, r) => sum + weight * words[b * layout.R + r], 0)
  );
}

function advantagesOf({ transitions, bootstrapValues }: Rollout, config: TrainConfig) {
  const { advantages, returns } = generalizedAdvantages({
    rewards: transitions.map(({ reward }) => reward),
    values: transitions.map(({ value }) => value),
    terminated: transitions.map(({ terminated }) => Number(terminated)),
    truncated: transitions.map(({ truncated }) => Number(truncated)),
    bootstrapValues,
    steps: config.rolloutSteps,
    envs: config.envs,
    gamma: config.gamma,
    lambda: config.gaeLambda,
  });
  const rms = Math.sqrt(mean(advantages.map((advantage) => advantage ** 2)));
  const normalised = Array.from(advantages, (advantage) => {
    const scaled = advantage / Math.max(rms, config.advantageFloor);
    return Math.max(-config.advantageClamp, Math.min(config.advantageClamp, scaled));
  });
  return { normalised, returns, rms };
}

gpuTest("losses and diagnostics are those of the paper, computed in f64", async (gpu) => {
  // With a learning rate of 0 the policy stays; what changes is what the behaviour policy is said to have been.
  const config = tinyConfig({ valueClip: 0.1, ratioGuard: 3, advantageClamp: 1.5, klStop: 1e6 });
  const { agent, rollout, optimizer } = await setUp(gpu, config);
  const order = [...shuffled(16, new Random(config.seed, "ppo 3 0"))];
  const later = order.slice(config.minibatch);
  const shifts = [0, 0.05, -0.05, 0.5, -0.5, 2, -2, 0.1];
  const transitions = rollout.transitions.map((transition, i) => {
    const k = later.indexOf(i);
    if (k < 0) return transition;
    // The ratio becomes exp(shift), and the value moves by more and by less than its clip.
    return { ...transition, logPi: transition.logPi - shifts[k], value: transition.value - shifts[k] / 4 };
  });
  const changed = { ...rollout, transitions };
  const metrics = await ppoIteration(agent, optimizer, changed, {
    config,
    iteration: 3,
    learningRate: 0,
  });

  const { normalised, returns, rms } = advantagesOf(changed, config);
  const newLogPi = await logPiOf(agent, transitions, config.temperature);
  const minibatches = [order.slice(0, config.minibatch), later].map((indices) => {
    const ratios = indices.map((i) => Math.exp(newLogPi[i] - transitions[i].logPi));
    const surrogates = indices.map((i, k) => {
      const ratio = Math.min(ratios[k], config.ratioGuard);
      const clipped = Math.max(1 - config.clip, Math.min(1 + config.clip, ratio));
      return Math.min(ratio * normalised[i], clipped * normalised[i]);
    });
    const valueErrors = indices.map((i) => {
      const old = transitions[i].value, value = rollout.transitions[i].value;
      const change = Math.max(-config.valueClip, Math.min(config.valueClip, value - old));
      return 0.5 * Math.max((value - returns[i]) ** 2, (old + change - returns[i]) ** 2);
    });
    const entropies = indices.flatMap((i) => [...transitions[i].entropies]);
    return {
      policyLoss: -mean(surrogates),
      valueLoss: mean(valueErrors),
      entropy: mean(entropies),
      clipFraction: mean(ratios.map((ratio) => Number(Math.abs(ratio - 1) > config.clip))),
    };
  });
  assertEquals(metrics.updates, 2);
  for (const key of ["policyLoss", "valueLoss", "entropy", "clipFraction"] as const) {
    assertAlmostEquals(metrics[key], mean(minibatches.map((minibatch) => minibatch[key])), 2e-5, key);
  }
  assertEquals(minibatches[1].clipFraction, 0.5);
  assertAlmostEquals(metrics.advantageRms, rms, 1e-6);
  assert(metrics.firstRatioError < 1e-4);
});

gpuTest("a minibatch in parts has the losses and the gradient of a whole one", async (gpu) => {
  const config = tinyConfig({ minibatch: 16, epochs: 1, entropyCoefficient: 0.01 });
  const { agent, rollout } = await setUp(gpu, config);
  const updateIn = async (microBatchPositions: number) => {
    const optimizer = rlOptimizer(agent, config);
    await gpu.settle();
    const [dispatchesBefore, submissionsBefore] = [gpu.dispatchCount, gpu.submissionCount];
    const metrics = await ppoIteration(agent, optimizer, rollout, {
      config: { ...config, microBatchPositions },
      iteration: 0,
      learningRate: 0,
    });
    const dispatches = gpu.dispatchCount - dispatchesBefore;
    assertEquals(gpu.submissionCount - submissionsBefore, 1);
    const { m } = await optimizer.toHost();
    optimizer.dispose();
    return { metrics, m, dispatches };
  };
  const longest = rollout.transitions.reduce(
    (most, { prompt, response }) => Math.max(most, promptLength(prompt, agent.vlm.config) + response.length),
    0,
  );
  const whole = await updateIn(16 * longest);
  const parts = await updateIn(7 * longest); // 6, 6 and 4 steps
  for (const key of ["policyLoss", "valueLoss", "entropy", "gradientNorm"] as const) {
    assertAlmostEquals(parts.metrics[key], whole.metrics[key], 1e-5 * Math.abs(whole.metrics[key]), key);
  }
  assert(parts.dispatches > 2.5 * whole.dispatches, `${parts.dispatches} and ${whole.dispatches} dispatches`);
  const largest = whole.m.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  assert(largest > 0);
  whole.m.forEach((value, i) => assertAlmostEquals(parts.m[i], value, 1e-5 * largest, `moment ${i}`));
});

gpuTest("an update makes what paid more likely, and leaves frozen tensors byte for byte", async (gpu) => {
  const config = tinyConfig({ minibatch: 16, policyGradientClip: 0 });
  const { agent, rollout, optimizer } = await setUp(gpu, config);
  const before = await agent.vlm.parameters.toHost();
  await ppoIteration(agent, optimizer, rollout, { config, iteration: 0, learningRate: 1e-4 });
  const newLogPi = await logPiOf(agent, rollout.transitions, config.temperature);
  const { normalised } = advantagesOf(rollout, config);
  const gain = mean(rollout.transitions.map(({ logPi }, i) => normalised[i] * (newLogPi[i] - logPi)));
  assert(gain > 1e-3, `the surrogate rose by ${gain}`);

  const after = await agent.vlm.parameters.toHost();
  for (const { name, kind, part } of agent.vlm.parameters.list) {
    const isFrozen = part !== "value_head" && config.freeze.includes(kind);
    const isSame = after.get(name)!.data.every((value, i) => Object.is(value, before.get(name)!.data[i]));
    assertEquals(isSame, isFrozen, name);
  }
});

gpuTest("an update at another temperature than the rollout's is refused", async (gpu) => {
  const config = tinyConfig();
  const { agent, rollout, optimizer } = await setUp(gpu, config);
  await assertRejects(
    () =>
      ppoIteration(agent, optimizer, rollout, {
        config: { ...config, temperature: 0.5 },
        iteration: 0,
        learningRate: 1e-4,
      }),
    Error,
    "Cannot trust this update: with unchanged weights a policy ratio differs from 1 by ",
  );
});

gpuTest("the KL is that of a weighted token over the last minibatches, computed in f64", async (gpu) => {
  const config = tinyConfig({ epochs: 2, klStop: 1e6 });
  const { agent, rollout } = await setUp(gpu, config);
  // The policy stays, and each token is said to have had another probability: its change is known.
  const order = [0, 1].flatMap((epoch) => [...shuffled(16, new Random(config.seed, `ppo 0 ${epoch}`))]);
  // One is wilder than the guard lets count.
  const wild = order.at(-1)!;
  const changeOf = (i: number, r: number) => i === wild && r === 1 ? 9 : ((i % 5) - 2) * 0.2 + r * 0.01;
  const transitions = rollout.transitions.map((transition, i) => ({
    ...transition,
    logprobs: transition.logprobs.map((logprob, r) => logprob - changeOf(i, r)),
  }));
  for (const klWindow of [1, 3, 4]) {
    const optimizer = rlOptimizer(agent, config);
    const { kl, klStopped, updates } = await ppoIteration(agent, optimizer, { ...rollout, transitions }, {
      config: { ...config, klWindow },
      iteration: 0,
      learningRate: 0,
    });
    optimizer.dispose();
    let sum = 0, weight = 0;
    for (const i of order.slice(-klWindow * config.minibatch)) {
      transitions[i].weights.forEach((w, r) => {
        const d = Math.min(changeOf(i, r), Math.log(config.ratioGuard));
        sum += w * (Math.exp(d) - 1 - d);
        weight += w;
      });
    }
    assertEquals([klStopped, updates], [false, 4]);
    assertAlmostEquals(kl, sum / weight, 1e-4 * sum / weight, `window ${klWindow}`);
  }
});

gpuTest("the KL stop ends an iteration's updates early", async (gpu) => {
  const config = tinyConfig({ epochs: 4, klStop: 1e-4 });
  const { agent, rollout, optimizer } = await setUp(gpu, config);
  const { updates, kl, klStopped } = await ppoIteration(agent, optimizer, rollout, {
    config,
    iteration: 0,
    learningRate: 1e-3,
  });
  assertEquals(updates, 2, "the first minibatch has no KL yet");
  assert(kl > config.klStop && klStopped);
});

gpuTest("a KL that is no number ends the updates, although every loss is finite", async (gpu) => {
  const config = tinyConfig({ epochs: 1, klStop: 1e6, lambda: 0 });
  const { agent, rollout, optimizer } = await setUp(gpu, config);
  // In the second minibatch, since the first is held to ratios of 1: a token that counts for nothing, and cannot have been drawn.
  const odd = shuffled(16, new Random(config.seed, "odd 0")).at(-1)!;
  const samples = rollout.transitions.map((transition, i) => ({
    transition: i !== odd ? transition : {
      ...transition,
      logprobs: transition.logprobs.with(0, Infinity),
      weights: transition.weights.with(0, 0),
    },
    advantage: 1,
  }));
  const ratios = { ratio: "token", clipLow: 0.2, clipHigh: 0.2, values: "none", valueClip: 0 } as const;
  const objective = objectiveSettings({ ...config, ...ratios, valueCoefficient: 0 });
  const iteration = { order: "odd", learningRate: 0 };
  await assertRejects(
    () => improve({ policy: agent, optimizer }, samples, { ...iteration, objective, settings: config }),
    NotFiniteError,
    "the KL divergence after update 2 is NaN",
  );
});

gpuTest("a reward that is no number stops the update and leaves the weights", async (gpu) => {
  const config = tinyConfig();
  const { agent, rollout, optimizer } = await setUp(gpu, config);
  const before = await agent.vlm.parameters.toHost();
  const transitions = rollout.transitions.map((transition, i) =>
    i === 0 ? { ...transition, reward: NaN } : transition
  );
  await assertRejects(
    () =>
      ppoIteration(agent, optimizer, { ...rollout, transitions }, {
        config,
        iteration: 0,
        learningRate: 1e-3,
      }),
    NotFiniteError,
    "the advantage of turn 0 is NaN",
  );
  assertEquals(await agent.vlm.parameters.toHost(), before);
});

gpuTest("the least ratio guard leaves ratios their gradient that are 1 but for rounding", async (gpu) => {
  const normWith = async (ratioGuard: number) => {
    const config = resolveConfig(
      { seed: 3, envs: 8, rolloutSteps: 2, minibatch: 16, epochs: 1, ratioGuard },
      numberLine,
    );
    const agent = newAgent(gpu, numberLine, config), optimizer = rlOptimizer(agent, config);
    const vectorEnv = new VectorEnv(numberLine, 8, 3);
    const rollout = await collectRollout(agent, vectorEnv, { ...config, steps: 2, stepsBefore: 0 });
    const update = { config, iteration: 0, learningRate: 1e-3 };
    return (await ppoIteration(agent, optimizer, rollout, update)).gradientNorm;
  };
  const [loose, tight] = [await normWith(10), await normWith(1)];
  assert(loose > 0 && Math.abs(tight / loose - 1) < 0.01, `${loose} and ${tight}`);
});
