/** Rollout, warm start and updates with frozen vision: equal pictures are encoded once, and nothing else changes. */
import { assert, assertEquals } from "@std/assert";
import { numberLine } from "../../envs/mod.ts";
import { demonstrate } from "../../rl/demonstrations.ts";
import type { Policy } from "../../rl/policy.ts";
import { collectRollout, VectorEnv } from "../../rl/rollout.ts";
import { newAgent } from "../../rl/setup.ts";
import { rlOptimizer } from "../../rl/optimizers.ts";
import { sftBatch, sftUpdate } from "../../rl/sft.ts";
import { gpuTest } from "../gpu.ts";
import { ppoIteration, tinyConfig } from "./tiny_run.ts";

gpuTest(
  "with frozen vision rollout, warm start and PPO give the same numbers in fewer launches",
  async (gpu) => {
    const config = tinyConfig({ preset: "nano-llama", visionLearningRateScale: 0, epochs: 2 });
    const runs = [];
    for (const isCached of [false, true]) {
      const agent = newAgent(gpu, numberLine, config);
      const optimizer = rlOptimizer(agent, config);
      const launches: number[] = [];
      const counted = async <T>(work: () => Promise<T>) => {
        const before = gpu.dispatchCount;
        const result = await work();
        launches.push(gpu.dispatchCount - before);
        return result;
      };
      if (!isCached) agent.look = agent.vlm.look = () => Promise.resolve();
      const demonstrations = await demonstrate(agent, numberLine, config);
      const sft = [];
      for (let update = 0; update < 2; update++) {
        const batch = sftBatch(demonstrations, 0, config);
        sft.push(await counted(() => sftUpdate(agent, optimizer, batch, config.sftLearningRate, config)));
      }
      const settings = { ...config, steps: config.rolloutSteps, stepsBefore: 0 };
      const environments = new VectorEnv(numberLine, config.envs, config.seed);
      const rollout = await counted(() => collectRollout(agent as Policy, environments, settings));
      const metrics = await counted(() =>
        ppoIteration(agent, optimizer, rollout, { config, iteration: 0, learningRate: config.learningRate })
      );
      const [weights] = await gpu.read(agent.parameters.values);
      optimizer.dispose();
      runs.push({
        launches,
        numbers: { sft, metrics, weights, logprobs: rollout.transitions.map(({ logprobs }) => logprobs) },
      });
    }
    const [plain, cached] = runs;
    assertEquals(cached.numbers, plain.numbers);
    // The first update encodes its pictures in a pass of its own; from then on they are known.
    const saved = cached.launches.map((launched, i) => plain.launches[i] - launched);
    assertEquals(saved[0], 0);
    assert(saved.slice(1).every((launches) => launches > 0), `saved ${saved}`);
  },
);
