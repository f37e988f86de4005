/// <reference lib="dom" />
/**
 * Runs side by side: what each came to, and which settings differ.
 *
 * @module
 */
import type { Baseline } from "../../rl/watch/wire.ts";
import { h, show } from "./dom.ts";
import { number, percent, seconds, shortName } from "./format.ts";
import type { ShownRun, State } from "./state.ts";

/** The compare view. */
export class CompareView {
  readonly element = h("div", { class: "compare" });
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /** Shows what is known now. */
  update(): void {
    const runs = this.#state.shown;
    const several = runs.length > 1;
    const names = [...new Set(runs.flatMap(({ told }) => Object.keys(told.settings)))];
    const textOf = ({ told }: ShownRun, name: string) => JSON.stringify(told.settings[name]) ?? "–";
    const differing = names.filter((name) => new Set(runs.map((run) => textOf(run, name))).size > 1);
    const rest = names.filter((name) => !differing.includes(name));
    show(
      this.element,
      !several && h("p", { class: "note" }, "Choose more runs to see them side by side."),
      h("h2", {}, "Held-out success"),
      h("div", { class: "intervals" }, this.#intervals(runs)),
      h("h2", {}, "Results"),
      table(runs, RESULTS.map(([label, of]) => [label, runs.map(of)])),
      several && h("h2", {}, differing.length === 0 ? "All settings are the same" : "Settings that differ"),
      several && differing.length > 0 &&
        table(runs, differing.map((name) => [name, runs.map((run) => textOf(run, name))])),
      h(
        "details",
        {},
        h("summary", {}, several ? "Settings that are the same" : "Settings"),
        table(runs.slice(0, 1), rest.map((name) => [name, [textOf(runs[0], name)]])),
      ),
    );
  }

  /** Success with its 95% interval: what is comparable stands together. */
  #intervals(runs: readonly ShownRun[]): HTMLElement[] {
    const baselines = runs[0]?.told.baselines ?? [];
    const groups = STAGES.flatMap(([label, key, how]) => {
      const rows = runs.flatMap((run) => {
        const result = resultOf(run, key, how);
        return result === null ? [] : [interval(run, result, baselines)];
      });
      return rows.length === 0 ? [] : [h("h3", {}, label), ...rows];
    });
    if (groups.length === 0) {
      return [
        h("p", { class: "empty" }, "No evaluation yet: it comes after the warm start, and at the end."),
      ];
    }
    return [scaleOf(baselines), ...groups];
  }
}

const STAGES = [
  ["After SFT, sampled", "evaluation_after_sft", "sampled"],
  ["After SFT, greedy", "evaluation_after_sft", "greedy"],
  ["After RL, sampled", "evaluation", "sampled"],
  ["After RL, greedy", "evaluation", "greedy"],
] as const;

/** What the dashed lines are. */
function scaleOf(baselines: readonly Baseline[]): HTMLElement {
  // Two that are close together share a label.
  const labels: { text: string; at: number }[] = [];
  for (const { label, success } of baselines.toSorted((a, b) => a.success - b.success)) {
    const last = labels.at(-1);
    if (last !== undefined && success - last.at < 0.2) last.text += `, ${label}`;
    else labels.push({ text: label, at: success });
  }
  return h(
    "div",
    { class: "interval scale-line", "aria-hidden": "true" },
    h("span", { class: "dot", style: { visibility: "hidden" } }),
    h("span", { class: "whose" }),
    h(
      "span",
      { class: "track" },
      labels.map(({ text, at }) =>
        h("span", {
          class: at > 0.8 ? "at-end" : at < 0.1 ? "at-start" : "",
          style: { left: `${at > 0.8 ? 100 : 100 * at}%` },
        }, text)
      ),
    ),
    h("span", { class: "number" }),
  );
}

function interval(
  run: ShownRun,
  { success, ci95 }: Result,
  baselines: readonly Baseline[],
): HTMLElement {
  const told = `${percent(success)}, 95% interval ${percent(ci95[0])} to ${percent(ci95[1])}`;
  return h(
    "div",
    { class: "interval" },
    h("span", { class: "dot", style: { "--run": run.color } }),
    h("span", { class: "whose" }, run.told.name),
    h(
      "span",
      { class: "track", role: "img", "aria-label": told, title: told },
      baselines.map(({ label, success }) =>
        h("i", { class: "base", title: `${label} ${percent(success)}`, style: { left: `${100 * success}%` } })
      ),
      h("i", {
        class: "range",
        style: { left: `${100 * ci95[0]}%`, width: `${100 * (ci95[1] - ci95[0])}%`, "--run": run.color },
      }),
      h("i", { class: "point", style: { left: `${100 * success}%`, "--run": run.color } }),
    ),
    h("span", { class: "number" }, percent(success)),
  );
}

interface Result {
  readonly success: number;
  readonly ci95: readonly [number, number];
}

function resultOf({ told }: ShownRun, key: string, how: string): Result | null {
  const evaluation = told.summary?.[key] as Record<string, Partial<Result>> | null | undefined;
  const result = evaluation?.[how];
  if (typeof result?.success !== "number" || !Array.isArray(result.ci95)) return null;
  return { success: result.success, ci95: result.ci95 as [number, number] };
}

const summaryOf = ({ told }: ShownRun, ...path: string[]): unknown =>
  path.reduce<unknown>((value, name) => (value as Record<string, unknown> | null)?.[name], told.summary);

const numberIn = (run: ShownRun, ...path: string[]) => {
  const value = summaryOf(run, ...path);
  return typeof value === "number" ? value : null;
};

const RESULTS: readonly (readonly [label: string, of: (run: ShownRun) => string])[] = [
  ["environment", ({ told }) => shortName(told.environment)],
  ["algorithm", ({ told }) => shortName(told.algorithm)],
  ["model", modelOf],
  ["state", ({ told }) => told.status],
  ["success, sampled", (run) => percent(numberIn(run, "evaluation", "sampled", "success"))],
  ["success, greedy", (run) => percent(numberIn(run, "evaluation", "greedy", "success"))],
  ["after SFT, sampled", (run) => percent(numberIn(run, "evaluation_after_sft", "sampled", "success"))],
  ["after SFT, greedy", (run) => percent(numberIn(run, "evaluation_after_sft", "greedy", "success"))],
  ["goal reached", (run) => percent(numberIn(run, "evaluation", "sampled", "goalReached"))],
  ["thought and action agree", (run) => percent(numberIn(run, "evaluation", "sampled", "faithfulness"))],
  ["environment steps", (run) => numberIn(run, "env_steps")?.toLocaleString("en") ?? "–"],
  ["parameters", (run) => numberIn(run, "parameters")?.toLocaleString("en") ?? "–"],
  ["time", (run) => {
    const total = numberIn(run, "wall_seconds", "total");
    return total === null ? "–" : seconds(total);
  }],
  ["tokens a second", (run) => number(numberIn(run, "rollout_tokens_per_second"))],
  ["adapter", (run) => String(summaryOf(run, "adapter") ?? "–")],
];

/** The preset, or the pretrained model and what is trained beside it. */
function modelOf({ told: { settings } }: ShownRun): string {
  const { model, preset, lora, loraRank } = settings;
  if (typeof model !== "string" || model === "") return typeof preset === "string" ? preset : "–";
  return lora === true ? `${shortName(model)}, LoRA of rank ${loraRank}` : shortName(model);
}

/** A setting's name, which may break between its words: `sftLearningRate`. */
const breakable = (label: string) =>
  label.split(/(?=[A-Z][a-z])/).map((part, i) => i === 0 ? part : [h("wbr"), part]);

function table(
  runs: readonly ShownRun[],
  rows: readonly (readonly [label: string, values: readonly string[]])[],
): HTMLElement {
  return h(
    "div",
    { class: "scrolls" },
    h(
      "table",
      { class: "side-by-side" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("td", {}),
          runs.map(({ told, color }) =>
            h("th", { scope: "col" }, h("span", { class: "dot", style: { "--run": color } }), told.name)
          ),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map(([label, values]) =>
          h("tr", {}, h("th", { scope: "row" }, breakable(label)), values.map((value) => h("td", {}, value)))
        ),
      ),
    ),
  );
}
