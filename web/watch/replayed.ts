/// <reference lib="dom" />
/**
 * What `./ponder replay` found out about the episode that is shown, or how to have it found out.
 *
 * @module
 */
import type { Recorded, RecordedTurn } from "../../rl/run/recorded.ts";
import type { Mismatch } from "../../rl/run/replay.ts";
import type { ReplayTold } from "../../rl/run/replayed.ts";
import { h, show } from "./dom.ts";
import type { State } from "./state.ts";
import type { Go } from "./trend.ts";

/** Mismatches that are listed. */
const LISTED = 20;

/** The part of the page. */
export class Replayed {
  readonly element = h("section", { class: "replayed", "aria-label": "Replay" });
  #of = "";
  #drawn = "";

  /** Looks at every update: somebody may replay the episode meanwhile. */
  async update(state: State, go: Go): Promise<void> {
    const { run, place, source } = state;
    if (run === null || place === null) return;
    const { file, episode } = place;
    const of = `${run.id} ${file} ${episode}`;
    if (of !== this.#of) this.element.hidden = true;
    this.#of = of;
    try {
      const [recorded, told] = await Promise.all([
        source.recorded(run.id, file),
        source.replay(run.id, file, episode),
      ]);
      if (of !== this.#of) return;
      const choose = (turn: number) => go(() => state.place = { file, episode, turn });
      this.#draw(recorded, episode, { told, run: source.isLive ? run.told.name : null, choose });
    } catch {
      // The view itself says what is wrong with the file.
      if (of === this.#of) this.element.hidden = true;
    }
  }

  #draw(
    { header, turns }: Recorded,
    episode: number,
    { told, run, choose }: {
      /** What is known; null if the episode was not replayed. */
      readonly told: ReplayTold | null;
      /** Name of the run, where somebody can replay it. */
      readonly run: string | null;
      readonly choose: (turn: number) => void;
    },
  ): void {
    this.element.hidden = told === null && run === null;
    const key = JSON.stringify([this.#of, told]);
    if (key === this.#drawn) return;
    this.#drawn = key;
    const label = `${header.stage === "rl" ? header.iteration : header.after}.${episode}`;
    const command = run !== null && h("code", {}, `./ponder replay ${run} --episode ${label}`);
    if (told === null) {
      return show(
        this.element,
        h("h3", {}, "Replay"),
        h(
          "p",
          { class: "note" },
          "Compute this episode again from its seed, and see here whether every token and log-probability comes out the same: ",
          command,
        ),
      );
    }
    const isSame = told.mismatch === 0;
    const own = turns.filter((turn) => turn.episode === episode);
    const of = `${count(told.responses, "response")}, ${count(told.tokens, "token")}, ${
      count(told.compared, "number")
    }`;
    show(
      this.element,
      h("h3", {}, "Replay"),
      h(
        "p",
        { class: "verdict" },
        h("span", { class: `mark ${isSame ? "good" : "bad"}`, "aria-hidden": "true" }, isSame ? "✓" : "✕"),
        h(
          "span",
          {},
          h("strong", {}, `mismatch ${told.mismatch.toLocaleString("en")}`),
          isSame
            ? `. Every token and log-probability came out the same: ${of}, on ${told.adapter}.`
            : ` of ${of}, on ${told.adapter}. Another adapter, driver or tuning rounds otherwise.`,
        ),
      ),
      !isSame && this.#table(told.mismatches.slice(0, LISTED), own, choose),
      told.mismatch > LISTED &&
        h("p", { class: "note" }, `and ${(told.mismatch - LISTED).toLocaleString("en")} more`),
      !isSame && h("p", { class: "note" }, "Compute it again: ", command),
    );
  }

  #table(mismatches: readonly Mismatch[], own: readonly RecordedTurn[], choose: (turn: number) => void) {
    return h(
      "div",
      { class: "scroller", tabindex: 0, role: "region", "aria-label": "Mismatches" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["turn", "token", "what", "recorded", "computed again"].map((name) =>
              h("th", { scope: "col" }, name)
            ),
          ),
        ),
        h(
          "tbody",
          {},
          mismatches.map(({ turn, token, field, recorded, replayed }) =>
            h(
              "tr",
              {},
              h(
                "td",
                {},
                h(
                  "button",
                  {
                    type: "button",
                    class: "link",
                    onclick: () => choose(turn),
                    "aria-label": `Show turn ${turn + 1}`,
                  },
                  String(turn + 1),
                ),
              ),
              h("td", {}, token === null ? "" : h("code", {}, tokenText(own, turn, token))),
              h("td", {}, field),
              h("td", {}, short(recorded)),
              h("td", {}, short(replayed)),
            )
          ),
        ),
      ),
    );
  }
}

const count = (n: number, name: string) => `${n.toLocaleString("en")} ${name}${n === 1 ? "" : "s"}`;

const short = (value: unknown) => String(JSON.stringify(value) ?? "missing").slice(0, 40);

/** A token's text, or its number where it has none. */
function tokenText(own: readonly RecordedTurn[], turn: number, token: number): string {
  const of = own.find((each) => each.kind === "turn" && each.turn === turn);
  const text = of?.text.slice(of.starts[token] ?? 0, of.ends[token] ?? 0) ?? "";
  return text.trim() === "" ? `#${token + 1}` : text.trim().slice(0, 30);
}
