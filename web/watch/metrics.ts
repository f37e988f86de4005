/**
 * The lines of `metrics.jsonl` by metric.
 *
 * @module
 */
import { words } from "./format.ts";

/** Values of a metric at steps; null if a line has none. */
export interface Series {
  readonly x: number[];
  readonly y: (number | null)[];
}

/** What a run has logged so far. */
export class RunMetrics {
  /** By metric: of RL by environment step, of the warm start by update. */
  readonly rl = new Map<string, Series>();
  readonly sft = new Map<string, Series>();
  /** Lines of RL, by iteration. */
  readonly iterations = new Map<number, Record<string, unknown>>();
  /** Evaluations after `sft` and `rl`. */
  readonly evaluations: Record<string, unknown>[] = [];
  /** Lines that are no JSON, or say nothing that this version knows. */
  damagedLines = 0;
  /** Bytes read so far. */
  next = 0;

  /** Takes in more lines; returns whether there were any. */
  add(text: string): boolean {
    const lines = text.split("\n");
    for (const line of lines) {
      if (line === "") continue;
      let parsed: Record<string, unknown>;
      try {
        parsed = JSON.parse(line);
      } catch {
        this.damagedLines++;
        continue;
      }
      if (typeof parsed !== "object" || parsed === null) {
        this.damagedLines++;
        continue;
      }
      this.#take(parsed);
    }
    return lines.length > 1;
  }

  #take(line: Record<string, unknown>): void {
    const place = line.stage === "rl" ? [line.iteration, line.envSteps] : [line.update];
    const isPlaced = line.stage === "evaluation" || place.every((each) => Number.isFinite(each));
    // Another version wrote it, or a person did.
    if (!isPlaced) {
      this.damagedLines++;
      return;
    }
    if (line.stage === "rl" && typeof line.iteration === "number") {
      this.iterations.set(line.iteration, line);
      this.#append(this.rl, Number(line.envSteps), line, ["stage", "iteration", "envSteps"]);
    } else if (line.stage === "sft" || line.stage === "gate") {
      this.#append(this.sft, Number(line.update), line, ["stage", "update"]);
    } else if (line.stage === "evaluation") this.evaluations.push(line);
  }

  #append(to: Map<string, Series>, x: number, line: Record<string, unknown>, but: readonly string[]): void {
    for (const [name, value] of Object.entries(line)) {
      if (but.includes(name) || (typeof value !== "number" && value !== null)) continue;
      let series = to.get(name);
      if (series === undefined) to.set(name, series = { x: [], y: [] });
      series.x.push(x);
      series.y.push(value as number | null);
    }
  }
}

/** Charts of RL in the order in which one looks at them. */
export const GROUPS: readonly (readonly [title: string, metrics: readonly string[]])[] = [
  ["What it reaches", ["success", "meanReturn", "parseRate", "regret", "advantageCosine"]],
  ["What it says", [
    ...["perception", "faithfulness", "responseTokens", "thoughtDiversity", "thoughtInformation"],
    "thoughtInformed",
  ]],
  ["How it learns", [
    ...[
      "entropy",
      "kl",
      "clipFraction",
      "updates",
      "policyLoss",
      "valueLoss",
      "explainedVariance",
      "episodes",
    ],
    ...[
      "advantageRms",
      "advantageMean",
      "advantageStd",
      "gradientNorm",
      "referenceKl",
      "correctionLoss",
      "firstRatioError",
      "learningRate",
    ],
  ]],
];

/** Metrics that are shares. */
const SHARES = new Set(["success", "parseRate", "perception", "faithfulness", "clipFraction"]);

/** Whether a metric lies between 0 and 1 and is shown in percent. */
export const isShare = (name: string): boolean => SHARES.has(name);

const TITLES: Readonly<Record<string, string>> = {
  kl: "KL",
  sftLoss: "SFT loss",
  meanReturn: "mean return",
  clipFraction: "clipped ratios",
  advantageStd: "advantage, std",
  advantageRms: "advantage, RMS",
  advantageMean: "advantage, mean",
  advantageCosine: "advantage, exactness",
  envSteps: "environment steps",
  referenceKl: "KL to the warm start",
  parseRate: "actions found",
};

/** What a chart is called. */
export function titleOf(name: string): string {
  const title = TITLES[name] ?? words(name);
  return title[0].toUpperCase() + title.slice(1);
}

/** Trailing mean over `window` values, nulls left out. */
export function smooth(values: readonly (number | null)[], window: number): (number | null)[] {
  let sum = 0, counted = 0;
  return values.map((value, i) => {
    if (value !== null) [sum, counted] = [sum + value, counted + 1];
    const gone = i >= window ? values[i - window] : null;
    if (gone !== null && gone !== undefined) [sum, counted] = [sum - gone, counted - 1];
    return counted === 0 ? null : sum / counted;
  });
}
