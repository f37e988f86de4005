/**
 * Statistics that compare policies over seeds, episodes and tasks. Everything is f64; what is random is seeded.
 *
 * Source of probability of improvement, interquartile mean and the stratified bootstrap: Agarwal et al. 2021, "Deep
 * Reinforcement Learning at the Edge of the Statistical Precipice" (arXiv:2108.13264), whose library is rliable.
 *
 * @module
 */
import { Random } from "../../envs/mod.ts";
import { mean } from "../statistics.ts";

/** Lower and upper end. */
export type Interval = readonly [lo: number, hi: number];

/** Normal quantile of a 95% interval. */
const Z = 1.959964;
/** Draws of a bootstrap: the error of its ends is then some 2% of its width. */
const DRAWS = 2000;

/**
 * Mean of paired differences `b[i] - a[i]` with its 95% interval,
 *
 *     d +- z s / sqrt(n),   s^2 = sum_i (d_i - d)^2 / (n - 1)
 *
 * for many pairs, such as the episodes of one panel. What both have in common, such as a deal that nobody can win, cancels.
 * For two proportions it is Wald's interval of McNemar's design (Agresti 2002, "Categorical Data Analysis", section 10.1.1).
 *
 * Throws `RangeError` unless there are as many values on both sides, and at least two.
 */
export function pairedDifference(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
): { readonly difference: number; readonly ci95: Interval } {
  const n = a.length;
  if (n !== b.length || n < 2) {
    throw new RangeError(
      `Cannot compare pairs: there are ${n} values and ${b.length}, use as many of both, at least 2`,
    );
  }
  const differences = Float64Array.from({ length: n }, (_, i) => b[i] - a[i]);
  const difference = mean(differences);
  const squares = differences.reduce((sum, d) => sum + (d - difference) ** 2, 0);
  const half = Z * Math.sqrt(squares / (n - 1) / n);
  return { difference, ci95: [difference - half, difference + half] };
}

/**
 * Probability that a run of `b` is better than a run of `a`:
 *
 *     P = 1 / (m n)  sum_ij  [b_j > a_i] + [b_j = a_i] / 2
 *
 * which is Mann and Whitney's U over m n (doi:10.1214/aoms/1177730491). 0.5 says that neither is better. NaN without values.
 */
export function probabilityOfImprovement(a: readonly number[], b: readonly number[]): number {
  let wins = 0;
  for (const x of a) for (const y of b) wins += y > x ? 1 : y === x ? 0.5 : 0;
  return wins / (a.length * b.length);
}

/**
 * Mean of the middle half of the values: a quarter of them is cut off at either end, fractions of a value included. It is as
 * robust as the median and wastes less.
 *
 * With n values sorted, the i-th counts by how much of [i, i + 1] lies within [n / 4, 3 n / 4]. NaN without values.
 */
export function interquartileMean(values: readonly number[]): number {
  const sorted = values.toSorted((x, y) => x - y);
  const n = sorted.length;
  const [from, to] = [n / 4, 3 * n / 4];
  const total = sorted.reduce((sum, value, i) => {
    const share = Math.max(0, Math.min(i + 1, to) - Math.max(i, from));
    return sum + share * value;
  }, 0);
  return total / (n / 2);
}

/**
 * 95% percentile interval of a statistic of several strata, such as the runs of several tasks: each stratum is drawn anew from
 * its own values, with replacement (Efron 1979, doi:10.1214/aos/1176344552).
 */
export function bootstrapInterval(
  strata: readonly (readonly number[])[],
  statistic: (strata: readonly (readonly number[])[]) => number,
  draws = DRAWS,
): Interval {
  const random = new Random(0, "bootstrap");
  const values = Float64Array.from(
    { length: draws },
    () => statistic(strata.map((values) => values.map(() => values[random.integer(values.length)]))),
  ).sort();
  return [quantile(values, 0.025), quantile(values, 0.975)];
}

/** Quantile of sorted values, linear between them (Hyndman and Fan's type 7, doi:10.2307/2684934). */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}
