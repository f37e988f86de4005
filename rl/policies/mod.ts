/**
 * The kinds of policies that a run can train.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import type { CommonSettings } from "../config.ts";
import type { Policy } from "../policy.ts";
import { newAgent } from "../setup.ts";
import { CnnPolicy } from "./cnn.ts";

export { CnnPolicy } from "./cnn.ts";

/** Makes an untrained policy of the kind that the settings name. */
export function newPolicy(gpu: Gpu, environment: EnvironmentDefinition, config: CommonSettings): Policy {
  if (config.policy === "vlm") return newAgent(gpu, environment, config);
  const policy = CnnPolicy.create(gpu, environment.make().actions, config);
  policy.parameters.initialize(config.seed);
  return policy;
}
