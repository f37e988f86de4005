import { assertEquals, assertThrows } from "@std/assert";
import { decodeFloats, encodeFloats } from "../../model/floats.ts";

const halves = () => Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits);
/** Values of every f16: the engine's own, where it has them. */
const Half =
  (globalThis as { Float16Array?: new (values: ArrayBufferLike | Iterable<number>) => Iterable<number> })
    .Float16Array;

Deno.test("every F16 is read as the f32 that it is", { ignore: Half === undefined }, () => {
  const right = Float32Array.from(new Half!(halves().buffer));
  assertEquals(decodeFloats(new Uint8Array(halves().buffer), "F16"), right);
});

Deno.test("every BF16 is read as the f32 whose upper half it is", () => {
  const values = decodeFloats(new Uint8Array(halves().buffer), "BF16");
  const view = new DataView(new ArrayBuffer(4));
  for (let bits = 0; bits < 1 << 16; bits++) {
    view.setUint16(0, bits);
    assertEquals(values[bits], view.getFloat32(0), `bits ${bits.toString(16)}`);
  }
});

Deno.test("every F16 and BF16 that is no NaN is written as the bits that it was read from", () => {
  for (const dtype of ["F16", "BF16"] as const) {
    const values = decodeFloats(new Uint8Array(halves().buffer), dtype);
    const written = new Uint16Array(encodeFloats(values, dtype).buffer);
    values.forEach((value, bits) => {
      if (!Number.isNaN(value)) assertEquals(written[bits], bits);
    });
    const nans = [...values.keys()].filter((bits) => Number.isNaN(values[bits]));
    const again = decodeFloats(new Uint8Array(Uint16Array.from(nans, (bits) => written[bits]).buffer), dtype);
    assertEquals(again.every(Number.isNaN), true, `${dtype} NaN`);
  }
});

/** Neighbours of each half's value and of the middle between it and the next, as f32. */
function aroundMiddles(dtype: "F16" | "BF16"): Float32Array {
  const values = decodeFloats(new Uint8Array(halves().buffer), dtype).filter(Number.isFinite);
  const bits = new Int32Array(1), value = new Float32Array(bits.buffer);
  const largest = values.reduce((a, b) => Math.max(a, b));
  return Float32Array.from(
    [...values].sort((a, b) => a - b).flatMap((low, i, all) => {
      value[0] = (low + (all[i + 1] ?? low)) / 2;
      const middle = bits[0];
      return [-1, 0, 1].map((step) => {
        bits[0] = middle + step;
        return value[0];
      }).filter((value) => Math.abs(value) <= largest);
    }),
  );
}

Deno.test("an f32 is written as the nearest F16, ties to even", { ignore: Half === undefined }, () => {
  const values = aroundMiddles("F16");
  const right = new Uint16Array((new Half!(values) as unknown as { buffer: ArrayBuffer }).buffer);
  assertEquals(new Uint16Array(encodeFloats(values, "F16").buffer), right);
});

Deno.test("an f32 is written as the nearest BF16, ties to even", () => {
  const values = aroundMiddles("BF16");
  const bits = new Uint32Array(values.buffer);
  const written = new Uint16Array(encodeFloats(values, "BF16").buffer);
  values.forEach((value, i) => {
    const below = bits[i] >>> 16, rest = bits[i] & 0xffff;
    const right = rest > 0x8000 || rest === 0x8000 && below % 2 === 1 ? below + 1 : below;
    assertEquals(written[i], right, `of ${value}`);
  });
});

Deno.test("a value that a dtype cannot hold is refused, infinity is not", () => {
  assertThrows(
    () => encodeFloats(Float32Array.of(1, 65520), "F16"),
    RangeError,
    "65520 as F16: it is too large",
  );
  assertThrows(() => encodeFloats(Float32Array.of(-3.4e38), "BF16"), RangeError, "as BF16");
  assertEquals([...new Uint16Array(encodeFloats(Float32Array.of(65519, -Infinity), "F16").buffer)], [
    0x7bff,
    0xfc00,
  ]);
});

Deno.test("floats are read from a part of a larger array too", () => {
  const bytes = Uint8Array.of(9, 0x80, 0x3f, 0x00, 0xc0, 9);
  assertEquals(decodeFloats(bytes.subarray(1, 5), "BF16"), Float32Array.of(1, -2));
});
