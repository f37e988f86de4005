/**
 * `train`: fine-tunes a compact VLM on an environment, from warm start to evaluation table.
 *
 * @module
 */
import { parameterSpecs, sizeOf } from "../model/mod.ts";
import { debugLevel, type Gpu, NotFiniteError } from "../kernels/gpu/mod.ts";
import {
  type Command,
  commandLine,
  formatBytes,
  formatDuration,
  type Given,
  Progress,
  runCommand,
  UsageError,
} from "./cli/mod.ts";
import { resolveConfig, rlSettings, settingsOf, type TrainConfig, trainOptions } from "./config.ts";
import { environmentName } from "./environment_name.ts";
import { estimateDurationMs, estimateWork } from "./estimate.ts";
import type { Evaluation } from "./evaluation.ts";
import { evaluationReport, evaluationTable, successMeaning } from "./report.ts";
import { runTraining } from "./run.ts";
import type { RunResult } from "./run_state.ts";
import { designModel } from "./setup.ts";
import { stoppable } from "./stop.ts";
import { chromeTrace } from "./chrome_trace.ts";
import { formatTrace, traceTraining } from "./profile.ts";
import { RunFolder } from "./run_folder.ts";
import { type WarmStart, writeWarmStart } from "./run_store.ts";
import { readRunSettings } from "./trained_run.ts";
import { openTunedGpu } from "./tuning.ts";

/** The `train` command. */
export const trainCommand: Command<typeof trainOptions> = {
  command: "deno task train",
  summary: "Fine-tune a compact vision-language model on an environment: warm start, PPO, evaluation.",
  examples: [
    "deno task train",
    "deno task train --seed 1 --lambda 0.3",
    "deno task train --no-cot --out runs/no-cot",
    "deno task train --lambda 0.9 --warm-start runs/NumberLine-s0 --out runs/lambda-0.9",
    "deno task train --resume",
    "deno task train --profile --overwrite",
  ],
  options: trainOptions,
  async run({ given, values }) {
    const name = environmentName(values.env);
    const out = values.out ?? `runs/${name}-s${values.seed}`;
    const fresh = values.resume ? null : resolveConfig(given, name);
    const warmStart = fresh?.warmStart === undefined ? null : await readWarmStart(fresh.warmStart, fresh);
    // Before the folder: without an adapter there should be no run to trip over next time.
    const gpu = await openTunedGpu({ note: console.error });
    try {
      await using folder = await RunFolder.create(out, fresh ?? { resume: true });
      if (fresh === null) return await train(gpu, await resumed(folder, given), folder);
      await folder.writeConfig(settingsOf(fresh));
      if (warmStart !== null) await writeWarmStart(folder, warmStart);
      return await train(gpu, { ...fresh, resume: warmStart !== null }, folder);
    } finally {
      gpu.destroy();
    }
  },
};

/** A run to go on with: its own settings, which flags may repeat but not change. */
async function resumed(folder: RunFolder, given: Given<typeof trainOptions>): Promise<TrainConfig> {
  const earlier = await readRunSettings(folder);
  const settings = { ...earlier, ...given };
  const config = resolveConfig(settings, environmentName(settings.env ?? trainOptions.env.default));
  await requireSameSettings(folder, settingsOf(config));
  return config;
}

/** Another run's warm start, where it is the one that this run would have. */
async function readWarmStart(path: string, config: TrainConfig): Promise<WarmStart> {
  const folder = await RunFolder.open(path);
  const changed = changedSettings(await folder.readConfig(), settingsOf(config))
    .filter(([name]) => !rlSettings.includes(name));
  if (changed.length === 0) return await folder.readWarmStart();
  throw new UsageError(
    `Cannot take the warm start of ${path}, whose settings were others: ${listChanges(changed)}; ` +
      "use the same, or leave out --warm-start",
  );
}

async function train(gpu: Gpu, config: TrainConfig, folder: RunFolder): Promise<number> {
  const startMs = performance.now();
  const progress = new Progress();
  const onStop = () =>
    progress.note("Stopping: finishing this step and saving. Once more to stop at once without saving.");
  try {
    await announce(gpu, config, progress);
    if (config.profile) await profile(gpu, config, folder, progress);
    const result = await stoppable(
      onStop,
      (isStopped) => runTraining(config, { gpu, folder, progress, isStopped }),
    );
    progress.close();
    if (result.afterRl === null) {
      console.error(`Saved ${folder.path}. Go on with: ./ponder train --resume --out ${folder.path}`);
      return 1;
    }
    // What went wrong on the GPU is known only now; no result is kept then.
    await gpu.settle();
    const seconds = result.earlierSeconds + (performance.now() - startMs) / 1e3;
    const summary = summarize(config, gpu, result, { seconds });
    await folder.writeSummary(summary);
    report(config, result, { out: folder.path, seconds });
    if (config.json) console.log(JSON.stringify(summary, null, 2));
    return 0;
  } catch (error) {
    progress.close();
    if (error instanceof NotFiniteError) {
      const checkpoint = await folder.checkpointPath();
      const kept = checkpoint === null
        ? "there is no checkpoint yet"
        : `the last good checkpoint is ${checkpoint}`;
      const hint = debugLevel >= 4 ? "" : ", run again with DEBUG=4 to name the op";
      throw new Error(`${error.message}; ${kept}${hint}`, { cause: error });
    }
    throw error;
  }
}

/** Says where it runs and how long it should take, before anything long begins. */
async function announce(gpu: Gpu, config: TrainConfig, progress: Progress): Promise<void> {
  const { model } = designModel(config);
  const parameters = parameterSpecs(model).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const size = `${(parameters / 1e6).toFixed(2)}M parameters`;
  progress.note(
    `${config.env}, ${config.preset} (${size}), ${config.cot ? "chain of thought" : "action only"}, ` +
      `lambda ${config.lambda}, seed ${config.seed}`,
  );
  // Of a run that goes on, progress soon tells what is left.
  if (config.resume) return progress.note(`On ${gpu.adapterName}`);
  const expectedMs = await estimateDurationMs(gpu, estimateWork(model, config).total);
  progress.note(`On ${gpu.adapterName}; this should take about ${formatDuration(expectedMs)}`);
}

/** Shows where the time of a step goes, and keeps the trace, before the run begins. */
async function profile(gpu: Gpu, config: TrainConfig, folder: RunFolder, progress: Progress): Promise<void> {
  const steps = await traceTraining(gpu, config);
  const path = await folder.writeProfile(chromeTrace(steps, { adapter: gpu.adapterName }));
  progress.note(`\n${formatTrace(steps, config)}\n\nSaved ${path}, open it in https://ui.perfetto.dev\n`);
}

async function requireSameSettings(folder: RunFolder, settings: Record<string, unknown>): Promise<void> {
  const changed = changedSettings(await folder.readConfig(), settings);
  if (changed.length === 0) return;
  const foreign = changed.filter(([, was, now]) => was === undefined || now === undefined);
  if (foreign.length > 0) {
    throw new UsageError(
      `Cannot resume ${folder.path}: it is of another version or command, which has other settings ` +
        `(${foreign.map(([name]) => name).join(", ")}); begin again with --overwrite, or use another --out`,
    );
  }
  throw new UsageError(
    `Cannot resume with other settings: ${listChanges(changed)}; leave those flags out, or use another --out`,
  );
}

type Change = readonly [name: string, was: string | undefined, now: string | undefined];

function changedSettings(earlier: Record<string, unknown>, settings: Record<string, unknown>): Change[] {
  return Object.keys({ ...earlier, ...settings })
    .map((name): Change => [name, JSON.stringify(earlier[name]), JSON.stringify(settings[name])])
    .filter(([, was, now]) => was !== now);
}

function listChanges(changes: readonly Change[]): string {
  return changes.map(([name, was, now]) => `${name} (was ${was}, now ${now})`).join(", ");
}

/** The contents of `summary.json`. */
function summarize(
  config: TrainConfig,
  gpu: Gpu,
  result: RunResult,
  { seconds }: { seconds: number },
) {
  const { env: environment, evalEpisodes: episodes } = config;
  const { sft, rl, evaluation, rollout, rolloutTokens } = result.effort;
  const reportOf = (evaluation: Evaluation | null) =>
    evaluation && evaluationReport(evaluation, { environment, episodes, seed: 0 });
  return {
    command: commandLine("train"),
    adapter: gpu.adapterName,
    deno: Deno.version.deno,
    preset: config.preset,
    parameters: result.parameters,
    seed: config.seed,
    cot: config.cot,
    lambda: config.lambda,
    freeze: config.freeze,
    sft_updates: result.sftUpdates,
    evaluation: reportOf(result.afterRl),
    evaluation_after_sft: reportOf(result.afterSft),
    wall_seconds: { total: seconds, sft, rl, evaluation },
    rollout_tokens_per_second: rollout > 0 ? rolloutTokens / rollout : null,
    peak_memory_bytes: result.peakBytes,
  };
}

/** The evaluation table and what to do next, on stderr. */
function report(
  config: TrainConfig,
  { afterSft, afterRl, peakBytes }: RunResult,
  { out, seconds }: { out: string; seconds: number },
) {
  const policies = {
    ...afterSft && { "after SFT, sampled": afterSft.sampled, "after SFT, greedy": afterSft.greedy },
    ...afterRl && { "after RL, sampled": afterRl.sampled, "after RL, greedy": afterRl.greedy },
  };
  console.error(
    `\n${config.env}, ${config.evalEpisodes} held-out episodes, success = ${successMeaning(config.env)}`,
  );
  console.error(evaluationTable(policies));
  console.error(
    `\nTook ${formatDuration(seconds * 1e3)}, peak memory ${formatBytes(peakBytes)}. Saved in ${out}`,
  );
  console.error(`Next: ./ponder play --run ${out}    ./ponder eval --run ${out}`);
}

if (import.meta.main) Deno.exit(await runCommand(trainCommand, Deno.args, { debug: debugLevel > 0 }));
