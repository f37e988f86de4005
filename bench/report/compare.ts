/**
 * Compares two saved runs, and says which differences are more than noise.
 *
 * @module
 */
import type { Spread } from "../../kernels/measure.ts";
import { type BenchRow, type BenchRun, type FailedRow, shapeKey } from "../types.ts";

/** How a row moved from the first run to the second. */
export interface Change {
  readonly key: string;
  readonly variant: string;
  readonly beforeUs: Spread | null;
  readonly afterUs: Spread | null;
  /** Time before over time after, so that above 1 is faster. Null if a run lacks the row. */
  readonly speedup: number | null;
  readonly verdict: "faster" | "slower" | "noise" | "failed" | "only before" | "only after";
}

/** A difference below this share is always noise: two runs of the same code differ by as much. */
export const LEAST_CHANGE = 0.05;

/** The time that rows are compared by: CPU time if both runs have it, since other work moves it less; else wall time. */
export type ComparedBy = "busy" | "wall";

/**
 * Compares rows by shape and variant. A change is noise if it is below {@linkcode LEAST_CHANGE}, or if the spreads of the two
 * medians overlap. A spread is that of the quartiles, doubled. If the machine's load changed between the runs, that looks like
 * changes too. Rows of peers and naive variants show it, since their code stays the same.
 */
export function compareRuns(before: BenchRun, after: BenchRun): { by: ComparedBy; changes: Change[] } {
  const by: ComparedBy = [before, after].every((run) => run.rows.every(({ busyUs }) => busyUs !== null))
    ? "busy"
    : "wall";
  const timeOf = (row: BenchRow | undefined) =>
    row === undefined ? null : by === "busy" ? row.busyUs : row.wallUs;
  const keyOf = (row: BenchRow | FailedRow) => `${shapeKey(row)}\n${row.variant}`;
  const earlier = new Map(before.rows.map((row) => [keyOf(row), row]));
  const later = new Map(after.rows.map((row) => [keyOf(row), row]));
  const failed = new Set((after.failures ?? []).map(keyOf));
  const keys = [...new Set([...earlier.keys(), ...later.keys(), ...failed])];
  const changes = keys.map((both): Change => {
    const [key, variant] = both.split("\n");
    const beforeUs = timeOf(earlier.get(both));
    const afterUs = timeOf(later.get(both));
    if (beforeUs === null || afterUs === null) {
      return {
        key,
        variant,
        beforeUs,
        afterUs,
        speedup: null,
        verdict: failed.has(both) ? "failed" : afterUs ? "only after" : "only before",
      };
    }
    const speedup = beforeUs.median / afterUs.median;
    return { key, variant, beforeUs, afterUs, speedup, verdict: verdictOf(beforeUs, afterUs) };
  });
  return { by, changes };
}

function verdictOf(before: Spread, after: Spread): Change["verdict"] {
  const [a, b] = [widen(before), widen(after)];
  const overlap = a.low <= b.high && b.low <= a.high;
  const isSmall = Math.abs(Math.log(before.median / after.median)) < Math.log(1 + LEAST_CHANGE);
  if (overlap || isSmall) return "noise";
  return after.median < before.median ? "faster" : "slower";
}

const widen = ({ median, low, high }: Spread): { low: number; high: number } => ({
  low: median - 2 * (median - low),
  high: median + 2 * (high - median),
});

/**
 * Reads a saved run.
 *
 * @throws {SyntaxError} when the text is not a saved run.
 */
export function parseRun(text: string, path: string): BenchRun {
  let run: Partial<BenchRun>;
  try {
    run = JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError(`Cannot compare ${path}: it is not JSON, give files that the benchmark saved`, {
      cause,
    });
  }
  if (typeof run !== "object" || run === null || !Array.isArray(run.rows) || run.ceiling === undefined) {
    throw new SyntaxError(
      `Cannot compare ${path}: it has no rows and ceiling, give files that the benchmark saved`,
    );
  }
  return run as BenchRun;
}
