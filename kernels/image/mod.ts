/**
 * From pixels to patches, and from patch tokens to fewer, wider tokens.
 *
 * @module
 */
import { flatGrid, type Gpu, params, read, requireWords, type Slice, write } from "../gpu/mod.ts";
import mergeSource from "./merge.wgsl" with { type: "text" };
import patchesSource from "./patches.wgsl" with { type: "text" };
import statisticsSource from "./statistics.wgsl" with { type: "text" };

/** Sizes of {@linkcode imageStatistics}. */
export interface ImageStatisticsShape {
  /** Images. */
  readonly B: number;
  /** Pixels a side. */
  readonly S: number;
  /** Measures each image; otherwise every mean is 0.5 and every factor 2. */
  readonly perImage: boolean;
}

/** llvmpipe silently ends all loops of an invocation after 65535 rounds in sum; two walks take S^2 / 64 each. */
const MAX_SOFTWARE_S = 1447;

/**
 * What {@linkcode extractPatches} subtracts and multiplies by: statistics (B,8) = means of red, green and blue of
 * x = byte / 255, factors 1 / (std + 0.05) with the population's std, two words of zero. `pixels` (B,S,S,3) holds
 * bytes, 4 to a word in memory order.
 *
 * @throws {RangeError} when an operand is too short, or images are measured that are too large for a software adapter.
 */
export function imageStatistics(
  gpu: Gpu,
  { pixels, statistics }: { pixels: Slice; statistics: Slice },
  { B, S, perImage }: ImageStatisticsShape,
): void {
  requireWords(`measure ${B} images of ${S}x${S}`, [[pixels, pixelWords(B, S)], [statistics, 8 * B]]);
  if (gpu.isSoftware && perImage && S > MAX_SOFTWARE_S) {
    throw new RangeError(
      `Cannot measure ${B} images of ${S}x${S}: on a software adapter S must be at most ${MAX_SOFTWARE_S}`,
    );
  }
  gpu.dispatch({
    kernel: { name: "image/statistics", source: statisticsSource, constants: {} },
    bindings: [read(pixels), write(statistics), params({ B, pixelCount: S * S, perImage })],
    workgroups: [B],
  });
}

/** Sizes of {@linkcode extractPatches}. */
export interface ExtractPatchesShape {
  /** Images. */
  readonly B: number;
  /** Pixels a side of an image. */
  readonly S: number;
  /** Pixels a side of a patch, a divisor of S. */
  readonly patchSize: number;
}

/**
 * patches (B,(S/p)^2,3p^2) = (byte / 255 - mean) * factor, patches in row-major order and each in (py, px, channel)
 * order. `pixels` and `statistics` are those of {@linkcode imageStatistics}.
 */
export function extractPatches(
  gpu: Gpu,
  { pixels, statistics, patches }: { pixels: Slice; statistics: Slice; patches: Slice },
  { B, S, patchSize }: ExtractPatchesShape,
): void {
  const action = `cut ${B} images of ${S}x${S} into patches of ${patchSize}`;
  if (S % patchSize !== 0) throw new RangeError(`Cannot ${action}: ${patchSize} does not divide ${S}`);
  requireWords(action, [[pixels, pixelWords(B, S)], [statistics, 8 * B], [patches, B * S * S * 3]]);
  const vector = patchSize % 4 === 0;
  const n = (B * S * S * 3) / (vector ? 12 : 1);
  gpu.dispatch({
    kernel: {
      name: "image/patches",
      source: patchesSource,
      constants: { VECTOR: vector, SIZE: S, PATCH: patchSize },
    },
    bindings: [read(pixels), read(statistics), write(patches), params({ n })],
    workgroups: flatGrid(Math.ceil(n / 64)),
  });
}

/** Sizes and direction of {@linkcode pixelShuffleMerge}. */
export interface PixelShuffleMergeShape {
  /** Images. */
  readonly B: number;
  /** Tokens a side of X. */
  readonly side: number;
  /** Channels of X. */
  readonly C: number;
  /** Tokens a side that become one, a divisor of `side`. */
  readonly factor: number;
  /** Undoes the merge: from merged tokens in X to small tokens in Y. Also its backward. */
  readonly inverse: boolean;
}

/**
 * X (B,side^2,C) to Y (B,(side/f)^2,f^2 C): merged token (y,x) concatenates the tokens (f y + dy, f x + dx), dy major.
 * With `inverse` X has the merged shape and Y the other.
 */
export function pixelShuffleMerge(
  gpu: Gpu,
  { X, Y }: { X: Slice; Y: Slice },
  { B, side, C, factor, inverse }: PixelShuffleMergeShape,
): void {
  const action = `merge ${side}x${side} tokens of ${C} by ${factor}`;
  if (side % factor !== 0) throw new RangeError(`Cannot ${action}: ${factor} does not divide ${side}`);
  const words = B * side * side * C;
  requireWords(action, [[X, words], [Y, words]]);
  const vector = C % 4 === 0;
  const n = words / (vector ? 4 : 1);
  gpu.dispatch({
    kernel: {
      name: "image/merge",
      source: mergeSource,
      constants: { VECTOR: vector, INVERSE: inverse, SIDE: side, FACTOR: factor, WIDTH: vector ? C / 4 : C },
    },
    bindings: [read(X), write(Y), params({ n })],
    workgroups: flatGrid(Math.ceil(n / 64)),
  });
}

/** Words of B images of S x S RGB bytes. */
function pixelWords(B: number, S: number): number {
  return Math.ceil((B * S * S * 3) / 4);
}
