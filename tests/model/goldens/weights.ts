/**
 * The formula behind the goldens' weights and images: the same numbers, bit for bit, as make_goldens.py has.
 *
 * @module
 */

/** u32 (count): murmur3's finaliser over FNV-1a(name) + element * golden ratio. */
function hashes(name: string, count: number): Uint32Array<ArrayBuffer> {
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  return Uint32Array.from({ length: count }, (_, element) => {
    let h = (seed + Math.imul(element, 0x9e3779b9)) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return h ^ (h >>> 16);
  });
}

/**
 * Weights of the parameter with this name, row-major: biases within 1/8 of 0, norms within 1/4 of 1, token and
 * position embeddings within 1/2, linear weights within 1/4.
 */
export function goldenWeight(name: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const count = shape.reduce((product, size) => product * size, 1);
  const [middle, reach] = name.endsWith(".bias")
    ? [0, 0.125]
    : name.includes("norm")
    ? [1, 0.25]
    : /(token|position)_embedding/.test(name)
    ? [0, 0.5]
    : [0, 0.25];
  // The upper 24 bits as a number in [-1, 1): exact in f32.
  return Float32Array.from(hashes(name, count), (h) => middle + ((h >>> 8) / 2 ** 23 - 1) * reach);
}

/** The batch's images, u8 (B, S, S, 3); channel c is darkened by c bits. */
export function goldenImages(batch: number, imageSize: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    hashes("images", batch * imageSize * imageSize * 3),
    (h, i) => (h >>> 24) >> (i % 3),
  );
}
