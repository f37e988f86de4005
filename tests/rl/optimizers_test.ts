/** What the optimisers of a run train. */
import { assertEquals } from "@std/assert";
import { modelPresets, Parameters, parameterSpecs } from "../../model/mod.ts";
import type { Policy } from "../../rl/policy.ts";
import { rlOptimizer, sftOptimizer } from "../../rl/optimizers.ts";
import { onGpu, testGpu } from "../gpu.ts";

Deno.test({
  name: "a model with adapters trains these and its value head alone",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const lora = { rank: 2, alpha: 4, targets: ["q_proj", "down_proj"] };
    const config = { ...modelPresets["nano-llama"], vocabularySize: 32, lora };
    const parameters = new Parameters(gpu, parameterSpecs(config));
    const policy = { gpu, parameters, sharesFeatures: false } as unknown as Policy;
    const freeze = ["head", "embedding", "position", "norm", "bias"];
    for (
      const make of [
        () => sftOptimizer(policy, { sftWeightDecay: 0 }),
        () => rlOptimizer(policy, { freeze, visionLearningRateScale: 0.1, valueLearningRateScale: 5 }),
      ]
    ) {
      make().dispose();
      for (const { name, kind, part } of parameters.list) {
        assertEquals(
          parameters.get(name).requiresGradient,
          kind === "adapter" || part === "value_head",
          name,
        );
      }
    }
  },
});
