import { assert, assertEquals, assertNotEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { type Picture, pictureOf } from "../../model/mod.ts";
import { contentHash } from "../../model/picture.ts";

Deno.test("the content hash is MurmurHash3_x86_128", () => {
  const hashOf = (text: string) => contentHash(new TextEncoder().encode(text));
  assertEquals(hashOf(""), "00000000000000000000000000000000");
  assertEquals(
    hashOf("I will not buy this record, it is scratched."),
    "a0a9683b25ac5e40d9af2895890dddf5",
  );
  assertEquals(
    hashOf("The quick brown fox jumps over the lazy dog"),
    "2f1583c3ecee2c675d7bf66ce5e91d2c",
  );
});

Deno.test("equal pixels are one picture, wherever their bytes lie", () => {
  const bytes = Uint8Array.from({ length: 8 * 8 * 3 + 1 }, (_, i) => i * 37);
  const first = pictureOf(bytes.slice(1));
  assertStrictEquals(pictureOf(bytes.subarray(1)), first);
  assertEquals(first.pixels, bytes.slice(1));
});

Deno.test("pictures that differ in any one bit have other ids", () => {
  const length = 12 * 12 * 3;
  const held: Picture[] = [];
  fc.assert(fc.property(
    fc.uint8Array({ minLength: length, maxLength: length }),
    fc.nat(length - 1),
    fc.nat(7),
    (pixels, at, bit) => {
      const changed = pixels.slice();
      changed[at] ^= 1 << bit;
      const [a, b] = [pictureOf(pixels), pictureOf(changed)];
      held.push(a, b);
      assertNotEquals(a.id, b.id);
    },
  ));
  // High bits of two words apart: what multiplications alone would not mix.
  const ids = new Set<string>();
  for (let i = 0; i < 256; i++) {
    for (let j = 0; j < 64; j++) {
      const pixels = new Uint8Array(length);
      [pixels[3], pixels[7], pixels[423]] = [i, j, i ^ j];
      ids.add(contentHash(pixels));
    }
  }
  assertEquals(ids.size, 256 * 64);
});

Deno.test("an id follows from the pixels alone, not from what was seen before", () => {
  const pixels = new Uint8Array(48).fill(7);
  const before = pictureOf(pixels.slice()).id;
  // Far more than are remembered.
  for (let i = 0; i < 20_000; i++) pictureOf(new Uint8Array(new Uint32Array([i, 1, 2, 3]).buffer));
  assertEquals(pictureOf(pixels).id, before);
  assert(/^[0-9a-f]{32}$/.test(before));
});
