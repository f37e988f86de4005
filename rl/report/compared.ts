/**
 * What can be compared, and the comparison: runs, results and experiments, paired by seed and by episode.
 *
 * @module
 */
import { exists, readJson } from "../../model/files.ts";
import { formatShare, formatTable, runPath, shown, UsageError } from "../cli/mod.ts";
import { mean } from "../statistics.ts";
import { RunFolder } from "../run/folder.ts";
import { type Places, readResults } from "./cells.ts";
import {
  bootstrapInterval,
  type Interval,
  pairedDifference,
  probabilityOfImprovement,
} from "./comparison.ts";
import { experiments } from "./experiments.ts";
import type { EvaluationSummary, KeptResult } from "./result.ts";
import { studentInterval } from "./statistics.ts";

/** Which evaluation of each run counts. */
export type Which = "sampled" | "greedy" | "after SFT, sampled" | "after SFT, greedy";

/** A policy trained with one seed or more. */
export interface Compared {
  /** As it was named. */
  readonly name: string;
  /** By the seed of the run. */
  readonly runs: ReadonlyMap<number, ComparedResult>;
}

/** A result, and the policy that it belongs to. */
export interface ComparedResult extends KeptResult {
  /** Short name of the environment. */
  readonly environment?: string;
  /** Deals that were played; as many as there are outcomes when absent. More outcomes are several samples of each deal. */
  readonly deals?: number;
}

/** One policy against another. Shares are in [0, 1]. */
export interface Comparison {
  readonly a: string;
  readonly b: string;
  /** Seeds that both were trained with. */
  readonly seeds: number;
  /** Deals that both played with each seed; null if one of them did not keep what came of each, or played others. */
  readonly episodes: number | null;
  /** Mean success over those seeds. */
  readonly success: readonly [a: number, b: number];
  /** Mean over seeds of b's success less a's. */
  readonly difference: number;
  /** Student's 95% interval over seeds, of three or more: what training gives on average. */
  readonly overSeeds: Interval | null;
  /** 95% interval over the paired episodes, with the weights as they are; null without episodes. */
  readonly overEpisodes: Interval | null;
  /** Probability that a run of b succeeds more often than one of a, whatever their seeds. */
  readonly improvement: number;
  /** Its 95% bootstrap interval over seeds, of three or more. */
  readonly improvementCi95: Interval | null;
}

/**
 * Finds what a name stands for: a run folder, a result file, or an experiment as `TASK/NAME`.
 *
 * @throws {UsageError} if it is none of these, or has no such evaluation.
 */
export async function findCompared(
  name: string,
  which: Which,
  places: Pick<Places, "results">,
): Promise<Compared> {
  const experiment = experiments.find((e) => `${e.environment}/${e.name}` === name);
  if (experiment !== undefined) {
    const cells = (await readResults(places)).filter((cell) => cell.experiment === experiment);
    if (cells.length === 0) {
      throw new UsageError(`Cannot compare ${name}: it has no results yet, run reproduce`);
    }
    return { name, runs: new Map(cells.map(({ seed, summary }) => [seed ?? 0, pick(name, summary, which)])) };
  }
  const path = runPath(name);
  const file = path.endsWith(".json") ? path : `${path}/summary.json`;
  if (!await exists(file)) {
    throw new UsageError(
      `Cannot compare ${shown(name)}: use a run folder with a summary.json, a result such as ` +
        "results/NumberLine/default-s0.json, or an experiment such as NumberLine/default",
    );
  }
  // A run proves what it holds.
  const isRun = file !== path && await exists(`${path}/config.json`);
  const summary = (isRun ? await (await RunFolder.open(path)).readSummary() : await readJson(file)) as
    & Summary
    & { readonly seed?: number | null };
  return { name, runs: new Map([[summary.seed ?? 0, pick(name, summary, which)]]) };
}

interface Summary {
  readonly evaluation?: Evaluated | null;
  readonly evaluation_after_sft?: Evaluated | null;
}

type Evaluated = EvaluationSummary & { readonly environment?: string };

function pick(name: string, summary: Summary, which: Which): ComparedResult {
  const evaluation = which.startsWith("after SFT") ? summary.evaluation_after_sft : summary.evaluation;
  const result = which.endsWith("greedy") ? evaluation?.greedy : evaluation?.sampled;
  if (typeof result?.success === "number") {
    return { ...result, environment: evaluation?.environment, deals: evaluation?.episodes };
  }
  throw new UsageError(`Cannot compare ${name}: it was not evaluated ${which}`);
}

/**
 * Compares b with a over the seeds that both have. Runs of one seed each are a pair whatever their seeds.
 *
 * @throws {UsageError} if they share no seed, or played other deals or another environment.
 */
export function compare(a: Compared, b: Compared): Comparison {
  const pairs = pairsOf(a, b);
  if (pairs.length === 0) throw new UsageError(`Cannot compare ${a.name} with ${b.name}: they share no seed`);
  for (const [{ environment: x }, { environment: y }] of pairs) {
    if (x === undefined || y === undefined || x === y) continue;
    throw new UsageError(
      `Cannot compare ${a.name} with ${b.name}: they played ${x} and ${y}, name policies of one environment`,
    );
  }
  for (const [{ panel: x }, { panel: y }] of pairs) {
    if (x === undefined || y === undefined || x === y) continue;
    throw new UsageError(
      `Cannot compare ${a.name} with ${b.name}: they played other deals (panels ${x} and ${y}), ` +
        "evaluate both in the same environment with the same --episodes and --seed",
    );
  }
  const [successA, successB] = [0, 1].map((side) => pairs.map((pair) => pair[side].success));
  const shares = pairs.map((pair) => pair.map(sharesByDeal));
  const deals = shares[0][0]?.length ?? null;
  const isPaired = deals !== null && shares.flat().every((each) => each?.length === deals);
  const episodes = isPaired ? deals : null;
  // All seeds play the same episodes: more seeds are not more of them.
  const byEpisode = (side: 0 | 1) =>
    Array.from({ length: episodes ?? 0 }, (_, i) => mean(shares.map((pair) => pair[side]![i])));
  const hasSeeds = pairs.length >= 3;
  return {
    a: a.name,
    b: b.name,
    seeds: pairs.length,
    episodes,
    success: [mean(successA), mean(successB)],
    difference: mean(successB) - mean(successA),
    overSeeds: hasSeeds ? studentInterval(successB.map((success, i) => success - successA[i])) : null,
    overEpisodes: episodes !== null && episodes > 1
      ? pairedDifference(byEpisode(0), byEpisode(1)).ci95
      : null,
    improvement: probabilityOfImprovement(successA, successB),
    improvementCi95: hasSeeds
      ? bootstrapInterval([successA, successB], ([x, y]) => probabilityOfImprovement(x, y))
      : null,
  };
}

/** Share of each deal's samples that succeeded: samples of one deal are no independent trials. Null if they were not kept. */
function sharesByDeal({ outcomes, deals = outcomes?.length }: ComparedResult): number[] | null {
  if (outcomes === undefined || deals === undefined) return null;
  const samples = outcomes.length / deals;
  if (!Number.isInteger(samples) || samples < 1) return null;
  return Array.from(
    { length: deals },
    (_, deal) => mean(Array.from(outcomes.slice(deal * samples, (deal + 1) * samples), Number)),
  );
}

function pairsOf(a: Compared, b: Compared): (readonly [ComparedResult, ComparedResult])[] {
  if (a.runs.size === 1 && b.runs.size === 1) return [[[...a.runs.values()][0], [...b.runs.values()][0]]];
  return [...a.runs].flatMap(([seed, result]) => {
    const other = b.runs.get(seed);
    return other === undefined ? [] : [[result, other] as const];
  });
}

/** A line for each comparison. Differences are in percentage points. */
export function comparisonLines(comparisons: readonly Comparison[]): string {
  const points = (share: number) => `${share < 0 ? "-" : "+"}${(100 * Math.abs(share)).toFixed(1)}`;
  const range = (interval: Interval | null, write: (share: number) => string) =>
    interval === null ? "-" : interval.map(write).join(" to ");
  const header = [
    ...["a", "b", "seeds", "episodes", "a succeeds", "b succeeds", "b - a", "95%, seeds", "95%, episodes"],
    ...["P(b > a)", "95%, seeds"],
  ];
  const rows = comparisons.map((c) => [
    ...[c.a, c.b, String(c.seeds), c.episodes === null ? "-" : String(c.episodes)],
    ...c.success.map(formatShare),
    points(c.difference),
    range(c.overSeeds, points),
    range(c.overEpisodes, points),
    c.improvement.toFixed(2),
    range(c.improvementCi95, (share) => share.toFixed(2)),
  ]);
  return formatTable(header, rows);
}
