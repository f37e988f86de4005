/**
 * Learning curves of the report, and their peaks.
 *
 * @module
 */
import { mean } from "../statistics.ts";
import { DEFAULT, experiments } from "./experiments.ts";
import { type CurveSeries, learningCurve } from "./plot.ts";
import type { CellResult, CurvePoint } from "./result.ts";

/** Number of iterations that a point of a curve is the mean over. */
const WINDOW = 4;

/** Computes the success of the training episodes of each iteration and the three before it; NaN if none ended. */
export function smoothedSuccess(curve: readonly CurvePoint[]): number[] {
  return curve.map((_, i) => {
    const window = curve.slice(Math.max(0, i + 1 - WINDOW), i + 1).filter(({ success }) => success !== null);
    // Older results do not count episodes: all their iterations count alike.
    const weights = window.map(({ episodes }) => episodes ?? 1);
    const total = weights.reduce((a, b) => a + b, 0);
    return window.reduce((sum, { success }, j) => sum + success! * weights[j], 0) / total;
  });
}

/** Finds the highest point of the curve from its first whole window on; null if there is none. */
export function peakSuccess(curve: readonly CurvePoint[]): number | null {
  const known = smoothedSuccess(curve).slice(WINDOW - 1).filter(Number.isFinite);
  return known.length === 0 ? null : Math.max(...known);
}

/** Environment steps after which the curve first is at `share` or above, from its first whole window on; null if it never is. */
export function stepsTo(curve: readonly CurvePoint[], share: number): number | null {
  const at = smoothedSuccess(curve).findIndex((success, i) => i >= WINDOW - 1 && success >= share);
  return at < 0 ? null : curve[at].envSteps;
}

/** A plot of the report. */
interface Plot {
  /** End of the file's name. */
  readonly suffix: string;
  readonly title: string;
  readonly svg: string;
}

/** Draws a curve for each experiment: the mean over seeds, shaded from the lowest seed to the highest. */
export async function resultCurves(task: string, cells: readonly CellResult[]): Promise<Plot[]> {
  const ofTask = experiments.filter(({ environment }) => environment === task);
  const plots: Plot[] = [];
  for (
    const { suffix, groups, of } of [
      { suffix: "curves", groups: ["main", "ablation"], of: "" },
      { suffix: "lambda", groups: ["lambda"], of: " by lambda" },
    ]
  ) {
    const chosen = ofTask.filter((e) => groups.includes(e.group));
    const series = chosen.flatMap(({ name, title }) => seriesOf(cells, name, title));
    if (series.length === 0) continue;
    // The default takes its place among the lambdas.
    if (suffix === "lambda") series.splice(2, 0, ...seriesOf(cells, DEFAULT, "lambda 0.5"));
    const svg = await learningCurve(series, {
      title: `${task}: success of training episodes${of}`,
      xLabel: "environment steps",
      yLabel: "success",
      yDomain: [0, 1],
      yFormat: "%",
    });
    plots.push({ suffix, title: `Learning curves${of}`, svg });
  }
  return plots;
}

function seriesOf(cells: readonly CellResult[], name: string, title: string): CurveSeries[] {
  const curves = cells.filter(({ experiment }) => experiment.name === name)
    .map(({ summary }) => summary.curve ?? []).filter((curve) => curve.length > 0);
  if (curves.length === 0) return [];
  // The first iterations end only short episodes. The line therefore begins at the first whole window.
  const from = curves[0].length >= WINDOW ? WINDOW - 1 : 0;
  const smoothed = curves.map((curve) => smoothedSuccess(curve).slice(from));
  const x = curves[0].slice(from).map(({ envSteps }) => envSteps);
  const at = (i: number) => smoothed.map((values) => values[i]).filter(Number.isFinite);
  const y = x.map((_, i) => mean(at(i)));
  if (curves.length === 1) return [{ name: title, x, y }];
  const [lo, hi] = [Math.min, Math.max].map((extreme) =>
    x.map((_, i) => at(i).length === 0 ? NaN : extreme(...at(i)))
  );
  return [{ name: title, x, y, lo, hi }];
}
