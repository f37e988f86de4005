/// <reference lib="dom" />
/**
 * The list of runs.
 *
 * @module
 */
import type { RunListed } from "../../rl/watch/wire.ts";
import { h, show } from "./dom.ts";
import { ago, percent, shortName } from "./format.ts";
import type { State } from "./state.ts";
import type { Go } from "./trend.ts";

/** Columns: the title, and the class of its cells. */
const COLUMNS: readonly (readonly [title: string, kind: string])[] = [
  ["Shown", "pick"],
  ["Run", "name"],
  ["Environment", "wide"],
  ["Algorithm", "wide"],
  ["Seed", "wide number"],
  ["State", "state"],
  ["After SFT", "wide number"],
  ["Success", "success number"],
  ["Greedy", "wide number"],
  ["Changed", "wide number"],
];

/** The list of runs: choose those to look at. */
export class RunsView {
  readonly element = h("div", { class: "runs" });
  readonly #state: State;
  readonly #go: Go;

  constructor(state: State, go: Go) {
    this.#state = state;
    this.#go = go;
  }

  /** Shows what is known now. */
  update(): void {
    const { listed } = this.#state;
    if (listed.length === 0) {
      return show(
        this.element,
        h(
          "p",
          { class: "empty" },
          "There is no run yet. ",
          h("code", {}, "./ponder train"),
          " begins one; it appears here.",
        ),
      );
    }
    // What has the focus has it again in the new list.
    const focused = document.activeElement?.closest<HTMLElement>("[data-run]")?.dataset.run;
    const isName = document.activeElement?.matches("button") === true;
    show(
      this.element,
      h("p", { class: "note" }, "Choose runs to lay them over each other. A name shows that run alone."),
      h(
        "table",
        { class: "listing" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            COLUMNS.map(([title, kind]) =>
              h(
                "th",
                { scope: "col", class: kind },
                kind === "pick" ? h("span", { class: "unseen" }, title) : title,
              )
            ),
          ),
        ),
        h(
          "tbody",
          {},
          listed.toSorted((a, b) => b.changedMs - a.changedMs).map((run) => this.#row(run)),
        ),
      ),
    );
    if (focused === undefined) return;
    const row = [...this.element.querySelectorAll<HTMLElement>("[data-run]")]
      .find(({ dataset }) => dataset.run === focused);
    row?.querySelector<HTMLElement>(isName ? "button" : "input")?.focus();
  }

  #row(run: RunListed): HTMLElement {
    const isChosen = this.#state.chosen.includes(run.id);
    const environment = shortName(run.environment);
    const algorithm = shortName(run.algorithm) + (run.policy === "cnn" ? ", CNN" : "");
    const changed = run.changedMs === 0 ? "–" : ago(run.changedMs);
    const folder = run.id.slice(0, -run.name.length);
    return h(
      "tr",
      { class: isChosen ? "chosen" : "", "data-run": run.id },
      h(
        "td",
        { class: "pick" },
        h("input", {
          ...{ type: "checkbox", checked: isChosen, "aria-label": `Show ${run.id}` },
          onchange: () => this.#toggle(run.id),
        }),
      ),
      h(
        "th",
        { scope: "row", class: "name" },
        run.id.endsWith(run.name) && folder !== "" && h("span", { class: "folder" }, folder),
        h("button", { type: "button", class: "link", onclick: () => this.#only(run.id) }, run.name),
      ),
      h(
        "td",
        { class: "about" },
        `${environment}, ${algorithm}${run.seed === null ? "" : `, seed ${run.seed}`}, ${changed}`,
      ),
      h("td", { class: "wide", title: run.environment }, environment),
      h("td", { class: "wide", title: run.algorithm }, algorithm),
      h("td", { class: "wide number" }, run.seed ?? "–"),
      h(
        "td",
        { class: "state" },
        h("span", { class: `status ${run.status}`, title: run.detail }, run.status),
      ),
      h("td", { class: "wide number" }, percent(run.afterSft)),
      h(
        "td",
        { class: "success number" },
        percent(run.sampled),
        run.sampled !== null &&
          h("span", { class: "meter", "aria-hidden": "true", style: { "--share": `${100 * run.sampled}%` } }),
      ),
      h("td", { class: "wide number" }, percent(run.greedy)),
      h("td", { class: "wide number when" }, changed),
    );
  }

  #toggle(id: string): void {
    const { chosen } = this.#state;
    this.#go(() =>
      this.#state.chosen = chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id]
    );
  }

  #only(id: string): void {
    this.#go(() => {
      this.#state.chosen = [id];
      this.#state.view = "trend";
      [this.#state.iteration, this.#state.place] = [null, null];
    });
  }
}
