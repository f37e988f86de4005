/// <reference lib="dom" />
/**
 * Recorded episodes: a list to filter, the frames of one in a row, and the microscope on one of its turns.
 *
 * @module
 */
import type { Recorded, RecordedTurn } from "../../rl/run/recorded.ts";
import type { EpisodeListed, SceneTold } from "../../rl/watch/wire.ts";
import { h, keepingFocus, show } from "./dom.ts";
import { minus, number, signed } from "./format.ts";
import { Microscope } from "./microscope.ts";
import { Replayed } from "./replayed.ts";
import type { ShownRun, State } from "./state.ts";
import type { Go } from "./trend.ts";

const FILTERS: readonly (readonly [name: string, holds: (episode: EpisodeListed) => boolean])[] = [
  ["all", () => true],
  ["success", ({ success }) => success === true],
  ["no success", ({ success }) => success === false],
  ["no action found", ({ unparsed }) => unparsed > 0],
  ["thought and action disagree", ({ unfaithful }) => unfaithful > 0],
  ["evaluation", ({ stage }) => stage === "evaluation"],
];

/** Height of a row of the list. */
const ROW = 58;
/** Rows that are drawn above and below those in sight. */
const OVERSCAN = 10;

/** The episodes view. */
export class EpisodesView {
  readonly element = h("div", { class: "episodes" });
  readonly #state: State;
  readonly #go: Go;
  readonly #microscope = new Microscope();
  readonly #replayed = new Replayed();
  readonly #list = h("div", {
    class: "list",
    role: "listbox",
    tabindex: 0,
    "aria-label": "Recorded episodes",
  });
  readonly #detail = h("div", { class: "detail" });
  readonly #filters = h("div", { class: "filters", role: "group", "aria-label": "Show" });
  #filter = FILTERS[0];
  #rows: EpisodeListed[] = [];
  #shown = "";
  #drawn: readonly [first: number, last: number] = [0, 0];
  #recording: unknown = null;
  #scrolledTo = "";

  constructor(state: State, go: Go) {
    this.#state = state;
    this.#go = go;
    this.#list.addEventListener("scroll", () => this.#drawRows(), { passive: true });
    this.#list.addEventListener("keydown", (event) => this.#onKey(event));
    show(this.element, h("div", { class: "side" }, this.#filters, this.#list), this.#detail);
    new ResizeObserver(() => this.#drawRows()).observe(this.#list);
  }

  /** Shows what is known now. */
  update(): void {
    const run = this.#state.run;
    if (run === null) return;
    const { episodes } = run.recording;
    if (episodes.length === 0) {
      this.#shown = "";
      this.element.classList.add("none");
      show(
        this.#detail,
        h(
          "p",
          { class: "empty" },
          "Nothing of this run is recorded yet. A run records a few episodes of every iteration, unless --record is 0.",
        ),
      );
      return;
    }
    this.element.classList.remove("none");
    if (this.#recording !== run.recording) {
      this.#recording = run.recording;
      this.#buildFilters(episodes);
    }
    this.#rows = episodes.filter(this.#filter[1]).reverse();
    const place = this.#state.place;
    const isThere = place !== null &&
      episodes.some(({ file, episode }) => file === place.file && episode === place.episode);
    if (!isThere && this.#rows.length > 0) {
      // An episode of training comes before one of an evaluation, since it has credit to see.
      const { file, episode } = this.#rows.find(({ advantage }) => advantage !== null) ?? this.#rows[0];
      this.#state.place = { file, episode, turn: 0 };
      this.#state.writeAddress();
    }
    this.#showChosenRow();
    this.#drawRows(true);
    void this.#showDetail(run);
    this.follow();
  }

  /** Looks for a replay of the episode: of nothing else that is shown there comes more. */
  follow(): void {
    void this.#replayed.update(this.#state, this.#go);
  }

  #buildFilters(episodes: readonly EpisodeListed[]): void {
    show(
      this.#filters,
      FILTERS.map((filter) => {
        const [name, holds] = filter;
        const matching = episodes.filter(holds).length;
        if (matching === 0 && filter !== this.#filter) return null;
        return h(
          "button",
          {
            ...{ type: "button", class: "filter", "aria-pressed": filter === this.#filter },
            onclick: () => {
              this.#filter = filter;
              this.#recording = null;
              this.#list.scrollTop = 0;
              this.update();
            },
          },
          name,
          h("span", { class: "count" }, String(matching)),
        );
      }),
    );
  }

  /** Scrolls the list to the chosen episode, once it is chosen. */
  #showChosenRow(): void {
    const { place } = this.#state;
    const key = `${place?.file} ${place?.episode}`;
    if (key === this.#scrolledTo) return;
    this.#scrolledTo = key;
    const top = ROW *
      this.#rows.findIndex(({ file, episode }) => file === place?.file && episode === place.episode);
    const height = this.#list.clientHeight || 240;
    if (top >= 0 && (top < this.#list.scrollTop || top + ROW > this.#list.scrollTop + height)) {
      // The runway must be long enough first.
      this.#drawRows(true);
      this.#list.scrollTop = top - height / 3;
    }
  }

  /** Only the rows in sight are in the page. */
  #drawRows(isForced = false): void {
    const { place } = this.#state;
    const top = Math.floor(this.#list.scrollTop / ROW);
    const bottom = Math.min(this.#rows.length, top + Math.ceil((this.#list.clientHeight || 600) / ROW) + 1);
    const [drawnFirst, drawnLast] = this.#drawn;
    if (!isForced && top >= drawnFirst && bottom <= drawnLast) return;
    // Some beyond those in sight, so that scrolling seldom draws.
    const first = Math.max(0, top - OVERSCAN);
    const last = Math.min(this.#rows.length, bottom + OVERSCAN);
    this.#drawn = [first, last];
    const chosen = this.#rows.findIndex(({ file, episode }) =>
      file === place?.file && episode === place.episode
    );
    if (chosen < first || chosen >= last) this.#list.removeAttribute("aria-activedescendant");
    else this.#list.setAttribute("aria-activedescendant", `row-${chosen}`);
    show(
      this.#list,
      h(
        "div",
        { class: "runway", role: "presentation", style: { height: `${this.#rows.length * ROW}px` } },
        this.#rows.slice(first, last).map((row, i) =>
          this.#row(row, first + i, row.file === place?.file && row.episode === place.episode)
        ),
      ),
    );
  }

  #row(row: EpisodeListed, index: number, isChosen: boolean): HTMLElement {
    const name = row.stage === "rl"
      ? `iteration ${row.iteration}`
      : `after ${row.after === "sft" ? "SFT" : "RL"}, ${row.how}`;
    const [kind, mark, outcome] = row.success === null
      ? ["open", "·", "not ended"]
      : row.success
      ? ["good", "✓", "success"]
      : ["bad", "✕", "no success"];
    return h(
      "div",
      {
        ...{ class: "row", id: `row-${index}`, role: "option", "aria-selected": isChosen },
        ...{ "aria-setsize": this.#rows.length, "aria-posinset": index + 1 },
        ...{ style: { top: `${index * ROW}px` } },
        onclick: () => this.#choose(row),
      },
      h("span", { class: `mark ${kind}`, role: "img", "aria-label": outcome }, mark),
      h(
        "span",
        { class: "what" },
        h(
          "span",
          { class: "name" },
          name,
          h(
            "small",
            {},
            row.unparsed > 0 && h("em", {}, "no action"),
            row.unfaithful > 0 && h("em", {}, "disagrees"),
            `${row.turns} ${row.turns === 1 ? "turn" : "turns"}`,
          ),
        ),
        h("span", { class: "said" }, row.text),
      ),
      h("span", { class: "return" }, row.episodeReturn === null ? "" : signed(row.episodeReturn)),
    );
  }

  #choose({ file, episode }: EpisodeListed, turn = 0): void {
    this.#go(() => this.#state.place = { file, episode, turn });
  }

  #onKey(event: KeyboardEvent): void {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const { place } = this.#state;
    const now = this.#rows.findIndex(({ file, episode }) =>
      file === place?.file && episode === place.episode
    );
    const next = Math.max(0, Math.min(this.#rows.length - 1, now + by));
    if (this.#rows[next]) this.#choose(this.#rows[next]);
  }

  async #showDetail(run: ShownRun): Promise<void> {
    const { place, source } = this.#state;
    if (place === null) return;
    const key = `${run.id} ${place.file} ${place.episode} ${place.turn}`;
    if (key === this.#shown) return;
    this.#shown = key;
    try {
      const recorded = await source.recorded(run.id, place.file);
      // Without the frames first: drawing them takes a moment.
      if (this.#shown === key) this.#draw(run, recorded, null);
      const scene = run.told.canDraw ? await source.scene(run.id, place.file, place.episode) : { turns: [] };
      if (this.#shown === key) this.#draw(run, recorded, scene);
    } catch (error) {
      if (this.#shown === key) {
        show(this.#detail, h("p", { class: "empty", role: "alert" }, (error as Error).message));
      }
    }
  }

  /** The focus stays where it was; in the film it is on the turn that is shown. */
  #draw(run: ShownRun, recorded: Recorded, scene: SceneTold | null): void {
    const isInFilm = document.activeElement?.closest(".film") != null;
    const shownTurn = () =>
      isInFilm ? this.#detail.querySelector<HTMLElement>(".film [aria-pressed=true]") : null;
    keepingFocus(() => this.#drawDetail(run, recorded, scene), shownTurn);
  }

  #drawDetail(run: ShownRun, recorded: Recorded, scene: SceneTold | null): void {
    const { header, episodes, turns } = recorded;
    const place = this.#state.place!;
    const episode = episodes.find(({ episode }) => episode === place.episode);
    const own = turns.filter((turn) => turn.kind === "turn" && turn.episode === place.episode);
    const turn = own.find(({ turn }) => turn === place.turn) ?? own[0];
    if (episode === undefined || turn === undefined) {
      return show(this.#detail, h("p", { class: "empty" }, "This episode is not in the recording any more."));
    }
    const at = own.indexOf(turn);
    const told = scene?.turns[at] ?? null;
    const frameOf = (i: number) => scene?.turns[i] ? `data:image/png;base64,${scene.turns[i].frame}` : null;
    const pictureOf = ({ picture }: RecordedTurn) =>
      picture === null ? null : this.#state.source.picture(run.id, picture);
    const title = header.stage === "rl"
      ? `Iteration ${header.iteration}, deal ${episode.deal}`
      : `Held-out episode ${episode.deal}, ${episode.how}, after ${header.after === "sft" ? "SFT" : "RL"}`;
    this.#microscope.look({
      ...{ header, turn, frame: frameOf(at), picture: pictureOf(turn) },
      others: turns.filter((other) =>
        other.kind === "other" && other.episode === turn.episode && other.turn === turn.turn
      ),
    });
    const { outcome } = episode;
    show(
      this.#detail,
      h(
        "header",
        { class: "title" },
        h("h2", {}, title),
        h(
          "p",
          {},
          outcome === null
            ? `${own.length} of its turns are here; it began or ended in another iteration.`
            : `${outcome.success ? "Success" : "No success"}, return ${
              signed(outcome.episodeReturn)
            } in ${outcome.steps} ${outcome.steps === 1 ? "step" : "steps"}.` +
              (own.length < episode.turns ? ` The first ${own.length} are recorded.` : ""),
        ),
      ),
      h(
        "ol",
        { class: "film", "aria-label": "Turns" },
        own.map((each, i) => {
          const image = frameOf(i) ?? pictureOf(each);
          return h(
            "li",
            {},
            h(
              "button",
              {
                ...{ type: "button", "aria-pressed": each === turn },
                "aria-label": `Turn ${each.turn + 1}: ${header.actions[each.action]}, reward ${each.reward}`,
                onclick: () => this.#go(() => this.#state.place = { ...place, turn: each.turn }),
                onkeydown: (event: KeyboardEvent) => {
                  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
                  const next = own[i + (by ?? 0)];
                  if (by === undefined || next === undefined) return;
                  event.preventDefault();
                  this.#go(() => this.#state.place = { ...place, turn: next.turn });
                },
              },
              image === null
                ? h("span", { class: "blank" })
                : h("img", { src: image, alt: "", class: frameOf(i) === null ? "pixels" : "" }),
              h(
                "span",
                { class: "caption" },
                h("strong", { class: "label" }, each.parsed ? minus(header.actions[each.action]) : "random"),
                h(
                  "span",
                  { class: each.reward > 0 ? "good" : each.reward < 0 ? "bad" : "" },
                  signed(each.reward),
                ),
              ),
            ),
          );
        }),
      ),
      h(
        "dl",
        { class: "facts" },
        fact(
          "action",
          turn.parsed
            ? label(header.actions[turn.action])
            : `none found; ${header.actions[turn.action]} drawn at random`,
          turn.parsed ? "" : "bad",
        ),
        fact("reward", signed(turn.reward), turn.reward > 0 ? "good" : turn.reward < 0 ? "bad" : ""),
        fact("value", number(turn.value)),
        typeof turn.advantage === "number" && fact("advantage", signed(turn.advantage)),
        typeof turn.ratio === "number" &&
          fact("ratio", `${number(turn.ratio)}${turn.clipped === true ? ", clipped" : ""}`),
        told?.best != null &&
          fact("solver", label(told.best), told.best === header.actions[turn.action] ? "good" : ""),
        told?.regret != null && fact("regret", number(told.regret), told.regret > 1e-9 ? "bad" : "good"),
        turn.perception !== null &&
          fact(
            "reads the picture",
            turn.perception === 1 ? "right" : `${Math.round(100 * turn.perception)}% right`,
            turn.perception === 1 ? "good" : "bad",
          ),
        turn.faithful !== null &&
          fact("thought and action", turn.faithful ? "agree" : "disagree", turn.faithful ? "good" : "bad"),
      ),
      this.#microscope.element,
      h(
        "details",
        { class: "prompt" },
        h("summary", {}, "Prompt"),
        h("pre", {}, header.prompts[turn.prompt]),
      ),
      this.#replayed.element,
    );
  }
}

/** An action by its name, which may be a sign. */
const label = (action: string) => h("span", { class: "label" }, minus(action));

function fact(name: string, value: string | HTMLElement, kind = ""): HTMLElement {
  return h("div", {}, h("dt", {}, name), h("dd", { class: kind }, value));
}
