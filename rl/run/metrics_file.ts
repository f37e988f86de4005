/**
 * `metrics.jsonl`: one JSON object a line, appended through one open file.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { exists, readBytes } from "../../model/files.ts";
import { asJsonObject } from "./json_object.ts";
import type { FileDigest } from "./manifest.ts";
import type { JsonObject } from "./store.ts";

/** The whole lines of a metrics file, parsed, and the byte at which each ends. */
export interface MetricsContent {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lines: JsonObject[];
  /** First byte after each line. */
  readonly ends: readonly number[];
}

/** The metrics of a run, under one name on disk. */
export class MetricsFile {
  #file: Deno.FsFile | null = null;
  /** Size of the file in bytes after the last line that was added here. */
  #size = 0;
  /** The digest of all lines so far. It is kept, so that a save costs the same however long the run is. */
  #digested = { bytes: 0, lines: 0, hash: createHash("sha256") };

  constructor(readonly path: string) {}

  /**
   * Adds a line. NaN and infinities are written as null, since JSON has neither. If the write fails, only the earlier lines
   * are left.
   *
   * @throws {Error} when the file cannot be written, or another program changed it.
   */
  append(metrics: object): void {
    const line = new TextEncoder().encode(JSON.stringify(metrics) + "\n");
    try {
      if (this.#file === null) {
        this.#file = Deno.openSync(this.path, { append: true, create: true });
        this.#size = this.#file.statSync().size;
      } else if (this.#file.statSync().size !== this.#size) {
        throw new Error("another program changed it while the run was under way");
      }
      try {
        for (let written = 0; written < line.length;) written += this.#file.writeSync(line.subarray(written));
        this.#size += line.length;
      } catch (error) {
        this.#file.truncateSync(this.#size);
        throw error;
      }
    } catch (error) {
      throw this.#cannotWrite(error);
    }
  }

  /** Resolves when all lines so far are on disk. */
  async sync(): Promise<void> {
    try {
      await this.#file?.syncData();
    } catch (error) {
      throw this.#cannotWrite(error);
    }
  }

  close(): void {
    this.#file?.close();
    this.#file = null;
  }

  /** Reads all whole lines; none when there is no file. Throws `SyntaxError` naming a line that is no JSON object. */
  read(): Promise<MetricsContent> {
    return readMetricsFile(this.path);
  }

  /** Drops everything after the first `bytes` bytes. It needs no room on the disk. */
  async truncate(bytes: number): Promise<void> {
    this.close();
    this.#digested = { bytes: 0, lines: 0, hash: createHash("sha256") };
    if (!await exists(this.path)) return;
    try {
      if (!(await Deno.stat(this.path)).isFile) throw new TypeError("it is no plain file");
      using file = await Deno.open(this.path, { write: true });
      if ((await file.stat()).size <= bytes) return;
      await file.truncate(bytes);
      await file.sync();
    } catch (error) {
      throw this.#cannotWrite(error);
    }
  }

  /**
   * Computes size and digest of the lines up to the first that `keep` refuses. A line that was accepted once is not asked
   * about again.
   */
  async digest(keep: (line: JsonObject) => boolean): Promise<FileDigest & { readonly lines: number }> {
    const digested = this.#digested;
    const { bytes, lines, ends } = await readMetricsFile(this.path, digested.bytes);
    const refused = lines.findIndex((line) => !keep(line));
    const kept = refused < 0 ? lines.length : refused;
    const end = kept === 0 ? 0 : ends[kept - 1];
    digested.hash.update(bytes.subarray(0, end));
    digested.bytes += end;
    digested.lines += kept;
    const sha256 = digested.hash.copy().digest("hex");
    return { bytes: digested.bytes, sha256, lines: digested.lines };
  }

  #cannotWrite(error: unknown): Error {
    const message = error instanceof Error ? error.message : String(error);
    return new Error(`Cannot write ${this.path}: ${message}, check its permissions and the disk`, {
      cause: error,
    });
  }
}

/** Reads a metrics file from a byte on. A last line without a line feed is half-written and passed over. */
export async function readMetricsFile(path: string, from = 0): Promise<MetricsContent> {
  const bytes = await exists(path) ? await readFrom(path, from) : new Uint8Array(0);
  const ends: number[] = [];
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) ends.push(at + 1);
  const lines = ends.map((end, i) => {
    try {
      return asJsonObject(JSON.parse(decoder.decode(bytes.subarray(i === 0 ? 0 : ends[i - 1], end - 1))));
    } catch (error) {
      const place = from === 0 ? `line ${i + 1}` : `a line after byte ${from}`;
      throw new SyntaxError(`Cannot read ${path}: ${place} is not a JSON object, remove it`, {
        cause: error,
      });
    }
  });
  return { bytes, lines, ends };
}

async function readFrom(path: string, from: number): Promise<Uint8Array<ArrayBuffer>> {
  if (from === 0) return await readBytes(path);
  using file = await Deno.open(path);
  await file.seek(from, Deno.SeekMode.Start);
  const bytes = new Uint8Array(Math.max(0, (await file.stat()).size - from));
  let read = 0;
  while (read < bytes.length) {
    const count = await file.read(bytes.subarray(read));
    if (count === null) break;
    read += count;
  }
  return bytes.subarray(0, read);
}

const LINE_FEED = 10;
const decoder = new TextDecoder();
