import { crc32 } from "node:zlib";
import { zlibSync } from "fflate";
import { assertEquals, assertGreater, assertNotEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type BitDepth, encode } from "fast-png";
import { boxDownsample, boxResize, decodePicture, modelPicture } from "../../rl/image.ts";
import type { Observation } from "../../envs/types.ts";
import { fastestMs } from "../processor_time.ts";

/** A frame of bytes without a visible pattern. */
function noise(width: number, height: number): Observation {
  let state = width * 7919 + height;
  const data = Uint8Array.from({ length: width * height * 3 }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 24;
  });
  return { width, height, data };
}

/** The area under a pixel, summed over the whole frame: the definition, in real coordinates. */
function meanUnderPixel(frame: Observation, columns: number, rows: number, index: number): number {
  const [x, y, channel] = [Math.floor(index / 3) % columns, Math.floor(index / 3 / columns), index % 3];
  const overlap = (pixel: number, box: number, scale: number) =>
    Math.max(0, Math.min(pixel + 1, (box + 1) * scale) - Math.max(pixel, box * scale)) / scale;
  let sum = 0;
  for (let row = 0; row < frame.height; row++) {
    const weight = overlap(row, y, frame.height / rows);
    if (weight === 0) continue;
    for (let column = 0; column < frame.width; column++) {
      const value = frame.data[(row * frame.width + column) * 3 + channel];
      sum += weight * overlap(column, x, frame.width / columns) * value;
    }
  }
  return sum;
}

function assertIsBoxFiltered(image: Uint8Array, frame: Observation, columns: number, rows: number): void {
  assertEquals(image.length, columns * rows * 3);
  for (let i = 0; i < image.length; i++) {
    const mean = meanUnderPixel(frame, columns, rows, i);
    // The reference's sums round: an exact half, which goes up, may come out a hair below.
    const isHalf = Math.abs(mean - Math.floor(mean) - 0.5) < 1e-9;
    assertEquals(image[i], isHalf ? Math.ceil(mean) : Math.round(mean), `element ${i}`);
  }
}

Deno.test("a published frame of 300 x 300 becomes 64 x 64 by exact area", () => {
  const frame = noise(300, 300);
  assertIsBoxFiltered(boxDownsample(frame, 64), frame, 64, 64);
});

Deno.test("any frame becomes any size by exact area, square or not, smaller or larger", () => {
  const from = fc.integer({ min: 1, max: 23 }), to = fc.integer({ min: 1, max: 17 });
  fc.assert(
    fc.property(from, from, to, to, (width, height, columns, rows) => {
      const frame = noise(width, height);
      assertIsBoxFiltered(boxResize(frame, columns, rows), frame, columns, rows);
    }),
    { numRuns: 50 },
  );
});

Deno.test("a whole ratio averages blocks, halves rounded up", () => {
  const data = Uint8Array.from(
    [0, 0, 0, 1, 0, 9, 0, 0, 0, 1, 1, 10].concat([0, 2, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0]),
  );
  // Two rows of four pixels: four blocks, each 2 wide and 1 high.
  const image = boxDownsample({ width: 4, height: 2, data }, 2);
  assertEquals([...image], [1, 0, 5, 1, 1, 5, 1, 1, 1, 1, 0, 0]);
});

Deno.test("a constant frame keeps its colour at every size", () => {
  for (const value of [0, 1, 127, 254, 255]) {
    const data = new Uint8Array(300 * 300 * 3).fill(value);
    for (const size of [1, 7, 64, 224]) {
      const image = boxDownsample({ width: 300, height: 300, data }, size);
      assertEquals(image.every((byte) => byte === value), true, `value ${value}, size ${size}`);
    }
  }
});

Deno.test("a frame at its own size stays as it is", () => {
  const frame = noise(9, 9);
  assertEquals(boxDownsample(frame, 9), frame.data);
});

Deno.test("the model's picture is made once for a frame and a size", () => {
  const frame = noise(30, 30);
  const image = modelPicture(frame, 8);
  assertEquals(image.pixels, boxDownsample(frame, 8));
  assertStrictEquals(modelPicture({ ...frame }, 8), image);
  assertEquals(modelPicture(frame, 4).pixels, boxDownsample(frame, 4));
  // Another frame of the same look has the same picture.
  assertStrictEquals(modelPicture({ ...frame, data: frame.data.slice() }, 8), image);
  const other = { ...frame, data: frame.data.map((byte) => 255 - byte) };
  assertNotEquals(modelPicture(other, 8).id, image.id);
});

Deno.test("more than 500 published frames a second are resized", () => {
  const frame = noise(300, 300);
  for (let i = 0; i < 20; i++) boxDownsample(frame, 64);
  const tenMs = fastestMs(20, () => {
    for (let i = 0; i < 10; i++) boxDownsample(frame, 64);
  });
  assertGreater(10_000 / tenMs, 500);
});

Deno.test("an illegal size and data of another length are refused", () => {
  const frame = noise(4, 4);
  assertThrows(() => boxDownsample(frame, 0), RangeError, "columns is 0");
  assertThrows(() => boxDownsample(frame, 2.5), RangeError, "columns is 2.5");
  assertThrows(() => boxDownsample({ ...frame, width: 5 }, 2), RangeError, "5 x 4 pixels have 48 bytes");
  assertThrows(() => modelPicture({ ...frame, height: 0 }, 3), RangeError, "height is 0");
});

Deno.test("a PNG of any kind is read as RGB, and what is transparent lies over white", () => {
  const read = (channels: number, depth: BitDepth, pixel: readonly number[]) => {
    const data = depth === 16 ? Uint16Array.from(pixel) : Uint8Array.from(pixel);
    const { width, height, data: rgb } = decodePicture(
      encode({ width: 1, height: 1, channels, depth, data }),
    );
    assertEquals([width, height], [1, 1]);
    return Array.from(rgb);
  };
  assertEquals(read(3, 8, [1, 2, 3]), [1, 2, 3]);
  assertEquals(read(1, 8, [7]), [7, 7, 7]);
  assertEquals(read(4, 8, [0, 100, 255, 51]), [204, 224, 255]);
  assertEquals(read(2, 8, [0, 0]), [255, 255, 255]);
  assertEquals(read(3, 16, [0x01ff, 0x8000, 0xffff]), [1, 128, 255]);
});

/** 3 x 2 pixels, written by hand: fast-png writes neither palettes nor shallow greys. */
function shallowPng(
  colorType: number,
  depth: number,
  rows: readonly number[][],
  palette: readonly number[],
): Uint8Array {
  const chunk = (type: string, body: readonly number[]) => {
    const bytes = [...new TextEncoder().encode(type), ...body];
    return [...word(body.length), ...bytes, ...word(crc(bytes))];
  };
  const header = [...word(3), ...word(2), depth, colorType, 0, 0, 0];
  const raw = rows.flatMap((row) => [0, ...row]);
  const stored = [0x78, 0x01, 1, raw.length, 0, raw.length ^ 0xff, 0xff, ...raw, ...word(adler(raw))];
  return Uint8Array.from([
    ...[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
    ...chunk("IHDR", header),
    ...palette.length > 0 ? chunk("PLTE", palette) : [],
    ...chunk("IDAT", stored),
    ...chunk("IEND", []),
  ]);
}

const word = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];

function crc(bytes: readonly number[]): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

function adler(bytes: readonly number[]): number {
  let low = 1, high = 0;
  for (const byte of bytes) {
    low = (low + byte) % 65521;
    high = (high + low) % 65521;
  }
  return ((high << 16) | low) >>> 0;
}

Deno.test("palettes and greys of few bits are spread over 0 to 255", () => {
  const palette = shallowPng(3, 2, [[0b00011000], [0b10010000]], [9, 8, 7, 0, 0, 1, 255, 254, 253]);
  assertEquals(
    Array.from(decodePicture(palette).data),
    [[9, 8, 7], [0, 0, 1], [255, 254, 253], [255, 254, 253], [0, 0, 1], [9, 8, 7]].flat(),
  );
  const greys = shallowPng(0, 4, [[0x0f, 0x30], [0x10, 0xf0]], []);
  const levels = [0, 255, 51, 17, 0, 255];
  assertEquals(Array.from(decodePicture(greys).data), levels.flatMap((level) => [level, level, level]));
});

Deno.test("bytes that are no PNG, or a damaged one, are a SyntaxError", () => {
  const png = encode({ width: 2, height: 2, channels: 3, data: new Uint8Array(12) });
  assertThrows(() => decodePicture(new Uint8Array(0)), SyntaxError, "it is no PNG file, convert it to PNG");
  assertThrows(() => decodePicture(Uint8Array.of(0xff, 0xd8, 0xff)), SyntaxError, "it is no PNG file");
  for (const length of [8, 20, png.length - 20]) {
    assertThrows(() => decodePicture(png.subarray(0, length)), SyntaxError, "Cannot read the picture");
  }
});

Deno.test("a PNG that claims, or grows to, more than its picture is refused before it takes the memory", () => {
  const chunk = (type: string, data: Uint8Array) => {
    const bytes = new Uint8Array(12 + data.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, data.length);
    bytes.set(new TextEncoder().encode(type), 4);
    bytes.set(data, 8);
    view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
    return bytes;
  };
  const file = (width: number, height: number, pixels: Uint8Array, ...more: Uint8Array[]) => {
    const header = new Uint8Array(13);
    new DataView(header.buffer).setUint32(0, width);
    new DataView(header.buffer).setUint32(4, height);
    header.set([8, 2], 8);
    const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
    const chunks = [chunk("IHDR", header), ...more, chunk("IDAT", pixels), chunk("IEND", new Uint8Array(0))];
    return new Uint8Array([signature, ...chunks].flatMap((part) => [...part]));
  };
  const row = zlibSync(Uint8Array.of(0, 9, 8, 7));
  assertEquals(decodePicture(file(1, 1, row)).data, Uint8Array.of(9, 8, 7));
  // Profiles and texts are not looked at, whatever they grow to.
  const profile = chunk("iCCP", new Uint8Array([65, 0, 0, ...zlibSync(new Uint8Array(1e6))]));
  assertEquals(decodePicture(file(1, 1, row, profile)).data, Uint8Array.of(9, 8, 7));
  const bomb = zlibSync(new Uint8Array(2e6));
  for (
    const [png, message] of [
      [file(1, 1, bomb), "it holds more pixels than its header says, save it again"],
      [file(2 ** 30, 2 ** 30, row), "at most 33554432 are read, make it smaller"],
      [file(0, 1, row), "it has no pixels"],
      [file(1, 1, row).slice(0, -3), "it is cut short"],
    ] as const
  ) assertThrows(() => decodePicture(png), SyntaxError, message);
});
