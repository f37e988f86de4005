/** RL from given weights, in an environment that nobody demonstrates. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { defineEnvironment, gridPicture, numberLine } from "../../../envs/mod.ts";
import { ppo } from "../../../rl/algorithms/mod.ts";
import { Progress } from "../../../rl/cli/mod.ts";
import { settingsOf } from "../../../rl/config.ts";
import { loadAgent } from "../../../rl/run/checkpoint.ts";
import { beginWithWeights } from "../../../rl/run/given_weights.ts";
import { runTraining } from "../../../rl/run/run.ts";
import { MemoryRun } from "../../../rl/run/memory_run.ts";
import { gpuTest } from "../../gpu.ts";
import { TempFolder, tinyConfig, untrainedRun } from "../tiny_run.ts";

/** NumberLine's rules, without anybody who knows how to play. */
const unsolved = defineEnvironment({
  name: "Unsolved",
  make: (settings) => {
    const env = numberLine.make(settings);
    return {
      actions: env.actions,
      tokens: env.tokens,
      reset: (options) => env.reset(options),
      step: (action) => env.step(action),
      prompt: (info, options) => env.prompt(info as Parameters<typeof env.prompt>[0], options),
      parse: (text) => env.parse(text),
      stateKey: () => env.stateKey(),
    };
  },
});

gpuTest("RL begins with the latest weights of a run, without demonstrations", async (gpu) => {
  using temp = new TempFolder();
  const source = `${temp.path}/source`;
  await untrainedRun(source, { seed: 3 });
  const given = await loadAgent(gpu, `${source}/checkpoint`);
  const config = { ...tinyConfig(), env: unsolved.reference, resume: true };
  const store = new MemoryRun();
  await store.writeConfig(settingsOf(config));
  await beginWithWeights(gpu, store, { source, environment: unsolved, config });
  const begun = await loadAgent(gpu, store.checkpoint("warm_start")!);
  assertEquals(await begun.parameters.toHost(), await given.parameters.toHost());

  const result = await runTraining(config, {
    gpu,
    environment: unsolved,
    algorithm: ppo,
    folder: store,
    progress: new Progress({ write: () => {} }),
    isStopped: () => false,
  });
  const stages = (await store.readMetrics()).map(({ stage }) => stage);
  assertEquals(stages, ["rl", "rl", "evaluation"]);
  assert(result.afterRl !== null && result.afterSft === null);
});

gpuTest("weights that cannot write the environment's words are refused", async (gpu) => {
  using temp = new TempFolder();
  const source = `${temp.path}/source`;
  await untrainedRun(source);
  const foreign = defineEnvironment({
    name: "Foreign",
    actions: ["jump", "crouch"],
    reset: () => ({ place: 0 }),
    step: (state, action) => ({ state, reward: action, terminated: true }),
    render: () => gridPicture(["A."], { A: [255, 0, 0], ".": [0, 0, 0] }),
  });
  const config = { ...tinyConfig(), env: foreign.reference };
  const store = new MemoryRun();
  await store.writeConfig(settingsOf(config));
  await assertRejects(
    () => beginWithWeights(gpu, store, { source, environment: foreign, config }),
    RangeError,
    "Foreign",
  );
  assertEquals(store.checkpoint(), null);
});
