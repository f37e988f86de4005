/**
 * Statistics over many runs.
 *
 * @module
 */
import { mean, standardDeviation } from "../statistics.ts";

/**
 * Computes a trailing moving average: element `i` is the mean of the last `window` values up to `i`, or of as many as there are.
 *
 * @throws {RangeError} for a window that is not a whole number of at least 1.
 */
export function movingAverage(values: ArrayLike<number>, window: number): Float64Array {
  if (!Number.isInteger(window) || window < 1) {
    throw new RangeError(
      `Cannot average: the window is ${window} values, use a whole number of at least 1`,
    );
  }
  // Each window is summed anew. A running sum would carry rounding errors and NaN to the end.
  return Float64Array.from({ length: values.length }, (_, i) => {
    const from = Math.max(0, i + 1 - window);
    let sum = 0;
    for (let j = from; j <= i; j++) sum += values[j];
    return sum / (i + 1 - from);
  });
}

/** 97.5% quantiles of Student's t distribution with 1 to 9 degrees of freedom. */
const STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/**
 * Computes the 97.5% quantile of Student's t distribution. From 10 degrees of freedom on it uses Cornish and Fisher's expansion,
 * which is off by less than 0.001.
 *
 * @param degrees A whole number of at least 1.
 */
export function studentQuantile(degrees: number): number {
  const known = STUDENT[degrees - 1];
  if (known !== undefined) return known;
  const z = 1.959964;
  return z + (z ** 3 + z) / (4 * degrees) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3);
}

/**
 * Computes the 95% interval of the mean of independent, roughly normal values: mean +- t * s / sqrt(n). For the rates of
 * several seeds it covers the mean over all possible seeds. An interval over one seed's episodes does not.
 *
 * Source: Student 1908, "The probable error of a mean", Biometrika 6, 1-25.
 *
 * @throws {RangeError} for fewer than two values.
 */
export function studentInterval(values: ArrayLike<number>): [lo: number, hi: number] {
  const n = values.length;
  if (n < 2) throw new RangeError(`Cannot give an interval: there are ${n} values, use at least 2`);
  const center = mean(values);
  const half = studentQuantile(n - 1) * standardDeviation(values) / Math.sqrt(n - 1);
  return [center - half, center + half];
}
