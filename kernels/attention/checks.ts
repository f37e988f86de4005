/**
 * Shape checks and the choice of a variant, shared by the launches of this folder.
 *
 * @module
 */
import { environment, type Gpu, type Slice } from "../gpu/mod.ts";
import { naiveUnroll } from "./tiles.ts";

/** Largest head size: what a lane keeps in registers or private memory. */
const MAX_HEAD_SIZE = 128;

/** Throws a `RangeError` unless every size is a positive integer and `D` at most 128. */
export function checkSizes(action: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isInteger(size) || size < 1) {
      throw new RangeError(`Cannot ${action}: ${name} is ${size}, pass an integer of at least 1`);
    }
  }
  if (sizes.D > MAX_HEAD_SIZE) {
    throw new RangeError(`Cannot ${action}: head size D is ${sizes.D}, use one of at most ${MAX_HEAD_SIZE}`);
  }
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
 * on a software adapter. A naive kernel has two inner loops over `D` a row, each with a last round that only ends it.
 */
export function checkRounds(
  action: string,
  gpu: Gpu,
  { name, rows, D, isNaive }: { name: string; rows: number; D: number; isNaive: boolean },
): void {
  const roundsPerRow = isNaive ? 1 + 2 * (D / naiveUnroll(D) + 1) : 1;
  // The loops before and after the walk over the rows.
  const limit = Math.floor((MAX_ROUNDS - 2 * (D + 1)) / roundsPerRow);
  if (!gpu.isSoftware || rows <= limit) return;
  throw new RangeError(
    `Cannot ${action} with ${isNaive ? "the naive variant" : "any variant"}: ${name} is ${rows}, ` +
      `use at most ${limit} at head size ${D} on a software adapter, whose loops end after ${MAX_ROUNDS} rounds`,
  );
}

/**
 * The variant to launch: the one asked for, else `PONDER_VARIANT` where it applies, else `fast` when `prefersFast`,
 * else `naive`. `fast` wants `width` (named `widthName`) to be a multiple of 4.
 */
export function chooseVariant<Fast extends string>(
  action: string,
  asked: string | undefined,
  fast: Fast,
  prefersFast: boolean,
  widthName: string,
  width: number,
): Fast | "naive" {
  const fits = width % 4 === 0;
  if (asked !== undefined) {
    if (asked !== fast && asked !== "naive") {
      throw new RangeError(`Cannot ${action}: no variant "${asked}", use "naive" or "${fast}"`);
    }
    if (asked === fast && !fits) {
      throw new RangeError(
        `Cannot ${action} with variant "${fast}": ${widthName} is ${width}, it must be a multiple of 4`,
      );
    }
    return asked as Fast | "naive";
  }
  const forced = environment("PONDER_VARIANT");
  if (forced === "naive") return "naive";
  if (!fits) return "naive";
  return forced === fast || prefersFast ? fast : "naive";
}
