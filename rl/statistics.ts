/** The few statistics that runs report. */

/** Arithmetic mean; NaN for no values. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

/** Population standard deviation (divided by n, not n - 1), in two passes; NaN for no values. */
export function standardDeviation(values: ArrayLike<number>): number {
  const center = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] - center) ** 2;
  return Math.sqrt(sum / values.length);
}

/**
 * Trailing moving average: element `i` is the mean of the last `window` values up to `i`, or of as many as there are.
 *
 * Throws `RangeError` on a window that is not a whole number of at least 1.
 */
export function movingAverage(values: ArrayLike<number>, window: number): Float64Array {
  if (!Number.isInteger(window) || window < 1) {
    throw new RangeError(
      `Cannot average: the window is ${window} values, use a whole number of at least 1`,
    );
  }
  // Each window is summed anew: a running sum would carry rounding errors, and one NaN, to the end.
  return Float64Array.from({ length: values.length }, (_, i) => {
    const from = Math.max(0, i + 1 - window);
    let sum = 0;
    for (let j = from; j <= i; j++) sum += values[j];
    return sum / (i + 1 - from);
  });
}

/**
 * Wilson's score interval of a proportion: where the success rate lies, given `successes` in `n` independent trials.
 * Unlike the textbook interval it stays inside [0, 1] and does not shrink to a point at 0 or n successes. Without
 * trials it is [0, 1].
 *
 * Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference", J. Am. Stat. Assoc. 22, 209-212.
 *
 * @param z Normal quantile: 1.96 for 95% confidence, 2.576 for 99%.
 *
 * Throws `RangeError` unless 0 <= successes <= n, both whole numbers, and z >= 0.
 */
export function wilsonInterval(successes: number, n: number, z = 1.96): [lo: number, hi: number] {
  if (!Number.isInteger(n) || !Number.isInteger(successes) || successes < 0 || successes > n) {
    throw new RangeError(
      `Cannot give an interval: ${successes} successes in ${n} trials, use whole numbers with 0 <= successes <= trials`,
    );
  }
  if (!(z >= 0)) throw new RangeError(`Cannot give an interval: z is ${z}, use a number of at least 0`);
  if (n === 0) return [0, 1];
  const rate = successes / n;
  const scale = 1 + z * z / n;
  const center = (rate + z * z / (2 * n)) / scale;
  const half = z / scale * Math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n));
  // The ends are exact at 0 and n successes; rounding would put them at 1e-17.
  return [successes === 0 ? 0 : center - half, successes === n ? 1 : center + half];
}

/** 97.5% quantiles of Student's t distribution with 1 to 9 degrees of freedom. */
const STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/** The same with any number, from 10 on by Cornish and Fisher's expansion (off by less than 0.001). */
function studentQuantile(degrees: number): number {
  const known = STUDENT[degrees - 1];
  if (known !== undefined) return known;
  const z = 1.959964;
  return z + (z ** 3 + z) / (4 * degrees) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3);
}

/**
 * 95% interval of the mean of independent, roughly normal values: mean +- t * s / sqrt(n). For rates of several seeds
 * it says where the mean over all seeds lies, which an interval of one seed's episodes does not.
 *
 * Source: Student 1908, "The probable error of a mean", Biometrika 6, 1-25.
 *
 * Throws `RangeError` on fewer than two values.
 */
export function studentInterval(values: ArrayLike<number>): [lo: number, hi: number] {
  const n = values.length;
  if (n < 2) throw new RangeError(`Cannot give an interval: there are ${n} values, use at least 2`);
  const center = mean(values);
  const half = studentQuantile(n - 1) * standardDeviation(values) / Math.sqrt(n - 1);
  return [center - half, center + half];
}
