/**
 * Checkpoints as safetensors: an 8-byte little-endian header length, a JSON header, the tensors' bytes.
 *
 * Pure functions over bytes; `model/files.ts` reads and writes the files. Reading trusts nothing: every length is
 * checked against the bytes at hand before anything is allocated, so a hostile file costs at most a few times its
 * own size.
 *
 * Source: https://huggingface.co/docs/safetensors/index#format
 *
 * @module
 */

import {
  elementCount,
  LENGTH_BYTES,
  MAX_HEADER_BYTES,
  METADATA_KEY,
  readHeader,
  shapeText,
} from "./safetensors_header.ts";
import { decodeFloats, encodeFloats, FLOAT_BYTES, type FloatDtype, isFloatDtype } from "./floats.ts";
import { quote, quoteName } from "./quote.ts";

/** A tensor in host memory: row-major f32. */
export interface HostTensor {
  /** Extents, outermost first. */
  readonly shape: readonly number[];
  /** The elements, row-major. */
  readonly data: Float32Array;
}

/** What a safetensors file holds; tensors in the order of their data. */
export interface SafetensorsContent {
  /** By name. */
  readonly tensors: Map<string, HostTensor>;
  /** Free text under `__metadata__`. */
  readonly metadata: Record<string, string>;
  /** Tensors that are no floats of 16 to 64 bits: their data are not read. By name, in the order of their data. */
  readonly others: Map<string, OtherTensor>;
}

/** A tensor that is in a file but cannot be had as f32. */
export interface OtherTensor {
  /** Extents, outermost first. */
  readonly shape: readonly number[];
  /** As the format names it, such as `I64`. */
  readonly dtype: string;
}

/** A tensor that a model has, by the name under which checkpoints hold it. */
export interface ExpectedTensor {
  /** As checkpoints have it. */
  readonly name: string;
  /** Extents, outermost first. */
  readonly shape: readonly number[];
}

/** A tensor to be written, its bytes only when their turn comes. */
export interface TensorToWrite {
  /** Unique in its file. */
  readonly name: string;
  /** As the format names it. */
  readonly dtype: string;
  /** Extents, outermost first. */
  readonly shape: readonly number[];
  /** Length of its data. */
  readonly byteLength: number;
  /** Its data, row-major and little-endian. */
  readonly bytes: () => Uint8Array | Promise<Uint8Array>;
}

/** A tensor of f32 values, to be written in a dtype. */
export function tensorToWrite(name: string, { shape, data }: HostTensor, dtype: FloatDtype): TensorToWrite {
  if (elementCount(shape) !== BigInt(data.length)) {
    throw new RangeError(
      `Cannot write tensor ${quoteName(name)}: shape ${
        shapeText(shape)
      } does not match ${data.length} elements, pass its shape`,
    );
  }
  const byteLength = data.length * FLOAT_BYTES[dtype];
  return { name, dtype, shape, byteLength, bytes: () => encodeFloats(data, dtype) };
}

/**
 * Writes tensors, in the map's order, as a safetensors file of one dtype.
 *
 * @param metadata Free text under `__metadata__`.
 * @param dtype Of all tensors.
 * @throws {RangeError} If no other reader would take the file: a shape does not match its data, a tensor is called
 * `__metadata__`, a text holds half a surrogate pair, the header has more than 100,000,000 bytes; or if a value is too
 * large for the dtype.
 * @throws {TypeError} If a value of the metadata is no text.
 *
 * @example
 * ```ts
 * import { decodeSafetensors, encodeSafetensors } from "./checkpoint.ts";
 *
 * const bytes = encodeSafetensors(new Map([["w", { shape: [2, 1], data: new Float32Array([1, 2]) }]]));
 * decodeSafetensors(bytes).tensors.get("w"); // { shape: [2, 1], data: Float32Array [1, 2] }
 * ```
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
  dtype: FloatDtype = "F32",
): Uint8Array<ArrayBuffer> {
  const entries = Array.from(tensors, ([name, tensor]) => tensorToWrite(name, tensor, dtype));
  const head = encodeHeader(entries, metadata);
  const file = new Uint8Array(entries.reduce((bytes, { byteLength }) => bytes + byteLength, head.length));
  file.set(head);
  let at = head.length;
  for (const { data } of tensors.values()) {
    const bytes = dtype === "F32"
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : encodeFloats(data, dtype);
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

/**
 * A safetensors file piece by piece: the header, then each tensor's data. At no time is more than one tensor in memory.
 *
 * @throws {RangeError} As {@linkcode encodeSafetensors}, before the first piece; later, if a tensor's data are not as long
 * as they were said to be.
 */
export async function* safetensorsPieces(
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> = {},
): AsyncGenerator<Uint8Array, void> {
  yield encodeHeader(tensors, metadata);
  for (const { name, byteLength, bytes } of tensors) {
    const data = await bytes();
    if (data.length !== byteLength) {
      throw new RangeError(
        `Cannot write tensor ${quoteName(name)}: its data have ${data.length} bytes, not ${byteLength}`,
      );
    }
    yield data;
  }
}

/** Length and header of a file with these tensors, in this order. */
function encodeHeader(
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  // Entries are joined as text: an object would move names that look like integers to the front.
  const entries: string[] = [];
  for (const [key, text] of Object.entries(metadata)) {
    requireText(key, "a key of the metadata");
    requireText(text, `metadata ${quoteName(key)}`);
  }
  if (Object.keys(metadata).length > 0) entries.push(`"${METADATA_KEY}":${JSON.stringify(metadata)}`);
  let dataBytes = 0;
  for (const { name, dtype, shape, byteLength } of tensors) {
    if (name === METADATA_KEY) {
      throw new RangeError(`Cannot write tensor ${name}: the format keeps this name, choose another`);
    }
    requireText(name, "a tensor's name");
    const end = dataBytes + byteLength;
    entries.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${
        shape.join(",")
      }],"data_offsets":[${dataBytes},${end}]}`,
    );
    dataBytes = end;
  }
  const unpadded = new TextEncoder().encode(`{${entries.join(",")}}`);
  // Spaces up to a multiple of 8, so that readers may map the data in place.
  const headerBytes = Math.ceil(unpadded.length / 8) * 8;
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new RangeError(
      `Cannot write safetensors: a header of ${headerBytes} bytes, more than ${MAX_HEADER_BYTES}, ` +
        "shorten the metadata or write several files",
    );
  }
  const head = new Uint8Array(LENGTH_BYTES + headerBytes).fill(0x20, LENGTH_BYTES);
  new DataView(head.buffer).setBigUint64(0, BigInt(headerBytes), true);
  head.set(unpadded, LENGTH_BYTES);
  return head;
}

/**
 * Reads a safetensors file; F16, BF16 and F64 tensors become f32. Tensors of other dtypes, such as whole numbers, are
 * named in `others`, and their data are left alone.
 *
 * @throws {SyntaxError} If the bytes are no safetensors file: truncated, no JSON header, a malformed or duplicate entry.
 * @throws {RangeError} If an entry's numbers cannot be: offsets outside the file, overlapping, leaving a gap, or
 * not matching shape and dtype; a dtype that the format does not have.
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsContent {
  const { entries, metadata, dataStart } = readHeader(bytes);
  const tensors = new Map<string, HostTensor>();
  const others = new Map<string, OtherTensor>();
  // Copies are made only once the whole header is known to fit the file.
  for (const { name, shape, dtype, begin, end } of entries) {
    if (!isFloatDtype(dtype)) {
      others.set(name, { shape, dtype });
      continue;
    }
    const data = bytes.slice(dataStart + begin, dataStart + end);
    tensors.set(name, { shape, data: decodeFloats(data, dtype) });
  }
  return { tensors, metadata, others };
}

/**
 * Requires a checkpoint's tensors to be exactly those of a model: names and shapes. Tensors of `others`, which are no
 * floats, are passed over unless the model has their name.
 *
 * @throws {RangeError} Naming the first tensor that is missing, unexpected or of another shape, and both shapes.
 */
export function assertFits(
  tensors: ReadonlyMap<string, HostTensor>,
  expected: Iterable<ExpectedTensor>,
  others: SafetensorsContent["others"] = new Map(),
): void {
  const remedy = "use the config.json saved beside the checkpoint";
  const known = new Set<string>();
  for (const { name, shape } of expected) {
    known.add(name);
    const found = tensors.get(name);
    const other = others.get(name);
    if (other) {
      throw new RangeError(
        `Cannot load tensor ${name}: the checkpoint has it as ${other.dtype}, convert it to F32`,
      );
    }
    if (!found) {
      throw new RangeError(
        `Cannot load tensor ${name}: the checkpoint lacks it, the model has it as ${
          shapeText(shape)
        }, ${remedy}`,
      );
    }
    if (found.shape.length !== shape.length || found.shape.some((size, axis) => size !== shape[axis])) {
      throw new RangeError(
        `Cannot load tensor ${name}: the checkpoint has it as ${shapeText(found.shape)}, ` +
          `the model as ${shapeText(shape)}, ${remedy}`,
      );
    }
  }
  for (const [name, { shape }] of tensors) {
    if (!known.has(name)) {
      throw new RangeError(
        `Cannot load tensor ${quoteName(name)}: the checkpoint has it as ${
          shapeText(shape)
        }, the model lacks it, ${remedy}`,
      );
    }
  }
}

/**
 * Requires every value of a checkpoint's tensors to be a number: a model with others writes nonsense.
 *
 * @throws {RangeError} Naming the first tensor with NaN or infinity, and how many it has.
 */
export function assertFinite(tensors: ReadonlyMap<string, HostTensor>): void {
  for (const [name, { data }] of tensors) {
    let sum = 0;
    for (let i = 0; i < data.length; i++) sum += data[i] * 0; // NaN and infinity times 0 are NaN, and NaN stays
    if (sum === 0) continue;
    const count = data.reduce((count, value) => count + Number(!Number.isFinite(value)), 0);
    throw new RangeError(
      `Cannot load tensor ${quoteName(name)}: ${count} of its ${data.length} values are NaN or infinite, ` +
        "use a checkpoint from before that",
    );
  }
}

function requireText(value: unknown, what: string): void {
  if (typeof value !== "string") {
    throw new TypeError(`Cannot write safetensors: ${what} is ${quote(value)}, pass a text`);
  }
  if (!value.isWellFormed()) {
    throw new RangeError(`Cannot write safetensors: ${what} holds half a surrogate pair, ${quote(value)}`);
  }
}
