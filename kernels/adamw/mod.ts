/**
 * AdamW over contiguous parameters with the global-norm clip and the zeroing of gradients, all on the GPU.
 *
 * Parameters, gradients and moments are one slice each, made of 64-word blocks; a block belongs to a group, and a
 * group says how its blocks are updated.
 *
 * @module
 */
import { flatGrid, type Gpu, params, read, requireWords, roundUp, type Slice, write } from "../gpu/mod.ts";
import adamwSource from "./adamw.wgsl" with { type: "text" };
import normPartialsSource from "./norm_partials.wgsl" with { type: "text" };
import normTotalSource from "./norm_total.wgsl" with { type: "text" };

/** Words of a block: slices start on multiples of it, so no block holds two parameters. */
export const ADAMW_BLOCK_WORDS = 64;

/** Sizes of {@linkcode gradientNorms} and {@linkcode adamw}. */
export interface AdamwShape {
  /** Words of all parameters, whole blocks. */
  readonly words: number;
  /** Groups. */
  readonly G: number;
}

/** What {@linkcode gradientNorms} reads and writes. */
export interface GradientNormsOperands {
  /** (words). */
  readonly gradients: Slice;
  /** (words/64) u32: each block's group. */
  readonly blockGroups: Slice;
  /** (G,4): learning-rate scale (0 freezes), weight decay, clip group (0 or 1), unused. */
  readonly groups: Slice;
  /** Scratch of {@linkcode gradientNormsPartialsWords}. */
  readonly partials: Slice;
  /** (4), written: norm of clip group 0, norm of clip group 1, 1 when all is finite else 0, 0. */
  readonly norms: Slice;
}

/** Words of scratch for {@linkcode gradientNorms} over `words` words. */
export function gradientNormsPartialsWords(words: number): number {
  return 4 * normLanes(words);
}

/** Invocations of the first launch: four blocks' worth each, within what one workgroup can soon add. */
function normLanes(words: number): number {
  return Math.min(16384, roundUp(Math.max(1, words / 256), 64));
}

/** The Euclidean norms of the two clip groups' gradients, frozen groups left out, and whether they are finite. */
export function gradientNorms(gpu: Gpu, operands: GradientNormsOperands, { words, G }: AdamwShape): void {
  const { gradients, blockGroups, groups, partials, norms } = operands;
  const lanes = normLanes(words);
  const parts = gpu.isSoftware ? 1 : 4;
  requireBlocks("take gradient norms", words, [
    [gradients, words],
    [blockGroups, words / ADAMW_BLOCK_WORDS],
    [groups, 4 * G],
    [partials, 4 * lanes],
    [norms, 4],
  ]);
  gpu.dispatch({
    kernel: {
      name: "adamw/norm_partials",
      source: normPartialsSource,
      constants: { PARTS: parts, VEC4S_PER_PART: 16 / parts },
    },
    bindings: [
      read(gradients),
      read(blockGroups),
      read(groups),
      write(partials),
      params({ partCount: (words / ADAMW_BLOCK_WORDS) * parts, L: lanes, G }),
    ],
    workgroups: [lanes / 64],
  });
  gpu.dispatch({
    kernel: { name: "adamw/norm_total", source: normTotalSource, constants: {} },
    bindings: [read(partials), write(norms), params({ L: lanes })],
    workgroups: [1],
  });
}

/** What {@linkcode adamw} reads and writes. */
export interface AdamwOperands {
  /** (words), updated. */
  readonly parameters: Slice;
  /** (words), read and set to zero, those of frozen groups too. */
  readonly gradients: Slice;
  /** (words), updated: the first moment. */
  readonly m: Slice;
  /** (words), updated: the second moment. */
  readonly v: Slice;
  /** (words/64) u32: each block's group. */
  readonly blockGroups: Slice;
  /** (G,4): learning-rate scale (0 freezes), weight decay, clip group (0 or 1), unused. */
  readonly groups: Slice;
  /**
   * (16): learning rate, beta1, beta2, epsilon, 1 - beta1^t, 1 - beta2^t, largest norm of clip group 0 and of clip
   * group 1 (0 or less for no clip); the rest is unused.
   */
  readonly settings: Slice;
  /** (4), as {@linkcode gradientNorms} wrote it. */
  readonly norms: Slice;
}

/**
 * One step of AdamW on clipped gradients, which become zero. When the norms are not finite, nothing but the zeroing
 * happens: parameters and moments survive a bad batch.
 */
export function adamw(gpu: Gpu, operands: AdamwOperands, { words, G }: AdamwShape): void {
  const { parameters, gradients, m, v, blockGroups, groups, settings, norms } = operands;
  requireBlocks("update parameters", words, [
    [parameters, words],
    [gradients, words],
    [m, words],
    [v, words],
    [blockGroups, words / ADAMW_BLOCK_WORDS],
    [groups, 4 * G],
    [settings, 16],
    [norms, 4],
  ]);
  // On llvmpipe a look-up of settings costs as much as a vec4; on GPUs neighbours must read neighbours.
  const VEC4S = gpu.isSoftware ? 4 : 1;
  const lanes = words / 4 / VEC4S;
  gpu.dispatch({
    kernel: { name: "adamw/adamw", source: adamwSource, constants: { VEC4S, LANES: 16 / VEC4S } },
    bindings: [
      ...[parameters, gradients, m, v].map(write),
      ...[blockGroups, groups, settings, norms].map(read),
      params({ lanes, G }),
    ],
    workgroups: flatGrid(Math.ceil(lanes / 64)),
  });
}

function requireBlocks(action: string, words: number, lengths: readonly (readonly [Slice, number])[]): void {
  if (words % ADAMW_BLOCK_WORDS !== 0) {
    throw new RangeError(
      `Cannot ${action}: ${words} words are not whole blocks, pad to a multiple of ${ADAMW_BLOCK_WORDS}`,
    );
  }
  requireWords(action, lengths);
}
