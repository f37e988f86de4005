import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { makeEnv } from "../../envs/mod.ts";
import { type Gpu, subslice } from "../../kernels/gpu/mod.ts";
import { AdamW } from "../../model/mod.ts";
import { type BaselineConfig, resolveBaselineConfig } from "../../rl/baseline/config.ts";
import { CnnPolicy, type State, stateOf } from "../../rl/baseline/policy.ts";
import { collect, improve } from "../../rl/baseline/ppo.ts";
import { newCnn, runBaseline } from "../../rl/baseline/run.ts";
import { baselineCommand } from "../../rl/baseline.ts";
import { Progress, runCommand, UsageError } from "../../rl/cli/mod.ts";
import { samplerState, VectorEnv } from "../../rl/rollout.ts";
import { RunFolder } from "../../rl/run_folder.ts";
import { gpuTest, TempFolder } from "./tiny_run.ts";

/** 2 iterations of 4 minibatches, 4 held-out episodes. */
const TINY = {
  envSteps: 32,
  envs: 4,
  rolloutSteps: 4,
  minibatch: 8,
  epochs: 2,
  evalEpisodes: 4,
} as const;

const tinyConfig = (environment = "NumberLine", seed = 0): BaselineConfig =>
  resolveBaselineConfig({ ...TINY, seed }, environment);

/** Trains silently and returns `metrics.jsonl`; stops once asked more than `stopAfter` times whether to. */
async function trainHere(gpu: Gpu, config: BaselineConfig, stopAfter = Infinity) {
  using temp = new TempFolder();
  await using folder = await RunFolder.create(`${temp.path}/run`);
  let asked = 0;
  const { evaluation } = await runBaseline(newCnn(gpu, config), config, {
    gpu,
    folder,
    progress: new Progress({ write: () => {} }),
    isStopped: () => asked++ >= stopAfter,
  });
  const metrics = await Deno.readTextFile(`${temp.path}/run/metrics.jsonl`).catch(() => "");
  return { evaluation, metrics };
}

/** The first states of environments, and random numbers to act on them. */
function firstStates(environment: string, envs: number, size = 64): State[] {
  return new VectorEnv(environment, envs, 0).slots.map((slot) => stateOf(slot, size));
}

gpuTest("one seed gives one metrics.jsonl, byte by byte, and another seed another", async (gpu) => {
  const { metrics } = await trainHere(gpu, tinyConfig());
  const lines = metrics.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.map(({ stage, envSteps }) => [stage, envSteps]), [
    ["rl", 16],
    ["rl", 32],
    ["evaluation", undefined],
  ]);
  assertEquals((await trainHere(gpu, tinyConfig())).metrics, metrics);
  assert((await trainHere(gpu, tinyConfig("NumberLine", 1))).metrics !== metrics);
});

gpuTest("a stopped run ends between iterations or in its evaluation, without a result", async (gpu) => {
  for (const [asked, lines] of [[1, 1], [2, 2]]) {
    const { evaluation, metrics } = await trainHere(gpu, tinyConfig(), asked);
    assertEquals(evaluation, null);
    assertEquals(metrics.trim().split("\n").length, lines);
  }
});

gpuTest("the log-probability of an action drawn is that of the policy", async (gpu) => {
  const config = tinyConfig("EZPoints");
  const cnn = newCnn(gpu, config);
  const states = firstStates("EZPoints", 5);
  const random = samplerState(5, 0, 0);
  const acts = await new CnnPolicy(cnn).act(states, { random, greedy: false });
  // Heads begin small: every action is about as likely as any other.
  const uniform = -Math.log(makeEnv("EZPoints").actions.length);
  for (const { logprob } of acts) assert(Math.abs(logprob - uniform) < 0.05);
  assert(new Set(acts.map(({ action }) => action)).size > 1);
  const rollout = await collect(new CnnPolicy(cnn), new VectorEnv("EZPoints", 4, 0), {
    config,
    iteration: 0,
  });
  const optimizer = new AdamW(gpu, cnn.parameters, () => ({
    learningRateScale: 1,
    weightDecay: 0,
    clipGroup: "policy",
  }));
  const { firstRatioError } = await improve(cnn, optimizer, rollout, {
    config,
    iteration: 0,
    learningRate: 0,
  });
  assert(firstRatioError < 1e-5);
});

gpuTest("only admissible commands are drawn in Household, however likely others are", async (gpu) => {
  const cnn = newCnn(gpu, tinyConfig("Household"));
  const states = firstStates("Household", 4);
  const isLegal = (b: number, action: number) => states[b].legal![action] === 1;
  const illegal = states[0].legal!.findIndex((_, action) =>
    states.every(({ legal }) => legal![action] === 0)
  );
  const bias = cnn.parameters.get("policy_head.bias").data;
  gpu.write(subslice(bias, illegal, 1, "bias"), Float32Array.of(50));
  const policy = new CnnPolicy(cnn);
  for (let counter = 0; counter < 8; counter++) {
    const acts = await policy.act(states, { random: samplerState(4, 0, counter), greedy: counter === 0 });
    acts.forEach(({ action, logprob }, b) => {
      assert(isLegal(b, action), `step ${counter} drew action ${action}`);
      assert(Math.abs(logprob + Math.log(states[b].legal!.reduce((a, b) => a + b, 0))) < 0.5);
    });
  }
});

gpuTest("updates make what paid more likely", async (gpu) => {
  const config = { ...tinyConfig(), epochs: 12, klStop: 100 };
  const cnn = newCnn(gpu, config);
  const optimizer = new AdamW(gpu, cnn.parameters, () => ({
    learningRateScale: 1,
    weightDecay: 0,
    clipGroup: "policy",
  }));
  const policy = new CnnPolicy(cnn);
  const rollout = await collect(policy, new VectorEnv("NumberLine", 4, 0), { config, iteration: 0 });
  // A bandit: action 1 pays 1, action 0 nothing.
  const transitions = rollout.transitions.map((transition) => ({
    ...transition,
    reward: transition.action,
    terminated: true,
    truncated: false,
  }));
  await improve(cnn, optimizer, { ...rollout, transitions }, { config, iteration: 0, learningRate: 1e-3 });
  const acts = await policy.act(transitions, {
    random: samplerState(transitions.length, 0, 0),
    greedy: true,
  });
  assertEquals(acts.map(({ action }) => action), transitions.map(() => 1));
});

Deno.test("the command writes a summary with the keys of a training run", async () => {
  using temp = new TempFolder();
  const out = `${temp.path}/run`;
  const flags = Object.entries(TINY).flatMap(([name, value]) => [
    `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    String(value),
  ]);
  assertEquals(await runCommand(baselineCommand, [...flags, "--out", out]), 0);
  const summary = JSON.parse(Deno.readTextFileSync(`${out}/summary.json`));
  assertEquals(summary.evaluation_after_sft, null);
  assertEquals(summary.evaluation.episodes, 4);
  assertEquals(summary.evaluation.perception, null);
  assertEquals(summary.evaluation.parse_rate, 1);
  assert(summary.parameters > 5e5 && summary.wall_seconds.total > 0 && summary.peak_memory_bytes > 0);
  const messages: string[] = [];
  const console = { out: () => {}, err: (text: string) => void messages.push(text) };
  assertEquals(await runCommand(baselineCommand, ["--out", out], { console }), 1);
  assertStringIncludes(messages.join(""), `Cannot write ${out}: it exists, pass --overwrite`);
});

Deno.test("minibatches must divide an iteration, and an unknown environment is named", async () => {
  assertThrows(
    () => resolveBaselineConfig({ ...TINY, minibatch: 5 }, "NumberLine"),
    UsageError,
    "--minibatch 5 must divide the 16 steps of an iteration",
  );
  const messages: string[] = [];
  const console = { out: () => {}, err: (text: string) => void messages.push(text) };
  assertEquals(await runCommand(baselineCommand, ["--env", "NumberLime"], { console }), 2);
  assertStringIncludes(messages.join(""), 'did you mean "NumberLine"?');
});
