/// <reference lib="dom" />
/**
 * The credit microscope: a response token by token, coloured by what each earned, with what it looked at.
 *
 * @module
 */
import type { RecordedHeader, RecordedTurn } from "../../rl/run/recorded.ts";
import { h, keepingFocus, show } from "./dom.ts";
import { chance, signed } from "./format.ts";
import { QUANTITIES, type Quantity, strengthOf } from "./quantities.ts";

/** What the microscope looks at. */
export interface Slide {
  readonly header: RecordedHeader;
  readonly turn: RecordedTurn;
  /** Other answers to the same state. */
  readonly others: readonly RecordedTurn[];
  /** The frame, and the picture as the policy saw it. */
  readonly frame: string | null;
  readonly picture: string | null;
}

/** Looks at one response. */
export class Microscope {
  readonly element = h("section", { class: "microscope", "aria-label": "Credit microscope" });
  #quantity: Quantity = QUANTITIES[0];
  #token = 0;
  #slide: Slide | null = null;
  #heat: HTMLCanvasElement | null = null;
  #details = h("div", { class: "details", "aria-live": "polite" });
  #tokens: HTMLElement[] = [];

  /** Looks at another response. */
  look(slide: Slide): void {
    const isOther = this.#slide?.turn !== slide.turn;
    this.#slide = slide;
    if (isOther) this.#token = mostTelling(slide.turn);
    this.#build();
  }

  #build(): void {
    const { turn, others, frame, picture, header } = this.#slide!;
    const available = QUANTITIES.filter((quantity) => quantity.of(turn) !== null);
    if (!available.includes(this.#quantity)) this.#quantity = available[0];
    this.#heat = turn.attention === null ? null : h("canvas", { class: "heat", "aria-hidden": "true" });
    const seen = frame ?? picture;
    const chips = available.map((quantity) => {
      const input = h("input", {
        ...{
          type: "radio",
          name: "quantity",
          checked: quantity === this.#quantity,
          id: `by-${quantity.name}`,
        },
        onchange: () => {
          this.#quantity = quantity;
          keepingFocus(() => this.#build());
        },
      });
      return h("label", { class: "chip", title: quantity.meaning }, input, h("span", {}, quantity.name));
    });
    show(
      this.element,
      h("fieldset", { class: "chips" }, h("legend", {}, "Colour tokens by"), chips),
      h("p", { class: "note" }, this.#quantity.meaning, this.#scale()),
      h(
        "div",
        { class: "stage" },
        seen !== null && h(
          "figure",
          { class: "frame" },
          h(
            "div",
            { class: "layers" },
            h("img", { src: seen, alt: "What the policy saw", class: frame === null ? "pixels" : "" }),
            this.#heat,
          ),
          h(
            "figcaption",
            {},
            this.#heat === null ? "" : "Where the chosen token looked: mean over layers and heads",
          ),
        ),
        h("div", { class: "text" }, this.#response(turn, true), this.#details),
      ),
      others.length > 0 && h(
        "section",
        { class: "others" },
        h("h3", {}, `The same state, ${others.length} other ${others.length === 1 ? "thought" : "thoughts"}`),
        h("div", { class: "sheets" }, [turn, ...others].map((each, i) => this.#sheet(each, i === 0, header))),
      ),
    );
    this.#tell();
  }

  #scale(): HTMLElement {
    const { scale } = this.#quantity;
    return h(
      "span",
      { class: `scale ${scale}`, "aria-hidden": "true" },
      scale === "diverging"
        ? [h("i", {}, "−"), h("b", {}), h("i", {}, "+")]
        : [h("i", {}, "low"), h("b", {}), h("i", {}, "high")],
      h("u", {}, "action"),
    );
  }

  #response(turn: RecordedTurn, isMain: boolean): HTMLElement {
    const values = this.#quantity.of(turn);
    const elements = turn.tokens.map((id, t) => {
      const strength = values === null ? 0 : strengthOf(this.#quantity, values, t);
      const text = nameOf(turn, t);
      const isSilent = turn.starts[t] === turn.ends[t];
      const value = values?.[t];
      const told = value === null || value === undefined ? "" : this.#quantity.format(value);
      const attributes = {
        class: `token${turn.weights[t] < 1 ? "" : " acts"}${isSilent ? " silent" : ""}`,
        style: { "--strength": Math.abs(strength), "--tint": strength < 0 ? "var(--minus)" : "var(--plus)" },
        title: `${this.#quantity.name} ${told}`,
      };
      if (!isMain) return h("span", attributes, inLine(text));
      return h("button", {
        ...attributes,
        ...{ type: "button", tabindex: t === this.#token ? 0 : -1, "aria-pressed": t === this.#token },
        "aria-label": `Token ${t + 1}, ${text === "" ? "end" : inLine(text)}: ${this.#quantity.name} ${told}`,
        "data-id": id,
        onclick: () => this.#choose(t),
        onmouseenter: () => this.#preview(t),
        onmouseleave: () => this.#preview(this.#token),
        onkeydown: (event: KeyboardEvent) => {
          const by = { ArrowRight: 1, ArrowLeft: -1, Home: -t, End: turn.tokens.length - 1 - t }[event.key];
          if (by === undefined) return;
          event.preventDefault();
          event.stopPropagation();
          this.#choose(Math.max(0, Math.min(turn.tokens.length - 1, t + by)));
          this.#tokens[this.#token].focus();
        },
      }, inLine(text));
    });
    if (isMain) this.#tokens = elements;
    return h(
      "p",
      { class: "response", ...isMain && { "aria-label": "Response, token by token" } },
      elements.map((element, t) => nameOf(turn, t).endsWith("\n") ? [element, h("br")] : element),
    );
  }

  #sheet(turn: RecordedTurn, isThis: boolean, { actions }: RecordedHeader): HTMLElement {
    return h(
      "article",
      { class: isThis ? "sheet this" : "sheet" },
      h(
        "header",
        {},
        isThis ? "this one" : "another",
        h("strong", {}, turn.parsed ? actions[turn.action] ?? "?" : "no action found"),
        h(
          "span",
          { class: turn.reward > 0 ? "good" : turn.reward < 0 ? "bad" : "" },
          `reward ${signed(turn.reward)}`,
        ),
        typeof turn.advantage === "number" && h("span", {}, `advantage ${signed(turn.advantage)}`),
      ),
      this.#response(turn, false),
    );
  }

  #choose(token: number): void {
    this.#token = token;
    this.#tokens.forEach((element, t) => {
      element.setAttribute("aria-pressed", String(t === token));
      element.tabIndex = t === token ? 0 : -1;
    });
    this.#tell();
  }

  #preview(token: number): void {
    this.#drawHeat(token);
  }

  /** All that is known of the chosen token. */
  #tell(): void {
    const { turn } = this.#slide!;
    const t = this.#token;
    const rows = QUANTITIES.flatMap((quantity) => {
      const value = quantity.of(turn)?.[t];
      return value === null || value === undefined ? [] : [[quantity, quantity.format(value)] as const];
    });
    const alternatives = turn.alternatives?.[t] ?? [];
    show(
      this.#details,
      h("h3", {}, `Token ${t + 1} of ${turn.tokens.length}`, h("code", {}, alone(nameOf(turn, t)))),
      h(
        "dl",
        {},
        rows.map(([quantity, value]) =>
          h(
            "div",
            { class: quantity === this.#quantity ? "chosen" : "", title: quantity.meaning },
            h("dt", {}, quantity.name),
            h("dd", {}, value),
          )
        ),
      ),
      alternatives.length > 0 && h(
        "table",
        { class: "alternatives" },
        h("caption", {}, "What might have stood here"),
        h(
          "tbody",
          {},
          alternatives.map(([id, text, probability]) =>
            h(
              "tr",
              { class: id === turn.tokens[t] ? "drawn" : "" },
              h("td", {}, h("code", {}, alone(text))),
              h(
                "td",
                { class: "share" },
                h("span", { class: "track" }, h("span", { style: { width: `${100 * probability}%` } })),
              ),
              h("td", { class: "number" }, chance(probability)),
            )
          ),
        ),
      ),
    );
    this.#drawHeat(t);
  }

  #drawHeat(token: number): void {
    const { turn, header } = this.#slide!;
    if (this.#heat === null || turn.attention === null || header.grid === null) return;
    const [columns, rows] = header.grid;
    const bytes = Uint8Array.from(atob(turn.attention), (each) => each.charCodeAt(0));
    const own = bytes.subarray(token * columns * rows, (token + 1) * columns * rows);
    const small = document.createElement("canvas");
    [small.width, small.height] = [columns, rows];
    const context = small.getContext("2d")!;
    const image = context.createImageData(columns, rows);
    own.forEach((value, i) => {
      // Parts that it did not look at are dark, the others clear.
      image.data.set([14, 24, 58, Math.round(205 * (1 - value / 255))], 4 * i);
    });
    context.putImageData(image, 0, 0);
    const canvas = this.#heat;
    [canvas.width, canvas.height] = [320, 320];
    const large = canvas.getContext("2d")!;
    large.imageSmoothingEnabled = true;
    large.imageSmoothingQuality = "high";
    large.clearRect(0, 0, 320, 320);
    large.drawImage(small, 0, 0, 320, 320);
  }
}

/** What a token wrote; of one that wrote nothing its name, which is "" if it ends the response. */
function nameOf(turn: RecordedTurn, t: number): string {
  const written = turn.text.slice(turn.starts[t], turn.ends[t]);
  if (written !== "") return written;
  const named = turn.alternatives?.[t]?.find(([id]) => id === turn.tokens[t])?.[1] ?? "";
  return named !== "" || t === turn.tokens.length - 1 ? named : `⟨${turn.tokens[t]}⟩`;
}

/** A token's name with signs for what cannot be seen. */
const inLine = (name: string): string => name === "" ? "⏎" : name.replaceAll("\n", "↵");
const alone = (name: string): string => name === "" ? "⏎ end" : inLine(name);

/** The token that was the most open choice. */
function mostTelling({ entropies }: RecordedTurn): number {
  return entropies.reduce((most, entropy, t) => entropy > entropies[most] ? t : most, 0);
}
