/**
 * Finds whether a series grows: its slope, with an interval that allows for the correlation of neighbours.
 *
 * @module
 */
import { studentQuantile } from "../rl/report/statistics.ts";

/** The straight line through a series. A step is the distance from one element to the next. */
export interface Trend {
  /** Change per step, by least squares. */
  readonly slope: number;
  /** 95% interval of the slope; infinite if the series is worth fewer than three independent values. */
  readonly interval: readonly [low: number, high: number];
  /** Correlation of each residual with the next; at least 0. */
  readonly autocorrelation: number;
  /** Number of independent values that the series is worth. */
  readonly effectiveCount: number;
}

/**
 * Fits a line. Its interval assumes that each residual depends on the one before, with their lag-one correlation r. Then n values
 * are worth n (1 - r) / (1 + r) independent ones, in the standard error and in the degrees of freedom. Memory and a machine's
 * speed change in steps that last. Plain least squares would find a trend in them.
 *
 * Source: Santer et al. 2000, "Statistical significance of trends and trend differences in layer-average atmospheric
 * temperature time series", J. Geophys. Res. 105, 7337-7356, section 4.
 *
 * @throws {RangeError} for fewer than three values, or one that is not finite.
 */
export function trendOf(values: readonly number[]): Trend {
  const n = values.length;
  if (n < 3) throw new RangeError(`Cannot fit a line: there are ${n} values, use at least 3`);
  if (!values.every(Number.isFinite)) throw new RangeError("Cannot fit a line: a value is not finite");
  const middle = (n - 1) / 2;
  const mean = values.reduce((sum, value) => sum + (value - values[0]) / n, 0);
  let products = 0, squares = 0;
  values.forEach((value, i) => {
    products += (i - middle) * (value - values[0] - mean);
    squares += (i - middle) ** 2;
  });
  const slope = products / squares;
  const residuals = values.map((value, i) => value - values[0] - mean - slope * (i - middle));
  const squared = residuals.reduce((sum, residual) => sum + residual ** 2, 0);
  // If only rounding keeps the series from being a line, its slope is certain, however few values it is worth.
  if (squared <= 1e-20 * slope ** 2 * squares) {
    return { slope, interval: [slope, slope], autocorrelation: 0, effectiveCount: n };
  }
  const shifted = residuals.slice(1).reduce((sum, residual, i) => sum + residual * residuals[i], 0);
  const autocorrelation = Math.max(0, shifted / squared);
  const effectiveCount = n * (1 - autocorrelation) / (1 + autocorrelation);
  const half = effectiveCount < 3
    ? Infinity
    : studentQuantile(Math.floor(effectiveCount - 2)) * Math.sqrt(squared / (effectiveCount - 2) / squares);
  return { slope, interval: [slope - half, slope + half], autocorrelation, effectiveCount };
}
