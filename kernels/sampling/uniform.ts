/** Threefry rotations (in bits) of even and odd groups of four rounds. */
const ROTATIONS = [[13, 15, 26, 6], [17, 29, 16, 24]];
const PARITY = 0x1bd11bda;

/**
 * Threefry-2x32 with 20 rounds: two random words for a key and a counter of two words each.
 * Source: Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3 (SC 2011).
 */
export function threefry2x32(
  [k0, k1]: readonly [number, number],
  [c0, c1]: readonly [number, number],
): [number, number] {
  const key = [k0 | 0, k1 | 0, (PARITY ^ k0 ^ k1) | 0];
  let x0 = (c0 + key[0]) | 0;
  let x1 = (c1 + key[1]) | 0;
  for (let group = 0; group < 5; group++) {
    for (const bits of ROTATIONS[group % 2]) {
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << bits) | (x1 >>> (32 - bits))) ^ x0;
    }
    x0 = (x0 + key[(group + 1) % 3]) | 0;
    x1 = (x1 + key[(group + 2) % 3] + group + 1) | 0;
  }
  return [x0 >>> 0, x1 >>> 0];
}

/**
 * The uniform number in [0, 1) that belongs to a seed and a counter (u32 each, taken modulo 2^32): the upper 24 bits of
 * the first word of Threefry-2x32 with key (seed, 0) and counter (counter, 0), the same to the bit on the GPU.
 */
export function uniformFromCounter(seed: number, counter: number): number {
  return uniformsFromCounter(seed, counter)[0];
}

/** {@linkcode uniformFromCounter}, and the number of the second word: where the token lies in its block. */
export function uniformsFromCounter(seed: number, counter: number): [block: number, token: number] {
  const [first, second] = threefry2x32([seed, 0], [counter, 0]);
  return [(first >>> 8) / 2 ** 24, (second >>> 8) / 2 ** 24];
}

/** Words of a row that are drawn from by one uniform number: `BLOCK` of `naive.wgsl`. */
export const DRAW_BLOCK = 512;
