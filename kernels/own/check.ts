/**
 * Whether a kernel's results are right: against a reference in plain loops.
 *
 * @module
 */

/** The worst element that {@linkcode checkKernel} found. */
export interface KernelCheck {
  /** Largest |actual - expected| / (1 + |expected|): relative for large values, absolute for small ones. */
  readonly largestError: number;
  /** Where it is; -1 when there are no elements. */
  readonly index: number;
  /** What the kernel wrote there. */
  readonly actual: number;
  /** What the reference has there. */
  readonly expected: number;
}

/**
 * Compares what a kernel wrote with a reference, and finds the worst element. NaN is right only if the reference has
 * NaN, an infinity only if it has the same one.
 *
 * @throws {RangeError} when the lengths differ, or the largest error exceeds `tolerance`; without one it only reports.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { checkKernel } from "@ponder/ponder/kernels";
 *
 * const { largestError, index } = checkKernel([1, 2.5, 3], [1, 2, 3]);
 * console.log(`largest error ${largestError} at ${index}`);
 * assertThrows(() => checkKernel([1, 2.5, 3], [1, 2, 3], { tolerance: 1e-6 }), RangeError);
 * ```
 */
export function checkKernel(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { tolerance = Infinity, name = "the kernel" }: {
    /** Largest error that passes. */
    readonly tolerance?: number;
    /** What the message calls the kernel. */
    readonly name?: string;
  } = {},
): KernelCheck {
  if (actual.length !== expected.length) {
    throw new RangeError(
      `Cannot check ${name}: it wrote ${actual.length} words, the reference has ${expected.length}`,
    );
  }
  const worst = worstElement(actual, expected);
  // A tolerance of NaN accepts nothing.
  if (!(worst.largestError <= tolerance)) {
    throw new RangeError(
      `Cannot accept ${name}: word ${worst.index} is ${worst.actual}, the reference has ${worst.expected}, ` +
        `error ${worst.largestError} exceeds ${tolerance}`,
    );
  }
  return worst;
}

/** Finds the element with the largest error. Both have the same length. */
export function worstElement(actual: ArrayLike<number>, expected: ArrayLike<number>): KernelCheck {
  let worst: KernelCheck = { largestError: -1, index: -1, actual: NaN, expected: NaN };
  for (let index = 0; index < actual.length; index++) {
    const error = errorOf(actual[index], expected[index]);
    if (error > worst.largestError) {
      worst = { largestError: error, index, actual: actual[index], expected: expected[index] };
    }
  }
  return worst.index < 0 ? { ...worst, largestError: 0 } : worst;
}

function errorOf(actual: number, expected: number): number {
  if (Object.is(actual, expected)) return 0;
  const error = Math.abs(actual - expected) / (1 + Math.abs(expected));
  return Number.isNaN(error) ? Infinity : error;
}
