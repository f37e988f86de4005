/// <reference lib="dom" />
/**
 * The page of `./ponder watch`: which view is shown, and following runs that train.
 *
 * @module
 */
import { forgetColors } from "./chart.ts";
import { CompareView } from "./compare.ts";
import { h, keepingFocus, show } from "./dom.ts";
import { EpisodesView } from "./episodes.ts";
import { percent, shortName } from "./format.ts";
import { IterationView } from "./iteration.ts";
import type { View } from "./link.ts";
import { PlayView } from "./play.ts";
import { RunsView } from "./runs_view.ts";
import { openSource } from "./source.ts";
import { State } from "./state.ts";
import { TrendView } from "./trend.ts";

/** Milliseconds between looks at what is new. */
const INTERVAL_MS = 2000;

const source = openSource();
const state = new State(source);
const views = {
  runs: new RunsView(state, go),
  trend: new TrendView(state, go),
  iteration: new IterationView(state, go),
  episodes: new EpisodesView(state, go),
  compare: new CompareView(state),
  play: new PlayView(state),
};
type Shown = keyof typeof views;
const TITLES: Readonly<Record<Shown, string>> = {
  runs: "Runs",
  trend: "Trend",
  iteration: "Iteration",
  episodes: "Episodes",
  compare: "Compare",
  play: "Play",
};

const nav = h("nav", { "aria-label": "Views" });
const chips = h("section", { class: "chosen", "aria-label": "Runs that are shown" });
const notices = h("div", { class: "notices", role: "status", "aria-live": "polite" });
const main = h("main", { tabindex: -1 });
const heading = h("h1", { class: "unseen" });
const live = h("span", { class: "live" });
const theme = h("button", {
  type: "button",
  class: "icon",
  "aria-label": "Dark or light",
  onclick: switchTheme,
}, "◐");

document.body.append(
  h(
    "header",
    { class: "top" },
    h("a", { class: "brand", href: "#/runs" }, h("i", { "aria-hidden": "true" }), "ponder"),
    nav,
    live,
    theme,
  ),
  chips,
  notices,
  main,
);

/** Changes what is shown; loads what that needs. */
function go(change: () => void): void {
  change();
  state.writeAddress();
  render();
  void load();
}

async function load(): Promise<void> {
  try {
    if (await state.refreshRuns()) render();
    tellConnection(true);
  } catch (error) {
    tell((error as Error).message);
  }
}

function render(): void {
  keepingFocus(draw);
}

function draw(): void {
  const view: Shown = state.view in views ? state.view as Shown : "trend";
  const isMany = source.isLive || state.listed.length > 1;
  show(
    nav,
    (Object.keys(views) as Shown[]).filter((each) =>
      each === "play" ? source.isLive : isMany || each !== "runs"
    ).map((each) =>
      h("button", {
        ...{ type: "button", "aria-current": each === view ? "page" : null },
        onclick: () => go(() => state.view = each as View),
      }, TITLES[each])
    ),
  );
  show(
    chips,
    state.shown.map(({ told, color }, i) =>
      h(
        "span",
        { class: i === 0 ? "run first" : "run", title: told.detail },
        h("span", { class: told.status === "training" ? "dot pulses" : "dot", style: { "--run": color } }),
        i === 0 ? h("strong", {}, told.name) : h("button", {
          ...{ type: "button", class: "link", title: "Look into this one" },
          onclick: () =>
            go(() => {
              state.chosen = [told.id, ...state.chosen.filter((id) => id !== told.id)];
              [state.iteration, state.place] = [null, null];
            }),
        }, told.name),
        h(
          "span",
          { class: "about" },
          `${shortName(told.environment)}, ${shortName(told.algorithm)}`,
          told.sampled !== null && `, ${percent(told.sampled)}`,
        ),
        state.chosen.length > 1 && h("button", {
          ...{ type: "button", class: "icon", "aria-label": `Leave out ${told.name}` },
          onclick: () => go(() => state.chosen = state.chosen.filter((id) => id !== told.id)),
        }, "×"),
      )
    ),
    isMany &&
      h(
        "button",
        { type: "button", class: "link more", onclick: () => go(() => state.view = "runs") },
        "choose runs",
      ),
  );
  tellFaults();
  heading.textContent = TITLES[view];
  if (main.lastChild !== views[view].element) show(main, heading, views[view].element);
  document.title = `${state.run ? `${state.run.told.name} – ` : ""}ponder`;
  views[view].update();
}

/** What is wrong with the address. */
let said: string | null;

/** Names the files that are damaged, and faults of the address; the rest is shown all the same. */
function tellFaults(): void {
  const faults = state.shown.flatMap(({ told, recording, metrics }) => [
    ...[...told.faults, ...recording.faults].map(({ file, state }) => `${told.name}/${file}: ${state}`),
    ...metrics.damagedLines > 0
      ? [
        `${told.name}/metrics.jsonl: ${
          metrics.damagedLines === 1 ? "1 line is" : `${metrics.damagedLines} lines are`
        } not JSON, or of another version, and left out`,
      ]
      : [],
  ]);
  show(
    notices,
    said !== null && h(
      "p",
      { class: "notice" },
      said,
      " ",
      h("button", { type: "button", class: "link", onclick: () => (said = null, tellFaults()) }, "Close"),
    ),
    faults.length > 0 && h(
      "details",
      { class: "notice", open: faults.length <= 3 },
      h("summary", {}, faults.length === 1 ? "One file is damaged" : `${faults.length} files are damaged`),
      h("ul", {}, faults.slice(0, 50).map((fault) => h("li", {}, fault))),
    ),
  );
}

function tell(message: string): void {
  show(notices, h("p", { class: "notice" }, message));
}

function tellConnection(isThere: boolean): void {
  const isTraining = state.shown.some(({ told }) => told.status === "training");
  show(live, source.isLive ? (isThere ? (isTraining ? "live" : "") : "server gone") : "exported");
  live.className = `live ${isThere && isTraining ? "on" : isThere ? "" : "gone"}`;
}

function switchTheme(): void {
  const root = document.documentElement;
  const isDark = root.dataset.theme === "dark" ||
    (root.dataset.theme === undefined && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = isDark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // A page from a file may not keep it.
  }
  repaint();
}

/** Canvases do not follow the style sheet by themselves. */
function repaint(): void {
  forgetColors();
  views.trend.repaint();
}

function restoreTheme(): void {
  try {
    const kept = localStorage.getItem("theme");
    if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  } catch {
    // As the system has it.
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
}

async function follow(): Promise<void> {
  try {
    await state.refreshList();
    const isNew = await state.refreshRuns();
    tellConnection(true);
    if (isNew || state.view === "runs") render();
    else if (state.view === "episodes") views.episodes.follow();
  } catch {
    tellConnection(false);
  }
}

addEventListener("hashchange", () => {
  if (location.hash === state.address) return;
  said = state.readAddress();
  void openAddress();
});

// Digits choose views; fields that take digits keep theirs.
addEventListener("keydown", (event) => {
  const isTyping = (event.target as HTMLElement | null)?.closest?.(
    "input:not([type=range], [type=checkbox], [type=radio]), textarea, select",
  ) !== null;
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const view = (Object.keys(views) as Shown[])[Number(event.key) - 1];
  if (view !== undefined) go(() => state.view = view);
});

/** Loads and shows what the address says. */
async function openAddress(): Promise<void> {
  try {
    const asked = state.chosen;
    await state.refreshList();
    const missing = asked.filter((id) => !state.listed.some((run) => run.id === id));
    if (missing.length > 0) said ??= `This link names runs that are not here: ${missing.join(", ")}.`;
    if (state.listed.length === 0) state.view = "runs";
    await state.refreshRuns();
    state.writeAddress();
    render();
    tellConnection(true);
  } catch (error) {
    tell(`Cannot show the runs: ${(error as Error).message}`);
  }
}

restoreTheme();
state.onRecording = render;
said = state.readAddress();
await openAddress();
document.documentElement.dataset.ready = "";
if (source.isLive) setInterval(() => void follow(), INTERVAL_MS);
