/**
 * The report: tables and learning curves from the summaries under `results/`.
 *
 * @module
 */
import { type Experiment, experiments } from "./experiments.ts";
import type { EvaluationResult } from "./evaluation.ts";
import { type CurveSeries, learningCurve } from "./plot.ts";
import { published } from "./published.ts";
import { mean, wilsonInterval } from "./statistics.ts";

interface EvaluationSummary {
  readonly episodes: number;
  readonly sampled: EvaluationResult;
  readonly greedy: EvaluationResult;
}

/** A finished cell: what `results/<environment>/<experiment>-s<seed>.json` holds. */
export interface CellResult {
  readonly experiment: Experiment;
  readonly seed: number;
  readonly summary: {
    readonly command: string;
    readonly adapter: string;
    readonly parameters: number;
    readonly evaluation: EvaluationSummary;
    readonly evaluation_after_sft: EvaluationSummary;
    readonly wall_seconds: { readonly total: number };
    readonly peak_memory_bytes: number | null;
    readonly curve: readonly { readonly envSteps: number; readonly success: number | null }[];
  };
}

/** The page, as `deno fmt` would write it, and its plots by file name. */
export async function resultsPage(
  cells: readonly CellResult[],
): Promise<{ markdown: string; plots: Record<string, string> }> {
  const plots: Record<string, string> = {};
  const bySeed = cells.toSorted((a, b) => a.seed - b.seed);
  const blocks = [["# Results"], [
    "Written by `deno task reproduce`, which runs or resumes what is missing. Success is an episode return above 0 on",
    "held-out seeds, in percent: the mean over seeds, with the 95% Wilson interval of all their episodes together.",
    "Sampled is the policy as trained (its temperature), greedy takes the most probable token.",
  ]];
  for (const environment of new Set(experiments.map((experiment) => experiment.environment))) {
    const own = bySeed.filter(({ experiment }) => experiment.environment === environment);
    blocks.push([`## ${environment}`], taskTable(environment, own));
    const rows = published[environment];
    if (rows) blocks.push(["Published, for comparison:"], table(["system", "size", "success"], rows));
    const plot = await curves(environment, own);
    if (plot !== null) {
      const name = `${environment.toLowerCase()}_curves.svg`;
      plots[name] = plot;
      blocks.push([`![Learning curves](${name})`]);
    }
    if (own.length > 0) blocks.push(...commandTable(own));
  }
  return { markdown: blocks.map((lines) => lines.join("\n")).join("\n\n") + "\n", plots };
}

function taskTable(environment: string, cells: readonly CellResult[]): string[] {
  const rows = experiments.filter((experiment) => experiment.environment === environment).map(
    (experiment) => {
      const own = cells.filter((cell) => cell.experiment === experiment);
      if (own.length === 0) return [experiment.title, ...Array(8).fill("not run")];
      const results = own.map(({ summary }) => summary.evaluation);
      const warm = own.map(({ summary }) => summary.evaluation_after_sft);
      return [
        experiment.title,
        own.length,
        percent(mean(warm.map(({ sampled }) => sampled.success))),
        `**${percent(mean(results.map(({ sampled }) => sampled.success)))}** ${interval(results)}`,
        range(results.map(({ sampled }) => sampled.success)),
        percent(mean(results.map(({ greedy }) => greedy.success))),
        percent(mean(results.map(({ sampled }) => sampled.goalReached))),
        percent(mean(results.map(({ sampled }) => sampled.parseRate))),
        thought(results.map(({ greedy }) => greedy.perception)) + " / " +
        thought(results.map(({ sampled }) => sampled.faithfulness)),
      ];
    },
  );
  return table(
    [
      "experiment",
      "seeds",
      "after SFT",
      "sampled (95%)",
      "by seed",
      "greedy",
      "goal",
      "parsed",
      "perception / faithful",
    ],
    rows,
  );
}

/** Where the cells ran, and a line for each. */
function commandTable(cells: readonly CellResult[]): string[][] {
  const rows = experiments.flatMap((experiment) =>
    cells.filter((cell) => cell.experiment === experiment).map(({ seed, summary }) => [
      experiment.title,
      seed,
      percent(summary.evaluation.sampled.success),
      percent(summary.evaluation.greedy.success),
      `${summary.wall_seconds.total.toFixed(0)} s`,
      summary.peak_memory_bytes === null ? "-" : `${(summary.peak_memory_bytes / 2 ** 20).toFixed(0)} MiB`,
      `\`${summary.command}\``,
    ])
  );
  const unique = (values: readonly string[]) => [...new Set(values)].join(" or ");
  const parameters = unique(cells.map(({ summary }) => (summary.parameters / 1e6).toFixed(2)));
  const adapters = unique(cells.map(({ summary }) => summary.adapter));
  return [
    [`${parameters}M parameters, on ${adapters}. Wall times are those of the machine's state then.`],
    table(["experiment", "seed", "sampled", "greedy", "wall", "peak memory", "command"], rows),
  ];
}

/** One curve an experiment, the mean over its seeds of training episodes' success. */
async function curves(environment: string, cells: readonly CellResult[]): Promise<string | null> {
  const series = experiments.flatMap((experiment): CurveSeries[] => {
    const own = cells.filter((cell) => cell.experiment === experiment && cell.summary.curve.length > 0);
    if (own.length === 0) return [];
    const points = own[0].summary.curve.map(({ envSteps }, i) => {
      const values = own.map(({ summary }) => summary.curve[i]?.success).filter((value) => value != null);
      return { envSteps, success: values.length === 0 ? NaN : mean(values) };
    });
    return [{ name: experiment.title, x: points.map((p) => p.envSteps), y: points.map((p) => p.success) }];
  });
  if (series.length === 0) return null;
  return await learningCurve(series, {
    title: `${environment}: success of training episodes`,
    xLabel: "environment steps",
    yLabel: "success",
    yDomain: [0, 1],
    yFormat: "%",
  });
}

const percent = (share: number) => (100 * share).toFixed(1);
const range = (values: readonly number[]) => values.map(percent).join(", ");
const thought = (values: readonly (number | null)[]) =>
  values.includes(null) ? "-" : percent(mean(values as number[]));

function interval(results: readonly EvaluationSummary[]): string {
  const episodes = results.reduce((sum, result) => sum + result.episodes, 0);
  const successes = results.reduce(
    (sum, result) => sum + Math.round(result.sampled.success * result.episodes),
    0,
  );
  const [lo, hi] = wilsonInterval(successes, episodes);
  return `(${percent(lo)} to ${percent(hi)})`;
}

function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const widths = header.map((name, i) =>
    Math.max(3, name.length, ...rows.map((cells) => String(cells[i]).length))
  );
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell, i) => String(cell).padEnd(widths[i])).join(" | ")} |`;
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)];
}
