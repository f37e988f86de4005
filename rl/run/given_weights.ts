/**
 * Beginning RL with the weights of a run that trained on something else, or that had no demonstrations either.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { UsageError } from "../cli/mod.ts";
import type { CommonSettings } from "../config.ts";
import { evaluationEnvSettings } from "../env_settings.ts";
import { rlOptimizer } from "../optimizers.ts";
import { loadPolicy, saveCheckpoint, START } from "./checkpoint.ts";
import { RunFolder } from "./folder.ts";
import { CHECKPOINT_NAMES, type RunStore } from "./store.ts";

/**
 * Lets a new run begin RL with the latest weights of another run. The new run's settings are written already, and it goes
 * on with `resume`. Model, tokenizer and thought are those of the other run.
 *
 * @param source Folder of the other run.
 * @throws {UsageError} when that run has no checkpoint yet.
 * @throws {RangeError} naming the words of the environment that its tokenizer cannot write.
 */
export async function beginWithWeights(
  gpu: Gpu,
  store: RunStore,
  { source, environment, config }: {
    readonly source: string;
    readonly environment: EnvironmentDefinition;
    readonly config: CommonSettings;
  },
): Promise<void> {
  const checkpoint = await (await RunFolder.open(source)).readCheckpoint();
  if (checkpoint === null) {
    throw new UsageError(
      `Cannot begin with the weights of ${source}: it has no checkpoint yet, train it first`,
    );
  }
  const env = environment.make(evaluationEnvSettings(environment, config));
  const policy = await loadPolicy(gpu, checkpoint, env);
  const optimizer = rlOptimizer(policy, config);
  for (const name of CHECKPOINT_NAMES) {
    await saveCheckpoint(store, policy, optimizer, { ...START, memory: {}, stage: "rl" }, name);
  }
  optimizer.dispose();
}
