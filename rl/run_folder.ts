/** The folder of a run: its settings, metrics, checkpoint and result, laid out for other programs to read. */

import {
  exists,
  type FileContent,
  readBytes,
  readJson,
  recoverFolder,
  writeFileAtomic,
  writeFolderAtomic,
} from "../model/files.ts";

/** A JSON object, as in `config.json` or a line of `metrics.jsonl`. */
export type JsonObject = Record<string, unknown>;

/** A run until RL. */
export interface WarmStart {
  /** Its checkpoint, by name of the file. */
  readonly files: Readonly<Record<string, FileContent>>;
  readonly metrics: readonly JsonObject[];
}

export interface RunFolderSettings {
  /** Replace a run that is already there. */
  readonly overwrite?: boolean;
  /** Go on with the run that is already there. */
  readonly resume?: boolean;
}

/** `checkpoint` is the latest one, `warm_start` the one from before RL. */
const CHECKPOINT_NAMES = ["checkpoint", "warm_start"] as const;
export type CheckpointName = typeof CHECKPOINT_NAMES[number];

/** What a run writes; `--overwrite` deletes nothing else. */
const RUN_ENTRIES =
  /^(config\.json|metrics\.jsonl|summary\.json|profile\.json|checkpoint|warm_start)(\..+\.tmp|\.new|\.old)?$/;

/**
 * `runs/<name>/`:
 *
 *     config.json          every setting of the run
 *     metrics.jsonl        one object a line
 *     checkpoint/          model.safetensors, optimizer.safetensors, config.json, tokenizer.json, trainer.json
 *     warm_start/          the checkpoint from before RL, for other runs to begin RL from
 *     summary.json         the result
 *     profile.json         a trace of one step of each kind, with --profile
 *
 * Whatever moment the process is killed at, config, summary and checkpoints are the old ones or the new ones, whole.
 */
export class RunFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * The folder to train in: a new one, the one that is there emptied of its run (`overwrite`), or the one that is
   * there, mended where its process was killed (`resume`).
   *
   * Throws `Deno.errors.AlreadyExists` when there is something and neither is set, or when `overwrite` would delete
   * what is not recognisably a run; `Deno.errors.NotFound` when there is no run to resume; `TypeError` when both are
   * set.
   */
  static async create(path: string, { overwrite, resume }: RunFolderSettings = {}): Promise<RunFolder> {
    if (overwrite && resume) {
      throw new TypeError(`Cannot write ${path}: both --overwrite and --resume are given, use one of them`);
    }
    const entries = await entriesOf(path);
    const folder = new RunFolder(path);
    const isRun = entries?.includes("config.json");
    if (resume) {
      await folder.#mend(entries);
    } else if (entries !== null && entries.length > 0) {
      if (!overwrite) {
        throw new Deno.errors.AlreadyExists(
          isRun
            ? `Cannot write ${path}: it exists, pass --overwrite to replace it or --resume to go on`
            : `Cannot write ${path}: it holds something else than a run, choose another folder with --out`,
        );
      }
      await removeRun(path, entries);
    }
    try {
      await Deno.mkdir(path, { recursive: true });
    } catch (error) {
      throw new Error(
        `Cannot write ${path}: ${(error as Error).message}, choose another folder with --out`,
        { cause: error },
      );
    }
    return folder;
  }

  /**
   * A run to read, which may be under way: nothing is changed. Throws `Deno.errors.NotFound` when there is no run.
   */
  static async open(path: string): Promise<RunFolder> {
    const entries = await entriesOf(path);
    if (entries === null) {
      throw new Deno.errors.NotFound(`Cannot open run ${path}: no such folder, check the path`);
    }
    if (!entries.includes("config.json")) {
      throw new Deno.errors.NotFound(
        `Cannot open run ${path}: it has no config.json, name the folder of a run`,
      );
    }
    return new RunFolder(path);
  }

  /** Throws `RangeError` on NaN or infinity, which JSON cannot hold. */
  async writeConfig(config: object): Promise<void> {
    const text = JSON.stringify(config, (key, value) => {
      if (typeof value === "number" && !Number.isFinite(value)) {
        throw new RangeError(`Cannot write config.json: ${key} is ${value}, use a finite number or null`);
      }
      return value;
    }, 2);
    await writeFileAtomic(this.#at("config.json"), text + "\n");
  }

  /** Throws `Deno.errors.NotFound` without the file and `SyntaxError` when it holds no JSON object. */
  readConfig(): Promise<JsonObject> {
    return readJsonObject(this.#at("config.json"));
  }

  /** NaN and infinities are written as null. */
  async writeSummary(summary: object): Promise<void> {
    await writeFileAtomic(this.#at("summary.json"), JSON.stringify(summary, null, 2) + "\n");
  }

  /** Null while the run has no result. Throws `SyntaxError` when the file holds no JSON object. */
  async readSummary(): Promise<JsonObject | null> {
    const path = this.#at("summary.json");
    return await exists(path) ? await readJsonObject(path) : null;
  }

  /** Writes a trace for Chrome or Perfetto; returns its path. */
  async writeProfile(trace: object): Promise<string> {
    await writeFileAtomic(this.#at("profile.json"), JSON.stringify(trace) + "\n");
    return this.#at("profile.json");
  }

  /** Adds a line; NaN and infinities are written as null, as JSON has neither. */
  appendMetrics(metrics: object): void {
    Deno.writeTextFileSync(this.#at("metrics.jsonl"), JSON.stringify(metrics) + "\n", { append: true });
  }

  /** All lines, none without the file. A last line that a killed process left half-written is passed over. */
  async readMetrics(): Promise<JsonObject[]> {
    const lines = await this.#metricLines();
    return lines.map((line, i) => {
      try {
        return asObject(JSON.parse(line));
      } catch (error) {
        throw new SyntaxError(
          `Cannot read ${this.#at("metrics.jsonl")}: line ${i + 1} is not a JSON object, remove it`,
          { cause: error },
        );
      }
    });
  }

  /**
   * Drops the first line that `keep` refuses and all after it, as well as a half-written last one: a run resumes from
   * its checkpoint and will write the later lines again. Kept lines stay as they are, byte by byte. Returns the number of
   * whole lines dropped.
   */
  async truncateMetrics(keep: (metrics: JsonObject) => boolean): Promise<number> {
    if (!await exists(this.#at("metrics.jsonl"))) return 0;
    const lines = await this.#metricLines();
    const refused = (await this.readMetrics()).findIndex((metrics) => !keep(metrics));
    const kept = refused < 0 ? lines : lines.slice(0, refused);
    await writeFileAtomic(this.#at("metrics.jsonl"), kept.map((line) => line + "\n").join(""));
    return lines.length - kept.length;
  }

  /**
   * Replaces a checkpoint by these files, given by name. Killed halfway, the run still has the checkpoint from
   * before or this one.
   */
  async writeCheckpoint(
    files: Readonly<Record<string, FileContent>>,
    name: CheckpointName = "checkpoint",
  ): Promise<void> {
    await writeFolderAtomic(this.#at(name), files);
  }

  /** The folder that holds the last whole checkpoint of that name; null when there is none yet. */
  async checkpointPath(name: CheckpointName = "checkpoint"): Promise<string | null> {
    // `.old` is the last one while another is put in its place, or was when that process was killed.
    for (const path of [this.#at(name), this.#at(`${name}.old`)]) {
      if (await exists(path)) return path;
    }
    return null;
  }

  /** What other runs need to begin RL where this one did. Throws `Deno.errors.NotFound` before it began. */
  async readWarmStart(): Promise<WarmStart> {
    const path = await this.checkpointPath("warm_start");
    if (path === null) {
      throw new Deno.errors.NotFound(
        `Cannot begin from ${this.path}: it has no warm_start folder, name a run that got as far as RL`,
      );
    }
    const files: Record<string, FileContent> = {};
    for await (const { name } of Deno.readDir(path)) files[name] = await readBytes(`${path}/${name}`);
    const metrics = await this.readMetrics();
    const rl = metrics.findIndex(({ stage }) => stage === "rl");
    return { files, metrics: rl < 0 ? metrics : metrics.slice(0, rl) };
  }

  /** Makes a new run one that is about to begin RL. */
  async writeWarmStart({ files, metrics }: WarmStart): Promise<void> {
    for (const line of metrics) this.appendMetrics(line);
    for (const name of CHECKPOINT_NAMES) await this.writeCheckpoint(files, name);
  }

  async #mend(entries: readonly string[] | null): Promise<void> {
    if (!entries?.includes("config.json")) {
      const state = entries === null ? "there is no such folder" : "it has no config.json";
      throw new Deno.errors.NotFound(
        `Cannot resume ${this.path}: ${state}, leave out --resume to begin a run`,
      );
    }
    for (const name of CHECKPOINT_NAMES) await recoverFolder(this.#at(name));
    for (const entry of entries) {
      if (RUN_ENTRIES.test(entry) && /\.(tmp|new)$/.test(entry)) await this.#remove(entry);
    }
  }

  async #metricLines(): Promise<string[]> {
    const path = this.#at("metrics.jsonl");
    if (!await exists(path)) return [];
    const text = new TextDecoder().decode(await readBytes(path));
    return text.split("\n").slice(0, -1); // what follows the last line feed is half a line, or nothing
  }

  async #remove(entry: string): Promise<void> {
    await Deno.remove(this.#at(entry), { recursive: true });
  }

  #at(entry: string): string {
    return `${this.path}/${entry}`;
  }
}

/** Removes a run's files; the folder stays. */
async function removeRun(path: string, entries: readonly string[]): Promise<void> {
  const foreign = entries.find((entry) => !RUN_ENTRIES.test(entry));
  // A run killed while it wrote its first config.json has only that file's temporary.
  if (foreign !== undefined || !entries.some((entry) => entry.startsWith("config.json"))) {
    const state = foreign === undefined ? "it has no config.json" : `it holds ${foreign}`;
    throw new Deno.errors.AlreadyExists(
      `Cannot overwrite ${path}: ${state}, which is not what a run leaves, move it away or choose another folder`,
    );
  }
  // config.json goes last: should the process be killed before that, the rest can still be recognised as a run's.
  const configLast = entries.toSorted((a, b) => Number(a === "config.json") - Number(b === "config.json"));
  for (const entry of configLast) await Deno.remove(`${path}/${entry}`, { recursive: true });
}

/** Names in a folder; null when there is none. */
async function entriesOf(path: string): Promise<string[] | null> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(path), ({ name }) => name);
    return entries.sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    if (await isFile(path)) {
      throw new Deno.errors.AlreadyExists(`Cannot use ${path} as a run folder: it is a file, name a folder`);
    }
    throw error;
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

function asObject(value: unknown): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new TypeError("Not an object");
}

async function readJsonObject(path: string): Promise<JsonObject> {
  const value = await readJson(path);
  try {
    return asObject(value);
  } catch (error) {
    throw new SyntaxError(`Cannot read ${path}: it holds no JSON object, write it again`, { cause: error });
  }
}
