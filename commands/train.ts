/**
 * `train`: fine-tunes a compact VLM on an environment, from warm start to evaluation table.
 *
 * @module
 */
import { chromeTrace } from "../bench/chrome_trace.ts";
import { formatTrace, traceTraining } from "../bench/trace.ts";
import { openTunedGpu } from "../bench/tuning.ts";
import type { EnvironmentDefinition } from "../envs/mod.ts";
import { debugLevel, type Gpu, NotFiniteError } from "../kernels/gpu/mod.ts";
import { settingElsewhere } from "../rl/algorithms/elsewhere.ts";
import type { Algorithm } from "../rl/algorithms/mod.ts";
import {
  type Command,
  formatBytes,
  formatDuration,
  Progress,
  runCommand,
  runPath,
  shellQuote,
  UsageError,
  userFolder,
} from "../rl/cli/mod.ts";
import { commonOptions, type CommonSettings, optionsOf, resolveConfig } from "../rl/config.ts";
import { requireWorkers, trainWithWorkers, workersFlag } from "../rl/remote/mod.ts";
import { newPolicy } from "../rl/policies/mod.ts";
import { adaptersOf } from "../rl/pretrained/agent.ts";
import { modelPlace, openBase } from "../rl/pretrained/run_base.ts";
import { evaluationTable, successMeaning } from "../rl/report/evaluation.ts";
import { summarize } from "../rl/report/summary.ts";
import { requireBeginning } from "../rl/requirements.ts";
import { beginRun, type Begun, readWarmStart, resumeRun, type RunParts } from "../rl/run/begin.ts";
import { estimateDurationMs, estimateWork } from "../rl/run/estimate.ts";
import { RunFolder } from "../rl/run/folder.ts";
import { algorithmOf, loadAlgorithm } from "../rl/run/load_algorithm.ts";
import { loadEnvironment } from "../rl/run/load_environment.ts";
import { requireRunMemory } from "../rl/run/memory_estimate.ts";
import { onDevice } from "../rl/run/retry.ts";
import type { RunResult } from "../rl/run/state.ts";
import { stoppable } from "../rl/run/stop.ts";
import { serveRun } from "../rl/watch/serve.ts";

/** The `train` command. Its flags are those of every run, and those of the chosen algorithm. */
export const trainCommand: Command<typeof commonOptions> = {
  command: "./ponder train",
  summary: "Fine-tune a compact vision-language model on an environment: warm start, RL, evaluation.",
  examples: [
    "./ponder train",
    "./ponder train --seed 1 --lambda 0.3",
    "./ponder train --algorithm grpo",
    "./ponder train --no-cot --out runs/no-cot",
    "./ponder train --lambda 0.9 --warm-start runs/NumberLine-s0 --out runs/lambda-0.9",
    "./ponder train --resume",
    "./ponder train --resume --extend --env-steps 60000",
    "./ponder train --profile --overwrite",
    "./ponder train --watch",
  ],
  options: async (args) => optionsOf(await algorithmOf(args)),
  elsewhere: async (args) => {
    const algorithm = await algorithmOf(args);
    return (setting) => settingElsewhere(setting, algorithm);
  },
  async run({ given: typed, values }) {
    const given = typed.model === undefined ? typed : { ...typed, model: modelPlace(typed.model) };
    const algorithm = await loadAlgorithm(values.algorithm);
    const environment = await loadEnvironment(values.env);
    const kind = values.policy !== "vlm"
      ? `-${values.policy}`
      : given.model === undefined
      ? ""
      : `-${given.model.split("/").at(-1)}`;
    // The default folder is the repository's; elsewhere the user needs its whole path to go on with it.
    const runs = userFolder() === Deno.cwd() ? "runs" : `${Deno.cwd()}/runs`;
    const out = (values.resume ? earlierRun(values.out) : values.out) ??
      `${runs}/${environment.name}${kind}-s${values.seed}`;
    if (values.extend && given.envSteps === undefined) {
      throw new UsageError("Cannot use --extend without --env-steps: say how long the run shall be in all");
    }
    const fresh = values.resume ? null : resolveConfig(given, environment, algorithm);
    if (fresh !== null) requireBeginning(environment, fresh);
    const base = fresh === null ? null : await openBase(fresh);
    const warmStart = fresh?.warmStart === undefined
      ? null
      : await readWarmStart(fresh.warmStart, fresh, { environment, algorithm });
    // Without a server no folder should be left in the way of the next try either.
    await requireWorkers(values);
    await using _page = values.watch ? await serveRun(out, console.error) : null;
    let begun: Begun | null = null;
    try {
      const open = () => openTunedGpu({ note: console.error });
      // The GPU opens before the folder is made: without an adapter no folder should be left in the way of the next try.
      return await onDevice({ open, retry: values.retry, note: console.error }, async (gpu, isRetry) => {
        if (fresh !== null && begun === null) requireRunMemory(gpu, environment, algorithm, fresh, base);
        begun ??= fresh === null
          ? await resumeRun(gpu, await RunFolder.create(out, { resume: true }), given)
          : await beginRun(gpu, fresh, warmStart, {
            ...{ environment, algorithm, base },
            folder: await RunFolder.create(out, fresh),
          });
        const [config, parts] = begun;
        if (fresh === null) requireRunMemory(gpu, parts.environment, parts.algorithm, config, parts.base);
        return await train(gpu, { ...config, resume: config.resume || isRetry }, parts);
      });
    } finally {
      await (begun as Begun | null)?.[1].folder.close();
    }
  },
};

/** The run to go on with: at the path that the user named, or else under that name in the repository's runs. */
function earlierRun(out: string | undefined): string | undefined {
  const folder = `${userFolder()}/`;
  return out === undefined ? undefined : runPath(out.startsWith(folder) ? out.slice(folder.length) : out);
}

/** The flag that names a user's own environment. `./ponder` lets a command read only files that its command line names. */
function ownFileFlag({ name, reference }: EnvironmentDefinition): string {
  return reference === name ? "" : ` --env ${shellQuote(reference)}`;
}

/** The flag that names a user's own algorithm. */
function ownAlgorithmFlag({ reference }: Algorithm): string {
  return reference === undefined ? "" : ` --algorithm ${shellQuote(reference)}`;
}

async function train(gpu: Gpu, config: CommonSettings, parts: RunParts): Promise<number> {
  const { environment, folder } = parts;
  const startMs = performance.now();
  const progress = new Progress();
  const onStop = () =>
    progress.note("Stopping: finishing this step and saving. Once more to stop at once without saving.");
  try {
    await announce(gpu, config, parts, progress);
    if (config.profile) await profile(gpu, config, parts, progress);
    const result = await stoppable(
      onStop,
      (isStopped) => trainWithWorkers(config, { gpu, ...parts, progress, isStopped }),
    );
    progress.close();
    if (result.afterRl === null) {
      console.error(
        `Saved ${folder.path}. Go on with: ./ponder train --resume --out ${shellQuote(folder.path)}` +
          ownFileFlag(environment) + ownAlgorithmFlag(parts.algorithm) + workersFlag(config),
      );
      return 1;
    }
    const seconds = result.earlierSeconds + (performance.now() - startMs) / 1e3;
    const summary = summarize(config, parts, result, { adapter: gpu.adapterName, seconds });
    await folder.writeSummary(summary);
    report(environment, config, result, { out: folder.path, seconds });
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

/** Tells the user, before anything long begins, what is trained, on which adapter, and how long it should take. */
async function announce(
  gpu: Gpu,
  config: CommonSettings,
  { environment, algorithm, base }: RunParts,
  progress: Progress,
): Promise<void> {
  const policy = base === null ? newPolicy(gpu, environment, config) : null;
  const size = `${((policy?.parameters.count ?? base!.base.parameters) / 1e6).toFixed(2)}M parameters`;
  const how = config.cot ? "chain of thought" : "action only";
  const model = base !== null
    ? `${base.base.folder} (${size}), ${adaptersOf(base, config)}, ${how}`
    : config.policy === "vlm"
    ? `${config.preset} (${size}), ${how}`
    : `CNN (${size})`;
  const lambda = algorithm.thoughtWeight === undefined ? "" : `, lambda ${algorithm.thoughtWeight(config)}`;
  progress.note(`${environment.name}, ${model}, ${algorithm.name}${lambda}, seed ${config.seed}`);
  if (policy !== null) gpu.free(policy.parameters.values);
  // The progress of a resumed run soon shows the time that is left.
  if (config.resume) return progress.note(`On ${gpu.adapterName}`);
  const expectedMs = await estimateDurationMs(gpu, estimateWork(policy ?? base!, config).total);
  progress.note(`On ${gpu.adapterName}; this should take about ${formatDuration(expectedMs)}`);
}

/** Traces a step of each kind before the run begins. It prints the time by kernel and keeps the trace. */
async function profile(
  gpu: Gpu,
  config: CommonSettings,
  { environment, algorithm, folder }: RunParts,
  progress: Progress,
): Promise<void> {
  const steps = await traceTraining(gpu, environment, config, algorithm);
  const path = await folder.writeProfile(chromeTrace(steps, { adapter: gpu.adapterName }));
  const collection = algorithm.collect(config);
  const perIteration = config.envs * (collection.kind === "steps" ? collection.steps : 1);
  const table = formatTrace(steps, config, perIteration);
  progress.note(`\n${table}\n\nSaved ${path}, open it in https://ui.perfetto.dev\n`);
}

/** Prints the evaluation table, and what to do next, on stderr. */
function report(
  environment: EnvironmentDefinition,
  config: CommonSettings,
  { afterSft, afterRl, peakBytes }: RunResult,
  { out, seconds }: { out: string; seconds: number },
) {
  const policies = {
    ...afterSft && { "after SFT, sampled": afterSft.sampled, "after SFT, greedy": afterSft.greedy },
    ...afterRl && { "after RL, sampled": afterRl.sampled, "after RL, greedy": afterRl.greedy },
  };
  console.error(
    `\n${environment.name}, ${config.evalEpisodes} held-out episodes, success = ${
      successMeaning(environment)
    }`,
  );
  console.error(evaluationTable(policies));
  console.error(
    `\nTook ${formatDuration(seconds * 1e3)}, peak memory ${formatBytes(peakBytes)}. Saved in ${out}`,
  );
  const run = shellQuote(out) + ownFileFlag(environment);
  console.error(`Next: ./ponder play --run ${run}    ./ponder eval --run ${run}`);
}

if (import.meta.main) Deno.exit(await runCommand(trainCommand, Deno.args, { debug: debugLevel > 0 }));
