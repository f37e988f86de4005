/**
 * Shape checks and the choice of a variant, shared by the launches of this folder.
 *
 * @module
 */
import { environment, type Slice } from "../gpu/mod.ts";

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
