/**
 * Names in a run folder. A run may replace or delete its own files; it leaves everything else alone.
 *
 * @module
 */
import { basename, dirname, resolve } from "node:path";
import { MANIFEST_FILE, readManifest } from "./manifest.ts";
import { LOCK_FILE } from "./lock.ts";
import { RECORDING_ENTRY, RECORDING_FOLDER } from "./recording.ts";

/** Names the run whose warm start is yet to be taken. */
export const UNTAKEN_FILE = "warm_start.json";

/** What a run writes into its folder; `--overwrite` deletes nothing else. */
const RUN_ENTRIES =
  /^((config|summary|profile|manifest|warm_start|replays)\.json|metrics\.jsonl|recording|checkpoint|warm_start)(\..+\.tmp|\.new|\.old|\.previous)?$/;

/** What a run writes into its checkpoints. A checkpoint's manifest may list more files of the run. */
const CHECKPOINT_FILES: readonly string[] = [
  ...["model.safetensors", "optimizer.safetensors", "config.json", "tokenizer.json", "trainer.json"],
  MANIFEST_FILE,
];

/**
 * Lists the names in a folder, sorted, without the lock; null when there is no folder.
 *
 * @throws {Deno.errors.AlreadyExists} when it is a file.
 */
export async function entriesOf(path: string): Promise<string[] | null> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(path), ({ name }) => name);
    return entries.filter((name) => name !== LOCK_FILE).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    if (await isFile(path)) {
      throw new Deno.errors.AlreadyExists(`Cannot use ${path} as a run folder: it is a file, name a folder`);
    }
    throw error;
  }
}

/** Throws `Deno.errors.NotFound` when a folder with these entries is no run to resume. */
export function requireRun(path: string, entries: readonly string[] | null): void {
  if (entries?.includes("config.json")) return;
  const state = entries === null ? "there is no such folder" : "it has no config.json";
  throw new Deno.errors.NotFound(`Cannot resume ${path}: ${state}, leave out --resume to begin a run`);
}

/**
 * Lists the names in a folder of a run, which may be damaged.
 *
 * @throws {Deno.errors.NotFound} when there is no such folder, or nothing of a run in it.
 */
export async function requireSomeRun(path: string): Promise<string[]> {
  const entries = await entriesOf(path);
  if (entries?.some((entry) => /^(config\.json|checkpoint|metrics\.jsonl)/.test(entry))) return entries;
  const state = entries === null ? "no such folder" : "it holds no run";
  throw new Deno.errors.NotFound(`Cannot check ${path}: ${state}, name the folder of a run`);
}

/** Throws `Deno.errors.AlreadyExists` when the folder holds more than a run killed before it began leaves. */
export function requireNothing(path: string, entries: readonly string[] | null): void {
  if (entries === null || entries.every(isUnbegun)) return;
  throw new Deno.errors.AlreadyExists(
    entries.includes("config.json")
      ? `Cannot write ${path}: it exists, pass --overwrite to replace it or --resume to go on`
      : `Cannot write ${path}: it holds something else than a run, choose another folder with --out`,
  );
}

/** Is this entry left over from a write that was cut short? */
export function isLeftover(entry: string): boolean {
  return RUN_ENTRIES.test(entry) && /\.(tmp|new)$/.test(entry);
}

/** Tells whether a run has such an entry before its config.json. */
export function isUnbegun(entry: string): boolean {
  return entry === UNTAKEN_FILE || isLeftover(entry) && /^(config|warm_start)\.json\./.test(entry);
}

/** Finds the first entry that is not a run's, in the folder or inside its checkpoints; null when there is none. */
export async function foreignEntry(path: string, entries: readonly string[]): Promise<string | null> {
  for (const entry of entries) {
    if (!RUN_ENTRIES.test(entry)) return entry;
    const inside = await insideOf(`${path}/${entry}`);
    if (inside.length === 0) continue;
    if (entry === RECORDING_FOLDER) {
      const foreign = inside.find(({ name, isDirectory }) => isDirectory || !RECORDING_ENTRY.test(name));
      if (foreign !== undefined) return `${entry}/${foreign.name}`;
      continue;
    }
    const manifest = await readManifest(`${path}/${entry}`).catch(() => null);
    const known = [...CHECKPOINT_FILES, ...Object.keys(manifest?.files ?? {})];
    const foreign = inside.find(({ name, isDirectory }) =>
      isDirectory || !known.includes(name.replace(/\.[^.]+\.tmp$/, ""))
    );
    if (foreign !== undefined) return `${entry}/${foreign.name}`;
  }
  return null;
}

/** Removes a run's files; the folder and its lock stay. Throws `Deno.errors.AlreadyExists` when something is not a run's. */
export async function removeRun(path: string, entries: readonly string[]): Promise<void> {
  if (entries.length === 0) return;
  const foreign = await foreignEntry(path, entries);
  const isRun = entries.includes("config.json") || entries.every(isUnbegun);
  if (foreign !== null || !isRun) {
    const state = foreign === null ? "it has no config.json" : `it holds ${foreign}`;
    throw new Deno.errors.AlreadyExists(
      `Cannot overwrite ${path}: ${state}, which is not what a run leaves, move it away or choose another folder`,
    );
  }
  // config.json goes last: if the process is killed earlier, the rest can still be recognised as a run's.
  const configLast = entries.toSorted((a, b) => Number(a === "config.json") - Number(b === "config.json"));
  for (const entry of configLast) await Deno.remove(`${path}/${entry}`, { recursive: true });
}

/** Moves files that are not a run's out of a folder that is deleted next, into the run folder. */
export async function rescueForeign(path: string, doomed: string): Promise<void> {
  let foreign: string | null;
  while ((foreign = await foreignEntry(path, [doomed])) !== null) {
    const name = foreign.slice(doomed.length + 1);
    const isTaken = RUN_ENTRIES.test(name) || (await entriesOf(path))!.includes(name);
    await Deno.rename(`${path}/${foreign}`, `${path}/${isTaken ? `${name}.${crypto.randomUUID()}` : name}`);
  }
}

/**
 * Requires that a file which a user wants written elsewhere is not one of a run's own, such as its metrics.jsonl.
 *
 * @throws {Deno.errors.AlreadyExists} naming the run.
 */
export async function requireNotOfRun(path: string): Promise<void> {
  let inside = resolve(path);
  for (let folder = dirname(inside); folder !== inside; [inside, folder] = [folder, dirname(folder)]) {
    const [name, names] = [basename(inside), (await insideOf(folder)).map(({ name }) => name)];
    const isOwn = (RUN_ENTRIES.test(name) || name === LOCK_FILE) && isRun(names) ||
      CHECKPOINT_FILES.includes(name) && isCheckpoint(names);
    if (!isOwn) continue;
    throw new Deno.errors.AlreadyExists(
      `Cannot write ${path}: it belongs to the run in ${folder}, choose another place`,
    );
  }
}

function isRun(names: readonly string[]): boolean {
  return names.includes("config.json") &&
    names.some((name) => /^(metrics\.jsonl|checkpoint|run\.lock)$/.test(name));
}

function isCheckpoint(names: readonly string[]): boolean {
  return names.includes(MANIFEST_FILE) && names.includes("trainer.json");
}

async function insideOf(path: string): Promise<Deno.DirEntry[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(path))).sort((a, b) => a.name < b.name ? -1 : 1);
  } catch {
    return []; // a file, or gone
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
