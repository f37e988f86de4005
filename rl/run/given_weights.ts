/**
 * Beginning RL with the weights of a run that trained on something else, or that had no demonstrations either.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { Agent } from "../agent.ts";
import { UsageError } from "../cli/mod.ts";
import type { CommonSettings } from "../config.ts";
import { evaluationEnvSettings } from "../env_settings.ts";
import type { Policy } from "../policy.ts";
import { loraOf } from "../pretrained/options.ts";
import { rlOptimizer } from "../optimizers.ts";
import { loadPolicy, saveCheckpoint, START } from "./checkpoint.ts";
import { RunFolder } from "./folder.ts";
import { CHECKPOINT_NAMES, type RunStore } from "./store.ts";

/** Requires the other run to have trained the pretrained model that this one names, with the same adapters, or none. */
function requireSameModel(source: string, policy: Policy, config: CommonSettings): void {
  const base = policy instanceof Agent ? policy.base : null;
  const lora = policy instanceof Agent ? policy.vlm.config.lora : undefined;
  const wanted = config.model === undefined ? undefined : loraOf(config);
  const isSame = (base !== null) === (config.model !== undefined) &&
    JSON.stringify(lora && [lora.rank, lora.alpha, lora.targets, lora.rankPattern, lora.alphaPattern]) ===
      JSON.stringify(wanted && [wanted.rank, wanted.alpha, wanted.targets, undefined, undefined]);
  if (isSame) return;
  throw new UsageError(
    `Cannot begin with the weights of ${source}: it trained ${
      base === null ? "a model of its own" : `${base.folder} ${lora ? "with adapters" : "as a whole"}`
    }, use the same --model and --lora settings, or leave out --warm-start`,
  );
}

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
  const policy = await loadPolicy(gpu, checkpoint, env, { model: config.model });
  requireSameModel(source, policy, config);
  const optimizer = rlOptimizer(policy, config);
  for (const name of CHECKPOINT_NAMES) {
    await saveCheckpoint(store, policy, optimizer, { ...START, memory: {}, stage: "rl" }, name);
  }
  optimizer.dispose();
}
