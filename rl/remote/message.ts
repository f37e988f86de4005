/**
 * The binary form of what learner and workers send each other: a header with version, sizes and a digest, then a JSON object,
 * then arrays.
 *
 *     offset  bytes
 *          0      4  "PNDR"
 *          4      1  version of this form
 *          5      1  kind of message
 *          6      2  0
 *          8      4  M, bytes of the JSON object in UTF-8
 *         12      4  A, bytes of the arrays
 *         16     32  SHA-256 of all that follows
 *         48      M  { ...fields, arrays: [[name, type, length], ...] }, then zeros up to a multiple of 4
 *          .      A  the arrays one after the other, each followed by zeros up to a multiple of 4
 *
 * Numbers are little-endian, as on every machine that WebGPU runs on.
 *
 * @module
 */
import { shown } from "../cli/mod.ts";

/** Version of the form. Learner and worker must have the same. */
export const MESSAGE_VERSION = 1;

/** Kinds of messages, by the number in the header. */
export const MESSAGE_KINDS = ["run", "job", "result", "share"] as const;
/** Kind of a message. */
export type MessageKind = typeof MESSAGE_KINDS[number];

const MAGIC = 0x52444e50; // "PNDR"
const HEADER_BYTES = 48;
/** Most bytes of the JSON object. */
const MAX_FIELD_BYTES = 1 << 24;

const ARRAY_TYPES = {
  u8: Uint8Array,
  u16: Uint16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
} as const;
type ArrayType = keyof typeof ARRAY_TYPES;

/** An array in a message. */
export type MessageArray =
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

/** A message that was read. Nothing is known of its fields yet. */
export interface Message {
  readonly kind: MessageKind;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly arrays: Readonly<Record<string, MessageArray>>;
}

/** Writes a message. */
export async function encodeMessage({ kind, fields, arrays }: Message): Promise<Uint8Array<ArrayBuffer>> {
  const list = Object.entries(arrays).map(([name, array]) => [name, typeOf(array), array.length]);
  const json = new TextEncoder().encode(JSON.stringify({ ...fields, arrays: list }));
  const arrayBytes = Object.values(arrays).reduce((sum, { byteLength }) => sum + padded(byteLength), 0);
  const bytes = new Uint8Array(HEADER_BYTES + padded(json.length) + arrayBytes);
  bytes.set(json, HEADER_BYTES);
  let at = HEADER_BYTES + padded(json.length);
  for (const array of Object.values(arrays)) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += padded(array.byteLength);
  }
  const header = new DataView(bytes.buffer);
  header.setUint32(0, MAGIC, true);
  header.setUint8(4, MESSAGE_VERSION);
  header.setUint8(5, MESSAGE_KINDS.indexOf(kind));
  header.setUint32(8, json.length, true);
  header.setUint32(12, arrayBytes, true);
  bytes.set(await digest(bytes.subarray(HEADER_BYTES)), 16);
  return bytes;
}

/**
 * Reads a message. The arrays are copies.
 *
 * @throws {SyntaxError} when the bytes are no message, are cut, are longer than they say, or have another digest.
 * @throws {RangeError} when they have another version of the form.
 */
export async function decodeMessage(bytes: Uint8Array): Promise<Message> {
  const refuse = (state: string, remedy = "send it again") =>
    new SyntaxError(`Cannot read a message: ${state}, ${remedy}`);
  if (bytes.length < HEADER_BYTES) throw refuse(`it has ${bytes.length} bytes, a header has ${HEADER_BYTES}`);
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  if (header.getUint32(0, true) !== MAGIC) throw refuse("it is no message of ponder", "look who sends there");
  const version = header.getUint8(4);
  if (version !== MESSAGE_VERSION) {
    throw new RangeError(
      `Cannot read a message: it is of version ${version}, this is ${MESSAGE_VERSION}; use the same ponder everywhere`,
    );
  }
  const kind = MESSAGE_KINDS[header.getUint8(5)];
  if (kind === undefined) throw refuse(`its kind is ${header.getUint8(5)}`);
  const jsonBytes = header.getUint32(8, true), arrayBytes = header.getUint32(12, true);
  if (jsonBytes > MAX_FIELD_BYTES) throw refuse(`its fields have ${jsonBytes} bytes`);
  if (bytes.length !== HEADER_BYTES + padded(jsonBytes) + arrayBytes) {
    throw refuse(
      `it has ${bytes.length} bytes, but says ${HEADER_BYTES + padded(jsonBytes) + arrayBytes}`,
    );
  }
  // A Node.js buffer's `slice` would be no copy.
  const content = new Uint8Array(bytes.subarray(HEADER_BYTES));
  const sum = await digest(content);
  if (sum.some((byte, i) => byte !== bytes[16 + i])) throw refuse("its digest is another");
  const { arrays: list, ...fields } = parse(content.subarray(0, jsonBytes), refuse);
  return { kind, fields, arrays: readArrays(list, content, padded(jsonBytes), refuse) };
}

function parse(bytes: Uint8Array, refuse: (state: string) => Error): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw refuse("its fields are no JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refuse("its fields are no object");
  }
  return value as Record<string, unknown>;
}

function readArrays(
  list: unknown,
  content: Uint8Array<ArrayBuffer>,
  start: number,
  refuse: (state: string) => Error,
): Record<string, MessageArray> {
  if (!Array.isArray(list)) throw refuse("it does not list its arrays");
  const arrays = Object.create(null) as Record<string, MessageArray>;
  let at = start;
  for (const entry of list) {
    const [name, type, length] = Array.isArray(entry) ? entry : [];
    const isGood = typeof name === "string" && Object.hasOwn(ARRAY_TYPES, String(type)) &&
      Number.isSafeInteger(length) && length >= 0;
    if (!isGood) throw refuse(`it lists ${shown(entry)} as an array`);
    const Type = ARRAY_TYPES[type as ArrayType];
    const byteLength = length * Type.BYTES_PER_ELEMENT;
    if (at + padded(byteLength) > content.length) throw refuse(`its array ${shown(name)} is longer than it`);
    // A copy lies at the beginning of its buffer, as wider words need it.
    arrays[name] = new Type(content.slice(at, at + byteLength).buffer);
    at += padded(byteLength);
  }
  if (at !== content.length) throw refuse(`${content.length - at} of its bytes belong to no array`);
  return arrays;
}

function typeOf(array: MessageArray): ArrayType {
  const found = Object.entries(ARRAY_TYPES).find(([, Type]) => array instanceof Type)!;
  return found[0] as ArrayType;
}

const padded = (bytes: number): number => Math.ceil(bytes / 4) * 4;

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
