// deno-lint-ignore-file require-await -- what MemoryRun throws must reject, as it does on disk
/**
 * A store in memory, for runs that leave no files.
 *
 * @module
 */
import type { FileContent } from "../../model/files.ts";
import { digestOf, type FileDigest, type Manifest } from "./manifest.ts";
import {
  type Checkpoint,
  type CheckpointName,
  type CheckpointNote,
  encodeConfig,
  type JsonObject,
  type RunStore,
} from "./store.ts";

/**
 * A run that leaves nothing on disk. It can be resumed as long as it lives.
 *
 * @example A run that leaves no files
 * ```ts
 * import { MemoryRun } from "@ponder/ponder/rl";
 *
 * await using run = new MemoryRun();
 * await run.writeConfig({ seed: 3 });
 * console.log(await run.readConfig());
 * ```
 */
export class MemoryRun implements RunStore, AsyncDisposable {
  readonly path = "memory";
  #config: JsonObject | null = null;
  #lines: string[] = [];
  #summary: JsonObject | null = null;
  #profile: JsonObject | null = null;
  readonly #checkpoints = new Map<CheckpointName, Checkpoint>();

  async writeConfig(config: object): Promise<void> {
    this.#config = JSON.parse(encodeConfig(config));
  }

  /** The settings of the run. */
  async readConfig(): Promise<JsonObject> {
    return structuredClone(this.#config ?? {});
  }

  appendMetrics(metrics: object): void {
    this.#lines.push(JSON.stringify(metrics));
  }

  async readMetrics(): Promise<JsonObject[]> {
    return this.#lines.map((line) => JSON.parse(line));
  }

  /** The bytes of `metrics.jsonl`, as text. */
  get metricsText(): string {
    return this.#lines.map((line) => line + "\n").join("");
  }

  async writeCheckpoint(
    files: Readonly<Record<string, FileContent>>,
    { name = "checkpoint", keep = () => true, progress = {} }: CheckpointNote = {},
  ): Promise<void> {
    const bytes = Object.fromEntries(
      Object.entries(files).map(([name, content]) => [
        name,
        typeof content === "string" ? new TextEncoder().encode(content) : content.slice(),
      ]),
    ) as Record<string, Uint8Array<ArrayBuffer>>;
    const refused = this.#lines.findIndex((line) => !keep(JSON.parse(line)));
    const lines = refused < 0 ? this.#lines.length : refused;
    const metrics = await digestOf(this.#lines.slice(0, lines).map((line) => line + "\n").join(""));
    const digests: Record<string, FileDigest> = {};
    for (const name of Object.keys(bytes)) digests[name] = await digestOf(bytes[name]);
    const manifest: Manifest = {
      format: 1,
      files: digests,
      metrics: { ...metrics, lines },
      settings: structuredClone(this.#config ?? {}),
      progress,
      extensions: [],
    };
    this.#checkpoints.set(name, {
      path: `${this.path}/${name}`,
      manifest,
      read: async <Name extends string>(...names: Name[]) => {
        const read = {} as Record<Name, Uint8Array<ArrayBuffer>>;
        for (const name of names) {
          if (!Object.hasOwn(bytes, name)) {
            throw new RangeError(`Cannot read ${name}: the checkpoint in memory has no such file`);
          }
          read[name] = bytes[name].slice();
        }
        return read;
      },
    });
  }

  /** The latest checkpoint of that name; null when there is none. */
  checkpoint(name: CheckpointName = "checkpoint"): Checkpoint | null {
    return this.#checkpoints.get(name) ?? null;
  }

  async readCheckpoint(name?: CheckpointName): Promise<Checkpoint | null> {
    return this.checkpoint(name);
  }

  async checkpointPath(name?: CheckpointName): Promise<string | null> {
    return this.checkpoint(name)?.path ?? null;
  }

  async resume(): Promise<Checkpoint | null> {
    const checkpoint = this.checkpoint();
    this.#lines.length = checkpoint?.manifest?.metrics.lines ?? 0;
    this.#summary = null;
    return checkpoint;
  }

  /** Keeps the result of the run. */
  async writeSummary(summary: object): Promise<void> {
    this.#summary = plain(summary);
  }

  async readSummary(): Promise<JsonObject | null> {
    return structuredClone(this.#summary);
  }

  async writeProfile(trace: object): Promise<string> {
    this.#profile = plain(trace);
    return `${this.path}/profile.json`;
  }

  /** The trace that `writeProfile` kept; null when there is none. */
  get profile(): JsonObject | null {
    return structuredClone(this.#profile);
  }

  async close(): Promise<void> {
  }

  /** Ends the use of the run; everything that it kept stays readable. */
  async [Symbol.asyncDispose](): Promise<void> {
  }
}

/** A copy, as JSON keeps it. */
function plain(object: object): JsonObject {
  return JSON.parse(JSON.stringify(object));
}
