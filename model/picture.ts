/**
 * Pictures as the model sees them, with an identity. Equal pixels have equal ids, so that nobody has to compare bytes.
 *
 * @module
 */

/** An image of the model's size. Made by {@linkcode pictureOf}; shared, so do not write to its pixels. */
export interface Picture {
  /** (imageSize, imageSize, 3) RGB bytes. */
  readonly pixels: Uint8Array;
  /** Follows from the pixels alone, on every machine: equal pixels, equal ids, and only those. */
  readonly id: string;
}

/** Number of pictures among which equal ones are recognised. Beyond it the oldest are forgotten. */
const MAX_KNOWN = 1 << 14;
/** The pictures of each id that somebody still holds. */
const known = new Map<string, WeakRef<Picture>>();

/**
 * Makes the picture of these pixels. If somebody holds an equal picture already, it returns that one. It takes `pixels` over.
 *
 * @example Equal pixels, one picture
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { pictureOf } from "@ponder/ponder/model";
 *
 * const grey = () => new Uint8Array(8 * 8 * 3).fill(128);
 * assertEquals(pictureOf(grey()).id, pictureOf(grey()).id);
 * ```
 */
export function pictureOf(pixels: Uint8Array): Picture {
  const hash = contentHash(pixels);
  for (let id = hash;; id += "+") {
    const held = known.get(id)?.deref();
    if (held === undefined) {
      const picture = { pixels, id };
      known.delete(id);
      if (known.size === MAX_KNOWN) known.delete(known.keys().next().value!);
      known.set(id, new WeakRef(picture));
      return picture;
    }
    // With 128 bits two contents hardly ever have the same hash. If they do, they stay different pictures.
    if (isEqual(held.pixels, pixels)) return held;
  }
}

const MULTIPLIERS = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93];
const INPUT_TURNS = [15, 16, 17, 18];
const STATE_TURNS = [19, 17, 15, 13];
const ADDENDS = [0x561ccd1b, 0x0bcaa747, 0x96cd1c35, 0x32ac3b17];

/**
 * 128 bits of hash in hexadecimal: MurmurHash3_x86_128 with seed 0.
 *
 * Source: https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp
 */
export function contentHash(bytes: Uint8Array): string {
  const words = new Uint32Array(Math.ceil(bytes.length / 16) * 4);
  new Uint8Array(words.buffer).set(bytes);
  const wholeWords = (bytes.length >> 4) * 4;
  const h = new Uint32Array(4);
  for (let i = 0; i < words.length; i++) {
    const lane = i & 3;
    const turned = rotate(Math.imul(words[i], MULTIPLIERS[lane]), INPUT_TURNS[lane]);
    h[lane] ^= Math.imul(turned, MULTIPLIERS[(lane + 1) & 3]);
    // The last bytes, fewer than 16, are only mixed in.
    if (i >= wholeWords) continue;
    h[lane] = rotate(h[lane], STATE_TURNS[lane]) + h[(lane + 1) & 3];
    h[lane] = Math.imul(h[lane], 5) + ADDENDS[lane];
  }
  for (let lane = 0; lane < 4; lane++) h[lane] ^= bytes.length;
  addUp(h);
  for (let lane = 0; lane < 4; lane++) h[lane] = finalize(h[lane]);
  addUp(h);
  return Array.from(h, (word) => word.toString(16).padStart(8, "0")).join("");
}

function addUp(h: Uint32Array): void {
  h[0] += h[1] + h[2] + h[3];
  for (let lane = 1; lane < 4; lane++) h[lane] += h[0];
}

function finalize(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by));

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && a.every((byte, i) => byte === b[i]));
}
