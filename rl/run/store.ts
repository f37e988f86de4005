/**
 * What keeps a run's settings, metrics, checkpoints and result.
 *
 * @module
 */
import type { FileContent } from "../../model/files.ts";
import type { Manifest } from "./manifest.ts";
import type { RecordingSink } from "./recording.ts";

/** A JSON object, as in `config.json` or a line of `metrics.jsonl`. */
export type JsonObject = Record<string, unknown>;

/** Names of a run's checkpoints: `checkpoint` is the latest, `warm_start` the one from before RL. */
export const CHECKPOINT_NAMES = ["checkpoint", "warm_start"] as const;
/** Name of a checkpoint: the latest, or the one that RL began with. */
export type CheckpointName = typeof CHECKPOINT_NAMES[number];

/** A checkpoint to read. */
export interface Checkpoint {
  /** Its folder, or what messages call it. */
  readonly path: string;
  /** What it must consist of; null if it has no manifest, so that its files cannot be verified. */
  readonly manifest: Manifest | null;
  /** Reads files that belong together. Throws `Damage` when one is not what was written. */
  read<Name extends string>(...names: Name[]): Promise<Record<Name, Uint8Array<ArrayBuffer>>>;
}

/** What a store learns about a checkpoint beside its files. */
export interface CheckpointNote {
  /** Which checkpoint it is. Default `checkpoint`. */
  readonly name?: CheckpointName;
  /** Which metrics a run that resumes from it keeps: the lines up to the first that this refuses. Default all. */
  readonly keep?: (line: JsonObject) => boolean;
  /** How far the run is, for people. */
  readonly progress?: JsonObject;
}

/**
 * Keeps what a run makes: `RunFolder` on disk, `MemoryRun` in memory.
 *
 * Call `writeConfig` first. After `resume`, go on from the checkpoint that it returns. Before you write anything, wait until
 * the GPU is known to have done the work behind it.
 */
export interface RunStore {
  /** The place of the run, as messages call it. */
  readonly path: string;
  /** Writes the settings of the run. Throws `RangeError` for NaN or infinity, which JSON cannot hold. */
  writeConfig(config: object): Promise<void>;
  /** Reads the settings of the run. */
  readConfig(): Promise<JsonObject>;
  /** Adds a line; NaN and infinities become null. */
  appendMetrics(metrics: object): void;
  /** Reads all whole lines of metrics. */
  readMetrics(): Promise<JsonObject[]>;
  /** Replaces a checkpoint by these files, given by name. */
  writeCheckpoint(files: Readonly<Record<string, FileContent>>, note?: CheckpointNote): Promise<void>;
  /**
   * Opens the checkpoint to go on from; null when there is none yet. The checkpoint, the settings and the metrics up to it
   * are proven to be what was written. Later metrics are dropped, since the run will write them again.
   */
  resume(): Promise<Checkpoint | null>;
  /**
   * Opens the checkpoint of that name to read; null when there is none yet. Its `manifest` is null if an earlier version
   * wrote it; its files cannot be verified then.
   */
  readCheckpoint(name?: CheckpointName): Promise<Checkpoint | null>;
  /** The path of the last whole checkpoint of that name; null when there is none yet. */
  checkpointPath(name?: CheckpointName): Promise<string | null>;
  /** Keeps the result of the run. */
  writeSummary(summary: object): Promise<void>;
  /** Reads the result of the run; null while there is none. */
  readSummary(): Promise<JsonObject | null>;
  /** Keeps a trace for Chrome or Perfetto; returns its path. */
  writeProfile(trace: object): Promise<string>;
  /** Opens a bounded recording of the run; absent in a store that keeps none. */
  record?(limitBytes: number): RecordingSink;
  /** Ends the use of the store, so that others may train in it. */
  close(): Promise<void>;
}

/** What a run has made before RL. */
export interface WarmStart {
  /** The files of its checkpoint, by name. */
  readonly files: Readonly<Record<string, FileContent>>;
  /** The lines of `metrics.jsonl`. */
  readonly metrics: readonly JsonObject[];
  /** How far it is, for people. */
  readonly progress: JsonObject;
}

/** Lets a new run begin RL with this warm start. Its settings are written already; go on with `resume`. */
export async function writeWarmStart(
  store: RunStore,
  { files, metrics, progress }: WarmStart,
): Promise<void> {
  for (const line of metrics) store.appendMetrics(line);
  for (const name of CHECKPOINT_NAMES) await store.writeCheckpoint(files, { name, progress });
}

/** Makes the text of `config.json`. Throws `RangeError` for NaN or infinity, which JSON cannot hold. */
export function encodeConfig(config: object): string {
  const text = JSON.stringify(config, (key, value) => {
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw new RangeError(`Cannot write config.json: ${key} is ${value}, use a finite number or null`);
    }
    return value;
  }, 2);
  return text + "\n";
}
