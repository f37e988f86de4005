/**
 * What launches of many kernels share: a flat grid of workgroups, and the checks of sizes and operands' lengths.
 *
 * @module
 */
import type { Slice } from "./storage.ts";

/** Workgroups WebGPU allows in a dimension. */
const MAX_WORKGROUPS = 65535;

/** `count` workgroups as x and y, a few more if they do not divide: shaders find their number as x + y * width. */
export function flatGrid(count: number): [x: number, y: number] {
  const y = Math.max(1, Math.ceil(count / MAX_WORKGROUPS));
  return [Math.ceil(count / y), y];
}

/** Throws a `RangeError` naming the first slice that has fewer words than it needs. */
export function requireWords(action: string, lengths: readonly (readonly [Slice, number])[]): void {
  for (const [slice, words] of lengths) {
    if (slice.length < words) {
      throw new RangeError(`Cannot ${action}: ${slice.label} has ${slice.length} words, it needs ${words}`);
    }
  }
}

/**
 * Throws a `RangeError` naming the first size that is not a whole number of at least 1; those in `orNone` may be 0. A
 * launch over no rows does nothing, but rows of no words are a mistake.
 */
export function requireSizes(
  action: string,
  sizes: Readonly<Record<string, number>>,
  orNone: Readonly<Record<string, number>> = {},
): void {
  for (const [least, named] of [[1, sizes], [0, orNone]] as const) {
    for (const [name, size] of Object.entries(named)) {
      if (Number.isInteger(size) && size >= least) continue;
      throw new RangeError(`Cannot ${action}: ${name} is ${size}, use a whole number of at least ${least}`);
    }
  }
}
