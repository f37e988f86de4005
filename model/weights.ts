/**
 * Weights on disk, read tensor by tensor: a file of half a gigabyte is never in memory as a whole. One file, or several
 * with an index, as the hub's models have them.
 *
 * Source: https://huggingface.co/docs/safetensors/index#format and the `model.safetensors.index.json` of
 * https://huggingface.co/docs/transformers/big_models
 *
 * @module
 */
import type { HostTensor, OtherTensor } from "./checkpoint.ts";
import { decodeFloats, isFloatDtype } from "./floats.ts";
import { quote, quoteName } from "./quote.ts";
import { headerEnd, LENGTH_BYTES, readHeader } from "./safetensors_header.ts";

/** Bytes that can be read from any place. */
export interface ByteSource {
  /** What messages call it. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /** A copy of the bytes from `begin` to `end`, which has a buffer of its own. */
  read(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Gives it back; it cannot be read any more. */
  close(): void;
}

/** Where a tensor lies. */
interface Place extends OtherTensor {
  readonly source: ByteSource;
  readonly begin: number;
  readonly end: number;
}

/**
 * Tensors of one or more safetensors files.
 *
 * @example A tensor in bfloat16, had as f32
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeSafetensors, inMemory, Weights } from "@ponder/ponder/model";
 *
 * const tensors = new Map([["w", { shape: [2], data: Float32Array.of(1, -0.5) }]]);
 * using weights = await Weights.open([inMemory("w.safetensors", encodeSafetensors(tensors, {}, "BF16"))]);
 * assertEquals(weights.tensors.get("w"), { shape: [2], dtype: "BF16" });
 * assertEquals(await weights.read("w"), { shape: [2], data: Float32Array.of(1, -0.5) });
 * ```
 */
export class Weights implements Disposable {
  /** Shapes and dtypes by name, in the order of files and data. */
  readonly tensors: ReadonlyMap<string, OtherTensor>;
  /** Free text under `__metadata__`, of all files. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #places: ReadonlyMap<string, Place>;
  readonly #sources: readonly ByteSource[];

  private constructor(
    sources: readonly ByteSource[],
    places: ReadonlyMap<string, Place>,
    metadata: Readonly<Record<string, string>>,
  ) {
    this.#sources = sources;
    this.#places = places;
    this.metadata = metadata;
    this.tensors = new Map(Array.from(places, ([name, { shape, dtype }]) => [name, { shape, dtype }]));
  }

  /**
   * Reads the headers. The sources are closed with the weights, or at once if this throws.
   *
   * @throws {SyntaxError} If one is no safetensors file.
   * @throws {RangeError} If an entry's numbers cannot be, or two files have a tensor of one name.
   */
  static async open(sources: readonly ByteSource[]): Promise<Weights> {
    try {
      const places = new Map<string, Place>();
      let metadata: Record<string, string> = {};
      for (const source of sources) {
        const header = await headerOf(source);
        metadata = { ...metadata, ...header.metadata };
        for (const { name, shape, dtype, begin, end } of header.entries) {
          const other = places.get(name);
          if (other !== undefined) {
            throw new RangeError(
              `Cannot read tensor ${
                quoteName(name)
              }: both ${other.source.name} and ${source.name} have it, ` +
                "download the folder again",
            );
          }
          const [from, to] = [header.dataStart + begin, header.dataStart + end];
          places.set(name, { source, shape, dtype, begin: from, end: to });
        }
      }
      return new Weights(sources, places, metadata);
    } catch (error) {
      for (const source of sources) source.close();
      throw error;
    }
  }

  /** Name of the file that a tensor is in. */
  fileOf(name: string): string {
    return this.#placeOf(name).source.name;
  }

  /**
   * A tensor as f32; F16 and BF16 become f32 exactly.
   *
   * @throws {RangeError} If there is none of that name, or it is no float of 16 to 64 bits.
   */
  async read(name: string): Promise<HostTensor> {
    const { shape, dtype } = this.#placeOf(name);
    if (!isFloatDtype(dtype)) {
      throw new RangeError(`Cannot read tensor ${quoteName(name)}: it is ${dtype}, convert it to F32`);
    }
    return { shape, data: decodeFloats(await this.readBytes(name), dtype) };
  }

  /**
   * A tensor's data as the file has them.
   *
   * @throws {RangeError} If there is none of that name.
   */
  readBytes(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const { source, begin, end } = this.#placeOf(name);
    return source.read(begin, end);
  }

  /** Closes the files. */
  [Symbol.dispose](): void {
    for (const source of this.#sources) source.close();
  }

  #placeOf(name: string): Place {
    const place = this.#places.get(name);
    if (place !== undefined) return place;
    throw new RangeError(
      `Cannot read tensor ${quoteName(name)}: the weights lack it, they have ${this.#places.size} others`,
    );
  }
}

/** Bytes in memory as a source. */
export function inMemory(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read: (begin, end) => Promise.resolve(new Uint8Array(bytes.subarray(begin, end))),
    close: () => {},
  };
}

async function headerOf(source: ByteSource) {
  try {
    const length = await source.read(0, Math.min(LENGTH_BYTES, source.size));
    return readHeader(await source.read(0, headerEnd(length, source.size)), source.size);
  } catch (error) {
    // The header's reader does not know which of several files it reads.
    if (error instanceof SyntaxError || error instanceof RangeError) {
      error.message = `${error.message} (${source.name})`;
    }
    throw error;
  }
}

/** Which files a folder's weights are in. */
export interface WeightFiles {
  /** In order. */
  readonly names: readonly string[];
  /** File of each tensor as the index says; null without one. */
  readonly index: ReadonlyMap<string, string> | null;
}

/** The files of a model's weights: `model.safetensors`, or shards and their index. */
export const MODEL_STEM = "model";

const SHARD = /^(.+)-(\d{5})-of-(\d{5})\.safetensors$/;

/**
 * Which files of a folder hold its weights: `STEM.safetensors`, or what `STEM.safetensors.index.json` names.
 *
 * @param names Files of the folder.
 * @param index Content of the index, parsed; undefined if the folder has none.
 * @throws {RangeError} If the folder has no weights, or shards are missing in it or in the index: their names are in the message.
 * @throws {SyntaxError} If the index is none.
 */
export function weightFiles(names: Iterable<string>, index: unknown, stem: string = MODEL_STEM): WeightFiles {
  const inFolder = new Set(names);
  const shards = [...inFolder].filter((name) => SHARD.exec(name)?.[1] === stem).sort();
  const indexName = `${stem}.safetensors.index.json`;
  if (index === undefined) {
    const single = `${stem}.safetensors`;
    if (inFolder.has(single)) return { names: [single], index: null };
    if (shards.length > 0) {
      throw new RangeError(
        `Cannot read the weights: the folder has ${listed(shards)} and no ${indexName}, download it too`,
      );
    }
    throw new RangeError(`Cannot read the weights: the folder has no ${single}${otherForms(inFolder)}`);
  }
  const map = readIndex(index, indexName);
  const named = [...new Set(map.values())].sort();
  const missing = named.filter((name) => !inFolder.has(name));
  if (missing.length > 0) {
    throw new RangeError(
      `Cannot read the weights: the folder lacks ${
        listed(missing)
      }, which ${indexName} names, download again`,
    );
  }
  const unnamed = new Set([...shards.filter((name) => !named.includes(name)), ...missingOfSeries(named)]);
  if (unnamed.size > 0) {
    throw new RangeError(
      `Cannot read the weights: ${indexName} does not name ${listed([...unnamed])}, ` +
        "download the index and all shards of one model",
    );
  }
  return { names: named, index: map };
}

/**
 * Requires every tensor to be in the file that the index says.
 *
 * @throws {RangeError} Naming the first one that is not.
 */
export function requireIndexed(weights: Weights, { index }: WeightFiles): void {
  for (const [name, file] of index ?? []) {
    const found = weights.tensors.has(name) ? weights.fileOf(name) : null;
    if (found === file) continue;
    throw new RangeError(
      `Cannot read tensor ${quoteName(name)}: the index has it in ${file}, ` +
        `${found === null ? "no shard has it" : `it is in ${found}`}, download the folder again`,
    );
  }
}

/** Shards of the same series that these names lack: `model-00001-of-00003.safetensors` stands for three. At most six. */
function missingOfSeries(names: readonly string[]): string[] {
  const known = new Set(names);
  const series = new Map(names.flatMap((name) => {
    const [, stem, , count] = SHARD.exec(name) ?? [];
    return stem === undefined ? [] : [[`${stem} ${count}`, { stem, count }] as const];
  }));
  const missing: string[] = [];
  for (const { stem, count } of series.values()) {
    for (let i = 1; i <= Number(count) && missing.length < 6; i++) {
      const name = `${stem}-${String(i).padStart(5, "0")}-of-${count}.safetensors`;
      if (!known.has(name)) missing.push(name);
    }
  }
  return missing;
}

function readIndex(index: unknown, indexName: string): Map<string, string> {
  const map = (index as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw new SyntaxError(`Cannot read ${indexName}: it has no object "weight_map", download it again`);
  }
  return new Map(
    Object.entries(map).map(([name, file]) => {
      if (typeof file !== "string" || !/^[^/\\]+\.safetensors$/.test(file)) {
        throw new SyntaxError(
          `Cannot read ${indexName}: tensor ${quoteName(name)} is in ${
            quote(file)
          }, which is no file beside it`,
        );
      }
      return [name, file];
    }),
  );
}

/** What else holds weights, and why it is not read. */
function otherForms(names: ReadonlySet<string>): string {
  const other = [...names].find((name) => /\.(bin|pt|pth|ckpt|gguf|onnx|h5|msgpack)$/.test(name));
  if (other === undefined) return ", download it";
  return `; ${other} is not read, convert it to safetensors (another branch of the same model may have it)`;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 5).map(quoteName).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
