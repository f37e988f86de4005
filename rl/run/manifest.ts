/**
 * Manifests: what a checkpoint must consist of. They tell a damaged checkpoint from a whole one.
 *
 * A manifest is the last file that is written of its folder. It holds:
 *
 * - the digest of every other file,
 * - the digest of the metrics up to the checkpoint,
 * - the run's settings,
 * - a digest of itself.
 *
 * @module
 */
import { exists, type FileContent, readBytes } from "../../model/files.ts";
import type { Checkpoint, JsonObject } from "./store.ts";

/** Name of the manifest in its folder. */
export const MANIFEST_FILE = "manifest.json";

/** A file's size and SHA-256. */
export interface FileDigest {
  /** Size of the file in bytes. */
  readonly bytes: number;
  /** SHA-256 in hexadecimal. */
  readonly sha256: string;
}

/** One change of a run's length. */
export interface Extension {
  /** The changed settings as they were before. */
  readonly before: JsonObject;
  /** Where the run stood then. */
  readonly progress: JsonObject;
  /** The result that the run had then; null when it had none. */
  readonly summary: JsonObject | null;
}

/** What a folder must consist of. */
export interface Manifest {
  /** Version of this layout. */
  readonly format: 1;
  /** What each file of the checkpoint held when it was written. */
  readonly files: Readonly<Record<string, FileDigest>>;
  /** The beginning of `metrics.jsonl` that belongs to the checkpoint. */
  readonly metrics: FileDigest & { readonly lines: number };
  /** The run's `config.json`. */
  readonly settings: JsonObject;
  /** Where the run stood: stage, iteration and the like. */
  readonly progress: JsonObject;
  /** Changes of the run's length so far. */
  readonly extensions: readonly Extension[];
}

/** A file is not what was written. Commands report it with the run's name and a remedy. */
export class Damage extends Error {
  /** `file` is relative to the run folder; `state` says what is wrong with it. */
  constructor(readonly file: string, readonly state: string, options?: ErrorOptions) {
    super(`${file} is damaged (${state})`, options);
  }
}

/** Size and SHA-256 of a file's content. */
export async function digestOf(content: FileContent): Promise<FileDigest> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  const sha256 = [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { bytes: bytes.length, sha256 };
}

/**
 * Reads a file of a run.
 *
 * @param file What a {@linkcode Damage} calls it.
 * @throws {Damage} when it is missing, no plain file, or so large that no run can have written it.
 */
export async function readWhole(path: string, file: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readBytes(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new Damage(file, "it is missing", { cause: error });
    const { cause } = error as Error;
    if (!(cause instanceof TypeError || cause instanceof RangeError)) throw error;
    throw new Damage(file, cause.message, { cause: error });
  }
}

/**
 * Reads a file that should have this digest.
 *
 * @throws {Damage} as {@linkcode readWhole}, and when it has another.
 */
export async function readProven(
  path: string,
  file: string,
  expected: FileDigest,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readWhole(path, file);
  const fault = await faultOf(bytes, expected);
  if (fault !== null) throw new Damage(file, fault);
  return bytes;
}

/** Says what is wrong with bytes that should have this digest; null when nothing is. */
export async function faultOf(bytes: Uint8Array, expected: FileDigest): Promise<string | null> {
  if (bytes.length !== expected.bytes) {
    return `it has ${bytes.length} bytes, ${expected.bytes} were written`;
  }
  return (await digestOf(bytes)).sha256 === expected.sha256 ? null : "its content is not what was written";
}

/** The text of `manifest.json`. */
export async function encodeManifest(manifest: Manifest): Promise<string> {
  const { sha256 } = await digestOf(JSON.stringify(manifest));
  return JSON.stringify({ ...manifest, sha256 }, null, 1) + "\n";
}

/**
 * Reads the text of `manifest.json`.
 *
 * @param file What a {@linkcode Damage} calls it.
 * @throws {Damage} when it is not what {@linkcode encodeManifest} wrote.
 */
export async function decodeManifest(bytes: Uint8Array, file: string): Promise<Manifest> {
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new Damage(file, "it is not JSON", { cause: error });
  }
  if (!isObject(content)) throw new Damage(file, "it holds no JSON object");
  const { sha256, ...manifest } = content;
  if (sha256 !== (await digestOf(JSON.stringify(manifest))).sha256) {
    throw new Damage(file, "its content is not what was written");
  }
  if (manifest.format !== 1) {
    throw new Damage(file, `its format is ${JSON.stringify(manifest.format)}, this version knows 1`);
  }
  const { files, metrics, settings, progress, extensions } = manifest;
  const isWhole = isObject(files) && Object.values(files).every(isDigest) &&
    Object.keys(files).every((name) => /^[^/\\]+$/.test(name) && name !== "." && name !== "..") &&
    isDigest(metrics) && isObject(settings) && isObject(progress) && Array.isArray(extensions);
  if (!isWhole) throw new Damage(file, "it lacks a part");
  return manifest as unknown as Manifest;
}

/**
 * Opens a checkpoint's folder to read. Every file that is read is checked against the manifest.
 *
 * @param label What a {@linkcode Damage} calls the folder.
 */
export async function openCheckpoint(path: string, label = path): Promise<Checkpoint> {
  return new CheckpointFolder(path, label, await readManifest(path, `${label}/${MANIFEST_FILE}`));
}

/**
 * Reads the manifest of a folder; null when it has none.
 *
 * @param file What a {@linkcode Damage} calls it.
 */
export async function readManifest(
  folder: string,
  file = `${folder}/${MANIFEST_FILE}`,
): Promise<Manifest | null> {
  const path = `${folder}/${MANIFEST_FILE}`;
  return await exists(path) ? await decodeManifest(await readWhole(path, file), file) : null;
}

/** How often to read a folder at most, if a run replaces it meanwhile. */
const MAX_READS = 5;

class CheckpointFolder implements Checkpoint {
  constructor(readonly path: string, readonly label: string, public manifest: Manifest | null) {}

  async read<Name extends string>(...names: Name[]): Promise<Record<Name, Uint8Array<ArrayBuffer>>> {
    for (let reads = 1;; reads++) {
      try {
        return await this.#readOnce(names);
      } catch (error) {
        // A run may have put its next checkpoint here meanwhile.
        if (reads === MAX_READS || !await this.#isReplaced()) throw error;
      }
    }
  }

  async #readOnce<Name extends string>(names: Name[]) {
    const read = {} as Record<Name, Uint8Array<ArrayBuffer>>;
    for (const name of names) read[name] = await this.#readFile(name);
    return read;
  }

  async #readFile(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const [path, file] = [`${this.path}/${name}`, `${this.label}/${name}`];
    if (this.manifest === null) return await readBytes(path);
    if (Object.hasOwn(this.manifest.files, name)) {
      return await readProven(path, file, this.manifest.files[name]);
    }
    throw new Damage(file, "the manifest does not list it");
  }

  /** Reads the manifest again. Is it another one than before? */
  async #isReplaced(): Promise<boolean> {
    if (this.manifest === null) return false;
    let manifest: Manifest | null;
    try {
      manifest = await readManifest(this.path, `${this.label}/${MANIFEST_FILE}`);
    } catch {
      return false;
    }
    if (manifest === null) {
      // Between two renames there is no folder of this name.
      await new Promise((resolve) => setTimeout(resolve, 20));
      return true;
    }
    const isOther = JSON.stringify(manifest) !== JSON.stringify(this.manifest);
    this.manifest = manifest;
    return isOther;
  }
}

/** Says in words which setting differs first; null when none does. */
export function settingsFault(settings: JsonObject, expected: JsonObject): string | null {
  for (const name of Object.keys({ ...expected, ...settings })) {
    const [now, then] = [settings, expected].map((object) =>
      Object.hasOwn(object, name) ? JSON.stringify(object[name]) : "absent"
    );
    if (now !== then) return `${shown(name)} is ${shown(now)}, the run was made with ${shown(then)}`;
  }
  return null;
}

function shown(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDigest(value: unknown): value is FileDigest {
  return isObject(value) && Number.isSafeInteger(value.bytes) && typeof value.sha256 === "string";
}
