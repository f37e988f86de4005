/** Training with the kernels and submissions that a real GPU gets: the same numbers, up to rounding. */
import { numberLine } from "../../envs/mod.ts";
import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { collectRollout, type Rollout, VectorEnv } from "../../rl/rollout.ts";
import { newAgent } from "../../rl/setup.ts";
import { rlOptimizer, sftOptimizer } from "../../rl/optimizers.ts";
import { demonstrate, type Demonstration } from "../../rl/demonstrations.ts";
import { sftUpdate } from "../../rl/sft.ts";
import { gpuLikeHardware } from "../kernels/check_cases.ts";
import { gpuTest } from "../gpu.ts";
import { ppoIteration, tinyConfig } from "./tiny_run.ts";

const config = tinyConfig({ demonstrations: 8, sftBatch: 8, entropyCoefficient: 0.01 });

/** Two updates of a warm start, and one of RL on a rollout by the fresh policy. */
async function train(gpu: Gpu, batch: readonly Demonstration[], rollout: Rollout) {
  const learner = newAgent(gpu, numberLine, config);
  const warmStart = sftOptimizer(learner, config);
  const sft = [
    await sftUpdate(learner, warmStart, batch, 1e-3),
    await sftUpdate(learner, warmStart, batch, 1e-3),
  ];
  const fresh = newAgent(gpu, numberLine, config);
  const settings = { config, iteration: 0, learningRate: 1e-4 };
  const ppo = await ppoIteration(fresh, rlOptimizer(fresh, config), rollout, settings);
  return { ...sft[0], second: sft[1].sftLoss, ...ppo };
}

gpuTest("updates with a GPU's kernels measure what those of a software adapter do", async (gpu) => {
  const agent = newAgent(gpu, numberLine, config);
  const batch = await demonstrate(agent, numberLine, config);
  const environments = new VectorEnv(numberLine, config.envs, config.seed);
  const settings = { ...config, steps: config.rolloutSteps, stepsBefore: 0 };
  const rollout = await collectRollout(agent, environments, settings);
  const like = await gpuLikeHardware();
  const [software, hardware] = [await train(gpu, batch, rollout), await train(like, batch, rollout)];
  like.destroy();
  assertEquals(Object.keys(hardware), Object.keys(software));
  for (const [name, value] of Object.entries(software)) {
    const got = hardware[name as keyof typeof hardware];
    if (typeof value !== "number") continue;
    assertAlmostEquals(got as number, value, 2e-3 * (1 + Math.abs(value)), name);
  }
});
