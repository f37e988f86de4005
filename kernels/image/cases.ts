/**
 * Shapes for the image kernels.
 *
 * @module
 */
import { caseValues, type KernelCase } from "../case.ts";
import { extractPatches, imageStatistics, pixelShuffleMerge } from "./mod.ts";
import {
  extractPatchesReference,
  imageStatisticsReference,
  pixelShuffleMergeReference,
} from "./reference.ts";

/** Bytes of B images, padded to whole words; the first image has one colour, whose std is 0. */
function casePixels(B: number, S: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((B * S * S * 3) / 4) * 4);
  caseValues(bytes.length, 1).forEach((x, i) => bytes[i] = (x + 1) * 128);
  for (let i = 0; i < S * S; i++) bytes.set([250, 3, 128], 3 * i);
  return bytes;
}

function statisticsCase(B: number, S: number, perImage: boolean): KernelCase {
  return {
    kernel: "image",
    name: `statistics of ${B} images of ${S}x${S}${perImage ? "" : ", fixed"}`,
    variants: ["naive"],
    inputs: () => ({ pixels: new Uint32Array(casePixels(B, S).buffer) }),
    outputs: { statistics: 8 * B },
    launch: (gpu, { pixels, statistics }) => imageStatistics(gpu, { pixels, statistics }, { B, S, perImage }),
    reference: () => ({ statistics: imageStatisticsReference(casePixels(B, S), { B, S, perImage }) }),
    tolerance: 1e-5,
    flops: perImage ? 12 * B * S * S : 0,
    bytes: perImage ? 3 * B * S * S + 32 * B : 32 * B,
  };
}

function patchesCase(B: number, S: number, patchSize: number): KernelCase {
  return {
    kernel: "image",
    name: `patches of ${patchSize} of ${B} images of ${S}x${S}`,
    variants: ["naive"],
    inputs: () => ({
      pixels: new Uint32Array(casePixels(B, S).buffer),
      statistics: caseValues(8 * B, 2).map((x) => x + 2),
    }),
    outputs: { patches: B * S * S * 3 },
    launch: (gpu, { pixels, statistics, patches }) =>
      extractPatches(gpu, { pixels, statistics, patches }, { B, S, patchSize }),
    reference: ({ statistics }) => ({
      patches: extractPatchesReference(casePixels(B, S), statistics, { B, S, patchSize }),
    }),
    tolerance: 1e-6,
    flops: 9 * B * S * S,
    bytes: 15 * B * S * S,
  };
}

function mergeCase(B: number, side: number, C: number, factor: number, inverse: boolean): KernelCase {
  const words = B * side * side * C;
  return {
    kernel: "image",
    name: `merge by ${factor} of ${B} x ${side}x${side} tokens of ${C}${inverse ? ", inverse" : ""}`,
    variants: ["naive"],
    inputs: () => ({ X: caseValues(words, 1) }),
    outputs: { Y: words },
    launch: (gpu, { X, Y }) => pixelShuffleMerge(gpu, { X, Y }, { B, side, C, factor, inverse }),
    reference: ({ X }) => ({ Y: pixelShuffleMergeReference(X, { B, side, C, factor, inverse }) }),
    tolerance: 0,
    flops: 0,
    bytes: 8 * words,
  };
}

/** Odd images whose rows start inside a word, single pixels, and the compact model's batch of 64. */
export const cases: KernelCase[] = [
  statisticsCase(1, 1, true),
  statisticsCase(3, 9, true),
  statisticsCase(2, 30, true),
  statisticsCase(3, 9, false),
  statisticsCase(64, 64, true),
  patchesCase(1, 1, 1),
  patchesCase(3, 9, 3),
  patchesCase(2, 20, 4),
  patchesCase(3, 10, 2),
  patchesCase(64, 64, 8),
  mergeCase(1, 1, 1, 1, false),
  mergeCase(3, 6, 5, 3, false),
  mergeCase(3, 6, 5, 3, true),
  mergeCase(2, 4, 12, 2, true),
  mergeCase(64, 8, 64, 2, false),
  mergeCase(64, 8, 64, 2, true),
];
