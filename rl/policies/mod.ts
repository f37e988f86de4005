/**
 * The kinds of policies that a run can train.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import type { CommonSettings } from "../config.ts";
import type { Policy } from "../policy.ts";
import { evaluationEnvSettings } from "../env_settings.ts";
import { pretrainedAgent } from "../pretrained/agent.ts";
import { openBase, type RunBase } from "../pretrained/run_base.ts";
import { newAgent } from "../setup.ts";
import { CnnPolicy } from "./cnn.ts";

export { CnnPolicy } from "./cnn.ts";

/**
 * Makes the policy that a run begins with: a pretrained model, or an untrained policy of the kind that the settings name.
 *
 * @param base The pretrained model that the settings name; opened anew when absent.
 */
export async function firstPolicy(
  gpu: Gpu,
  environment: EnvironmentDefinition,
  config: CommonSettings,
  base?: RunBase | null,
): Promise<Policy> {
  const opened = base ?? await openBase(config);
  if (opened === null) return newPolicy(gpu, environment, config);
  const env = environment.make(evaluationEnvSettings(environment, config));
  return await pretrainedAgent(gpu, env, config, opened);
}

/** Makes an untrained policy of the kind that the settings name. */
export function newPolicy(gpu: Gpu, environment: EnvironmentDefinition, config: CommonSettings): Policy {
  if (config.policy === "vlm") return newAgent(gpu, environment, config);
  const policy = CnnPolicy.create(gpu, environment.make().actions, config);
  policy.parameters.initialize(config.seed);
  return policy;
}
