/**
 * What a finished run says of itself.
 *
 * @module
 */
import { commandLine } from "../cli/mod.ts";
import type { CommonSettings } from "../config.ts";
import type { Evaluation } from "../evaluation.ts";
import { loraOf } from "../pretrained/options.ts";
import type { RunParts } from "../run/begin.ts";
import type { RunResult } from "../run/state.ts";
import { evaluationReport } from "./evaluation.ts";

/** Makes the contents of `summary.json`. Times are in seconds. */
export function summarize(
  config: CommonSettings,
  { environment: { name: environment }, algorithm, base }: Pick<
    RunParts,
    "environment" | "algorithm" | "base"
  >,
  result: RunResult,
  { adapter, seconds }: { readonly adapter: string; readonly seconds: number },
) {
  const { evalEpisodes: episodes } = config;
  const { sft, rl, evaluation, rollout, rolloutTokens } = result.effort;
  const reportOf = (evaluation: Evaluation | null) =>
    evaluation && evaluationReport(evaluation, { environment, episodes, seed: 0 });
  return {
    command: commandLine("train"),
    adapter,
    deno: Deno.version.deno,
    preset: config.policy !== "vlm" ? config.policy : base === null ? config.preset : null,
    ...base && { base: { model: base.base.folder, sha256: base.digest, lora: loraOf(config) ?? null } },
    env_steps: result.envSteps,
    parameters: result.parameters,
    seed: config.seed,
    cot: config.cot,
    algorithm: algorithm.name,
    lambda: algorithm.thoughtWeight?.(config) ?? 1,
    freeze: config.freeze,
    sft_updates: result.sftUpdates,
    evaluation: reportOf(result.afterRl),
    evaluation_after_sft: reportOf(result.afterSft),
    wall_seconds: { total: seconds, sft, rl, evaluation },
    rollout_tokens_per_second: rollout > 0 ? rolloutTokens / rollout : null,
    peak_memory_bytes: result.peakBytes,
  };
}
