/// <reference lib="dom" />
/**
 * The list of runs.
 *
 * @module
 */
import { h, show } from "./dom.ts";
import { ago, percent } from "./format.ts";
import type { State } from "./state.ts";
import type { Go } from "./trend.ts";

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
    const { listed, chosen } = this.#state;
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
    const toggle = (id: string) =>
      this.#go(() =>
        this.#state.chosen = chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id]
      );
    const only = (id: string) =>
      this.#go(() => {
        this.#state.chosen = [id];
        this.#state.view = "trend";
        [this.#state.iteration, this.#state.place] = [null, null];
      });
    show(
      this.element,
      h("p", { class: "note" }, "Choose runs to lay them over each other. A name shows that run alone."),
      h(
        "div",
        { class: "scrolls" },
        h(
          "table",
          { class: "listing" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ["", "run", "environment", "algorithm", "seed", "state", "success", "greedy", "changed"]
                .map((each) => h("th", { scope: "col" }, each)),
            ),
          ),
          h(
            "tbody",
            {},
            listed.toSorted((a, b) => b.changedMs - a.changedMs).map((run) =>
              h(
                "tr",
                { class: chosen.includes(run.id) ? "chosen" : "" },
                h(
                  "td",
                  {},
                  h("input", {
                    ...{
                      type: "checkbox",
                      checked: chosen.includes(run.id),
                      "aria-label": `Show ${run.name}`,
                    },
                    onchange: () => toggle(run.id),
                  }),
                ),
                h(
                  "th",
                  { scope: "row" },
                  h("button", { type: "button", class: "link", onclick: () => only(run.id) }, run.name),
                ),
                h("td", {}, run.environment),
                h("td", {}, run.policy === "cnn" ? `${run.algorithm}, CNN` : run.algorithm),
                h("td", { class: "number" }, run.seed ?? "–"),
                h("td", {}, h("span", { class: `status ${run.status}`, title: run.detail }, run.status)),
                h("td", { class: "number" }, percent(run.sampled)),
                h("td", { class: "number" }, percent(run.greedy)),
                h("td", { class: "when" }, run.changedMs === 0 ? "–" : ago(run.changedMs)),
              )
            ),
          ),
        ),
      ),
    );
  }
}
