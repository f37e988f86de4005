/**
 * How a run begins: anew, with another run's warm start or weights, or where it stopped.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import type { Algorithm } from "../algorithms/mod.ts";
import { type Given, shellQuote, UsageError } from "../cli/mod.ts";
import { commonOptions, type CommonSettings, isRlSetting, resolveConfig, settingsOf } from "../config.ts";
import { openBaseOf, type RunBase } from "../pretrained/run_base.ts";
import { RunFolder } from "./folder.ts";
import { beginWithWeights } from "./given_weights.ts";
import { loadEnvironment } from "./load_environment.ts";
import { changedSettings, listChanges, requireSameSettings } from "./same_settings.ts";
import { type WarmStart, writeWarmStart } from "./store.ts";
import { isSameEnvironment, keepPlaces, readRunSettings, requireNoProgram, unnamed } from "./trained.ts";
import { noteTaken, noteUntaken, removeTaken, untaken } from "./untaken.ts";

/** The parts of a run beside its settings. */
export interface RunParts {
  readonly environment: EnvironmentDefinition;
  readonly algorithm: Algorithm;
  readonly folder: RunFolder;
  /** The pretrained model; null if the model is made here. */
  readonly base: RunBase | null;
}

/** A run with its folder: its settings and its parts. */
export type Begun = readonly [CommonSettings, RunParts];

/** Begins a new run. With a warm start, or the path of a run whose weights to use, it goes on from that. */
export async function beginRun(
  gpu: Gpu,
  config: CommonSettings,
  warmStart: WarmStart | string | null,
  parts: RunParts,
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
  { environment, folder }: RunParts,
): Promise<void> {
  if (typeof warmStart === "string") {
    await beginWithWeights(gpu, folder, { source: warmStart, environment, config });
  } else await writeWarmStart(folder, warmStart);
  await noteTaken(folder.path);
}

/** Opens a run to go on with. Flags may repeat its settings but not change them; with `--extend` its length may grow. */
export async function resumeRun(
  gpu: Gpu,
  folder: RunFolder,
  given: Given<typeof commonOptions>,
): Promise<Begun> {
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
export async function readWarmStart(
  path: string,
  config: CommonSettings,
  { environment, algorithm: { options } }: Pick<RunParts, "environment" | "algorithm">,
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
  parts: RunParts,
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
