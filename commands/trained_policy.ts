/**
 * A trained policy for a command to use: its run found, a GPU opened, its weights loaded.
 *
 * @module
 */
import { openTunedGpu } from "../bench/tuning.ts";
import type { Environment, EnvironmentSettings } from "../envs/mod.ts";
import type { Gpu } from "../kernels/gpu/mod.ts";
import { evaluationEnvSettings } from "../rl/env_settings.ts";
import type { Policy } from "../rl/policy.ts";
import { findTrainedRun, loadTrained, type TrainedRun, type TrainedRunRequest } from "../rl/run/trained.ts";

/** What {@linkcode withTrainedPolicy} hands to its work. */
export interface TrainedContext extends Omit<TrainedRun, "source"> {
  readonly gpu: Gpu;
  readonly policy: Policy;
  /** Settings of the environment in evaluations. */
  readonly envSettings: EnvironmentSettings;
  /** The environment with those settings. It has not been reset. */
  readonly env: Environment;
}

/** Does `work` with the policy that the user asked for. The GPU is destroyed when it ends. Settings that are undefined are the run's. */
export async function withTrainedPolicy<T>(
  request: TrainedRunRequest,
  work: (context: TrainedContext) => Promise<T>,
): Promise<T> {
  const given = Object.fromEntries(Object.entries(request.given).filter(([, value]) => value !== undefined));
  const trained = await findTrainedRun({ ...request, given });
  const gpu = await openTunedGpu({ note: console.error });
  try {
    const envSettings = evaluationEnvSettings(trained.environment, trained.config);
    const env = trained.environment.make(envSettings);
    const policy = await loadTrained(gpu, trained, env);
    return await work({ ...trained, gpu, policy, envSettings, env });
  } finally {
    gpu.destroy();
  }
}
