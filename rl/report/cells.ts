/**
 * Cells of the results table: an experiment with one seed, its files, and the command that runs it.
 *
 * @module
 */
import { exists, readJson, writeFileAtomic } from "../../model/files.ts";
import { readTrainerState } from "../run/checkpoint.ts";
import { findEnvironment } from "../../envs/mod.ts";
import { parseOptions, taskArguments, toFlag } from "../cli/mod.ts";
import {
  commonOptions,
  type CommonSettings,
  isRlSetting,
  optionsOf,
  resolveConfig,
  settingsOf,
} from "../config.ts";
import { type JsonObject, RunFolder } from "../run/folder.ts";
import { algorithmOf } from "../run/load_algorithm.ts";
import { changesSince, LATEST, settingsDigest } from "./changes.ts";
import { DEFAULT, type Experiment, experiments } from "./experiments.ts";
import type { CellResult } from "./result.ts";

/** One entry of a table. */
export interface Cell {
  readonly experiment: Experiment;
  /** Null for policies without a model, which have no seeds. */
  readonly seed: number | null;
}

/** The folders of results and runs. */
export interface Places {
  /** Folder of the results. */
  readonly results: string;
  /** Folder of the runs. Only they hold weights. */
  readonly runs: string;
}

/** The folders of the report. */
export const PLACES: Places = { results: "results", runs: "runs/results" };

/**
 * How far a cell is:
 *
 * - `done`: there is a result.
 * - `older`: there is one from before a change that touches it.
 * - `begun`: there is a run to go on with.
 * - `to run`: there is neither.
 * - `no weights`: a variant whose policy was trained once, but whose run now has no fully trained checkpoint.
 */
export type CellState = "done" | "older" | "begun" | "to run" | "no weights";

/** Lists the cells of experiments: one for each seed, its own or those given, or one if an experiment has no seeds. */
export function cellsOf(chosen: readonly Experiment[], seeds?: readonly number[]): Cell[] {
  return chosen.flatMap((experiment): Cell[] =>
    experiment.command === "policy"
      ? [{ experiment, seed: null }]
      : (seeds ?? experiment.seeds).map((seed) => ({ experiment, seed }))
  );
}

/** Names a cell: `NumberLine/default-s0`, `NumberLine/random`. */
export function cellName({ experiment: { environment, name }, seed }: Cell): string {
  return `${environment}/${name}${seed === null ? "" : `-s${seed}`}`;
}

/** The file that keeps a cell's result. */
export function resultPath({ results }: Places, cell: Cell): string {
  return `${results}/${cellName(cell)}.json`;
}

/** The experiment that trains what this one evaluates: itself, unless it is a variant. */
export function trainedBy(experiment: Experiment): Experiment {
  if (experiment.command !== "variant") return experiment;
  const { environment, of = DEFAULT } = experiment;
  return experiments.find((e) => e.environment === environment && e.name === of)!;
}

/** The run folder of a cell: the one that it trains in, or whose weights it evaluates. */
export function runPath(places: Places, cell: Cell): string {
  return runFolder(places, cell, trainedBy(cell.experiment).name);
}

function runFolder({ runs }: Places, { experiment: { environment }, seed }: Cell, name: string): string {
  return `${runs}/${environment}-${name}-s${seed}`;
}

/** The command line of a cell, after `./ponder`. It names no run folder for training, so that a user may repeat it. */
export function cellCommand(places: Places, cell: Cell): string[] {
  const { experiment: { command, environment, flags }, seed } = cell;
  switch (command) {
    case "train":
    case "baseline":
      return [command, "--env", environment, "--seed", String(seed), ...flags];
    case "policy":
      return ["eval", "--env", environment, ...flags];
    case "variant":
      return ["eval", "--run", runPath(places, cell), ...flags];
  }
}

/** Finds how far a cell is. */
export async function cellState(places: Places, cell: Cell): Promise<CellState> {
  const kept = resultPath(places, cell);
  if (await exists(kept)) {
    const { version } = await readJson(kept) as CellResult["summary"];
    return changesSince(cell.experiment, version).length > 0 ? "older" : "done";
  }
  const { command } = cell.experiment;
  if (command === "policy") return "to run";
  const run = runPath(places, cell);
  if (command !== "variant") return await exists(`${run}/config.json`) ? "begun" : "to run";
  const isTrained = await exists(resultPath(places, { ...cell, experiment: trainedBy(cell.experiment) }));
  return isTrained && !await isFullyTrained(places, cell) ? "no weights" : "to run";
}

/** Does the folder of a cell's run hold weights that were trained to the end? */
export async function isFullyTrained(places: Places, cell: Cell): Promise<boolean> {
  const checkpoint = `${runPath(places, cell)}/checkpoint`;
  return await exists(checkpoint) && (await readTrainerState(checkpoint)).stage === "done";
}

/** Reads all results of known experiments. */
export async function readResults({ results }: Pick<Places, "results">): Promise<CellResult[]> {
  const found: CellResult[] = [];
  for (const environment of new Set(experiments.map((experiment) => experiment.environment))) {
    const folder = `${results}/${environment}`;
    if (!await exists(folder)) continue;
    const files = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
    for (const file of files) {
      const [, name, seed] = file.match(/^(.*?)(?:-s(\d+))?\.json$/) ?? [];
      const experiment = experiments.find((e) => e.environment === environment && e.name === name);
      if (experiment === undefined) continue;
      const summary = await readJson(`${folder}/${file}`) as CellResult["summary"];
      found.push({ experiment, seed: seed === undefined ? null : Number(seed), summary });
    }
  }
  return found;
}

/** What a running cell gets from outside. */
export interface CellContext {
  readonly places: Places;
  /** Flags to add to the experiment's, by command. */
  readonly extra: Readonly<Record<Experiment["command"], readonly string[]>>;
  /** Receives the process that does the work, and null when it has ended. */
  readonly onChild: (child: Deno.ChildProcess | null) => void;
}

/** Runs a cell in a process of its own, or goes on with it, and keeps its result. Resolves to the exit code. */
export async function runCell(cell: Cell, { places, extra, onChild }: CellContext): Promise<number> {
  const { experiment: { command, flags }, seed } = cell;
  const added = isTrainingCommand(command) ? await takenFlags(flags, extra[command]) : extra[command];
  const args = [...cellCommand(places, cell), ...added];
  const isTraining = isTrainingCommand(command);
  const run = runPath(places, cell);
  const startMs = performance.now();
  const [name, ...own] = [
    ...args,
    ...isTraining ? await startFlags(places, cell, added) : ["--json"],
  ];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...taskArguments(name), ...own],
    // The child ends with this process, and its paths start in this process's folder.
    env: { PONDER_PARENT: String(Deno.pid), PONDER_CWD: Deno.cwd() },
    stdin: "null",
    stdout: isTraining ? "inherit" : "piped",
    stderr: "inherit",
  }).spawn();
  onChild(child);
  const stdout = isTraining ? "" : await new Response(child.stdout).text();
  const { code } = await child.status;
  onChild(null);
  if (code !== 0) return code;
  const commandLine = `./ponder ${args.join(" ")}`;
  const summary = isTraining
    ? { ...await trainingResult(run), command: commandLine, version: LATEST }
    : { command: commandLine, seed, ...evaluationResult(stdout, (performance.now() - startMs) / 1e3) };
  const path = resultPath(places, cell);
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  await writeFileAtomic(path, JSON.stringify(summary, null, 2) + "\n");
  return 0;
}

const isTrainingCommand = (command: Experiment["command"]) => command === "train" || command === "baseline";

/** Picks the flags, each with its value, that a cell's algorithm has. Not every algorithm collects steps, for example. */
export async function takenFlags(own: readonly string[], extra: readonly string[]): Promise<string[]> {
  const known = Object.keys(optionsOf(await algorithmOf(own))).map((name) => `--${toFlag(name)}`);
  return extra.flatMap((flag, i) => known.includes(flag) ? [flag, extra[i + 1]] : []);
}

/** The flags of the run folder and of its beginning: from a checkpoint that is there, from a shared warm start, or anew. */
export async function startFlags(
  places: Places,
  cell: Cell,
  extra: readonly string[] = [],
): Promise<string[]> {
  const { sharesWarmStart, flags } = cell.experiment;
  const out = ["--out", runPath(places, cell)];
  const folder = runPath(places, cell);
  const config = await todaysConfig(cell, extra);
  if (await exists(`${folder}/config.json`)) {
    // A folder of other settings is an older version's: there is nothing to go on with.
    const kept = await settingsDigest(await readJson(`${folder}/config.json`) as JsonObject);
    return [...out, kept === await settingsDigest(config) ? "--resume" : "--overwrite"];
  }
  const trained = runFolder(places, cell, DEFAULT);
  if (!sharesWarmStart || !await exists(`${trained}/warm_start`)) return out;
  // The default's run may be an older version's too: its warm start is then another.
  const { options } = await algorithmOf(flags);
  const [own, theirs] = [settingsOf(config), await readJson(`${trained}/config.json`) as JsonObject];
  const isSame = Object.keys(commonOptions).every((name) =>
    isRlSetting(name, options) || JSON.stringify(own[name]) === JSON.stringify(theirs[name])
  );
  return isSame ? [...out, "--warm-start", trained] : out;
}

/** The settings that a cell's training has with the code as it is. */
async function todaysConfig(
  { experiment: { command, environment, flags }, seed }: Cell,
  extra: readonly string[],
): Promise<CommonSettings> {
  const algorithm = await algorithmOf(flags);
  const { given } = parseOptions([...flags, ...extra], optionsOf(algorithm));
  const policy = command === "baseline" ? { policy: "cnn" as const } : {};
  const all = { ...policy, ...given, seed: seed ?? 0 };
  return resolveConfig(all, findEnvironment(environment), algorithm);
}

/** The keys of `metrics.jsonl` that a result keeps: enough for curves, and to see how thoughts changed. */
const CURVE_KEYS = [
  ...["envSteps", "episodes", "success", "parseRate", "perception", "faithfulness"],
  ...["thoughtDiversity", "thoughtInformation", "thoughtAlarm", "kl", "entropy", "updates"],
  ...["klStopped", "clipFraction", "explainedVariance", "advantageCosine", "regret"],
];

async function trainingResult(run: string): Promise<JsonObject> {
  const folder = await RunFolder.open(run);
  const lines = (await folder.readMetrics()).filter(({ stage }) => stage === "rl");
  const curve = lines.map((line) => Object.fromEntries(CURVE_KEYS.map((key) => [key, line[key]])));
  return { ...await folder.readSummary(), settings: await settingsDigest(await folder.readConfig()), curve };
}

function evaluationResult(stdout: string, total: number): JsonObject {
  const { adapter, temperature, evaluation } = JSON.parse(stdout);
  return { adapter, temperature, evaluation, wall_seconds: { total }, version: LATEST };
}
