/**
 * The few statistics that runs report.
 *
 * @module
 */

/** Computes the arithmetic mean; NaN for no values. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

/** Computes the population standard deviation (divided by n, not n - 1), in two passes; NaN for no values. */
export function standardDeviation(values: ArrayLike<number>): number {
  const center = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] - center) ** 2;
  return Math.sqrt(sum / values.length);
}

/** Root of the mean square: the standard deviation about 0; NaN for no values. */
export function rootMeanSquare(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ** 2;
  return Math.sqrt(sum / values.length);
}

/**
 * Computes Wilson's score interval of a success rate, given `successes` in `n` independent trials.
 * Unlike the textbook interval it stays inside [0, 1] and does not shrink to a point at 0 or n successes. Without
 * trials it is [0, 1].
 *
 * Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference", J. Am. Stat. Assoc. 22, 209-212.
 *
 * @param z Normal quantile: 1.96 for 95% confidence, 2.576 for 99%.
 *
 * @throws {RangeError} unless 0 <= successes <= n, both whole numbers, and z >= 0.
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
