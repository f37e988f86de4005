/**
 * `train`: fine-tunes a compact VLM on an environment, from warm start to evaluation table.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../envs/mod.ts";
import { debugLevel, type Gpu, NotFiniteError } from "../kernels/gpu/mod.ts";
import {
  type Command,
  commandLine,
  formatBytes,
  formatDuration,
  type Given,
  Progress,
  runCommand,
  shellQuote,
  UsageError,
  userFolder,
} from "../rl/cli/mod.ts";
import type { Algorithm } from "../rl/algorithms/mod.ts";
import {
  commonOptions,
  type CommonSettings,
  isRlSetting,
  optionsOf,
  resolveConfig,
  settingsOf,
} from "../rl/config.ts";
import { loadEnvironment } from "../rl/run/load_environment.ts";
import { estimateDurationMs, estimateWork } from "../rl/run/estimate.ts";
import type { Evaluation } from "../rl/evaluation.ts";
import { evaluationReport, evaluationTable, successMeaning } from "../rl/report/evaluation.ts";
import { runTraining } from "../rl/run/run.ts";
import type { RunResult } from "../rl/run/state.ts";
import { algorithmOf, loadAlgorithm } from "../rl/run/load_algorithm.ts";
import { newPolicy } from "../rl/policies/mod.ts";
import { adaptersOf, modelPlace, openBase, openBaseOf, type RunBase } from "../rl/pretrained/agent.ts";
import { loraOf } from "../rl/pretrained/options.ts";
import { requireBeginning } from "../rl/requirements.ts";
import { requireRunMemory } from "../rl/run/memory_estimate.ts";
import { onDevice } from "../rl/run/retry.ts";
import { stoppable } from "../rl/run/stop.ts";
import { chromeTrace } from "../bench/chrome_trace.ts";
import { formatTrace, traceTraining } from "../bench/trace.ts";
import { RunFolder } from "../rl/run/folder.ts";
import { changedSettings, listChanges, requireSameSettings } from "../rl/run/same_settings.ts";
import { serveRun } from "../rl/watch/serve.ts";
import { beginWithWeights } from "../rl/run/given_weights.ts";
import { type WarmStart, writeWarmStart } from "../rl/run/store.ts";
import {
  isSameEnvironment,
  keepPlaces,
  readRunSettings,
  requireNoProgram,
  unnamed,
} from "../rl/run/trained.ts";
import { noteTaken, noteUntaken, removeTaken, untaken } from "../rl/run/untaken.ts";
import { openTunedGpu } from "../bench/tuning.ts";

/** The `train` command. Its flags are those of every run, and those of the chosen algorithm. */
export const trainCommand: Command<typeof commonOptions> = {
  command: "deno task train",
  summary: "Fine-tune a compact vision-language model on an environment: warm start, RL, evaluation.",
  examples: [
    "deno task train",
    "deno task train --seed 1 --lambda 0.3",
    "deno task train --algorithm grpo",
    "deno task train --no-cot --out runs/no-cot",
    "deno task train --lambda 0.9 --warm-start runs/NumberLine-s0 --out runs/lambda-0.9",
    "deno task train --resume",
    "deno task train --resume --extend --env-steps 60000",
    "deno task train --profile --overwrite",
    "./ponder train --watch",
  ],
  options: async (args) => optionsOf(await algorithmOf(args)),
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
    const out = values.out ?? `${runs}/${environment.name}${kind}-s${values.seed}`;
    if (values.extend && given.envSteps === undefined) {
      throw new UsageError("Cannot use --extend without --env-steps: say how long the run shall be in all");
    }
    const fresh = values.resume ? null : resolveConfig(given, environment, algorithm);
    if (fresh !== null) requireBeginning(environment, fresh);
    const base = fresh === null ? null : await openBase(fresh);
    const warmStart = fresh?.warmStart === undefined
      ? null
      : await readWarmStart(fresh.warmStart, fresh, { environment, algorithm });
    await using _page = values.watch ? await serveRun(out, console.error) : null;
    let begun: Begun | null = null;
    try {
      const open = () => openTunedGpu({ note: console.error });
      // The GPU opens before the folder is made: without an adapter no folder should be left in the way of the next try.
      return await onDevice({ open, retry: values.retry, note: console.error }, async (gpu, isRetry) => {
        if (fresh !== null && begun === null) requireRunMemory(gpu, environment, algorithm, fresh, base);
        begun ??= fresh === null
          ? await resumed(gpu, await RunFolder.create(out, { resume: true }), given)
          : await begin(gpu, fresh, warmStart, {
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

/** A run with its folder: its settings and its parts. */
type Begun = readonly [CommonSettings, Parts];

/** Begins a new run. With a warm start, or the path of a run whose weights to use, it goes on from that. */
async function begin(
  gpu: Gpu,
  config: CommonSettings,
  warmStart: WarmStart | string | null,
  parts: Parts,
): Promise<Begun> {
  const { folder } = parts;
  return await orClosed(folder, async () => {
    if (warmStart !== null) await noteUntaken(folder.path, config.warmStart!);
    await folder.writeConfig(settingsOf(config));
    if (warmStart !== null) await take(gpu, config, warmStart, parts);
    return [{ ...config, resume: warmStart !== null }, parts];
  });
}

/** Lets a new run, which has only its settings, begin RL with a warm start, or with the weights of the run at a path. */
async function take(
  gpu: Gpu,
  config: CommonSettings,
  warmStart: WarmStart | string,
  { environment, folder }: Parts,
): Promise<void> {
  if (typeof warmStart === "string") {
    await beginWithWeights(gpu, folder, { source: warmStart, environment, config });
  } else await writeWarmStart(folder, warmStart);
  await noteTaken(folder.path);
}

/** Opens a run to go on with. Flags may repeat its settings but not change them; with `--extend` its length may grow. */
async function resumed(gpu: Gpu, folder: RunFolder, given: Given<typeof commonOptions>): Promise<Begun> {
  return await orClosed(folder, async () => {
    const { settings: earlier, algorithm } = await readRunSettings(folder, given.algorithm);
    if (given.env === undefined) requireNoProgram(folder.path, earlier.env ?? "");
    if (algorithm === null) {
      throw unnamed(folder.path, "algorithm", String((await folder.readConfig()).algorithm));
    }
    const environment = await loadEnvironment(given.env ?? earlier.env ?? commonOptions.env.default);
    const resolved = resolveConfig({ ...earlier, ...given }, environment, algorithm);
    const base = await openBaseOf(folder.path, resolved);
    // The base too may have moved; that it is the same its fingerprint tells.
    const { model = resolved.model } = earlier;
    const config = { ...keepPlaces(resolved, earlier), model };
    const was = earlier.envSteps ?? commonOptions.envSteps.default;
    const isLonger = config.extend && config.envSteps !== was;
    if (isLonger && config.envSteps < was) {
      throw new UsageError(
        `Cannot extend ${folder.path} to --env-steps ${config.envSteps}: it is ${was} long, use a larger number`,
      );
    }
    const settings = settingsOf(config);
    await requireSameSettings(folder, isLonger ? { ...settings, envSteps: was } : settings);
    const parts = { environment, algorithm, folder, base };
    const source = await untaken(folder.path);
    if (source !== null) {
      const warmStart = await readUntaken(source, config, parts);
      await removeTaken(folder.path);
      await take(gpu, config, warmStart, parts);
    }
    if (isLonger) await folder.extend({ envSteps: config.envSteps });
    return [config, parts];
  });
}

/** Does `work`. If it throws, the folder is closed. */
async function orClosed<T>(folder: RunFolder, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await folder.close();
    throw error;
  }
}

/**
 * Reads another run's warm start, if this run would have the same one. Returns the path itself if that run trained on another
 * environment, or if this environment has no solver. RL then begins with that run's latest weights.
 *
 * @throws {UsageError} when the environment is the same but settings of the warm start differ.
 */
async function readWarmStart(
  path: string,
  config: CommonSettings,
  { environment, algorithm: { options } }: Pick<Parts, "environment" | "algorithm">,
): Promise<WarmStart | string> {
  const folder = await RunFolder.open(path);
  const { settings } = await readRunSettings(folder);
  const isSolved = environment.make().demonstrate !== undefined;
  if (!isSolved || !isSameEnvironment(settings.env, environment)) return path;
  const changed = changedSettings(await folder.readConfig(), settingsOf(keepPlaces(config, settings)))
    .filter(([name]) => !isRlSetting(name, options) && Object.hasOwn(commonOptions, name));
  if (changed.length === 0) return await folder.readWarmStart();
  throw new UsageError(
    `Cannot take the warm start of ${path}, whose settings were others: ${listChanges(changed)}; ` +
      "use the same, or leave out --warm-start",
  );
}

/** The same for a run that was killed before it had taken it. */
async function readUntaken(
  source: string,
  config: CommonSettings,
  parts: Parts,
): Promise<WarmStart | string> {
  try {
    return await readWarmStart(source, config, parts);
  } catch (error) {
    throw new Error(
      `Cannot resume ${parts.folder.path}: it was stopped before it had taken the warm start of ${source}, which cannot be ` +
        `read now (${(error as Error).message}); begin again with --overwrite --warm-start ${
          shellQuote(source)
        }`,
      { cause: error },
    );
  }
}

/** The flag that names a user's own environment. `./ponder` lets a command read only files that its command line names. */
function ownFileFlag({ name, reference }: EnvironmentDefinition): string {
  return reference === name ? "" : ` --env ${shellQuote(reference)}`;
}

/** The flag that names a user's own algorithm. */
function ownAlgorithmFlag({ reference }: Algorithm): string {
  return reference === undefined ? "" : ` --algorithm ${shellQuote(reference)}`;
}

/** The parts of a run beside its settings. */
interface Parts {
  readonly environment: EnvironmentDefinition;
  readonly algorithm: Algorithm;
  readonly folder: RunFolder;
  /** The pretrained model; null if it is made here. */
  readonly base: RunBase | null;
}

async function train(gpu: Gpu, config: CommonSettings, parts: Parts): Promise<number> {
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
      (isStopped) => runTraining(config, { gpu, ...parts, progress, isStopped }),
    );
    progress.close();
    if (result.afterRl === null) {
      console.error(
        `Saved ${folder.path}. Go on with: ./ponder train --resume --out ${shellQuote(folder.path)}` +
          ownFileFlag(environment) + ownAlgorithmFlag(parts.algorithm),
      );
      return 1;
    }
    const seconds = result.earlierSeconds + (performance.now() - startMs) / 1e3;
    const summary = summarize(config, parts, gpu, result, { seconds });
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
  { environment, algorithm, base }: Parts,
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
  { environment, algorithm, folder }: Parts,
  progress: Progress,
): Promise<void> {
  const steps = await traceTraining(gpu, environment, config, algorithm);
  const path = await folder.writeProfile(chromeTrace(steps, { adapter: gpu.adapterName }));
  const collection = algorithm.collect(config);
  const perIteration = config.envs * (collection.kind === "steps" ? collection.steps : 1);
  const table = formatTrace(steps, config, perIteration);
  progress.note(`\n${table}\n\nSaved ${path}, open it in https://ui.perfetto.dev\n`);
}

/** Makes the contents of `summary.json`. Times are in seconds. */
function summarize(
  config: CommonSettings,
  { environment: { name: environment }, algorithm, base }: Parts,
  gpu: Gpu,
  result: RunResult,
  { seconds }: { seconds: number },
) {
  const { evalEpisodes: episodes } = config;
  const { sft, rl, evaluation, rollout, rolloutTokens } = result.effort;
  const reportOf = (evaluation: Evaluation | null) =>
    evaluation && evaluationReport(evaluation, { environment, episodes, seed: 0 });
  return {
    command: commandLine("train"),
    adapter: gpu.adapterName,
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
