/**
 * Floats of 16, 32 and 64 bits as files hold them, to f32 and back. Typed arrays are taken to be little-endian, as on
 * every platform with WebGPU.
 *
 * @module
 */

/** Names, in the safetensors format, of the floats that can be had as f32. */
export type FloatDtype = "F64" | "F32" | "F16" | "BF16";

/** How each dtype is read, from bytes of its own that start at a multiple of 8. */
const TO_F32: Readonly<Record<FloatDtype, (buffer: ArrayBuffer) => Float32Array<ArrayBuffer>>> = {
  F64: (buffer) => Float32Array.from(new Float64Array(buffer)),
  F32: (buffer) => new Float32Array(buffer),
  F16: fromF16,
  BF16: fromBf16,
};

/** Bytes of an element. */
export const FLOAT_BYTES: Readonly<Record<FloatDtype, number>> = { F64: 8, F32: 4, F16: 2, BF16: 2 };

/** Is this a dtype of floats that can be had as f32? */
export function isFloatDtype(dtype: string): dtype is FloatDtype {
  return Object.hasOwn(TO_F32, dtype);
}

/**
 * The f32 values of a tensor's bytes. Each F16 and BF16 is an f32 exactly; an F64 is rounded.
 *
 * @param bytes A whole number of elements; copied if they do not have a buffer of their own.
 */
export function decodeFloats(bytes: Uint8Array<ArrayBuffer>, dtype: FloatDtype): Float32Array<ArrayBuffer> {
  const isWhole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  return TO_F32[dtype](isWhole ? bytes.buffer : bytes.slice().buffer);
}

/**
 * The bytes of f32 values in a dtype, each rounded to the nearest, ties to even.
 *
 * @throws {RangeError} If a finite value is too large for the dtype.
 */
export function encodeFloats(values: Float32Array, dtype: FloatDtype): Uint8Array<ArrayBuffer> {
  if (dtype === "F32") return new Uint8Array(values.slice().buffer);
  if (dtype === "F64") return new Uint8Array(Float64Array.from(values).buffer);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  const [convert, infinity] = dtype === "F16" ? [toF16, 0x7c00] as const : [toBf16, 0x7f80] as const;
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i] = convert(bits[i]);
    if ((half & 0x7fff) === infinity && Number.isFinite(values[i])) {
      throw new RangeError(`Cannot write ${values[i]} as ${dtype}: it is too large, write F32`);
    }
  }
  return new Uint8Array(halves.buffer);
}

/** The f32 values nearest to `values` that a dtype has, ties to even. Throws as {@linkcode encodeFloats} does. */
export function roundFloats(values: Float32Array, dtype: FloatDtype): Float32Array<ArrayBuffer> {
  return decodeFloats(encodeFloats(values, dtype), dtype);
}

/** A bf16 is the upper half of an f32. */
function fromBf16(buffer: ArrayBuffer): Float32Array<ArrayBuffer> {
  const halves = new Uint16Array(buffer);
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) words[i] = halves[i] << 16;
  return new Float32Array(words.buffer);
}

/** The f32 bits of every f16, once one is read: a look-up is many times faster than the arithmetic. */
let f16Bits: Uint32Array | null = null;

function fromF16(buffer: ArrayBuffer): Float32Array<ArrayBuffer> {
  f16Bits ??= new Uint32Array(Float32Array.from({ length: 1 << 16 }, (_, bits) => f16Value(bits)).buffer);
  const halves = new Uint16Array(buffer);
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) words[i] = f16Bits[halves[i]];
  return new Float32Array(words.buffer);
}

/** IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits. */
function f16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Adding a half, less one where the kept part is even, carries into it when it has to be rounded up. */
function toBf16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40; // NaN must not become infinity
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function toF16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00; // 65536 and more
  if (magnitude >= 0x38800000) { // normal from 2^-14 on: the exponent's bias falls by 112
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  const exponent = magnitude >>> 23;
  if (exponent < 102) return sign; // below 2^-25, half of the smallest
  const shift = 126 - exponent; // what is left counts units of 2^-24
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const kept = significand >>> shift;
  const rest = significand & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + Number(rest > half || rest === half && (kept & 1) === 1));
}
