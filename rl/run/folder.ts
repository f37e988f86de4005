/** The folder of a run: its settings, metrics, checkpoints and result, laid out for other programs to read. */

import {
  exists,
  type FileContent,
  readBytes,
  recoverFolder,
  syncFolder,
  writeFileAtomic,
  writeFolderAtomic,
} from "../../model/files.ts";
import {
  digestOf,
  encodeManifest,
  type Extension,
  type Manifest,
  MANIFEST_FILE,
  openCheckpoint,
  readManifest,
} from "./manifest.ts";
import { readJsonObject } from "./json_object.ts";
import { MetricsFile } from "./metrics_file.ts";
import {
  entriesOf,
  foreignEntry,
  isLeftover,
  removeRun,
  requireNothing,
  requireRun,
  rescueForeign,
} from "./entries.ts";
import { RunLock } from "./lock.ts";
import { Recording, RECORDING_FOLDER } from "./recording.ts";
import {
  checkpointIdentity,
  explained,
  mendExtension,
  proveEnd,
  proveMetrics,
  proveResult,
  proveSettings,
  unverifiable,
} from "./proof.ts";
import {
  type Checkpoint,
  CHECKPOINT_NAMES,
  type CheckpointName,
  type CheckpointNote,
  encodeConfig,
  type JsonObject,
  type RunStore,
  type WarmStart,
} from "./store.ts";

export type { CheckpointName, JsonObject, WarmStart } from "./store.ts";

/** What to do with a folder that is there. */
export interface RunFolderSettings {
  /** Replace a run that is already there. */
  readonly overwrite?: boolean;
  /** Go on with the run that is already there. */
  readonly resume?: boolean;
}

/**
 * `runs/<name>/`:
 *
 *     config.json          every setting of the run
 *     metrics.jsonl        one object a line
 *     checkpoint/          model.safetensors, optimizer.safetensors, config.json, tokenizer.json, trainer.json, manifest.json
 *     checkpoint.previous/ the checkpoint before that one, to go back to when the latest is damaged
 *     warm_start/          the checkpoint from before RL, for other runs to begin RL from
 *     summary.json         the result
 *     manifest.json        digests of a finished run's files
 *     profile.json         a trace of one step of each kind, with --profile
 *     recording/           a sample of what the policy saw, wrote and earned: docs/recording.md; replays.json, its replays
 *     run.lock             the process that trains in it
 *     warm_start.json      the run to begin from, until its warm start is taken
 *
 * If the process is killed at any moment, config, summary and checkpoints are the old ones or the new ones, whole.
 * Before a run is resumed, evaluated or begun from, its files are proven to be what was written.
 */
export class RunFolder implements RunStore, AsyncDisposable {
  readonly path: string;
  readonly #lock: RunLock | null;
  readonly #metrics: MetricsFile;
  /** As this process wrote or proved them: if somebody edits `config.json` meanwhile, that must not reach the record. */
  #settings: JsonObject | null = null;
  #extensions: readonly Extension[] = [];

  private constructor(path: string, lock: RunLock | null) {
    this.path = path;
    this.#lock = lock;
    this.#metrics = new MetricsFile(`${path}/metrics.jsonl`);
  }

  /**
   * Makes the folder to train in and locks it until {@linkcode RunFolder.close}. With `overwrite` the run in it is removed.
   * With `resume` what a killed process left half-done is mended.
   *
   * @throws {Deno.errors.AlreadyExists} when something is there and neither is set, or when either would delete files that
   * are not recognisably a run's.
   * @throws {Deno.errors.NotFound} when there is no run to resume.
   * @throws {Deno.errors.Busy} when another process trains in it.
   * @throws {TypeError} when both are set.
   */
  static async create(path: string, { overwrite, resume }: RunFolderSettings = {}): Promise<RunFolder> {
    if (overwrite && resume) {
      throw new TypeError(`Cannot write ${path}: both --overwrite and --resume are given, use one of them`);
    }
    // Checked before the lock, so that a refused folder stays untouched, and after it, since another process may have come.
    const check = async () => {
      const entries = await entriesOf(path);
      if (resume) requireRun(path, entries);
      else if (!overwrite) requireNothing(path, entries);
      return entries ?? [];
    };
    await check();
    try {
      await Deno.mkdir(path, { recursive: true });
    } catch (error) {
      throw new Error(
        `Cannot write ${path}: ${(error as Error).message}, choose another folder with --out`,
        { cause: error },
      );
    }
    const lock = await RunLock.take(path);
    try {
      const entries = await check();
      const folder = new RunFolder(path, lock);
      if (resume) await folder.#mend(entries);
      else if (overwrite) await removeRun(path, entries);
      else for (const entry of entries) await folder.#remove(entry); // of a run killed before it began
      return folder;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /**
   * Opens a run to read. It may be under way: nothing is changed or locked.
   *
   * @throws {Deno.errors.NotFound} when there is no run.
   */
  static async open(path: string): Promise<RunFolder> {
    const entries = await entriesOf(path);
    if (entries === null) {
      throw new Deno.errors.NotFound(`Cannot open run ${path}: no such folder, check the path`);
    }
    if (entries.includes("config.json")) return new RunFolder(path, null);
    throw new Deno.errors.NotFound(
      `Cannot open run ${path}: it has no config.json, name the folder of a run`,
    );
  }

  /** Gives up the lock and closes the metrics. Does nothing the second time. */
  close(): Promise<void> {
    this.#metrics.close();
    this.#lock?.release();
    return Promise.resolve();
  }

  /** Closes the folder at the end of `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async writeConfig(config: object): Promise<void> {
    const text = encodeConfig(config);
    await writeFileAtomic(this.#at("config.json"), text);
    this.#settings = JSON.parse(text);
  }

  /** Throws `Deno.errors.NotFound` without the file and `SyntaxError` when it holds no JSON object. */
  readConfig(): Promise<JsonObject> {
    return readJsonObject(this.#at("config.json"));
  }

  /** Writes the result, then the digests of the finished run's files. NaN and infinities become null. */
  async writeSummary(summary: object): Promise<void> {
    await this.#metrics.sync();
    await writeFileAtomic(this.#at("summary.json"), JSON.stringify(summary, null, 2) + "\n");
    const files: Record<string, FileContent> = {};
    for (const name of ["config.json", "metrics.jsonl", "summary.json", "profile.json"]) {
      if (await exists(this.#at(name))) files[name] = await readBytes(this.#at(name));
    }
    const manifest = await this.#manifestOf(files, { checkpoint: await checkpointIdentity(this.path) });
    await writeFileAtomic(this.#at(MANIFEST_FILE), await encodeManifest(manifest));
  }

  /**
   * Reads the result; null while there is none. The files of a finished run are proven first.
   *
   * Throws `SyntaxError` when the file holds no JSON object, `Deno.errors.InvalidData` when a file is damaged.
   */
  async readSummary(): Promise<JsonObject | null> {
    await explained(this.path, () => proveResult(this.path));
    const path = this.#at("summary.json");
    return await exists(path) ? await readJsonObject(path) : null;
  }

  /** Writes a trace for Chrome or Perfetto; returns its path. */
  async writeProfile(trace: object): Promise<string> {
    await writeFileAtomic(this.#at("profile.json"), JSON.stringify(trace) + "\n");
    return this.#at("profile.json");
  }

  record(limitBytes: number): Recording {
    return new Recording(this.#at(RECORDING_FOLDER), limitBytes);
  }

  appendMetrics(metrics: object): void {
    this.#metrics.append(metrics);
  }

  /** Reads all lines; none when there is no file. A last line that a killed process left half-written is passed over. */
  async readMetrics(): Promise<JsonObject[]> {
    return (await this.#metrics.read()).lines;
  }

  /**
   * Replaces a checkpoint by these files, given by name. The earlier one is kept as `checkpoint.previous`. Metrics reach
   * the disk first. If the process is killed halfway, the run has the earlier checkpoint or this one, whole.
   */
  async writeCheckpoint(
    files: Readonly<Record<string, FileContent>>,
    { name = "checkpoint", keep, progress = {} }: CheckpointNote = {},
  ): Promise<void> {
    await this.#unfinish();
    await this.#metrics.sync();
    await syncFolder(this.path);
    const manifest = await encodeManifest(await this.#manifestOf(files, progress, keep));
    await rescueForeign(this.path, name === "checkpoint" ? `${name}.previous` : name);
    // The manifest comes last: a folder that has it has everything.
    await writeFolderAtomic(this.#at(name), { ...files, [MANIFEST_FILE]: manifest }, {
      keepPrevious: name === "checkpoint",
    });
  }

  /** The folder that holds the last whole checkpoint of that name; null when there is none yet. */
  async checkpointPath(name: CheckpointName = "checkpoint"): Promise<string | null> {
    // `.old` and `.previous` hold the last one while it is being replaced, or if the process was killed then.
    for (const path of ["", ".old", ".previous"].map((suffix) => this.#at(name + suffix))) {
      if (await exists(path)) return path;
    }
    return null;
  }

  /**
   * Opens a checkpoint to read, and proves the settings of its run.
   *
   * Throws `Deno.errors.InvalidData` when its manifest or the run's `config.json` is damaged.
   */
  readCheckpoint(name?: CheckpointName): Promise<Checkpoint | null> {
    return explained(this.path, async () => {
      const path = await this.checkpointPath(name);
      if (path === null) return null;
      const checkpoint = await openCheckpoint(path, this.#nameOf(path));
      // A warm start has the settings from before the run was extended.
      if (name === "warm_start") return this.#explaining(checkpoint);
      if (checkpoint.manifest !== null) await proveSettings(this.path, checkpoint.manifest);
      const result = await readManifest(this.path, MANIFEST_FILE);
      if (result !== null) await proveEnd(this.path, result);
      return this.#explaining(checkpoint);
    });
  }

  resume(): Promise<Checkpoint | null> {
    return explained(this.path, async () => {
      const path = await this.checkpointPath();
      let metricsBytes = 0;
      let checkpoint: Checkpoint | null = null;
      if (path !== null) {
        checkpoint = await openCheckpoint(path, this.#nameOf(path));
        const { manifest } = checkpoint;
        if (manifest === null) {
          throw unverifiable(this.#nameOf(path));
        }
        await proveSettings(this.path, manifest);
        for (const name of Object.keys(manifest.files)) await checkpoint.read(name);
        await proveMetrics(this.path, manifest);
        metricsBytes = manifest.metrics.bytes;
        this.#settings = manifest.settings;
        this.#extensions = manifest.extensions;
      }
      await this.#unfinish();
      await this.#metrics.truncate(metricsBytes);
      return checkpoint && this.#explaining(checkpoint);
    });
  }

  /**
   * Changes settings of a run that has a checkpoint, such as its length `envSteps`. The run resumes with them. The manifest
   * keeps the old settings and the result so far; `summary.json` is removed.
   *
   * A run that was extended ends elsewhere than one that was as long from the start. The learning rate falls with the share
   * of steps done. It therefore jumps up here and falls again to the end.
   *
   * Throws `Deno.errors.InvalidData` when a file is damaged, `Deno.errors.NotFound` without a checkpoint.
   */
  async extend(changes: JsonObject): Promise<void> {
    const summary = await this.readSummary();
    const checkpoint = await this.resume();
    if (checkpoint?.manifest == null) {
      throw new Deno.errors.NotFound(
        `Cannot extend ${this.path}: it has no checkpoint yet, begin it again with the new settings and --overwrite`,
      );
    }
    const { settings, progress, extensions } = checkpoint.manifest;
    const before = Object.fromEntries(Object.keys(changes).map((name) => [name, settings[name]]));
    const extended: Manifest = {
      ...checkpoint.manifest,
      settings: JSON.parse(encodeConfig({ ...settings, ...changes })),
      extensions: [...extensions, { before, progress, summary }],
    };
    // The manifest is written first: `create` finishes an extension that got as far as this.
    await writeFileAtomic(`${checkpoint.path}/${MANIFEST_FILE}`, await encodeManifest(extended));
    await this.writeConfig(extended.settings);
    this.#extensions = extended.extensions;
    if (summary !== null) await this.#remove("summary.json");
  }

  /**
   * Reads what another run needs to begin RL as this one did.
   *
   * Throws `Deno.errors.NotFound` when RL has not begun yet, `Deno.errors.InvalidData` when a file is damaged.
   */
  readWarmStart(): Promise<WarmStart> {
    return explained(this.path, async () => {
      const path = await this.checkpointPath("warm_start");
      if (path === null) {
        throw new Deno.errors.NotFound(
          `Cannot begin from ${this.path}: it has no warm_start folder, name a run that got as far as RL`,
        );
      }
      await this.readCheckpoint(); // its settings are those of the warm start
      const checkpoint = await openCheckpoint(path, this.#nameOf(path));
      const { manifest } = checkpoint;
      if (manifest === null) throw unverifiable("warm_start");
      const files = await checkpoint.read(...Object.keys(manifest.files));
      return { files, metrics: await proveMetrics(this.path, manifest), progress: manifest.progress };
    });
  }

  async #manifestOf(
    files: Readonly<Record<string, FileContent>>,
    progress: JsonObject,
    keep: (line: JsonObject) => boolean = () => true,
  ): Promise<Manifest> {
    const digests = [];
    for (const [name, content] of Object.entries(files)) digests.push([name, await digestOf(content)]);
    const hasConfig = this.#settings === null && await exists(this.#at("config.json"));
    return {
      format: 1,
      files: Object.fromEntries(digests),
      metrics: await this.#metrics.digest(keep),
      settings: hasConfig ? await this.readConfig() : this.#settings ?? {},
      progress,
      extensions: this.#extensions,
    };
  }

  /** The same checkpoint. Damage that is found in it later is reported with the run's name and a remedy. */
  #explaining(checkpoint: Checkpoint): Checkpoint {
    const read: Checkpoint["read"] = (...names) => explained(this.path, () => checkpoint.read(...names));
    return { path: checkpoint.path, manifest: checkpoint.manifest, read };
  }

  async #mend(entries: readonly string[]): Promise<void> {
    const foreign = await foreignEntry(this.path, entries.filter((entry) => entry.startsWith("checkpoint")));
    if (foreign !== null) {
      throw new Deno.errors.AlreadyExists(
        `Cannot resume ${this.path}: it holds ${foreign}, which the run would delete, move it away`,
      );
    }
    for (const name of CHECKPOINT_NAMES) await recoverFolder(this.#at(name));
    for (const entry of entries) {
      if (isLeftover(entry)) await this.#remove(entry);
    }
    await mendExtension(this.path, this.#at("checkpoint"));
  }

  /** Removes the manifest of the result, which no longer fits the files beside it. */
  async #unfinish(): Promise<void> {
    if (await exists(this.#at(MANIFEST_FILE))) await this.#remove(MANIFEST_FILE);
  }

  async #remove(entry: string): Promise<void> {
    await Deno.remove(this.#at(entry), { recursive: true });
  }

  #nameOf(path: string): string {
    return path.slice(this.path.length + 1);
  }

  #at(entry: string): string {
    return `${this.path}/${entry}`;
  }
}
