/// <reference lib="dom" />
/**
 * Play: your moves against the model's in the same episode, and a picture of your own for it to look at.
 *
 * @module
 */
import type { PlayBegun, PlayStepped, PlayThought } from "../../rl/watch/wire.ts";
import { h, show } from "./dom.ts";
import { number, percent, signed } from "./format.ts";
import type { State } from "./state.ts";

/** Milliseconds between tokens as they are shown: about as fast as one reads. */
const TOKEN_MS = 45;
/** Side of the sheet to draw on. */
const SHEET = 300;

/** The play view. */
export class PlayView {
  readonly element = h("div", { class: "play" });
  readonly #state: State;
  readonly #table = h("div", { class: "table" });
  readonly #easel = h("div", { class: "easel" });
  #run: string | null = null;
  #seed = 0;
  #isGreedy = false;
  #isBusy = false;

  constructor(state: State) {
    this.#state = state;
  }

  /** Shows what is known now; an episode that is under way goes on. */
  update(): void {
    const run = this.#state.run;
    if (run === null || run.id === this.#run) return;
    this.#run = run.id;
    show(
      this.element,
      h(
        "div",
        { class: "controls" },
        h(
          "label",
          {},
          "Episode ",
          h("input", {
            ...{ type: "number", min: 0, max: 999_999, value: this.#seed, "aria-label": "Held-out episode" },
            onchange: (event: Event) => {
              this.#seed = Number((event.target as HTMLInputElement).value);
              void this.#begin();
            },
          }),
        ),
        h(
          "label",
          { class: "check" },
          h("input", {
            type: "checkbox",
            onchange: (event: Event) => this.#isGreedy = (event.target as HTMLInputElement).checked,
          }),
          "the model takes its likeliest token",
        ),
        h("button", {
          ...{ type: "button", class: "move" },
          onclick: () => {
            this.#seed = Math.floor(Math.random() * 100_000);
            (this.element.querySelector("input[type=number]") as HTMLInputElement).value = String(this.#seed);
            void this.#begin();
          },
        }, "Another episode"),
      ),
      this.#table,
      h("h2", {}, "A picture of your own"),
      this.#easel,
    );
    this.#buildEasel();
    void this.#begin();
  }

  async #begin(): Promise<void> {
    try {
      const begun = await ask<PlayBegun>("begin", { run: this.#run, seed: this.#seed });
      this.#lay(begun);
    } catch (error) {
      show(this.#table, h("p", { class: "empty", role: "alert" }, (error as Error).message));
    }
  }

  /** Both sides of the table. */
  #lay({ session, actions, prompt, frame, solver }: PlayBegun): void {
    const side = (title: string) => {
      const image = h("img", { src: `data:image/png;base64,${frame}`, alt: `What ${title} sees` });
      const log = h("ol", { class: "log", "aria-live": "polite" });
      const score = h("strong", { class: "score" }, "0");
      const below = h("div", { class: "below" });
      return {
        image,
        log,
        score,
        below,
        isOver: false,
        element: h(
          "section",
          { class: "seat", "aria-label": title },
          h("header", {}, h("h3", {}, title), score),
          image,
          below,
          log,
        ),
      };
    };
    const you = side("You"), model = side("The model");
    const stepped = (at: typeof you, told: PlayStepped) => {
      at.image.src = `data:image/png;base64,${told.frame}`;
      at.score.textContent = signed(told.episodeReturn);
      at.isOver = told.isOver;
      const isBest = told.best === null || told.best === told.action;
      at.log.append(
        h(
          "li",
          {},
          h("strong", {}, told.action),
          h("span", { class: told.reward > 0 ? "good" : told.reward < 0 ? "bad" : "" }, signed(told.reward)),
          solver && !isBest && h("small", {}, `best was ${told.best}`),
        ),
      );
      if (told.isOver) {
        at.log.append(
          h("li", { class: told.success ? "good" : "bad" }, told.success ? "Success" : "No success"),
        );
      }
    };
    const buttons = actions.map((action) =>
      h("button", { type: "button", class: "move", onclick: () => void move(action) }, action)
    );
    show(you.below, h("div", { class: "moves" }, buttons));
    const turn = h(
      "button",
      { type: "button", class: "primary", onclick: () => void think() },
      "Let it think",
    );
    show(model.below, turn);
    const alone = async (work: () => Promise<void>) => {
      if (this.#isBusy) return;
      this.#isBusy = true;
      const focused = document.activeElement;
      [turn, ...buttons].forEach((button) => button.disabled = true);
      try {
        await work();
      } catch (error) {
        show(model.below, h("p", { class: "bad", role: "alert" }, (error as Error).message));
      } finally {
        this.#isBusy = false;
        buttons.forEach((button) => button.disabled = you.isOver);
        turn.disabled = model.isOver;
        returnFocus(focused);
      }
    };
    const modelTurn = async () => {
      if (model.isOver) return;
      const thought = await ask<PlayThought>("think", { session, greedy: this.#isGreedy });
      const written = h("div", {});
      show(model.below, written);
      await write(written, thought);
      model.below.append(turn);
      stepped(model, await ask<PlayStepped>("step", { session, side: "model", action: thought.action }));
    };
    const move = (action: string) =>
      alone(async () => {
        stepped(you, await ask<PlayStepped>("step", { session, side: "you", action }));
        await modelTurn();
      });
    const think = () => alone(modelTurn);
    show(
      this.#table,
      h("h2", { class: "unseen" }, "An episode"),
      h(
        "p",
        { class: "note" },
        "The same episode for both. After each of your moves it is the model's turn; it may also play alone.",
      ),
      h("div", { class: "seats" }, you.element, model.element),
      h("details", { class: "prompt" }, h("summary", {}, "What it is asked"), h("pre", {}, prompt)),
    );
  }

  #buildEasel(): void {
    const canvas = h("canvas", {
      width: SHEET,
      height: SHEET,
      role: "img",
      "aria-label": "A sheet to draw on",
    });
    const context = canvas.getContext("2d")!;
    const clear = () => {
      context.fillStyle = "#fff";
      context.fillRect(0, 0, SHEET, SHEET);
    };
    clear();
    let last: readonly [number, number] | null = null;
    const at = (event: PointerEvent) => {
      const { left, top, width } = canvas.getBoundingClientRect();
      return [(event.clientX - left) * SHEET / width, (event.clientY - top) * SHEET / width] as const;
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      last = at(event);
    });
    canvas.addEventListener("pointerup", () => last = null);
    canvas.addEventListener("pointermove", (event) => {
      if (last === null) return;
      const next = at(event);
      Object.assign(context, { lineWidth: 9, lineCap: "round", strokeStyle: "#111" });
      context.beginPath();
      context.moveTo(...last);
      context.lineTo(...next);
      context.stroke();
      last = next;
    });
    const said = h("div", { class: "said" });
    const put = (image: ImageBitmap | HTMLImageElement) => {
      clear();
      const scale = Math.min(SHEET / image.width, SHEET / image.height);
      context.drawImage(
        image,
        (SHEET - image.width * scale) / 2,
        (SHEET - image.height * scale) / 2,
        image.width * scale,
        image.height * scale,
      );
    };
    const look = h("button", {
      type: "button",
      class: "primary",
      onclick: async () => {
        const focused = document.activeElement;
        look.disabled = true;
        show(said, h("p", { class: "note" }, "It looks …"));
        try {
          const png = canvas.toDataURL("image/png").split(",")[1];
          const thought = await ask<PlayThought>("picture", { run: this.#run, png, greedy: this.#isGreedy });
          const written = h("div", {});
          show(said, written);
          await write(written, thought);
        } catch (error) {
          show(said, h("p", { class: "bad", role: "alert" }, (error as Error).message));
        } finally {
          look.disabled = false;
          returnFocus(focused);
        }
      },
    }, "Show it to the model");
    show(
      this.#easel,
      h(
        "div",
        { class: "sheet-of-paper" },
        canvas,
        h(
          "div",
          { class: "controls" },
          look,
          h("button", { type: "button", class: "link", onclick: clear }, "clear"),
          h("button", {
            type: "button",
            class: "link",
            onclick: () => {
              const frame = this.#table.querySelector("img");
              if (frame) put(frame);
            },
          }, "take the frame above"),
          h(
            "label",
            { class: "link file" },
            "open a PNG",
            h("input", {
              type: "file",
              accept: "image/png",
              onchange: (event: Event) => {
                const [file] = (event.target as HTMLInputElement).files ?? [];
                if (file) {
                  void createImageBitmap(file).then(
                    put,
                    () => show(said, h("p", { class: "bad" }, "This file is no picture.")),
                  );
                }
              },
            }),
          ),
        ),
      ),
      said,
    );
  }
}

/** Gives the focus back to a button that lost it while it was disabled. */
function returnFocus(focused: Element | null): void {
  const isLost = document.activeElement === null || document.activeElement === document.body;
  if (isLost && focused instanceof HTMLElement && focused.isConnected) focused.focus();
}

/** Writes a response as it was written, token by token, then what is known of it. */
async function write(element: HTMLElement, thought: PlayThought): Promise<void> {
  const { text, starts, ends, actionSpan, probabilities, alternatives } = thought;
  const response = h("p", { class: "response" });
  show(element, response);
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  for (let t = 0; t < ends.length; t++) {
    const said = text.slice(starts[t], ends[t]);
    // A token that writes nothing is not shown, unless it ends the response.
    if (said === "" && t < ends.length - 1) continue;
    const others = alternatives?.[t].map(([other, p]) =>
      `${other === "" ? "end" : other} ${percent(p)}`
    ).join("\n") ?? "";
    const isAction = starts[t] < actionSpan[1] && ends[t] > actionSpan[0];
    response.append(h("span", {
      class: isAction ? "token acts chosen-action" : said === "" ? "token silent" : "token",
      style: { "--strength": 1 - probabilities[t], "--tint": "var(--minus)" },
      title: `${percent(probabilities[t])}\n${others}`,
    }, said === "" ? "⏎" : said));
    if (!isStill && said !== "") await new Promise((resolve) => setTimeout(resolve, TOKEN_MS));
  }
  element.append(
    h(
      "p",
      { class: "note" },
      thought.action === null ? "No action found: a random one is taken. " : `Action ${thought.action}. `,
      `Value ${number(thought.value)}. `,
      thought.action !== null && thought.faithful !== null &&
        (thought.faithful ? "Thought and action agree. " : "Thought and action disagree. "),
      "Coloured where it was unsure; point at a token for what else it considered.",
    ),
  );
}

async function ask<T>(what: string, body: object): Promise<T> {
  const response = await fetch(`play/${what}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-ponder": "1" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(await response.text());
  return await response.json();
}
