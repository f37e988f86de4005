/**
 * The kinds of policies that a run can train, a row each.
 *
 * @module
 */
import type { Environment } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import type { CommonSettings } from "../config.ts";
import type { Policy } from "../policy.ts";
import { newAgent } from "../setup.ts";
import { CnnPolicy } from "./cnn.ts";

export { CnnPolicy } from "./cnn.ts";

/** A policy that has learnt nothing, of the kind that the settings name. */
export function newPolicy(gpu: Gpu, config: CommonSettings, env: Environment): Policy {
  if (config.policy === "vlm") return newAgent(gpu, config);
  const policy = CnnPolicy.create(gpu, env.actions, config);
  policy.parameters.initialize(config.seed);
  return policy;
}
