/// <reference lib="dom" />
/**
 * The stage: an episode's picture, the thought as it is written, the action, and the steps so far.
 *
 * @module
 */
import type { Frame, Step, Written } from "./protocol.ts";

/** Pause after each token: about as fast as one reads. */
const TOKEN_MS = 90;
/** Pause after a step. */
const STEP_MS = 700;

/** The element of an id. */
export function element<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  return document.getElementById(id) as Kind;
}

/** Shows steps one after the other; a new episode takes the place of the one before. */
export class Stage {
  readonly #canvas = element<HTMLCanvasElement>("frame");
  readonly #thought = element("thought");
  readonly #strip = element("strip");
  #shown: { readonly step: Step; readonly frame: Frame }[] = [];
  #waiting: { readonly step: Step; readonly frame: Frame }[] = [];
  #isWriting = false;
  /** Counts episodes: what still writes for an earlier one stops. */
  #episode = 0;

  /** Forgets what was shown. */
  begin(): void {
    this.#episode++;
    this.#isWriting = false;
    this.#shown = [];
    this.#waiting = [];
    this.#strip.replaceChildren();
    this.#thought.replaceChildren();
    verdict("");
    for (const id of ["action", "reward", "value", "return"]) element(id).textContent = "\u00a0";
  }

  /** Shows what is thought about, unless an earlier step is being written still. */
  scene(info: Step["info"], frame: Frame): void {
    if (this.#isWriting) return;
    paint(this.#canvas, frame);
    this.#canvas.setAttribute("aria-label", `The picture that the model sees: ${describe(info)}`);
    if (this.#shown.length > 0) return;
    const waiting = document.createElement("span");
    waiting.className = "waiting";
    waiting.id = "waiting";
    waiting.textContent = "It looks …";
    this.#thought.replaceChildren(waiting);
  }

  /** Shows a step after those before it. */
  add(step: Step, frame: Frame): void {
    this.#waiting.push({ step, frame });
    if (!this.#isWriting) this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    const episode = this.#episode;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#shown.push(next);
      this.#addToStrip(this.#shown.length - 1);
      await this.#write(next.step, next.frame, () => episode === this.#episode);
      if (episode !== this.#episode) return;
      if (!next.step.isOver) await pause(STEP_MS);
      if (episode !== this.#episode) return;
    }
    this.#isWriting = false;
  }

  async #write(step: Step, frame: Frame, isCurrent: () => boolean): Promise<void> {
    paint(this.#canvas, frame);
    this.#canvas.setAttribute("aria-label", `The picture that the model sees: ${describe(step.info)}`);
    this.#thought.replaceChildren();
    element("action").textContent = element("reward").textContent = "…";
    element("value").textContent = step.value?.toFixed(2) ?? "–";
    for (const token of step.tokens) {
      if (!isCurrent()) return;
      this.#thought.append(tokenOf(token));
      await pause(TOKEN_MS);
    }
    if (isCurrent()) tell(step);
  }

  #addToStrip(index: number): void {
    const { step, frame } = this.#shown[index];
    const item = document.createElement("li");
    const button = document.createElement("button");
    const canvas = document.createElement("canvas");
    const label = document.createElement("span");
    button.type = "button";
    button.setAttribute("aria-label", `Step ${step.step}: ${describe(step.info)}, action ${step.action}`);
    label.textContent = `${step.step}  ${step.action}`;
    paint(canvas, frame);
    button.append(canvas, label);
    button.onclick = () => this.#recall(index);
    item.append(button);
    this.#strip.append(item);
    this.#mark(index);
  }

  /** Shows an earlier step at once, when nothing is being written. */
  #recall(index: number): void {
    if (this.#isWriting) return;
    const { step, frame } = this.#shown[index];
    paint(this.#canvas, frame);
    this.#thought.replaceChildren(...step.tokens.map(tokenOf));
    element("value").textContent = step.value?.toFixed(2) ?? "–";
    tell(step);
    this.#mark(index);
  }

  #mark(index: number): void {
    [...this.#strip.children].forEach((each, i) => each.setAttribute("aria-current", String(i === index)));
    // Not scrollIntoView, which would move the page too.
    this.#strip.scrollLeft = (this.#strip.children[index] as HTMLElement).offsetLeft -
      this.#strip.clientWidth / 2;
  }
}

function tell(step: Step): void {
  element("action").textContent = step.isParsed ? step.action : `${step.action} (by chance)`;
  element("reward").textContent = signed(step.reward);
  element("return").textContent = signed(step.episodeReturn);
  if (!step.isOver) return verdict("");
  verdict(
    step.success
      ? ("target" in step.info && "current" in step.info ? "Target reached." : "Success.")
      : "No success.",
    step.success ? "good" : "bad",
  );
}

function verdict(text: string, kind = ""): void {
  element("verdict").textContent = text || "\u00a0";
  element("verdict").className = `verdict ${kind}`;
}

const signed = (value: number) => {
  const size = String(Number(Math.abs(value).toFixed(2)));
  return value > 0 ? `+${size}` : value < 0 ? `\u2212${size}` : "0";
};

/** What an environment says of a state, in words. */
function describe(info: Step["info"]): string {
  const said = Object.entries(info).filter(([name, value]) =>
    name !== "goalReached" && (typeof value !== "object" || Array.isArray(value))
  ).map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(" ") : value}`);
  return said.join(", ").slice(0, 300);
}

/** Waits so long; not at all for people who want no motion. */
const pause = (ms: number) =>
  new Promise((resolve) =>
    setTimeout(resolve, matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : ms)
  );

/** A token as text, never as markup: the model may write anything. Doubt shows as its background. */
function tokenOf({ text, logprob, isAction }: Written): HTMLElement {
  const span = document.createElement("span");
  span.textContent = text;
  const probability = Math.exp(logprob);
  span.title = `probability ${(100 * probability).toFixed(1)}%`;
  if (isAction) span.className = "act";
  else span.style.setProperty("--doubt", `${Math.round(100 * (1 - probability))}%`);
  return span;
}

/** Draws a frame at its own size. */
function paint(canvas: HTMLCanvasElement, { width, height, data }: Frame): void {
  Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    image.data.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d")!.putImageData(image, 0, 0);
}
