/**
 * All tasks in one number: the interquartile mean of normalised success over runs, after rliable.
 *
 * @module
 */
import { formatMarkdown } from "../cli/mod.ts";
import { mean } from "../statistics.ts";
import { bootstrapInterval, interquartileMean, probabilityOfImprovement } from "./comparison.ts";
import { DEFAULT, tasks } from "./experiments.ts";
import type { CellResult } from "./result.ts";

type Read = (summary: CellResult["summary"]) => number | null | undefined;

const sampled: Read = ({ evaluation }) => evaluation.sampled.success;

/** What is put beside what: a title, an experiment, and which of its numbers. */
const ROWS: readonly (readonly [title: string, experiment: string, read: Read])[] = [
  ["SFT only", DEFAULT, ({ evaluation_after_sft }) => evaluation_after_sft?.sampled.success],
  ["SFT only, greedy", DEFAULT, ({ evaluation_after_sft }) => evaluation_after_sft?.greedy?.success],
  ["SFT + RL", DEFAULT, sampled],
  ["SFT + RL, greedy", DEFAULT, ({ evaluation }) => evaluation.greedy?.success],
  ["CNN + RL", "cnn", sampled],
];

/** Normalised success of each run by task: 0 as random play, 100 as optimal play. Tasks without all of it are left out. */
export function normalisedScores(
  cells: readonly CellResult[],
  experiment: string,
  read: Read,
): ReadonlyMap<string, readonly number[]> {
  const scores = new Map<string, number[]>();
  for (const task of tasks) {
    const of = (name: string) =>
      cells.filter(({ experiment: e }) => e.environment === task && e.name === name);
    const [random, optimal] = ["random", "optimal"].map((name) =>
      of(name)[0]?.summary.evaluation.sampled.success
    );
    const own = of(experiment).map(({ summary }) => read(summary));
    if (random === undefined || optimal === undefined || own.length === 0) continue;
    if (own.some((success) => success == null)) continue;
    scores.set(task, own.map((success) => 100 * (success! - random) / (optimal - random)));
  }
  return scores;
}

/** The table, and what it says. */
export function aggregateTable(cells: readonly CellResult[]): string {
  const all = ROWS.map(([title, experiment, read]) => ({
    title,
    scores: normalisedScores(cells, experiment, read),
  }));
  const common = tasks.filter((task) => all.every(({ scores }) => scores.has(task)));
  const header = ["policy", "tasks", "runs", "IQM", "95%", "P(better than SFT only)", "95%"];
  const strataOf = (scores: ReadonlyMap<string, readonly number[]>) =>
    common.map((task) => scores.get(task)!);
  const base = strataOf(all[0].scores);
  const rows = all.map(({ title, scores }, i) => {
    if (common.length === 0) return [title, "0", "0", "not run", "-", "-", "-"];
    const strata = strataOf(scores);
    const iqm = (drawn: readonly (readonly number[])[]) => interquartileMean(drawn.flat());
    // Task by task: scores of different tasks do not compete.
    const improvement = (drawn: readonly (readonly number[])[]) =>
      mean(common.map((_, t) => probabilityOfImprovement(drawn[t], drawn[common.length + t])));
    const pairs = [...base, ...strata];
    return [
      title,
      String(common.length),
      String(strata.flat().length),
      iqm(strata).toFixed(1),
      bootstrapInterval(strata, iqm).map((end) => end.toFixed(1)).join(" to "),
      i === 0 ? "-" : improvement(pairs).toFixed(2),
      i === 0 ? "-" : bootstrapInterval(pairs, improvement).map((end) => end.toFixed(2)).join(" to "),
    ];
  });
  return `Over the tasks that all of these were run on: the interquartile mean (IQM) of success, 0 as random play and 100 as
optimal play, and the probability that a run is better than one of SFT only in the same task. Intervals are of the bootstrap
over runs, drawn task by task (Agarwal et al. 2021, arXiv:2108.13264); with three runs a task they are too narrow. What
optimal means here is the solver, whose success is that of its episodes.

${formatMarkdown(header, rows)}`;
}
