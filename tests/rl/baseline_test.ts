/** The CNN as a policy of the same run: it learns by the same code, resumes, imitates, and is evaluated alike. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { findEnvironment, makeEnv } from "../../envs/mod.ts";
import { type Gpu, subslice } from "../../kernels/gpu/mod.ts";
import { baselineCommand } from "../../commands/baseline.ts";
import { runCommand } from "../../rl/cli/mod.ts";
import { loadPolicy } from "../../rl/run/checkpoint.ts";
import { resolveConfig, type TrainConfig } from "../../rl/config.ts";
import { CnnPolicy, newPolicy } from "../../rl/policies/mod.ts";
import type { Situation } from "../../rl/policy.ts";
import { collectRollout, samplerState, VectorEnv } from "../../rl/rollout.ts";
import { rlOptimizer, sftOptimizer } from "../../rl/optimizers.ts";
import { demonstrate } from "../../rl/demonstrations.ts";
import { sftUpdate } from "../../rl/sft.ts";
import { gpuTest } from "../gpu.ts";
import { metricsOf, ppoIteration, TempFolder, trainHere } from "./tiny_run.ts";

/** 2 iterations of 4 minibatches, 4 held-out episodes. */
const TINY = { envSteps: 32, envs: 4, rolloutSteps: 4, minibatch: 8, epochs: 2, evalEpisodes: 4 } as const;

const tinyConfig = (environment = "NumberLine", changes: Partial<TrainConfig> = {}): TrainConfig =>
  resolveConfig({ policy: "cnn", ...TINY, ...changes }, findEnvironment(environment));

const policyFor = (gpu: Gpu, config: TrainConfig) =>
  newPolicy(gpu, findEnvironment(config.env), config) as CnnPolicy;

const situationsOf = (environment: string, envs: number): readonly Situation[] =>
  new VectorEnv(findEnvironment(environment), envs, 0).slots;

const settings = { temperature: 1, maxNewTokens: 1 };

gpuTest("one seed gives one metrics.jsonl, byte by byte, and another seed another", async () => {
  using temp = new TempFolder();
  const metrics = async (name: string, seed: number) => {
    await trainHere(`${temp.path}/${name}`, tinyConfig("NumberLine", { seed }));
    return metricsOf(`${temp.path}/${name}`);
  };
  const first = await metrics("a", 0);
  const lines = first.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.map(({ stage, envSteps }) => [stage, envSteps]), [
    ["rl", 16],
    ["rl", 32],
    ["evaluation", undefined],
  ]);
  assertEquals(await metrics("b", 0), first);
  assert(await metrics("c", 1) !== first);
});

gpuTest("a stopped run goes on and ends with the bytes of one that was not stopped", async () => {
  using temp = new TempFolder();
  await trainHere(`${temp.path}/whole`, tinyConfig());
  const out = `${temp.path}/stopped`;
  const stopped = await trainHere(out, tinyConfig(), (lines) => lines >= 1);
  assertEquals(stopped.afterRl, null);
  await trainHere(out, { ...tinyConfig(), resume: true });
  assertEquals(metricsOf(out), metricsOf(`${temp.path}/whole`));
});

gpuTest("the log-probability of an action drawn is that of the policy", async (gpu) => {
  const config = tinyConfig("EZPoints");
  const policy = policyFor(gpu, config);
  const random = samplerState(5, 0, 0);
  const decisions = await policy.respond(situationsOf("EZPoints", 5), { ...settings, random, greedy: false });
  // Heads begin small: every action is about as likely as any other.
  const uniform = -Math.log(makeEnv("EZPoints").actions.length);
  for (const { response } of decisions) assert(Math.abs(response.logprobs[0] - uniform) < 0.05);
  assert(new Set(decisions.map(({ parse }) => parse.action)).size > 1);
  const collect = { ...config, steps: 4, stepsBefore: 0, lambda: 1 };
  const rollout = await collectRollout(policy, new VectorEnv(findEnvironment("EZPoints"), 4, 0), collect);
  const optimizer = rlOptimizer(policy, config);
  const { firstRatioError } = await ppoIteration(policy, optimizer, rollout, {
    config,
    iteration: 0,
    learningRate: 0,
  });
  assert(firstRatioError < 1e-5);
});

gpuTest("only admissible commands are drawn in Household, however likely others are", async (gpu) => {
  const policy = policyFor(gpu, tinyConfig("Household"));
  const situations = situationsOf("Household", 4);
  const legal = situations.map(({ env }) => env.legalActions!());
  const illegal = situations[0].env.actions.findIndex((_, action) =>
    legal.every((known) => !known.includes(action))
  );
  const bias = policy.parameters.get("policy_head.bias").data;
  gpu.write(subslice(bias, illegal, 1, "bias"), Float32Array.of(50));
  for (let counter = 0; counter < 8; counter++) {
    const random = samplerState(4, 0, counter);
    const decisions = await policy.respond(situations, { ...settings, random, greedy: counter === 0 });
    decisions.forEach(({ response: { ids: [action], logprobs } }, b) => {
      assert(legal[b].includes(action), `step ${counter} drew action ${action}`);
      assert(Math.abs(logprobs[0] + Math.log(legal[b].length)) < 0.5);
    });
  }
});

gpuTest("updates make what paid more likely", async (gpu) => {
  const config = tinyConfig("NumberLine", { epochs: 12, klStop: 100 });
  const policy = policyFor(gpu, config);
  const collect = { ...config, steps: 4, stepsBefore: 0, lambda: 1 };
  const vectorEnv = new VectorEnv(findEnvironment("NumberLine"), 4, 0);
  const situations = vectorEnv.slots.map((slot) => ({ ...slot }));
  const rollout = await collectRollout(policy, vectorEnv, collect);
  // A bandit: action 1 pays 1, action 0 nothing.
  const transitions = rollout.transitions.map((transition) => ({
    ...transition,
    reward: transition.action,
    terminated: true,
    truncated: false,
  }));
  const trajectories = transitions.map((_, turn) => ({ turns: [turn], deal: 0, outcome: null }));
  const optimizer = rlOptimizer(policy, config);
  await ppoIteration(policy, optimizer, { ...rollout, transitions, trajectories }, {
    config,
    iteration: 0,
    learningRate: 1e-3,
  });
  const decisions = await policy.respond(situations, {
    ...settings,
    random: samplerState(4, 0, 0),
    greedy: true,
  });
  assertEquals(decisions.map(({ parse }) => parse.action), [1, 1, 1, 1]);
});

gpuTest("it imitates demonstrations before RL", async (gpu) => {
  // NumberLine's demonstrator errs as often as not, so that nothing could be learnt from it at first.
  const config = tinyConfig("EZPoints", { demonstrations: 64 });
  const policy = policyFor(gpu, config);
  const demonstrations = await demonstrate(policy, findEnvironment("EZPoints"), config);
  const optimizer = sftOptimizer(policy, config);
  const losses: number[] = [];
  for (let step = 0; step < 12; step++) {
    losses.push((await sftUpdate(policy, optimizer, demonstrations, 1e-3, config)).sftLoss);
  }
  assert(losses[11] < 0.9 * losses[0], `${losses}`);
});

Deno.test("the command writes a summary with the keys of a training run, and a checkpoint", async () => {
  using temp = new TempFolder();
  const out = `${temp.path}/run`;
  const flags = Object.entries(TINY).flatMap(([name, value]) => [
    `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    String(value),
  ]);
  assertEquals(await runCommand(baselineCommand, [...flags, "--out", out]), 0);
  const summary = JSON.parse(Deno.readTextFileSync(`${out}/summary.json`));
  assertEquals(summary.evaluation_after_sft, null);
  assertEquals(summary.preset, "cnn");
  assertEquals(summary.evaluation.episodes, 4);
  assertEquals(summary.evaluation.perception, null);
  assertEquals(summary.evaluation.parse_rate, 1);
  assert(summary.parameters > 5e5 && summary.wall_seconds.total > 0 && summary.peak_memory_bytes > 0);
  const messages: string[] = [];
  const console = { out: () => {}, err: (text: string) => void messages.push(text) };
  assertEquals(await runCommand(baselineCommand, ["--out", out], { console }), 1);
  assertStringIncludes(messages.join(""), `Cannot write ${out}: it exists, pass --overwrite`);
});

gpuTest("a checkpoint comes back, and is refused by an environment with other actions", async (gpu) => {
  using temp = new TempFolder();
  await trainHere(`${temp.path}/run`, tinyConfig("NumberLine", { envSteps: 0 }));
  const path = `${temp.path}/run/checkpoint`;
  assert(await loadPolicy(gpu, path, makeEnv("NumberLine")) instanceof CnnPolicy);
  await assertRejects(
    () => loadPolicy(gpu, path, makeEnv("EZPoints")),
    RangeError,
    "it has 2 actions, EZPoints has",
  );
});
