/** Training updates and generation repeat their launches from plans: with the results of running them anew, bit by bit. */
import { numberLine } from "../../envs/mod.ts";
import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { collectRollout, VectorEnv } from "../../rl/rollout.ts";
import { newAgent } from "../../rl/setup.ts";
import { rlOptimizer, sftOptimizer } from "../../rl/optimizers.ts";
import { demonstrate } from "../../rl/demonstrations.ts";
import { sftBatch, sftUpdate } from "../../rl/sft.ts";
import { gpuTest } from "../gpu.ts";
import { ppoIteration, tinyConfig } from "./tiny_run.ts";

const SFT_UPDATES = 8;
const ITERATIONS = 3;

/** A short warm start and some RL; `before` is called before each update and rollout. */
async function train(gpu: Gpu, before: () => void) {
  const config = tinyConfig({ demonstrations: 32, sftBatch: 8, epochs: 2, entropyCoefficient: 0.01 });
  const agent = newAgent(gpu, numberLine, config);
  const { vlm } = agent;
  const demonstrations = await demonstrate(agent, numberLine, config);
  const warmStart = sftOptimizer(agent, config);
  const measured: unknown[] = [];
  for (let update = 0; update < SFT_UPDATES; update++) {
    before();
    measured.push(await sftUpdate(agent, warmStart, sftBatch(demonstrations, update, config), 1e-3));
  }
  warmStart.dispose();
  const optimizer = rlOptimizer(agent, config);
  const vectorEnv = new VectorEnv(numberLine, config.envs, config.seed);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    before();
    const rollout = await collectRollout(agent, vectorEnv, {
      ...config,
      steps: config.rolloutSteps,
      stepsBefore: iteration * config.rolloutSteps * config.envs,
    });
    measured.push(rollout.transitions.map(({ response, logPi, value }) => ({ response, logPi, value })));
    before();
    measured.push(await ppoIteration(agent, optimizer, rollout, { config, iteration, learningRate: 1e-4 }));
  }
  optimizer.dispose();
  const [weights] = await gpu.read(vlm.parameters.values);
  return { measured, weights };
}

gpuTest("training by plans and training without end in the same weights", async (gpu) => {
  const start = gpu.plans.traced;
  const anew = await train(gpu, () => gpu.plans.clear());
  const tracedAnew = gpu.plans.traced - start;
  const planned = await train(gpu, () => {});
  const traced = gpu.plans.traced - start - tracedAnew;
  assertEquals(planned, anew);
  assert(traced < tracedAnew, `${traced} of ${tracedAnew} steps were traced`);
});

gpuTest("steps of a shape that occurred make no plan, buffer, pipeline or bind group", async (gpu) => {
  const config = tinyConfig({ demonstrations: 8, sftBatch: 8 });
  const agent = newAgent(gpu, numberLine, config);
  const batch = await demonstrate(agent, numberLine, config);
  const optimizer = sftOptimizer(agent, config);
  const made = () => ({
    plans: gpu.plans.traced,
    storages: gpu.pool.created,
    pipelines: gpu.pipelines.size,
    bindGroups: gpu.pipelines.bindGroupCount,
  });
  await sftUpdate(agent, optimizer, batch, 1e-3);
  const first = made();
  const [dispatches, submissions] = [gpu.dispatchCount, gpu.submissionCount];
  for (let update = 0; update < 5; update++) await sftUpdate(agent, optimizer, batch.toReversed(), 1e-3);
  assertEquals(made(), first);
  assertEquals(gpu.submissionCount - submissions, 5);
  assert(gpu.dispatchCount - dispatches > 5 * 50);
  optimizer.dispose();
});
