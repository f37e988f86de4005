/**
 * Several episodes of each deal: how often one succeeds, and how often one of k does.
 *
 * @module
 */
import { mean, wilsonInterval } from "./statistics.ts";

/** What samples of each deal say. Intervals are over deals, which are independent; samples of one deal are not. */
export interface SampledDeals {
  /** Episodes of each deal. */
  readonly samples: number;
  /** Deals. */
  readonly deals: number;
  /** Mean over deals of the share of its episodes that succeeded. */
  readonly success: number;
  /** 95% interval of `success`. */
  readonly ci95: readonly [lo: number, hi: number];
  /** Chance that one of k episodes of a deal succeeds, for k = 1, 2, 4 … and all samples, each with its 95% interval. */
  readonly passAt: readonly {
    readonly k: number;
    readonly success: number;
    readonly ci95: readonly [lo: number, hi: number];
  }[];
}

/**
 * pass@k of a deal with `successes` in `samples`, without bias:
 *
 *     1 - C(n - c, k) / C(n, k) = 1 - prod_{i = n-c+1 .. n} (1 - k / i)
 *
 * Source: Chen et al. 2021 (arXiv:2107.03374), equation 1 and its figure 3.
 *
 * Throws `RangeError` unless 0 <= successes <= samples and 1 <= k <= samples, all whole numbers.
 *
 * @example Half of two samples succeeded: one drawn of them succeeds half of the time, both drawn always hold one
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { passAt } from "@ponder/ponder/rl";
 *
 * assertEquals([passAt(1, 2, 1), passAt(1, 2, 2)], [0.5, 1]);
 * ```
 */
export function passAt(successes: number, samples: number, k: number): number {
  const areWhole = [successes, samples, k].every(Number.isInteger);
  if (!areWhole || successes < 0 || successes > samples || k < 1 || k > samples) {
    throw new RangeError(
      `Cannot give pass@${k}: ${successes} of ${samples} samples succeeded, ` +
        "use whole numbers with 0 <= successes <= samples and 1 <= k <= samples",
    );
  }
  let fails = 1;
  for (let i = samples - successes + 1; i <= samples; i++) fails *= 1 - k / i;
  return 1 - fails;
}

/** Counts by deal. `outcomes` has the samples of each deal together, as `EvaluationResult.outcomes`. */
export function sampledDeals(outcomes: string, samples: number): SampledDeals {
  const deals = outcomes.length / samples;
  if (!Number.isInteger(deals) || deals < 1) {
    throw new RangeError(
      `Cannot count by deal: ${outcomes.length} episodes are no whole number of deals with ${samples} samples each`,
    );
  }
  const successes = Array.from({ length: deals }, (_, deal) => {
    const own = outcomes.slice(deal * samples, (deal + 1) * samples);
    return Array.from(own).filter((digit) => digit === "1").length;
  });
  const ks = [...new Set([1, 2, 4, 8, 16, 32, 64, 128, 256].filter((k) => k < samples)), samples];
  const rate = (shares: readonly number[]) => ({ success: mean(shares), ci95: dealInterval(shares) });
  return {
    samples,
    deals,
    ...rate(successes.map((count) => count / samples)),
    passAt: ks.map((k) => ({ k, ...rate(successes.map((count) => passAt(count, samples, k))) })),
  };
}

/**
 * 95% interval of a mean over deals, by the normal approximation, within [0, 1]; all of it for a single deal. When every deal
 * came out 0 or every one 1, that would be a point, and Wilson's interval over deals stands in.
 */
function dealInterval(shares: readonly number[]): readonly [number, number] {
  const n = shares.length;
  if (n < 2) return [0, 1];
  const center = mean(shares);
  if (center === 0 || center === 1) return wilsonInterval(center * n, n);
  const half = 1.96 * Math.sqrt(shares.reduce((sum, x) => sum + (x - center) ** 2, 0) / (n - 1) / n);
  return [Math.max(0, center - half), Math.min(1, center + half)];
}
