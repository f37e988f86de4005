/**
 * The header of a safetensors file, read as the reference implementation reads it: UTF-8, then JSON, then whole numbers
 * below 2^64 for sizes and offsets.
 *
 * It is stricter in three places, because such files could be read in two ways. It refuses a name twice in one object, an entry
 * that is a list, and a dtype that is an object.
 *
 * Source: https://github.com/huggingface/safetensors/blob/main/safetensors/src/tensor.rs (`read_metadata`, `validate`)
 *
 * @module
 */
import { quote, quoteName } from "./quote.ts";

/** Bytes of the header's length, in front of it. */
export const LENGTH_BYTES = 8;
/** The bound that the reference implementation puts on headers. */
export const MAX_HEADER_BYTES = 100_000_000;
/** The key of free text. */
export const METADATA_KEY = "__metadata__";

/** Bits an element of each dtype of the format. */
const BITS: Readonly<Record<string, number>> = {
  ...{ BOOL: 8, U8: 8, I8: 8, U16: 16, I16: 16, U32: 32, I32: 32, U64: 64, I64: 64 },
  ...{ F16: 16, BF16: 16, F32: 32, F64: 64, C64: 64 },
  ...{ F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8, F6_E2M3: 6, F6_E3M2: 6, F4: 4 },
};
const MAX_U64 = 2n ** 64n - 1n;
/** Objects and lists inside each other, the bound of the reference implementation's JSON reader. */
const MAX_DEPTH = 127;

/** The place of a tensor in a file. */
export interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes behind the header. */
  readonly begin: number;
  readonly end: number;
}

/** A file's header. */
export interface Header {
  /** In the order of their data; together they cover every byte of it. */
  readonly entries: readonly Entry[];
  readonly metadata: Record<string, string>;
  /** First byte of the data in the file. */
  readonly dataStart: number;
}

/**
 * Reads a file's header and checks it against the file's length. Allocates nothing for the tensors.
 *
 * @param bytes The file, or its first bytes as far as the header goes.
 * @param fileBytes Length of the file.
 * @throws {SyntaxError} If the bytes are no safetensors file.
 * @throws {RangeError} If an entry's numbers cannot be.
 */
export function readHeader(bytes: Uint8Array, fileBytes: number = bytes.length): Header {
  const dataStart = headerEnd(bytes, fileBytes);
  const header = parse(headerText(bytes.subarray(LENGTH_BYTES, dataStart)));
  const dataBytes = fileBytes - dataStart;
  let metadata: Record<string, string> = {};
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA_KEY) metadata = readMetadata(value);
    else entries.push(readEntry(name, value, dataBytes));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  requireContiguous(entries, dataBytes);
  return { entries, metadata, dataStart };
}

/** Product of a shape's sizes; null if a size is none, or the product passes what the format can count. */
export function elementCount(shape: readonly unknown[]): bigint | null {
  let count = 1n;
  for (const size of shape) {
    if (!isSize(size)) return null;
    count *= BigInt(size);
    if (count > MAX_U64) return null;
  }
  return count;
}

/** `(2, 3)`, with a question mark for what is no number, cut after eight sizes. */
export function shapeText(shape: readonly unknown[]): string {
  const sizes = shape.slice(0, 8).map((size) =>
    typeof size === "number" || typeof size === "bigint" ? size : "?"
  );
  return `(${sizes.join(", ")}${shape.length > 8 ? ", ..." : ""})`;
}

/**
 * Where the header ends and the data begin.
 *
 * @param bytes At least the first {@linkcode LENGTH_BYTES} bytes of the file, as far as it has them.
 * @param fileBytes Length of the file.
 * @throws {SyntaxError} If the file cannot hold such a header.
 */
export function headerEnd(bytes: Uint8Array, fileBytes: number): number {
  if (fileBytes < LENGTH_BYTES) {
    throw malformed(`${fileBytes} bytes, too few for the header's length`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = view.getBigUint64(0, true);
  if (headerBytes > BigInt(fileBytes - LENGTH_BYTES)) {
    throw malformed(`a header of ${headerBytes} bytes in a file of ${fileBytes}`);
  }
  if (headerBytes > BigInt(MAX_HEADER_BYTES)) {
    throw malformed(`a header of ${headerBytes} bytes, more than ${MAX_HEADER_BYTES}`);
  }
  return LENGTH_BYTES + Number(headerBytes);
}

function headerText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw malformed("its header is not JSON", cause);
  }
}

function parse(text: string): Record<string, unknown> {
  let header: unknown;
  try {
    requireDepth(text); // before the parser, which would go down as deep as the text does
    // deno-lint-ignore no-explicit-any -- the third argument of a reviver is not in TypeScript's library yet
    header = (JSON.parse as any)(text, exactNumber);
  } catch (cause) {
    throw malformed("its header is not JSON", cause);
  }
  if (!isObject(header)) throw malformed("its header is not a JSON object");
  checkStrings(text);
  return header;
}

/** Makes NaN of whole numbers that are not written as such (`4.0`, `-0`), and a bigint of what a double cannot hold. */
function exactNumber(_key: string, value: unknown, { source }: { source?: string }): unknown {
  if (typeof value !== "number" || source === undefined) return value;
  if (!/^\d+$/.test(source)) return Number.isSafeInteger(value) && value >= 0 ? NaN : value;
  if (Number.isSafeInteger(value)) return value;
  const exact = source.length > 20 ? MAX_U64 + 1n : BigInt(source);
  return exact > MAX_U64 ? NaN : exact;
}

function readEntry(name: string, value: unknown, dataBytes: number): Entry {
  if (!isObject(value)) throw malformed(`the entry of tensor ${quoteName(name)} is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string") throw malformed(`tensor ${quoteName(name)} has no dtype`);
  if (!Array.isArray(shape)) throw malformed(`tensor ${quoteName(name)} has no shape`);
  if (!Array.isArray(offsets) || offsets.length !== 2) {
    throw malformed(`tensor ${quoteName(name)} has no pair of data_offsets`);
  }
  if (!Object.hasOwn(BITS, dtype)) {
    throw new RangeError(
      `Cannot read tensor ${quoteName(name)}: dtype ${quoteName(dtype)}, convert it to F32`,
    );
  }
  const [begin, end] = offsets;
  if (!isOffset(begin) || !isOffset(end) || begin > end || end > dataBytes) {
    throw new RangeError(
      `Cannot read tensor ${quoteName(name)}: data_offsets ${shapeText(offsets)} are not in the file's ` +
        `${dataBytes} data bytes, download or save the file again`,
    );
  }
  const count = elementCount(shape);
  if (count === null || count * BigInt(BITS[dtype]) !== 8n * BigInt(end - begin)) {
    throw new RangeError(
      `Cannot read tensor ${quoteName(name)}: shape ${shapeText(shape)} of ${dtype} does not match ` +
        `${end - begin} bytes of data, download or save the file again`,
    );
  }
  return { name, dtype, shape: shape.map(Number), begin, end };
}

/** For entries in order of their data: the format wants every data byte to belong to exactly one tensor. */
function requireContiguous(entries: readonly Entry[], dataBytes: number): void {
  let position = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== position) {
      throw new RangeError(
        `Cannot read tensor ${quoteName(name)}: its data begin at ${begin}, ${
          begin < position ? "inside" : "after a gap behind"
        } the tensor that ends at ${position}, download or save the file again`,
      );
    }
    position = end;
  }
  if (position !== dataBytes) throw malformed(`${dataBytes - position} bytes behind its last tensor`);
}

/** `null` stands for none, as in the reference implementation. */
function readMetadata(value: unknown): Record<string, string> {
  if (value === null) return {};
  if (!isObject(value) || !Object.values(value).every((text) => typeof text === "string")) {
    throw malformed(`its ${METADATA_KEY} is not an object of strings`);
  }
  return value as Record<string, string>;
}

/** Throws when objects and lists stand deeper inside each other than the reference implementation reads. */
function requireDepth(json: string): void {
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (char === '"') i = endOfString(json, i);
    else if (char === "{" || char === "[") {
      if (++depth > MAX_DEPTH) throw new SyntaxError(`More than ${MAX_DEPTH} levels`);
    } else if (char === "}" || char === "]") depth--;
  }
}

/**
 * Refuses two things in a valid JSON text: an object with the same key twice, which `JSON.parse` accepts silently, and half a
 * surrogate pair, which no other reader accepts. It is a loop, since recursion would overflow the stack on hostile headers.
 */
function checkStrings(json: string): void {
  const open: (Set<string> | null)[] = []; // keys seen of each open object; null for an array
  let last = "";
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (char === "{") open.push(new Set());
    else if (char === "[") open.push(null);
    else if (char === "}" || char === "]") open.pop();
    else if (char === '"') {
      const start = i;
      i = endOfString(json, i);
      last = JSON.parse(json.slice(start, i + 1)); // unescaped: "a" is also "\u0061"
      if (!last.isWellFormed()) throw malformed(`its header has half a surrogate pair in ${quote(last)}`);
    } else if (char === ":") {
      const keys = open.at(-1)!;
      if (keys.has(last)) throw malformed(`its header has ${quote(last)} twice`);
      keys.add(last);
    }
  }
}

/** Where the string that begins at `start` of a JSON text ends; the text's end if it does not. */
function endOfString(json: string, start: number): number {
  let i = start;
  do i += json[i] === "\\" ? 2 : 1; while (i < json.length && json[i] !== '"');
  return i;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSize(value: unknown): value is number | bigint {
  return typeof value === "bigint" ? value >= 0n && value <= MAX_U64 : isOffset(value);
}

function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function malformed(state: string, cause?: unknown): SyntaxError {
  return new SyntaxError(`Cannot read safetensors: ${state}, download or save the file again`, { cause });
}
