/// <reference lib="dom" />
/**
 * One iteration: what its turns were worth, how far the policy moved, and where the time went.
 *
 * @module
 */
import type { RecordedHeader } from "../../rl/run/recorded.ts";
import { histogram } from "./chart.ts";
import { definitions } from "./definitions.ts";
import { h, show } from "./dom.ts";
import { number, percent, seconds } from "./format.ts";
import { isShare, titleOf } from "./metrics.ts";
import type { ShownRun, State } from "./state.ts";
import type { Go } from "./trend.ts";

/** The iteration view. */
export class IterationView {
  readonly element = h("div", { class: "iteration" });
  readonly #state: State;
  readonly #go: Go;
  #shown = "";

  constructor(state: State, go: Go) {
    this.#state = state;
    this.#go = go;
  }

  /** Shows what is known now. */
  update(): void {
    const run = this.#state.run;
    if (run === null || run.metrics.iterations.size === 0) {
      this.#shown = "";
      return show(this.element, h("p", { class: "empty" }, "This run has no iteration of RL yet."));
    }
    const last = Math.max(...run.metrics.iterations.keys());
    const iteration = Math.min(this.#state.iteration ?? last, last);
    const key = `${run.id} ${iteration} ${last} ${run.recording.episodes.length}`;
    if (key === this.#shown) return;
    this.#shown = key;
    const body = h("div", { class: "body" });
    show(this.element, this.#chooser(iteration, last), body);
    void this.#fill(body, run, iteration);
  }

  #chooser(iteration: number, last: number): HTMLElement {
    const choose = (value: number) =>
      this.#go(() => this.#state.iteration = Math.max(1, Math.min(last, value)));
    const step = (label: string, by: number, text: string) =>
      h("button", {
        ...{ type: "button", class: "icon", "aria-label": label },
        disabled: iteration + by < 1 || iteration + by > last,
        onclick: () => choose(iteration + by),
      }, text);
    return h(
      "div",
      { class: "controls chooser" },
      step("Iteration before", -1, "‹"),
      h(
        "label",
        { class: "at" },
        "Iteration ",
        h("input", {
          ...{ type: "number", min: 1, max: last, value: iteration, "aria-label": "Iteration" },
          onchange: (event: Event) => choose(Number((event.target as HTMLInputElement).value)),
        }),
        ` of ${last}`,
      ),
      step("Iteration after", 1, "›"),
      h("input", {
        ...{ type: "range", min: 1, max: last, value: iteration, "aria-label": "Iteration" },
        onchange: (event: Event) => choose(Number((event.target as HTMLInputElement).value)),
      }),
    );
  }

  async #fill(body: HTMLElement, run: ShownRun, iteration: number): Promise<void> {
    const line = run.metrics.iterations.get(iteration);
    const file = run.recording.episodes.find((each) => each.stage === "rl" && each.iteration === iteration)
      ?.file;
    let header: RecordedHeader | null = null;
    let fault = "";
    if (file !== undefined) {
      try {
        header = (await this.#state.source.recorded(run.id, file)).header;
      } catch (error) {
        fault = (error as Error).message;
      }
    }
    show(
      body,
      line && this.#numbers(line),
      header === null ? this.#unrecorded(run, iteration, fault) : recordedParts(header),
      file !== undefined && h(
        "p",
        {},
        h("button", {
          type: "button",
          class: "primary",
          onclick: () =>
            this.#go(() => {
              this.#state.view = "episodes";
              this.#state.place = { file, episode: 0, turn: 0 };
            }),
        }, "Look at its recorded episodes"),
      ),
    );
  }

  #numbers(line: Record<string, unknown>): HTMLElement {
    const names = Object.keys(line).filter((name) =>
      (typeof line[name] === "number" || line[name] === null) && name !== "iteration"
    );
    const alarms = Array.isArray(line.thoughtAlarm) ? line.thoughtAlarm : [];
    return h(
      "section",
      {},
      alarms.length > 0 &&
        h("p", { class: "alarm", role: "status" }, `Thoughts: ${alarms.map(String).join(", ")}`),
      h(
        "dl",
        { class: "numbers" },
        names.map((name) =>
          h(
            "div",
            { title: definitions[name] ?? "" },
            h("dt", {}, titleOf(name)),
            h("dd", {}, (isShare(name) ? percent : number)(line[name] as number | null)),
          )
        ),
      ),
    );
  }

  #unrecorded(run: ShownRun, iteration: number, fault: string): HTMLElement {
    const { iterations } = run.recording;
    const nearest = iterations.toSorted((a, b) => Math.abs(a - iteration) - Math.abs(b - iteration))[0];
    return h(
      "p",
      { class: "empty" },
      fault ||
        (iterations.length === 0
          ? "Nothing of this run is recorded: it was trained with --record 0, or before runs were recorded."
          : "This iteration is not in the recording, which keeps a fair sample. "),
      nearest !== undefined && fault === "" &&
        h("button", {
          type: "button",
          class: "link",
          onclick: () => this.#go(() => this.#state.iteration = nearest),
        }, `Go to the nearest, ${nearest}`),
    );
  }
}

function recordedParts(header: RecordedHeader): HTMLElement[] {
  const { histograms, objective, minibatches } = header;
  const clips = objective === null ? [] : [
    { label: "lower clip", y: 1 - objective.clipLow },
    { label: "one", y: 1 },
    { label: "upper clip", y: 1 + objective.clipHigh },
  ];
  const zero = [{ label: "zero", y: 0 }];
  const drawn = [
    histograms.advantage &&
    histogram(histograms.advantage, { label: "Advantages", note: "scaled", marks: zero }),
    histograms.ratio && histogram(histograms.ratio, {
      label: "Policy ratios",
      note: `one a ${objective?.ratio ?? "response"}, of every minibatch`,
      marks: clips,
    }),
    histograms.valueTarget &&
    histogram(histograms.valueTarget, {
      label: "Value targets",
      note: "in units of scaled return",
      marks: zero,
    }),
    histograms.episodeReturn &&
    histogram(histograms.episodeReturn, { label: "Returns", note: "of episodes that ended", marks: zero }),
  ].filter((each) => each !== null);
  const parts = [
    h(
      "section",
      {},
      h("h2", {}, `Its ${header.turns} turns`),
      h("div", { class: "histograms" }, drawn),
    ),
  ];
  if (minibatches.length > 0) parts.push(updates(header));
  if (Object.keys(header.seconds).length > 0) parts.push(times(header.seconds));
  return parts;
}

/** KL of every minibatch against the stop. */
function updates({ minibatches, plannedUpdates, klStop }: RecordedHeader): HTMLElement {
  const most = 1.2 * Math.max(...minibatches.map(({ kl }) => kl), klStop ?? 0, 1e-9);
  const columns = Math.max(plannedUpdates, minibatches.length);
  const isStopped = minibatches.length < plannedUpdates;
  const share = (kl: number) => `${100 * Math.max(0, kl) / most}%`;
  return h(
    "section",
    {},
    h("h2", {}, "Its updates"),
    h(
      "p",
      {},
      isStopped
        ? `The KL stop ended the iteration after ${minibatches.length} of ${plannedUpdates} updates: the policy was ` +
          `${number(minibatches.at(-1)!.kl)} nats a weighted token from the one that acted, over ${
            number(klStop)
          }.`
        : `All ${plannedUpdates} updates were done; the KL estimate stayed under ${number(klStop)} nats.`,
    ),
    h(
      "ol",
      { class: "updates" },
      Array.from({ length: columns }, (_, i) => {
        const each = minibatches[i];
        if (each === undefined) {
          return h("li", { class: "skipped", title: `Update ${i + 1} was left out` }, h("b", {}));
        }
        const { kl, clipFraction, policyLoss } = each;
        const told = `Update ${i + 1}: KL ${number(kl)}, ${percent(clipFraction)} of ratios clipped, ` +
          `policy loss ${number(policyLoss)}`;
        return h(
          "li",
          { class: klStop !== null && kl > klStop ? "over" : "", title: told, "aria-label": told },
          h("b", { style: { height: share(kl) } }),
          columns <= 16 && h("small", {}, `${Math.round(100 * clipFraction)}%`),
        );
      }),
      klStop !== null && klStop > 0 && h(
        "li",
        {
          class: "stop",
          "aria-hidden": "true",
          style: { bottom: `calc(22px + (100% - 22px) * ${klStop / most})` },
        },
        h("span", {}, `KL stop ${number(klStop)}`),
      ),
    ),
    h(
      "p",
      { class: "note" },
      "Height: KL of a weighted token up to a minibatch, over the last few, before its step. Below: share of its ratios outside the clip.",
    ),
  );
}

const TIMES: Readonly<Record<string, string>> = {
  rollout: "acting",
  update: "learning",
  record: "recording",
};

function times(all: Readonly<Record<string, number>>): HTMLElement {
  const total = Object.values(all).reduce((a, b) => a + b, 0);
  const parts = Object.entries(all).sort(([, a], [, b]) => b - a);
  return h(
    "section",
    {},
    h("h2", {}, "Where the time went"),
    h(
      "div",
      {
        class: "times",
        role: "img",
        "aria-label": parts.map(([name, each]) => `${TIMES[name] ?? name} ${seconds(each)}`).join(", "),
      },
      parts.map(([name, each]) =>
        h("span", {
          class: `time ${name}`,
          style: { "flex-grow": Math.max(each / total, 0.002) },
          title: `${TIMES[name] ?? name} ${seconds(each)}`,
        })
      ),
    ),
    h(
      "ul",
      { class: "legend" },
      parts.map(([name, each]) =>
        h(
          "li",
          {},
          h("span", { class: `swatch time ${name}` }),
          `${TIMES[name] ?? name} ${seconds(each)}, ${percent(each / total)}`,
        )
      ),
    ),
  );
}
