/**
 * Checkpoints as safetensors: an 8-byte little-endian header length, a JSON header, the tensors' bytes.
 *
 * Pure functions over bytes; `model/files.ts` reads and writes the files. Reading trusts nothing: every length is
 * checked against the bytes at hand before anything is allocated, so a hostile file costs at most a few times its
 * own size. Typed arrays are taken to be little-endian, as on every platform with WebGPU.
 *
 * Source: https://huggingface.co/docs/safetensors/index#format
 *
 * @module
 */

/** A tensor in host memory: row-major f32. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What a safetensors file holds; tensors in the order of their data. */
export interface SafetensorsContent {
  readonly tensors: Map<string, HostTensor>;
  readonly metadata: Record<string, string>;
}

/** A tensor that a model has, by the name under which checkpoints hold it. */
export interface ExpectedTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

const LENGTH_BYTES = 8;
/** The bound that the reference implementation puts on headers. */
const MAX_HEADER_BYTES = 100_000_000;
const METADATA_KEY = "__metadata__";

/** Bytes an element, and how to read `count` of them as f32 from an aligned copy. */
const DTYPES: Record<string, { bytes: number; toF32: (buffer: ArrayBuffer) => Float32Array<ArrayBuffer> }> = {
  F64: { bytes: 8, toF32: (buffer) => Float32Array.from(new Float64Array(buffer)) },
  F32: { bytes: 4, toF32: (buffer) => new Float32Array(buffer) },
  F16: { bytes: 2, toF32: (buffer) => Float32Array.from(new Uint16Array(buffer), f16ToNumber) },
  // A bf16 is the upper half of an f32.
  BF16: {
    bytes: 2,
    toF32: (buffer) =>
      new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer),
  },
};

/**
 * Writes tensors, in the map's order, as a safetensors file of dtype F32.
 *
 * @param metadata Free text under `__metadata__`.
 * @throws {RangeError} If a shape does not match its data, or a tensor is called `__metadata__`.
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
): Uint8Array<ArrayBuffer> {
  // Entries are joined as text: an object would move names that look like integers to the front.
  const entries: string[] = [];
  if (Object.keys(metadata).length > 0) entries.push(`"${METADATA_KEY}":${JSON.stringify(metadata)}`);
  let dataBytes = 0;
  for (const [name, { shape, data }] of tensors) {
    if (name === METADATA_KEY) {
      throw new RangeError(`Cannot write tensor ${name}: the format keeps this name, choose another`);
    }
    if (elementCount(shape) !== data.length) {
      throw new RangeError(
        `Cannot write tensor ${name}: shape ${
          shapeText(shape)
        } does not match ${data.length} elements, pass its shape`,
      );
    }
    const end = dataBytes + data.byteLength;
    entries.push(
      `${JSON.stringify(name)}:{"dtype":"F32","shape":[${
        shape.join(",")
      }],"data_offsets":[${dataBytes},${end}]}`,
    );
    dataBytes = end;
  }
  const unpadded = new TextEncoder().encode(`{${entries.join(",")}}`);
  // Spaces up to a multiple of 8, so that readers may map the data in place.
  const headerBytes = Math.ceil(unpadded.length / 8) * 8;
  const file = new Uint8Array(LENGTH_BYTES + headerBytes + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerBytes);
  file.set(unpadded, LENGTH_BYTES);
  let at = LENGTH_BYTES + headerBytes;
  for (const { data } of tensors.values()) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

/**
 * Reads a safetensors file; F16, BF16 and F64 tensors become f32.
 *
 * @throws {SyntaxError} If the bytes are no safetensors file: truncated, no JSON header, a malformed or duplicate entry.
 * @throws {RangeError} If an entry's numbers cannot be: offsets outside the file, overlapping, leaving a gap, or
 * not matching shape and dtype; an unsupported dtype.
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsContent {
  const { header, dataStart } = readHeader(bytes);
  const data = bytes.subarray(dataStart);
  const tensors = new Map<string, HostTensor>();
  let metadata: Record<string, string> = {};
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA_KEY) metadata = readMetadata(value);
    else entries.push(readEntry(name, value, data.length));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  requireContiguous(entries, data.length);
  // Copies are made only once the whole header is known to fit the file.
  for (const { name, shape, dtype, begin, end } of entries) {
    tensors.set(name, { shape, data: DTYPES[dtype].toF32(data.slice(begin, end).buffer) });
  }
  return { tensors, metadata };
}

/**
 * Requires a checkpoint's tensors to be exactly those of a model: names and shapes.
 *
 * @throws {RangeError} Naming the first tensor that is missing, unexpected or of another shape, and both shapes.
 */
export function assertFits(
  tensors: ReadonlyMap<string, HostTensor>,
  expected: Iterable<ExpectedTensor>,
): void {
  const remedy = "use the config.json saved beside the checkpoint";
  const known = new Set<string>();
  for (const { name, shape } of expected) {
    known.add(name);
    const found = tensors.get(name);
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
        `Cannot load tensor ${name}: the checkpoint has it as ${
          shapeText(shape)
        }, the model lacks it, ${remedy}`,
      );
    }
  }
}

function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; dataStart: number } {
  if (bytes.length < LENGTH_BYTES) {
    throw malformed(`${bytes.length} bytes, too few for the header's length`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = view.getBigUint64(0, true);
  if (headerBytes > BigInt(bytes.length - LENGTH_BYTES)) {
    throw malformed(`a header of ${headerBytes} bytes in a file of ${bytes.length}`);
  }
  if (headerBytes > BigInt(MAX_HEADER_BYTES)) {
    throw malformed(`a header of ${headerBytes} bytes, more than ${MAX_HEADER_BYTES}`);
  }
  const dataStart = LENGTH_BYTES + Number(headerBytes);
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      bytes.subarray(LENGTH_BYTES, dataStart),
    );
    header = JSON.parse(text);
  } catch (error) {
    throw malformed("its header is not JSON", error);
  }
  if (!isObject(header)) throw malformed("its header is not a JSON object");
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) throw malformed(`its header has ${JSON.stringify(shown(duplicate))} twice`);
  return { header, dataStart };
}

interface Entry {
  name: string;
  dtype: string;
  shape: number[];
  begin: number;
  end: number;
}

function readEntry(name: string, value: unknown, dataBytes: number): Entry {
  if (!isObject(value)) throw malformed(`the entry of tensor ${shown(name)} is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string") throw malformed(`tensor ${shown(name)} has no dtype`);
  if (!Array.isArray(shape)) throw malformed(`tensor ${shown(name)} has no shape`);
  if (!Array.isArray(offsets) || offsets.length !== 2) {
    throw malformed(`tensor ${shown(name)} has no pair of data_offsets`);
  }
  if (!Object.hasOwn(DTYPES, dtype)) {
    throw new RangeError(
      `Cannot read tensor ${shown(name)}: dtype ${shown(dtype)}, convert it to one of ${
        Object.keys(DTYPES).join(", ")
      }`,
    );
  }
  const [begin, end] = offsets;
  if (!isSize(begin) || !isSize(end) || begin > end || end > dataBytes) {
    throw new RangeError(
      `Cannot read tensor ${shown(name)}: data_offsets ${
        shapeText(offsets)
      } are not in the file's ${dataBytes} data bytes, ` +
        "download or save the file again",
    );
  }
  const count = elementCount(shape);
  if (count * DTYPES[dtype].bytes !== end - begin) {
    throw new RangeError(
      `Cannot read tensor ${shown(name)}: shape ${shapeText(shape)} of ${dtype} does not match ${
        end - begin
      } bytes of data, ` +
        "download or save the file again",
    );
  }
  return { name, dtype, shape, begin, end };
}

/** For entries in order of their data: the format wants every data byte to belong to exactly one tensor. */
function requireContiguous(entries: readonly Entry[], dataBytes: number): void {
  let position = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== position) {
      throw new RangeError(
        `Cannot read tensor ${shown(name)}: its data begin at ${begin}, ${
          begin < position ? "inside" : "after a gap behind"
        } ` +
          `the tensor that ends at ${position}, download or save the file again`,
      );
    }
    position = end;
  }
  if (position !== dataBytes) throw malformed(`${dataBytes - position} bytes behind its last tensor`);
}

function readMetadata(value: unknown): Record<string, string> {
  if (!isObject(value) || !Object.values(value).every((text) => typeof text === "string")) {
    throw malformed(`its ${METADATA_KEY} is not an object of strings`);
  }
  return value as Record<string, string>;
}

/** Product of a shape's sizes; NaN, which equals no count, if a size is no natural number or the product overflows. */
function elementCount(shape: readonly unknown[]): number {
  let count = 1;
  for (const size of shape) {
    if (!isSize(size)) return NaN;
    count *= size;
    if (!Number.isSafeInteger(count)) return NaN;
  }
  return count;
}

/**
 * First key that an object of a valid JSON text holds twice. `JSON.parse` keeps the last one in silence.
 * A loop over characters: a regular expression or recursion would overflow the stack on hostile headers.
 */
function findDuplicateKey(json: string): string | undefined {
  const open: (Set<string> | null)[] = []; // keys seen of each open object; null for an array
  let lastString = "";
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (char === "{") open.push(new Set());
    else if (char === "[") open.push(null);
    else if (char === "}" || char === "]") open.pop();
    else if (char === '"') {
      const start = i;
      do i += json[i] === "\\" ? 2 : 1; while (json[i] !== '"');
      lastString = json.slice(start, i + 1);
    } else if (char === ":") {
      const key = JSON.parse(lastString); // unescaped: "a" is also "\u0061"
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

/** IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits. */
function f16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function shapeText(shape: readonly unknown[]): string {
  const sizes = shape.slice(0, 8).map((size) => typeof size === "number" ? size : "?");
  return `(${sizes.join(", ")}${shape.length > 8 ? ", ..." : ""})`;
}

/** A name from a file, cut to what a message can carry. */
function shown(name: string): string {
  return name.length > 120 ? `${name.slice(0, 120)}...` : name;
}

function malformed(state: string, cause?: unknown): SyntaxError {
  return new SyntaxError(`Cannot read safetensors: ${state}, download or save the file again`, { cause });
}
