/**
 * Finding trained weights and the settings that they were trained with, for commands that use a run.
 *
 * @module
 */
import { commandLine, type Given, printable, readValue, shellQuote, UsageError } from "../cli/mod.ts";
import { type Algorithm, expertIteration } from "../algorithms/mod.ts";
import { commonOptions, type CommonSettings, optionsOf, resolveConfig } from "../config.ts";
import { policyPresets } from "../presets.ts";
import { isAlgorithmFile, loadAlgorithm } from "./load_algorithm.ts";
import type { Environment, EnvironmentDefinition } from "../../envs/mod.ts";
import { DeviceLostError, type Gpu, OutOfMemoryError, SubmissionError } from "../../kernels/gpu/mod.ts";
import { loadEnvironment } from "./load_environment.ts";
import { isModule } from "./user_module.ts";
import { latestRun } from "./latest.ts";
import { loadPolicy, readSampling } from "./checkpoint.ts";
import { RunFolder } from "./folder.ts";
import { Damage, MANIFEST_FILE } from "./manifest.ts";
import { explained } from "./proof.ts";
import type { Checkpoint } from "./store.ts";
import type { Policy } from "../policy.ts";

/** Weights on disk and how to use them. */
export interface TrainedRun {
  /** Folder of the checkpoint. */
  readonly checkpoint: string;
  /** What to load: the run's checkpoint, or the folder of a bare one. */
  readonly source: Checkpoint | string;
  /** Folder of the run; null for a bare checkpoint. */
  readonly run: string | null;
  /** What messages call it: the folder, and whether it was chosen because it is the latest. */
  readonly label: string;
  /** The run's settings, overridden by the user's. A bare checkpoint says how it acts; the rest are the environment's defaults. */
  readonly config: CommonSettings;
  readonly environment: EnvironmentDefinition;
}

/** What the user asked for. */
export interface TrainedRunRequest {
  /** Folder of a run; the latest one under `runs/` when absent. */
  readonly run?: string;
  /** Folder of a bare checkpoint instead. */
  readonly checkpoint?: string;
  /** Settings that override the run's. */
  readonly given: Given<typeof commonOptions>;
}

/**
 * Finds the weights to use.
 *
 * @throws {UsageError} when the user names both a run and a checkpoint.
 * @throws {UsageError} when the user names a checkpoint without its environment, or another environment than the run's.
 * @throws {Deno.errors.NotFound} when there is no such run, or no checkpoint in it yet.
 */
export async function findTrainedRun({ run, checkpoint, given }: TrainedRunRequest): Promise<TrainedRun> {
  if (run !== undefined && checkpoint !== undefined) {
    throw new UsageError("Cannot use --run and --checkpoint together: a run has its checkpoint in it");
  }
  if (checkpoint !== undefined) {
    if (given.env === undefined) {
      throw new UsageError(`Cannot tell what ${checkpoint} was trained on: name the environment with --env`);
    }
    const environment = await loadEnvironment(given.env);
    const config = resolveConfig({ ...await readSampling(checkpoint), ...given }, environment);
    return { checkpoint, source: checkpoint, run: null, label: checkpoint, config, environment };
  }
  const path = run ?? await latestRun();
  const folder = await RunFolder.open(path);
  const { settings, algorithm } = await readRunSettings(folder);
  const reference = settings.env ?? commonOptions.env.default;
  if (given.env === undefined) requireNoProgram(path, reference);
  const found = await folder.readCheckpoint();
  if (found === null) {
    throw new Deno.errors.NotFound(
      `Cannot use run ${path}: it has no checkpoint yet, train it on: ` +
        commandLine("train", ["--resume", "--out", path]),
    );
  }
  const environment = await loadEnvironment(given.env ?? reference);
  if (!isSameEnvironment(reference, environment)) {
    throw new UsageError(
      `Cannot use run ${path} in ${environment.name}: it knows the words of ${printable(reference)} only; ` +
        (isModule(reference)
          ? "a file that has moved keeps its name"
          : "--env-settings changes that environment"),
    );
  }
  const config = resolveConfig({ ...settings, ...given }, environment, algorithm ?? ACTING_ONLY);
  const note = found.manifest === null ? " (from before manifests: its files cannot be verified)" : "";
  const label = run === undefined ? `${path}, the latest run,${note}` : path + note;
  return { checkpoint: found.path, source: found, run: path, label, config, environment };
}

/**
 * Loads the policy of a run's checkpoint, or of a bare one.
 *
 * @throws {Deno.errors.InvalidData} naming the file that is damaged, what is wrong with it, and the command that mends it.
 * @throws as `loadPolicy` does, for a checkpoint that is what was written.
 */
export async function loadTrained(
  gpu: Gpu,
  { run, source, config }: Pick<TrainedRun, "run" | "source"> & {
    readonly config?: { readonly model?: string };
  },
  env: Environment,
): Promise<Policy> {
  try {
    return await loadPolicy(gpu, source, env, { model: config?.model });
  } catch (error) {
    // If nothing proves the files, damage shows only when they do not load.
    const isUnproven = typeof source !== "string" && source.manifest === null;
    if (run === null || !isUnproven || !(error instanceof Error) || isOfGpu(error)) throw error;
    const state = `it has no ${MANIFEST_FILE}, and does not load: ${error.message}`;
    return await explained(run, () => Promise.reject(new Damage("checkpoint", state, { cause: error })));
  }
}

function isOfGpu(error: Error): boolean {
  return error instanceof DeviceLostError || error instanceof OutOfMemoryError ||
    error instanceof SubmissionError;
}

/** Stands for an algorithm of which nothing is needed: the policy only acts. */
const ACTING_ONLY = {
  ...expertIteration,
  options: {},
  collect: () => ({ kind: "episodes", groups: 1, groupSize: 1 }),
  replaysDeals: undefined,
} as unknown as Algorithm;

/**
 * Makes sure that the environment in a run's settings is one of ponder's, and no program: whoever made the run folder chose
 * it, and it runs only if the user names it too.
 *
 * @throws {UsageError} with the flag that names it.
 */
export function requireNoProgram(run: string, reference: string): void {
  if (isModule(reference)) throw unnamed(run, "environment", reference);
}

/**
 * Tells whether an environment is the one in a run's settings. A file that was moved to another folder under its old name
 * is: the user named it.
 */
export function isSameEnvironment(
  recorded: string | undefined,
  { reference }: Pick<EnvironmentDefinition, "reference">,
): boolean {
  return recorded !== undefined && isSameReference(recorded, reference);
}

/** The same for a reference of any kind. */
function isSameReference(recorded: string, reference: string): boolean {
  const areFiles = isModule(recorded) && isModule(reference);
  return recorded === reference || areFiles && fileName(recorded) === fileName(reference);
}

/** Settings to go on with: a run keeps the paths of the user's files that it began with, although the files moved. */
export function keepPlaces<S extends CommonSettings>(
  config: S,
  recorded: { readonly env?: string; readonly algorithm?: string },
): S {
  const kept = (["env", "algorithm"] as const).filter((name) =>
    recorded[name] !== undefined && isSameReference(recorded[name], config[name])
  );
  return { ...config, ...Object.fromEntries(kept.map((name) => [name, recorded[name]])) };
}

function fileName(path: string): string {
  return path.slice(path.search(/[^\\/]*$/));
}

/** Makes the error for a program in a run's settings that the user did not name. */
export function unnamed(run: string, what: "environment" | "algorithm", reference: string): UsageError {
  return new UsageError(
    `Cannot use run ${run}: its ${what} is a program, ${printable(reference)}; if you trust that, name it: ` +
      `--${what === "environment" ? "env" : what} ${shellQuote(printable(reference))}, ` +
      "or the place where the file is now",
  );
}

/**
 * Reads the settings in a run's `config.json` and the algorithm that they name. Settings that this version does not know are
 * left out. The algorithm is null when it is a program other than `named`, the one that the user named; then only the settings
 * that every run has are read.
 *
 * @throws {SyntaxError} naming the setting whose value cannot be.
 */
export async function readRunSettings(
  folder: RunFolder,
  named?: string,
): Promise<{ settings: Given<typeof commonOptions>; algorithm: Algorithm | null }> {
  const settings = await folder.readConfig();
  try {
    const reference = String(settings.algorithm ?? commonOptions.algorithm.default);
    const algorithm = isAlgorithmFile(reference)
      ? await sameAlgorithm(reference, named)
      : await loadAlgorithm(reference);
    // The file also holds, with their defaults, settings that this kind of policy does not have.
    const kind = String(settings.policy ?? commonOptions.policy.default);
    const without = Object.hasOwn(policyPresets, kind) ? policyPresets[kind].without : [];
    const known = Object.entries(algorithm === null ? commonOptions : optionsOf(algorithm)).filter(([name]) =>
      Object.hasOwn(settings, name) && !without.includes(name)
    );
    return {
      settings: Object.fromEntries(
        known.map(([name, option]) => [name, readValue(option, settings[name], `"${name}"`)]),
      ),
      algorithm,
    };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new SyntaxError(`Cannot use ${folder.path}/config.json: ${error.message}, mend it`, {
      cause: error,
    });
  }
}

/** The algorithm in the file that the user named, if it is that of the run. */
async function sameAlgorithm(reference: string, named: string | undefined): Promise<Algorithm | null> {
  if (named === undefined || !isAlgorithmFile(named)) return null;
  const algorithm = await loadAlgorithm(named);
  return isSameReference(reference, algorithm.reference!) ? algorithm : null;
}
