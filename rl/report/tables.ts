/**
 * The tables of the report.
 *
 * @module
 */
import { blackjack } from "../../envs/mod.ts";
import { formatDuration, formatMarkdown } from "../cli/mod.ts";
import { mean, wilsonInterval } from "../statistics.ts";
import { cellCommand, PLACES } from "./cells.ts";
import { changesSince } from "./changes.ts";
import { peakSuccess, stepsTo } from "./curves.ts";
import { DEFAULT, type Experiment, experiments, type Group, tasks } from "./experiments.ts";
import { published, RL4VLM } from "./published.ts";
import type { CellResult, EvaluationSummary } from "./result.ts";
import { studentInterval } from "./statistics.ts";

type Cells = readonly CellResult[];

/** Exact success of optimal play if it is not 100%, in percent: the mean over all deals. */
const EXACT: Readonly<Record<string, { readonly title: string; readonly success: () => number }>> = {
  Points24: {
    title: "optimal in plain arithmetic, all deals (exact)",
    // 20,870 of the 13^4 deals have a solution: tests/envs/points/points24_solver_test.ts.
    success: () => 100 * 20_870 / 28_561,
  },
  Blackjack: { title: "optimal, all deals (exact)", success: () => 100 * blackjack.ceiling()! },
};

const NOT_RUN = "not run";
const INTERVALS = ["95%, seeds", "95%, episodes"];

/** Makes the overview: a line for each task with what each kind of policy reaches. */
export function overviewTable(cells: Cells): string {
  const rows = tasks.map((task) => {
    const of = (name: string) =>
      cells.filter(({ experiment: e }) => e.environment === task && e.name === name);
    const success = (name: string) => {
      const own = of(name);
      const planned = own[0]?.experiment.seeds.length ?? 0;
      const notes = [
        ...own.length < planned ? [`${own.length} of ${planned} seeds`] : [],
        ...own.some(isOlder) ? ["older"] : [],
      ];
      const seeds = notes.length === 0 ? "" : ` (${notes.join(", ")})`;
      return averageOf(own, ({ evaluation }) => evaluation.sampled.success) + seeds;
    };
    const quoted = (system: string) =>
      decimal(published[task]?.find((row) => row.system === system)?.success ?? null);
    return [
      task,
      success("random"),
      averageOf(of(DEFAULT), ({ evaluation_after_sft }) => evaluation_after_sft?.sampled.success),
      averageOf(of(DEFAULT), ({ evaluation_after_sft }) => evaluation_after_sft?.greedy?.success),
      success("clean"),
      bold(success(DEFAULT)),
      averageOf(of(DEFAULT), ({ evaluation }) => evaluation.greedy?.success),
      averageOf(of(DEFAULT), ({ curve }) => peakSuccess(curve ?? [])),
      success("cnn"),
      success("cnn-cloned"),
      success("optimal"),
      quoted(RL4VLM),
    ];
  });
  const header = [
    ...["task", "random", "SFT only", "SFT only, greedy", "clean SFT", "SFT + RL", "SFT + RL, greedy"],
    ...["SFT + RL, peak", "CNN + RL", "CNN, cloned + RL", "optimal", "RL4VLM (7B), peak"],
  ];
  return formatMarkdown(header, rows);
}

/** Makes the main table of a task: all kinds of policies, published rows last. */
export function mainTable(task: string, cells: Cells): string {
  const header = ["policy", "size", "seeds", "success", ...INTERVALS, "by seed", "greedy", "goal", "peak"];
  const row = (title: string, own: Cells, evaluationOf: EvaluationOf, hasPeak: boolean) => {
    const evaluations = own.map(({ summary }) => evaluationOf(summary)).filter((e) => e != null);
    if (evaluations.length === 0) return notRun(header, title);
    const peaks = own.map(({ summary }) => peakSuccess(summary.curve ?? [])).filter((peak) => peak !== null);
    const isSeeded = own[0].seed !== null;
    return [
      dated(title, own),
      sizeOf(own),
      isSeeded ? evaluations.length : "-",
      ...success(evaluations),
      isSeeded ? bySeed(evaluations) : "-",
      percent(average(evaluations.map(({ greedy }) => greedy?.success))),
      percent(average(evaluations.map(({ sampled }) => sampled.goalReached))),
      hasPeak && peaks.length > 0 ? percent(mean(peaks)) : "-",
    ];
  };
  const of = (name: string) => cells.filter(({ experiment }) => experiment.name === name);
  const titleOf = (name: string) => experiments.find((experiment) => experiment.name === name)!.title;
  const exact = EXACT[task];
  return formatMarkdown(header, [
    row(titleOf("random"), of("random"), final, false),
    row("SFT only", of(DEFAULT), ({ evaluation_after_sft }) => evaluation_after_sft, false),
    row(titleOf("clean"), of("clean"), final, false),
    row(titleOf(DEFAULT), of(DEFAULT), final, true),
    row(titleOf("cnn"), of("cnn"), final, true),
    row(titleOf("cnn-cloned"), of("cnn-cloned"), final, true),
    row(titleOf("optimal"), of("optimal"), final, false),
    ...otherSolvers(task).map(({ name, title }) => row(title, of(name), final, false)),
    ...exact === undefined ? [] : [publishedRow(header, exact.title, "-", exact.success(), null)],
    ...(published[task] ?? []).map(({ system, size, success, isPeak }) =>
      publishedRow(header, `${system}, published`, size, isPeak ? null : success, isPeak ? success : null)
    ),
  ]);
}

/** The solver by other rules than the default's. */
const otherSolvers = (task: string) =>
  experiments.filter(({ environment, group, name }) =>
    environment === task && group === "reference" && name.startsWith("optimal-")
  );

/** Makes a table with a row for each experiment of a group, and the default. Null if the task has no such experiments. */
export function comparisonTable(task: string, cells: Cells, group: Group): string | null {
  const chosen = experiments.filter((e) => e.environment === task && e.group === group);
  if (chosen.length === 0) return null;
  const header = [
    ...["experiment", "seeds", "after SFT", "after SFT, greedy", "success", ...INTERVALS, "by seed"],
    ...["greedy", "goal", "parsed", "peak", "steps to 95%"],
  ];
  const rows = withDefault(task, chosen, group).map(({ title, name }) => {
    const own = cells.filter(({ experiment }) => experiment.name === name);
    if (own.length === 0) return notRun(header, title);
    const evaluations = own.map(({ summary }) => summary.evaluation);
    return [
      dated(title, own),
      own.length,
      averageOf(own, ({ evaluation_after_sft }) => evaluation_after_sft?.sampled.success),
      averageOf(own, ({ evaluation_after_sft }) => evaluation_after_sft?.greedy?.success),
      ...success(evaluations),
      bySeed(evaluations),
      averageOf(own, ({ evaluation }) => evaluation.greedy?.success),
      averageOf(own, ({ evaluation }) => evaluation.sampled.goalReached),
      averageOf(own, ({ evaluation }) => evaluation.sampled.parseRate),
      averageOf(own, ({ curve }) => peakSuccess(curve ?? [])),
      stepsTo95(own),
    ];
  });
  return formatMarkdown(header, rows);
}

const ALGORITHMS =
  "A seed has the same warm start in all rows of one age; older rows began with the warm start of then, so that they compare with " +
  "each other, not with newer ones. All have the same number of environment steps, rounded up to whole iterations. Numbers are " +
  "means over seeds. RL time is of the machine's state then.";

/** Makes a table of the algorithms, the default first: success and cost. Null if the task has no such experiments. */
export function algorithmTable(task: string, cells: Cells): string | null {
  const chosen = experiments.filter((e) => e.environment === task && e.group === "algorithms");
  if (chosen.length === 0) return null;
  const header = [
    ...["algorithm", "seeds", "after SFT", "success", ...INTERVALS, "by seed", "greedy"],
    ...["environment steps", "updates", "RL time"],
  ];
  const byDefault = experiments.find((e) => e.environment === task && e.name === DEFAULT)!;
  const rows = [{ ...byDefault, title: "ppo (default)" }, ...chosen].map(({ title, name }) => {
    const own = cells.filter(({ experiment }) => experiment.name === name);
    if (own.length === 0) return notRun(header, title);
    const evaluations = own.map(({ summary }) => summary.evaluation);
    const updates = average(own.map(({ summary }) => updatesOf(summary)));
    const steps = average(own.map(({ summary }) => summary.env_steps));
    return [
      dated(title, own),
      own.length,
      averageOf(own, ({ evaluation_after_sft }) => evaluation_after_sft?.sampled.success),
      ...success(evaluations),
      bySeed(evaluations),
      averageOf(own, ({ evaluation }) => evaluation.greedy?.success),
      steps === null ? "-" : steps.toFixed(0),
      updates === null ? "-" : updates.toFixed(0),
      formatDuration(1e3 * mean(own.map(({ summary }) => summary.wall_seconds.rl ?? 0))),
    ];
  });
  return `${ALGORITHMS}\n\n` +
    formatMarkdown(header, rows.map((row) => row.map(String)));
}

/** Counts the updates of RL; null if the result did not keep them. */
function updatesOf({ curve = [] }: CellResult["summary"]): number | null {
  if (curve.length === 0 || curve.some(({ updates }) => updates === undefined)) return null;
  return curve.reduce((sum, { updates }) => sum + updates!, 0);
}

/** Makes a table of the quality of thoughts, before RL and after. */
export function thoughtTable(task: string, cells: Cells): string {
  const header = [
    ...["experiment", "seeds", "perception", "perception, greedy", "faithful after SFT", "faithful"],
    ...["greedy: faithful after SFT", "greedy: faithful", "thoughts per state", "informed", "alarms"],
  ];
  const chosen = experiments.filter((e) =>
    e.environment === task && e.command === "train" && e.group !== "credit" && !e.flags.includes("--no-cot")
  );
  const rows = chosen.map(({ title, name }) => {
    const own = cells.filter(({ experiment }) => experiment.name === name);
    if (own.length === 0) return notRun(header, title);
    const diversity = average(own.map(({ summary }) => summary.evaluation.sampled.thoughtDiversity));
    return [
      dated(title, own),
      own.length,
      averageOf(own, ({ evaluation }) => evaluation.sampled.perception),
      averageOf(own, ({ evaluation }) => evaluation.greedy?.perception),
      averageOf(own, ({ evaluation_after_sft }) => evaluation_after_sft?.sampled.faithfulness),
      averageOf(own, ({ evaluation }) => evaluation.sampled.faithfulness),
      averageOf(own, ({ evaluation_after_sft }) => evaluation_after_sft?.greedy?.faithfulness),
      averageOf(own, ({ evaluation }) => evaluation.greedy?.faithfulness),
      diversity === null ? "-" : diversity.toFixed(2),
      averageOf(own, ({ evaluation }) => evaluation.sampled.thoughtInformation),
      alarms(own),
    ];
  });
  return formatMarkdown(header, rows);
}

const VARIANTS = {
  ood: "The trained policies, as they are, in environments they were not trained in.",
  generalisation:
    "Policies that were trained with a part held out, on what they saw and, as they are, on what was held out.",
};

/** Makes a table of policies in other environments than they were trained in; null if the task has no such experiments. */
export function variantTable(task: string, cells: Cells, group: "ood" | "generalisation"): string | null {
  const chosen = experiments.filter((e) => e.environment === task && e.group === group);
  if (chosen.length === 0) return null;
  const header = [
    ...["environment", "seeds", "success", ...INTERVALS, "by seed", "greedy", "goal", "parsed"],
    ...["perception", "faithful"],
  ];
  const rows = withDefault(task, chosen, group).map(({ title, name }) => {
    const own = cells.filter(({ experiment }) => experiment.name === name);
    if (own.length === 0) return notRun(header, title);
    const evaluations = own.map(({ summary }) => summary.evaluation);
    const of = (read: (evaluation: EvaluationSummary) => number | null | undefined) =>
      percent(average(evaluations.map(read)));
    return [
      dated(title, own),
      own.length,
      ...success(evaluations),
      bySeed(evaluations),
      of(({ greedy }) => greedy?.success),
      of(({ sampled }) => sampled.goalReached),
      of(({ sampled }) => sampled.parseRate),
      of(({ sampled }) => sampled.perception),
      of(({ sampled }) => sampled.faithfulness),
    ];
  });
  return `${VARIANTS[group]}\n\n${formatMarkdown(header, rows)}`;
}

/** Makes a table of all cells with their commands, also of those that were not run, and names the adapters. */
export function commandTable(task: string, cells: Cells): string[] {
  const header = ["experiment", "seed", "success", "greedy", "wall", "peak memory", "older than", "command"];
  const rows = experiments.filter(({ environment }) => environment === task).flatMap((experiment) => {
    const own = cells.filter((cell) => cell.experiment === experiment);
    const seeds = experiment.command === "policy" ? [null] : experiment.seeds;
    const missing = seeds.filter((seed) => !own.some((cell) => cell.seed === seed)).map((seed) => {
      const command = cellCommand(PLACES, { experiment, seed }).join(" ");
      return [experiment.title, seed ?? "-", NOT_RUN, "-", "-", "-", "-", code(`./ponder ${command}`)];
    });
    const run = own.map(({ seed, summary }) => [
      experiment.title,
      seed ?? "-",
      percent(summary.evaluation.sampled.success),
      percent(summary.evaluation.greedy?.success ?? null),
      wallTime(summary),
      summary.peak_memory_bytes == null ? "-" : `${(summary.peak_memory_bytes / 2 ** 20).toFixed(0)} MiB`,
      changesSince(experiment, summary.version).map(({ version }) => version).join(", ") || "-",
      code(summary.command),
    ]);
    return [...run, ...missing];
  });
  const adapters = [...new Set(cells.map(({ summary }) => summary.adapter ?? "").filter(Boolean))];
  const adapter = adapters.length === 0 ? "" : `Trained on ${adapters.join(" or ")}. `;
  return [`${adapter}Wall times are those of the machine's state then.`, formatMarkdown(header, rows)];
}

/** The wall time of a run. Some older results lack the warm start's: runs then did not count what they were resumed from. */
function wallTime({ wall_seconds: { total, sft }, evaluation_after_sft }: CellResult["summary"]): string {
  const time = formatDuration(1e3 * total);
  return sft === 0 && evaluation_after_sft != null ? `${time}, RL only` : time;
}

/** A row's title. It says so if the cells are from before a change that touches them. */
function dated(title: string, cells: Cells): string {
  return cells.some(isOlder) ? `${title} (older)` : title;
}

const isOlder = ({ experiment, summary }: CellResult) => changesSince(experiment, summary.version).length > 0;

/** The row of an experiment without a result. It says so under success, or in the second column. */
function notRun(header: readonly string[], title: string): string[] {
  const at = Math.max(1, header.indexOf("success"));
  return header.map((_, i) => i === 0 ? title : i === at ? NOT_RUN : "-");
}

type EvaluationOf = (summary: CellResult["summary"]) => EvaluationSummary | null | undefined;

const final: EvaluationOf = ({ evaluation }) => evaluation;

/** Adds the default to the chosen experiments: in its place among the lambdas, else first. */
function withDefault(task: string, chosen: readonly Experiment[], group: Group): Experiment[] {
  const byDefault = experiments.find((e) => e.environment === task && e.name === DEFAULT)!;
  if (group === "lambda") return chosen.toSpliced(2, 0, { ...byDefault, title: "lambda 0.5 (default)" });
  if (group === "mistakes") return [{ ...byDefault, title: "default" }, ...chosen];
  return [
    group === "ood" || group === "generalisation" ? { ...byDefault, title: "as trained" } : byDefault,
    ...chosen,
  ];
}

/** Mean success and its two intervals. All seeds play the same held-out episodes, so that more seeds add no episodes. */
function success(evaluations: readonly EvaluationSummary[]): string[] {
  const rates = evaluations.map(({ sampled }) => sampled.success);
  const episodes = Math.min(...evaluations.map((evaluation) => evaluation.episodes));
  const seeds = rates.length < 3 ? "-" : range(studentInterval(rates));
  const successes = Math.round(mean(rates) * episodes);
  return [percent(mean(rates)), seeds, range(wilsonInterval(successes, episodes))];
}

/** An interval in percent, limited to 0 and 100. */
function range(interval: readonly number[]): string {
  return interval.map((end) => percent(Math.min(1, Math.max(0, end)))).join(" to ");
}

function bySeed(evaluations: readonly EvaluationSummary[]): string {
  return evaluations.map(({ sampled }) => percent(sampled.success)).join(", ");
}

function sizeOf(cells: Cells): string {
  const sizes = cells.flatMap(({ summary: { parameters } }) =>
    parameters === undefined ? [] : [`${(parameters / 1e6).toFixed(2)}M`]
  );
  return [...new Set(sizes)].join(" or ") || "-";
}

/** Mean environment steps until 95% of training episodes succeed, with Student's interval; how many seeds got there if not all. */
function stepsTo95(cells: Cells): string {
  const steps = cells.map(({ summary }) => stepsTo(summary.curve ?? [], 0.95));
  const reached = steps.filter((count) => count !== null);
  if (reached.length === 0) return "-";
  const whole = (count: number) => Math.max(0, Math.round(count)).toString();
  const average = whole(mean(reached));
  if (reached.length < steps.length) return `${average} (${reached.length} of ${steps.length} seeds)`;
  return reached.length < 3 ? average : `${average} (${studentInterval(reached).map(whole).join(" to ")})`;
}

function alarms(cells: Cells): string | number {
  const points = cells.flatMap(({ summary }) => summary.curve ?? []);
  if (!points.some(({ thoughtAlarm }) => thoughtAlarm !== undefined)) return "-";
  return points.filter(({ thoughtAlarm }) => thoughtAlarm !== undefined && thoughtAlarm.length > 0).length;
}

function publishedRow(
  header: readonly string[],
  policy: string,
  size: string,
  success: number | null,
  peak: number | null,
): string[] {
  const known: Record<string, string> = { policy, size, success: decimal(success), peak: decimal(peak) };
  return header.map((column) => known[column] ?? "-");
}

/** Mean over cells, in percent; a dash if a cell lacks the number. */
function averageOf(
  cells: Cells,
  read: (summary: CellResult["summary"]) => number | null | undefined,
): string {
  if (cells.length === 0) return NOT_RUN;
  return percent(average(cells.map(({ summary }) => read(summary))));
}

/** The mean; null if a value is missing. */
function average(values: readonly (number | null | undefined)[]): number | null {
  return values.some((value) => value == null) ? null : mean(values as number[]);
}

const decimal = (value: number | null) => value === null ? "-" : value.toFixed(1);
const percent = (share: number | null) => decimal(share === null ? null : 100 * share);
const code = (text: string) => `\`${text}\``;
const bold = (text: string) => /\d/.test(text) ? `**${text}**` : text;
