/**
 * Checking every file in a run folder.
 *
 * @module
 */
import { permitted } from "../../model/files.ts";
import { Damage, type Manifest, MANIFEST_FILE, readManifest } from "./manifest.ts";
import { readMetricsFile } from "./metrics_file.ts";
import { metricsFault } from "./metrics_order.ts";
import { foreignEntry, requireSomeRun } from "./entries.ts";
import { lockOwner } from "./lock.ts";
import {
  describe,
  fileFaults,
  proveEnd,
  proveMetrics,
  proveSettings,
  readSettings,
  RESUMABLE,
} from "./proof.ts";
import { RECORDING_FOLDER, recordingFaults } from "./recording.ts";

/** A file of a run and what is known about it. */
export interface FileState {
  /** Relative to the run folder. */
  readonly file: string;
  /** `unproven` means that no digest of it was kept. That is no damage in a run that is not finished. */
  readonly state: "ok" | "damaged" | "unproven";
  /** More about it; empty when there is nothing to say. */
  readonly detail: string;
}

/** What is known about a run folder. */
export interface RunState {
  readonly files: readonly FileState[];
  /** False when a file is damaged, or a checkpoint cannot be verified. */
  readonly isWhole: boolean;
  /** What else a user should know, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Verifies every file of a run folder; changes nothing.
 *
 * @throws {Deno.errors.NotFound} when there is no such folder, or nothing of a run in it.
 */
export async function checkRun(run: string): Promise<RunState> {
  const entries = await requireSomeRun(run);
  const files: FileState[] = [];
  const folders = entries.filter((entry) => /^(checkpoint|warm_start)(\.old|\.previous)?$/.test(entry));
  const manifests = new Map<string, Manifest | null>();
  for (const folder of folders) {
    const { manifest, states } = await checkFolder(run, folder);
    manifests.set(folder, manifest);
    files.push(...states);
  }
  // Settings and metrics are proven by the checkpoint that a run goes on from.
  const name = RESUMABLE.find((name) => manifests.get(name) != null) ?? null;
  const manifest = name === null ? null : manifests.get(name)!;
  files.unshift(await checkConfig(run, manifest), await checkMetrics(run, manifests));
  files.push(...await checkResult(run, entries), ...checkRecording(run, entries));
  const notes: string[] = [];
  const owner = await lockOwner(run);
  if (owner !== null) {
    notes.push(`Process ${owner.pid} trains in it: what it is writing just now may look damaged.`);
  }
  const isDamaged = files.some(({ file, state }) => state === "damaged" && file.startsWith(`${name}/`));
  if (manifest !== null && !isDamaged) notes.push(`It goes on from ${describe(manifest.progress)}.`);
  for (const extension of manifest?.extensions ?? []) {
    notes.push(
      `It was extended at ${describe(extension.progress)}; before: ${JSON.stringify(extension.before)}.`,
    );
  }
  const foreign = await foreignEntry(run, entries);
  if (foreign !== null) notes.push(`${foreign} is not the run's.`);
  const isWhole = files.every(({ file, state }) => state !== "damaged" && !isUnprovenCheckpoint(file, state));
  return { files, isWhole, notes };
}

function isUnprovenCheckpoint(file: string, state: FileState["state"]): boolean {
  return state === "unproven" && file.endsWith(`/${MANIFEST_FILE}`);
}

async function checkFolder(run: string, folder: string) {
  const states: FileState[] = [];
  const file = `${folder}/${MANIFEST_FILE}`;
  let manifest: Manifest | null = null;
  try {
    manifest = await readManifest(`${run}/${folder}`, file);
    if (manifest === null) {
      states.push({ file, state: "unproven", detail: "missing: from before manifests, or removed" });
    }
  } catch (error) {
    states.push(damaged(error, file));
  }
  if (manifest === null) return { manifest, states };
  for await (const [name, fault] of fileFaults(`${run}/${folder}`, manifest)) {
    states.push({ file: `${folder}/${name}`, ...stateOf(fault) });
  }
  states.push({ file, state: "ok", detail: describe(manifest.progress) });
  return { manifest, states };
}

async function checkConfig(run: string, manifest: Manifest | null): Promise<FileState> {
  const file = "config.json";
  try {
    // Without a checkpoint only its form can be wrong.
    await proveSettings(run, manifest ?? { settings: await readSettings(run) });
    return { file, state: manifest === null ? "unproven" : "ok", detail: "" };
  } catch (error) {
    return damaged(error, file);
  }
}

async function checkMetrics(
  run: string,
  manifests: ReadonlyMap<string, Manifest | null>,
): Promise<FileState> {
  const file = "metrics.jsonl";
  try {
    for (const manifest of manifests.values()) {
      if (manifest !== null) await proveMetrics(run, manifest);
    }
    const { bytes, lines, ends } = await readMetricsFile(`${run}/${file}`);
    const fault = metricsFault(lines);
    if (fault !== null) throw new Damage(file, fault);
    const half = bytes.length > (ends.at(-1) ?? 0) ? " and half of one, which a run that goes on drops" : "";
    return { file, state: "ok", detail: `${lines.length} lines${half}` };
  } catch (error) {
    return damaged(error, file);
  }
}

/** Checks what only the manifest of a finished run can prove. */
async function checkResult(run: string, entries: readonly string[]): Promise<FileState[]> {
  let manifest: Manifest | null;
  try {
    manifest = await readManifest(run, MANIFEST_FILE);
  } catch (error) {
    return [damaged(error, MANIFEST_FILE)];
  }
  if (manifest === null) {
    if (!entries.includes("summary.json")) return [];
    const detail = "the run has not ended since, or is from before manifests";
    return [{ file: "summary.json", state: "unproven", detail }];
  }
  const states: FileState[] = [];
  for await (const [file, fault] of fileFaults(run, manifest)) {
    // These two have a row already. They get another only if the result's digests show damage.
    if (fault === null && (file === "config.json" || file === "metrics.jsonl")) continue;
    states.push({ file, ...stateOf(fault) });
  }
  try {
    await proveEnd(run, manifest);
  } catch (error) {
    states.push(damaged(error, "checkpoint"));
  }
  return [...states, { file: MANIFEST_FILE, state: "ok", detail: "the run is finished" }];
}

/** The recording as a whole, and its files that are damaged. */
function checkRecording(run: string, entries: readonly string[]): FileState[] {
  if (!entries.includes(RECORDING_FOLDER)) return [];
  const { files, pictures, faults } = recordingFaults(run);
  const damaged = faults.map(([file, detail]): FileState => ({ file, state: "damaged", detail }));
  const detail = `${files} files, ${pictures} pictures`;
  return [
    ...damaged,
    ...damaged.length > 0 ? [] : [{ file: RECORDING_FOLDER, state: "ok", detail } as const],
  ];
}

function stateOf(fault: string | null): Pick<FileState, "state" | "detail"> {
  return fault === null ? { state: "ok", detail: "" } : { state: "damaged", detail: fault };
}

function damaged(error: unknown, file: string): FileState {
  if (error instanceof Damage) return { file: error.file, state: "damaged", detail: error.state };
  return { file, state: "damaged", detail: permitted(error).message };
}
