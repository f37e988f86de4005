/// <reference lib="dom" />
/**
 * The trend: every metric over environment steps, runs over each other, seeds as a band.
 *
 * @module
 */
import { type Line, LineChart } from "./chart.ts";
import { definitions } from "./definitions.ts";
import { h, show } from "./dom.ts";
import { number, percent } from "./format.ts";
import { GROUPS, isShare, type Series, smooth, titleOf } from "./metrics.ts";
import type { ShownRun, State } from "./state.ts";

/** How the page is told to go elsewhere. */
export type Go = (change: () => void) => void;

interface Card {
  readonly name: string;
  readonly stage: "rl" | "sft";
  readonly element: HTMLElement;
  readonly values: HTMLElement;
  readonly plot: HTMLElement;
  chart: LineChart | null;
  isSeen: boolean;
}

/** The trend view. */
export class TrendView {
  readonly element = h("div", { class: "trend" });
  readonly #state: State;
  readonly #go: Go;
  #cards: Card[] = [];
  #layout = "";
  #smoothing = 1;
  #withBand = true;
  readonly #seen: IntersectionObserver;

  constructor(state: State, go: Go) {
    this.#state = state;
    this.#go = go;
    // Charts out of sight cost nothing.
    this.#seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const card = this.#cards.find(({ element }) => element === target);
        if (card === undefined) continue;
        card.isSeen = isIntersecting;
        if (isIntersecting) this.#draw(card);
      }
    }, { rootMargin: "200px" });
  }

  /** Shows what is known now. */
  update(): void {
    const { shown } = this.#state;
    const known = (stage: "rl" | "sft") =>
      new Set(shown.flatMap(({ metrics }) => [...metrics[stage].keys()]));
    const rl = known("rl"), sft = known("sft");
    const listed = new Set(GROUPS.flatMap(([, names]) => names));
    const groups: [string, "rl" | "sft", string[]][] = GROUPS.map(([title, names]) => [
      title,
      "rl",
      names.filter((name) => rl.has(name)),
    ]);
    groups.push(["Its algorithm's own", "rl", [...rl].filter((name) => !listed.has(name))]);
    groups.push(["Warm start", "sft", [...sft]]);
    const filled = groups.filter(([, , names]) => names.length > 0);
    const layout = JSON.stringify([filled, shown.map(({ id }) => id), this.#withBand]);
    if (layout !== this.#layout) {
      this.#layout = layout;
      this.#build(filled);
    }
    for (const card of this.#cards) if (card.isSeen) this.#draw(card);
  }

  /** Draws all anew: colours have changed. */
  repaint(): void {
    this.#layout = "";
    this.update();
  }

  #build(groups: readonly [string, "rl" | "sft", string[]][]): void {
    for (const { chart, element } of this.#cards) {
      chart?.dispose();
      this.#seen.unobserve(element);
    }
    this.#cards = [];
    if (groups.length === 0) {
      show(
        this.element,
        h("p", { class: "empty" }, "Nothing is logged yet. Lines appear here as the run writes them."),
      );
      return;
    }
    show(
      this.element,
      this.#controls(),
      groups.map(([title, stage, names]) =>
        h(
          "section",
          { class: "group" },
          h("h2", {}, title, h("small", {}, stage === "rl" ? "over environment steps" : "over updates")),
          names[0] === "success" ? this.#hero(names.slice(1)) : h(
            "div",
            { class: "cards" },
            names.map((name) => this.#card(name, stage, false)),
          ),
        )
      ),
    );
    for (const { element } of this.#cards) this.#seen.observe(element);
  }

  /** What everybody asks first is the largest. */
  #hero(names: readonly string[]): HTMLElement {
    return h(
      "div",
      { class: names.length === 2 ? "hero two" : "hero" },
      this.#card("success", "rl", true),
      names.length > 0 && h("div", { class: "beside" }, names.map((name) => this.#card(name, "rl", false))),
    );
  }

  #controls(): HTMLElement {
    const smoothing = h("input", {
      ...{ type: "range", min: 0, max: 6, step: 1, value: Math.log2(this.#smoothing), id: "smoothing" },
      oninput: (event: Event) => {
        this.#smoothing = 2 ** Number((event.target as HTMLInputElement).value);
        said.textContent = this.#said();
        for (const card of this.#cards) if (card.isSeen) this.#draw(card);
      },
    });
    const said = h("output", { for: "smoothing" }, this.#said());
    const isSeveral = this.#bands().some(({ runs }) => runs.length > 1);
    return h(
      "div",
      { class: "controls" },
      h("label", { for: "smoothing" }, "Smoothing"),
      smoothing,
      said,
      isSeveral && h(
        "label",
        { class: "check" },
        h("input", {
          type: "checkbox",
          checked: this.#withBand,
          onchange: (event: Event) => {
            this.#withBand = (event.target as HTMLInputElement).checked;
            this.update();
          },
        }),
        "Seeds as a band",
      ),
    );
  }

  #said(): string {
    return this.#smoothing === 1 ? "off" : `mean of ${this.#smoothing}`;
  }

  #card(name: string, stage: "rl" | "sft", isWide: boolean): HTMLElement {
    const values = h("div", { class: "values" });
    const plot = h("div", { class: "plot", role: "img" });
    const definition = definitions[name] ?? "Defined by the run's own algorithm.";
    const about = `about-${stage}-${name}`;
    const element = h(
      "article",
      { class: isWide ? "card wide" : "card", "aria-label": titleOf(name) },
      h(
        "header",
        {},
        h(
          "h3",
          {},
          titleOf(name),
          h("button", {
            class: "about",
            type: "button",
            "aria-label": `What ${titleOf(name)} is`,
            "aria-describedby": about,
          }, "?"),
          h("span", { role: "tooltip", id: about }, definition),
        ),
        values,
      ),
      plot,
    );
    this.#cards.push({ name, stage, element, values, plot, chart: null, isSeen: false });
    return element;
  }

  #draw(card: Card): void {
    const { name, stage } = card;
    const isWide = card.element.classList.contains("wide");
    card.chart ??= new LineChart(card.plot, isWide ? this.#heroHeight() : 168);
    const lines = this.#withBand
      ? this.#bands().flatMap(({ label, color, runs }) => this.#band(label, color, runs, name, stage))
      : this.#state.shown.flatMap(({ told, color, metrics }) =>
        this.#single(told.name, color, metrics[stage].get(name))
      );
    const environments = new Set(this.#state.shown.map(({ told }) => told.environment));
    const levels = name === "success" && environments.size === 1
      ? this.#state.run?.told.baselines.map(({ label, success }) => ({ label, y: success }))
      : [];
    card.chart.draw({
      ...{ lines, levels, isShare: isShare(name) },
      onHover: (x) => this.#tell(card, x),
      onPick: (x) => {
        const line = stage === "rl" &&
          this.#state.run?.metrics.iterations.values().find(({ envSteps }) => envSteps === x);
        if (line) {
          this.#go(() => {
            this.#state.view = "iteration";
            this.#state.iteration = Number(line.iteration);
          });
        }
      },
    });
    this.#tell(card, null);
  }

  /** As high as the two cards beside it, if there are two. */
  #heroHeight(): number {
    const isBesideTwo = this.element.querySelector(".hero.two") !== null && innerWidth >= 1100;
    return isBesideTwo ? 400 : innerWidth < 760 ? 200 : 260;
  }

  /** Values beside the title: under the pointer, or the last. */
  #tell({ name, chart, values, element, plot }: Card, x: number | null): void {
    const isWide = element.classList.contains("wide");
    const told = chart!.valuesAt(x);
    const format = isShare(name) ? percent : number;
    if (x === null) {
      const last = [...told].map(([label, value]) => `${label} ${format(value)}`).join(", ");
      plot.setAttribute("aria-label", `${titleOf(name)} over steps; at the end ${last}`);
    }
    const colors = new Map(
      this.#withBand
        ? this.#bands().map(({ label, color }) => [label, color])
        : this.#state.shown.map(({ told, color }) => [told.name, color]),
    );
    show(
      values,
      x !== null && h("span", { class: "step" }, `at ${x.toLocaleString("en")}`),
      [...told].map(([label, value]) =>
        h(
          "span",
          { class: "value", title: label, style: { "--run": colors.get(label) ?? "" } },
          // The largest has room to say whose they are.
          isWide && told.size > 1 && h("small", {}, `${label} `),
          isWide && told.size === 1 && this.#state.shown.length > 1 &&
            h("small", {}, `${label}: mean, lowest, highest `),
          format(value),
        )
      ),
    );
  }

  #single(label: string, color: string, series: Series | undefined): Line[] {
    if (series === undefined) return [];
    if (this.#smoothing === 1) return [{ label, color, ...series }];
    return [
      { label: `${label}, each`, color, ...series, isFaint: true },
      { label, color, x: series.x, y: smooth(series.y, this.#smoothing) },
    ];
  }

  #band(label: string, color: string, runs: readonly ShownRun[], name: string, stage: "rl" | "sft"): Line[] {
    const all = runs.flatMap(({ metrics }) => metrics[stage].get(name) ?? []);
    if (all.length <= 1) return this.#single(label, color, all[0]);
    const byStep = new Map<number, number[]>();
    for (const { x, y } of all) {
      const smoothed = smooth(y, this.#smoothing);
      x.forEach((step, i) => {
        const value = smoothed[i];
        const at = byStep.get(step) ?? [];
        byStep.set(step, at);
        if (value !== null) at.push(value);
      });
    }
    const x = [...byStep.keys()].sort((a, b) => a - b);
    const of = (pick: (values: number[]) => number) =>
      x.map((step) => {
        const values = byStep.get(step)!;
        return values.length === 0 ? null : pick(values);
      });
    return [{
      ...{ label, color, x },
      y: of((values) => values.reduce((a, b) => a + b) / values.length),
      band: { low: of((values) => Math.min(...values)), high: of((values) => Math.max(...values)) },
    }];
  }

  /** Runs that differ in their seed alone, together. */
  #bands(): { label: string; color: string; runs: ShownRun[] }[] {
    const groups = new Map<string, ShownRun[]>();
    for (const run of this.#state.shown) {
      const { seed: _, ...settings } = run.told.settings;
      const key = JSON.stringify(settings);
      groups.set(key, [...groups.get(key) ?? [], run]);
    }
    return [...groups.values()].map((runs) => ({
      label: runs.length === 1 ? runs[0].told.name : `${runs.length} seeds of ${runs[0].told.name}`,
      color: runs[0].color,
      runs,
    }));
  }
}
