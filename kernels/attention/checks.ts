/**
 * Shape checks shared by the launches of this folder.
 *
 * @module
 */
import { type Gpu, requireSizes, type Slice } from "../gpu/mod.ts";
import { naiveUnroll } from "./tiles.ts";

/** Largest head size: what a lane keeps in registers or private memory. */
const MAX_HEAD_SIZE = 128;

/** Throws a `RangeError` unless every size is a whole number of at least 1 and `D` at most 128. */
export function checkSizes(action: string, sizes: Readonly<Record<string, number>>): void {
  requireSizes(action, sizes);
  if (sizes.D > MAX_HEAD_SIZE) {
    throw new RangeError(`Cannot ${action}: head size D is ${sizes.D}, use one of at most ${MAX_HEAD_SIZE}`);
  }
}

/** Heads that share a key-value head. Throws a `RangeError` unless K, if it is given, divides H. */
export function headsPerKey({ H, K = H }: { readonly H: number; readonly K?: number }): number {
  if (Number.isInteger(K) && K >= 1 && H % K === 0) return H / K;
  throw new RangeError(`Cannot share keys and values: the ${K} key-value heads must divide the ${H} heads`);
}

/** Words of a row `[q | k | v]`. */
export function rowWidth(shape: { readonly H: number; readonly K?: number; readonly D: number }): number {
  return (shape.H + 2 * shape.H / headsPerKey(shape)) * shape.D;
}

/** Throws a `RangeError` when a slice is too short for the product of its dimensions. */
export function checkWords(
  action: string,
  name: string,
  slice: Slice,
  dimensions: readonly number[],
): void {
  const words = dimensions.reduce((product, size) => product * size, 1);
  if (slice.length < words) {
    throw new RangeError(
      `Cannot ${action}: ${name} (${
        dimensions.join(",")
      }) needs ${words} words, got ${slice.length} in ${slice.label}`,
    );
  }
}

/** llvmpipe silently ends all loops of an invocation after this many rounds in sum. */
const MAX_ROUNDS = 65535;

/**
 * Throws a `RangeError` when the loops of an invocation that walks `rows` rows (`name` in messages) would not finish
 * on a software adapter.
 */
export function checkRounds(
  action: string,
  gpu: Gpu,
  { name, rows, D, variant, turns = 1 }: {
    name: string;
    rows: number;
    D: number;
    variant: string;
    /** How often it walks over them. */
    turns?: number;
  },
): void {
  // The loops before and after the walk over the rows.
  const limit = Math.floor((MAX_ROUNDS - 2 * (D + 1)) / roundsPerRow(variant, D) / turns);
  if (!gpu.isSoftware || rows <= limit) return;
  throw new RangeError(
    `Cannot ${action} with the ${variant} variant: ${name} is ${rows}, ` +
      `use at most ${limit} at head size ${D} on a software adapter, whose loops end after ${MAX_ROUNDS} rounds`,
  );
}

function roundsPerRow(variant: string, D: number): number {
  // Two inner loops over D a row, each with a last round that only ends it.
  if (variant === "naive") return 1 + 2 * (D / naiveUnroll(D) + 1);
  // A tiled kernel stages a tile in up to 5 rounds and takes it in up to TILE/4 + 1; TILE is at least 8.
  return variant === "tiled" ? 2 : 1;
}

/** Why the variants that read whole vec4s cannot take a width; null when they can. */
export function vec4Obstacle(widthName: string, width: number): (variant: string) => string | null {
  return (variant) =>
    variant === "naive" || width % 4 === 0 ? null : `${widthName} is ${width}, it must be a multiple of 4`;
}
