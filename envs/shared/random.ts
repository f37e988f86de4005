/**
 * Counter-based random numbers: draw `i` of a stream is a hash of (seed, purpose, i). A stream is the same on every
 * machine, and draws for one purpose never shift the draws for another.
 *
 * The mixer is `triple32`, a 32-bit bijection with low bias found by search (Wellons 2018, "Prospecting for Hash
 * Functions", https://nullprogram.com/blog/2018/07/31/). Not for cryptography.
 */
import { show } from "./checks.ts";

const TWO_POW_32 = 2 ** 32;

function triple32(x: number): number {
  x = Math.imul(x ^ (x >>> 17), 0xed5ad4bb);
  x = Math.imul(x ^ (x >>> 11), 0xac4c1b51);
  x = Math.imul(x ^ (x >>> 15), 0x31848bab);
  return (x ^ (x >>> 14)) >>> 0;
}

/** FNV-1a over UTF-16 code units. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Throws `RangeError` unless `seed` is an integer in [0, 2^53). */
export function checkSeed(seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(
      `Cannot seed a random stream: seed is ${show(seed)}, use an integer from 0 to 2^53 - 1`,
    );
  }
}

/**
 * A random stream of period 2^32.
 *
 * @example
 * ```ts
 * import { Random } from "./random.ts";
 *
 * const deals = new Random(7, "deals");
 * console.log(deals.integer(6)); // 0..5, the same on every machine
 * ```
 */
export class Random {
  readonly #keys: readonly [number, number];
  #counter = 0;

  /** Throws `RangeError` on an illegal `seed`; streams of one seed with different purposes are independent. */
  constructor(seed: number, purpose = "") {
    checkSeed(seed);
    const low = triple32((seed >>> 0) ^ hashText(purpose));
    const high = triple32(Math.floor(seed / TWO_POW_32) + 0x9e3779b9);
    this.#keys = [triple32(low ^ high), triple32(low + Math.imul(high, 3))];
  }

  /** An integer in [0, 2^32). */
  uint32(): number {
    const [first, second] = this.#keys;
    const mixed = triple32((this.#counter ^ first) >>> 0);
    this.#counter = (this.#counter + 1) >>> 0;
    return triple32((mixed + second) >>> 0);
  }

  /** A number in [0, 1), a multiple of 2^-32. */
  float(): number {
    return this.uint32() / TWO_POW_32;
  }

  /** An integer in [0, bound), without modulo bias. Throws `RangeError` unless `bound` is an integer from 1 to 2^32. */
  integer(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > TWO_POW_32) {
      throw new RangeError(`Cannot draw an integer: bound is ${bound}, use an integer from 1 to 2^32`);
    }
    const limit = TWO_POW_32 - (TWO_POW_32 % bound);
    let draw = this.uint32();
    while (draw >= limit) draw = this.uint32();
    return draw % bound;
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.float() < probability;
  }
}
