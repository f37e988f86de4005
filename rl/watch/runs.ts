/**
 * Runs in folders, and what can be told of them without loading a model. Files may be half-written, damaged or of another
 * version: what is wrong is told by name, and the rest is told all the same.
 *
 * @module
 */
import { commandLine } from "../cli/mod.ts";
import { exists } from "../../model/files.ts";
import { lockOwner } from "../run/lock.ts";
import type { JsonObject } from "../run/store.ts";
import type { FileFault, RunListed, RunStatus } from "./wire.ts";

/** A run that was found. */
export interface FoundRun {
  /** Its path from the folder that was named: the same, whatever runs are added. */
  readonly id: string;
  /** The last part of its path. */
  readonly name: string;
  /** Its folder. */
  readonly path: string;
}

/** Largest JSON file that is read whole. */
const MAX_JSON_BYTES = 4 << 20;

/**
 * The runs in these folders: each is a run, or holds runs.
 *
 * @throws {Deno.errors.NotFound} when one is neither.
 */
export async function findRuns(folders: readonly string[]): Promise<FoundRun[]> {
  const runs = new Map<string, FoundRun>();
  const roots = folders.map((folder) => folder.replace(/(?<=.)\/+$/, ""));
  const labels = labelsOf([...new Set(roots)]);
  for (const root of roots) {
    const isOne = await isRun(root);
    const found = isOne ? [root] : await runsIn(root, 2);
    if (found.length === 0 && !await exists(root)) {
      throw new Deno.errors.NotFound(`Cannot find runs in ${root}: no such folder, check the path`);
    }
    for (const path of found) {
      // Runs of one folder are told apart by their path in it.
      const inside = path.slice(root.length + 1);
      const label = labels.get(root)!;
      const id = isOne ? label : labels.size === 1 ? inside : `${label}/${inside}`;
      runs.set(id, { id, name: path.split("/").at(-1)!, path });
    }
  }
  return [...runs.values()];
}

/** The ends of paths that tell them apart, each as short as it can be. */
function labelsOf(paths: readonly string[]): Map<string, string> {
  const endOf = (path: string, parts: number) => path.split("/").slice(-parts).join("/");
  return new Map(paths.map((path) => {
    let parts = 1;
    const isShared = () =>
      paths.some((other) => other !== path && endOf(other, parts) === endOf(path, parts));
    while (isShared()) parts++;
    return [path, endOf(path, parts)];
  }));
}

async function isRun(path: string): Promise<boolean> {
  return await exists(`${path}/config.json`) || await exists(`${path}/metrics.jsonl`);
}

/** Sorted; folders in folders as `reproduce` leaves them are looked into. */
async function runsIn(path: string, depth: number): Promise<string[]> {
  let names: string[];
  try {
    names = (await Array.fromAsync(Deno.readDir(path))).filter(({ isDirectory }) => isDirectory)
      .map(({ name }) => name).sort();
  } catch {
    return [];
  }
  const runs: string[] = [];
  for (const name of names) {
    const inside = `${path}/${name}`;
    if (await isRun(inside)) runs.push(inside);
    else if (depth > 1) runs.push(...await runsIn(inside, depth - 1));
  }
  return runs;
}

/** A run in a list, with its settings and result. */
export async function describeRun(
  run: FoundRun,
): Promise<{ listed: RunListed; settings: JsonObject; summary: JsonObject | null; faults: FileFault[] }> {
  const faults: FileFault[] = [];
  const settings = await readObject(run.path, "config.json", faults, true) ?? {};
  const summary = await readObject(run.path, "summary.json", faults, false);
  const owner = await lockOwner(run.path);
  const status: RunStatus = owner !== null
    ? "training"
    : faults.length > 0
    ? "damaged"
    : summary !== null
    ? "finished"
    : "stopped";
  const detail = faults[0] === undefined
    ? owner === null ? "" : `process ${owner.pid}`
    : `${faults[0].file}: ${faults[0].state}`;
  return {
    listed: {
      ...{ id: run.id, name: run.name, status, detail, changedMs: await changedMs(run.path) },
      environment: textOf(settings.env) ?? "?",
      algorithm: textOf(settings.algorithm) ?? "?",
      policy: settings.policy === "cnn" ? "cnn" : textOf(settings.preset) ?? "vlm",
      seed: numberOf(settings.seed),
      sampled: successOf(summary?.evaluation, "sampled"),
      greedy: successOf(summary?.evaluation, "greedy"),
      afterSft: successOf(summary?.evaluation_after_sft, "sampled"),
      envSteps: numberOf(summary?.env_steps),
    },
    settings,
    summary,
    faults,
  };
}

async function readObject(
  run: string,
  file: string,
  faults: FileFault[],
  isNeeded: boolean,
): Promise<JsonObject | null> {
  const remedy = `; ${commandLine("check", [run, "--restore"])} goes back to what is whole`;
  try {
    const { size } = await requirePlainFile(`${run}/${file}`);
    if (size > MAX_JSON_BYTES) throw new RangeError(`it has ${size} bytes, more than a run writes`);
    const value = JSON.parse(await Deno.readTextFile(`${run}/${file}`));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
    throw new TypeError("it holds no JSON object");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      if (isNeeded) faults.push({ file, state: "it is missing" + remedy });
    } else {
      faults.push({
        file,
        state: (error instanceof SyntaxError ? "it is not JSON" : (error as Error).message) + remedy,
      });
    }
    return null;
  }
}

/**
 * Pipes and devices never end, and a link in a stranger's run may lead to a file that is not meant to be shown.
 *
 * @throws {TypeError} If the path leads to anything but a plain file.
 */
export async function requirePlainFile(path: string): Promise<Deno.FileInfo> {
  const info = await Deno.lstat(path);
  if (info.isFile) return info;
  throw new TypeError(`Cannot read ${path}: it is no plain file, remove it`);
}

/** When the run last wrote something. */
async function changedMs(path: string): Promise<number> {
  let latest = 0;
  for (const file of ["metrics.jsonl", "summary.json", "config.json"]) {
    const time = await Deno.stat(`${path}/${file}`).then(({ mtime }) => mtime?.getTime() ?? 0, () => 0);
    latest = Math.max(latest, time);
  }
  return latest;
}

function successOf(evaluation: unknown, how: "sampled" | "greedy"): number | null {
  const result = (evaluation as Record<string, unknown> | null | undefined)?.[how];
  return numberOf((result as Record<string, unknown> | null | undefined)?.success);
}

const numberOf = (value: unknown): number | null =>
  typeof value === "number" && isFinite(value) ? value : null;
const textOf = (value: unknown): string | null => typeof value === "string" ? value : null;
