/**
 * What launches of many kernels share: a flat grid of workgroups, and the check of operands' lengths.
 *
 * @module
 */
import type { Slice } from "./storage.ts";

/** Workgroups WebGPU allows in a dimension. */
const MAX_WORKGROUPS = 65535;

/** `count` workgroups as x and y, a few more where they do not divide: shaders find their number as x + y * width. */
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
