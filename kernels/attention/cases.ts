/**
 * Shapes at which attention is checked and timed: forward, backward, cache and decoding.
 *
 * @module
 */
import { caseValues, type KernelCase } from "../case.ts";
import { attention, attentionBackward, attentionDecode, fillCache } from "./mod.ts";
import {
  attentionBackwardReference,
  attentionDecodeReference,
  attentionReference,
  fillCacheReference,
  visiblePairs,
} from "./reference.ts";

interface Mask {
  readonly prefix: (b: number) => number;
  readonly length: (b: number) => number;
}

interface Setting {
  readonly name: string;
  readonly sizes: readonly [B: number, T: number, H: number, D: number];
  /** Key-value heads; as many as heads when absent. */
  readonly K?: number;
  readonly mask: Mask;
  /** Every score is the same, -7e37 or so: values below what masks are often made of. */
  readonly isLowest?: boolean;
}

const causal = (T: number): Mask => ({ prefix: () => 0, length: () => T });
const bidirectional = (T: number): Mask => ({ prefix: () => T, length: () => T });
/** Every kind of sequence: whole, short, a prefix beyond the padding, one token, empty. */
const ragged = (T: number): Mask => ({
  prefix: (b) => [0, 5, T + 3, 1, 2][b % 5],
  length: (b) => [T, T - 2, 4, 1, 0][b % 5],
});
/** 16 image and 6 text tokens of prompt, then up to 14 of response. */
const response = (T: number): Mask => ({ prefix: () => 22, length: (b) => T - (b * 5) % 13 });

const lowest: readonly Setting[] = [
  { name: "lowest scores", sizes: [5, 13, 3, 20], mask: ragged(13), isLowest: true },
  { name: "lowest scores", sizes: [5, 70, 2, 8], mask: ragged(70), isLowest: true },
  { name: "lowest scores", sizes: [5, 11, 3, 7], mask: ragged(11), isLowest: true },
];

const settings: readonly Setting[] = [
  { name: "language", sizes: [32, 36, 4, 24], mask: response(36) },
  { name: "vision", sizes: [32, 64, 2, 32], mask: bidirectional(64) },
  { name: "long causal", sizes: [2, 200, 2, 64], mask: causal(200) },
  { name: "ragged", sizes: [5, 13, 3, 20], mask: ragged(13) },
  { name: "ragged", sizes: [5, 45, 2, 8], mask: ragged(45) },
  { name: "ragged", sizes: [5, 70, 2, 36], mask: ragged(70) },
  { name: "odd heads", sizes: [5, 11, 3, 7], mask: ragged(11) },
  { name: "wide heads", sizes: [2, 9, 1, 128], mask: causal(9) },
  { name: "wide heads", sizes: [5, 37, 1, 80], mask: ragged(37) },
  // An inner loop of D rounds a key would pass llvmpipe's 65535 rounds an invocation.
  { name: "longest", sizes: [1, 600, 1, 64], mask: causal(600) },
  { name: "longest bidirectional", sizes: [1, 600, 1, 64], mask: bidirectional(600) },
  { name: "one token", sizes: [1, 1, 1, 4], mask: causal(1) },
  { name: "ragged", sizes: [5, 45, 6, 8], K: 2, mask: ragged(45) },
  { name: "shared by all", sizes: [2, 70, 3, 8], K: 1, mask: causal(70) },
  { name: "shared by all", sizes: [2, 70, 3, 64], K: 1, mask: causal(70) },
  { name: "odd heads", sizes: [5, 11, 6, 7], K: 3, mask: ragged(11) },
  { name: "many", sizes: [2, 21, 16, 20], K: 4, mask: ragged(21) },
];

/** Variants of a width: all but the naive one read whole vec4s. */
const variantsOf = (width: number, ...fast: string[]) => width % 4 === 0 ? ["naive", ...fast] : ["naive"];

function maskOperands({ sizes: [B], mask }: Setting) {
  return {
    prefix: Uint32Array.from({ length: B }, (_, b) => mask.prefix(b)),
    length: Uint32Array.from({ length: B }, (_, b) => mask.length(b)),
  };
}

/** Values with NaN in the padding rows: nothing may leak from there. */
function paddedValues(setting: Setting, width: number, seed: number, scale: number): Float32Array {
  const [B, T] = setting.sizes;
  const values = caseValues(B * T * width, seed, scale);
  for (let b = 0; b < B; b++) {
    values.fill(NaN, (b * T + Math.min(T, setting.mask.length(b))) * width, (b + 1) * T * width);
  }
  return values;
}

/** The same values of V with q and k, in rows of three times C, whose products add up to nearly the lowest f32. */
function withLowestScores(QKV: Float32Array, C: number): Float32Array {
  return QKV.map((value, i) =>
    Number.isNaN(value) || i % (3 * C) >= 2 * C ? value : i % (3 * C) < C ? 4e18 : -4e18
  );
}

function shapeOf({ sizes: [B, T, H, D], K = H }: Setting) {
  return { B, T, H, K, D };
}

const caseName = ({ name, sizes: [B, T, H, D], K }: Setting) =>
  `${name} B${B} T${T} H${H}${K === undefined ? "" : ` K${K}`} D${D}`;

function forwardCase(setting: Setting): KernelCase {
  const shape = shapeOf(setting);
  const { B, T, H, K, D } = shape;
  const width = (H + 2 * K) * D;
  const { prefix, length } = maskOperands(setting);
  return {
    kernel: "attention",
    name: caseName(setting),
    variants: variantsOf(D, "texture", "tiled", ...D <= 64 ? ["blocked"] : []),
    inputs: () => {
      const QKV = paddedValues(setting, width, 1, 2);
      return { QKV: setting.isLowest ? withLowestScores(QKV, H * D) : QKV, prefix, length };
    },
    outputs: { Y: B * T * H * D, lse: B * H * T },
    launch: (gpu, { QKV, prefix, length, Y, lse }, variant) =>
      attention(gpu, { QKV, prefix, length, Y, lse }, { ...shape, variant }),
    reference: (inputs) => attentionReference(inputs, shape),
    tolerance: 5e-6,
    flops: 4 * D * H * visiblePairs(T, prefix, length),
    bytes: 4 * B * T * (width + H * D) + 4 * B * H * T,
  };
}

function backwardCase(setting: Setting): KernelCase {
  const shape = shapeOf(setting);
  const { B, T, H, K, D } = shape;
  const width = (H + 2 * K) * D;
  const { prefix, length } = maskOperands(setting);
  return {
    kernel: "attention backward",
    name: caseName(setting),
    variants: variantsOf(D, "texture", "tiled"),
    inputs: () => {
      const QKV = paddedValues(setting, width, 2, 2);
      const { Y, lse } = attentionReference({ QKV, prefix, length }, shape);
      const dY = paddedValues(setting, H * D, 3, 1);
      return { QKV, prefix, length, Y: Float32Array.from(Y), lse: Float32Array.from(lse), dY };
    },
    outputs: { delta: B * H * T, dQKV: B * T * width },
    launch: (gpu, { QKV, prefix, length, Y, lse, dY, delta, dQKV }, variant) =>
      attentionBackward(gpu, { QKV, prefix, length, Y, lse, dY, delta, dQKV }, { ...shape, variant }),
    reference: (inputs) => attentionBackwardReference(inputs, shape),
    tolerance: 1e-5,
    flops: 10 * D * H * visiblePairs(T, prefix, length),
    bytes: 8 * B * T * (width + H * D) + 8 * B * H * T,
  };
}

function fillCacheCase(B: number, T: number, C: number, capacity: number, E = C): KernelCase {
  const shape = { B, T, C, E, capacity };
  return {
    kernel: "fill cache",
    name: `B${B} T${T} C${C}${E === C ? "" : ` E${E}`} capacity ${capacity}`,
    variants: variantsOf(C % 4 || E, "texture"),
    inputs: () => ({ QKV: caseValues(B * T * (C + 2 * E), 4), cache: caseValues(B * capacity * 2 * E, 5) }),
    outputs: { cache: B * capacity * 2 * E },
    launch: (gpu, { QKV, cache }, variant) => fillCache(gpu, { QKV, cache }, { ...shape, variant }),
    reference: (inputs) => fillCacheReference(inputs, shape),
    tolerance: 0,
    flops: 0,
    bytes: 16 * B * T * E,
  };
}

function decodeCase(
  [B, H, D, capacity]: readonly [B: number, H: number, D: number, capacity: number],
  positions: number[],
  { isLowest = false, K = H }: { isLowest?: boolean; K?: number } = {},
): KernelCase {
  const shape = { B, H, K, D, capacity };
  const position = Uint32Array.from({ length: B }, (_, b) => positions[b % positions.length]);
  const keys = position.reduce((total, p) => total + (p < capacity ? p + 1 : 0), 0);
  return {
    kernel: "attention decode",
    name: `B${B} H${H}${K === H ? "" : ` K${K}`} D${D} capacity ${capacity}${
      isLowest ? ", lowest scores" : ""
    }`,
    variants: variantsOf(D, "vec4", "tiled"),
    inputs: () => {
      const QKV = caseValues(B * (H + 2 * K) * D, 6, 2);
      const cache = caseValues(B * capacity * 2 * K * D, 7, 2);
      if (!isLowest) return { QKV, cache, position };
      const keys = cache.map((value, i) => i % (2 * H * D) < H * D ? -4e18 : value);
      return { QKV: withLowestScores(QKV, H * D), cache: keys, position };
    },
    outputs: { cache: B * capacity * 2 * K * D, Y: B * H * D },
    launch: (gpu, { QKV, cache, position, Y }, variant) =>
      attentionDecode(gpu, { QKV, cache, position, Y }, { ...shape, variant }),
    reference: (inputs) => attentionDecodeReference(inputs, shape),
    tolerance: 5e-6,
    flops: 4 * D * H * keys,
    bytes: 8 * D * K * keys,
  };
}

/** Forward, backward, cache and decoding cases. */
export const cases: readonly KernelCase[] = [
  ...[...settings, ...lowest].map(forwardCase),
  ...settings.map(backwardCase),
  fillCacheCase(32, 22, 96, 40),
  fillCacheCase(3, 5, 10, 7),
  fillCacheCase(2, 3, 36, 3),
  fillCacheCase(1, 1, 1, 1),
  decodeCase([32, 4, 24, 40], [22, 30, 39, 25]),
  // A finished row may already point at or beyond the end.
  decodeCase([5, 3, 20, 9], [0, 8, 9, 3, 12]),
  decodeCase([3, 2, 7, 6], [0, 5, 2]),
  decodeCase([1, 1, 4, 1], [0]),
  decodeCase([1, 1, 64, 601], [600]),
  decodeCase([2, 1, 128, 130], [129, 64]),
  decodeCase([3, 2, 20, 75], [70, 0, 3], { isLowest: true }),
  fillCacheCase(3, 5, 36, 7, 12),
  fillCacheCase(2, 3, 14, 4, 7),
  decodeCase([5, 6, 8, 9], [0, 8, 9, 3, 12], { K: 2 }),
  decodeCase([3, 3, 64, 75], [70, 0, 33], { K: 1 }),
  decodeCase([3, 6, 7, 6], [0, 5, 2], { K: 3 }),
];
