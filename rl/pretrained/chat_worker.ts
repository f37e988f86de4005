/**
 * Renders a chat template in a thread of its own, which can be ended: a template from a stranger may loop for ever. A thread that
 * is in the middle of one call, such as the making of a list of a thousand million numbers, cannot be ended. Steps, texts and
 * lists are therefore bounded too, and with them the work of a call. A list that holds another one twice, and so on, is small in
 * memory and endless in print: what counts is all that a value holds, each time that it holds it.
 *
 * @module
 */
import { Environment, Interpreter, Template } from "@huggingface/jinja";

/** What is rendered. */
export interface RenderRequest {
  readonly template: string;
  readonly contexts: readonly Record<string, unknown>[];
}

/** The texts, in order. One that cannot be rendered is null, and the error says why. */
export type RenderReply = readonly { readonly text: string | null; readonly error: string }[];

/** Far more than the rendering of two messages takes. */
const MOST_STEPS = 200_000;
const MOST_CHARACTERS = 1 << 14;
const MOST_ITEMS = 1 << 10;
/** In lists within lists together. */
const MOST_PARTS = 1 << 12;
/** What one call makes of texts within bounds, before it is looked at. */
const MOST_CHARACTERS_OF_A_CALL = 1 << 20;

let steps = 0;
const { evaluate } = Interpreter.prototype;
Interpreter.prototype.evaluate = function (...args) {
  const result = evaluate.apply(this, args), { value } = result;
  // A loop takes a step for each item, whatever it does with it.
  steps += Array.isArray(value) ? 1 + value.length : 1;
  if (steps > MOST_STEPS) throw new RangeError(`it takes more than ${MOST_STEPS} steps`);
  if (typeof value === "string" && value.length > MOST_CHARACTERS) {
    throw new RangeError(`it makes a text of more than ${MOST_CHARACTERS} characters`);
  }
  if (Array.isArray(value) && value.length > MOST_ITEMS) {
    throw new RangeError(`it makes a list of more than ${MOST_ITEMS} items`);
  }
  steps += partsOf(value);
  return result;
};

/** How many values a list or dictionary holds, at every depth. */
function partsOf(value: unknown): number {
  const open = [value];
  let parts = 0;
  while (open.length > 0) {
    const inner = open.pop();
    if (!Array.isArray(inner) && !(inner instanceof Map)) continue;
    for (const part of inner.values()) {
      if (++parts > MOST_PARTS) throw new RangeError(`it makes a value of more than ${MOST_PARTS} parts`);
      open.push(part?.value);
    }
  }
  return parts;
}

// What the library makes texts of. Each of them may make one of 500 million characters in a call.
const text = String.prototype, list = Array.prototype;
const { repeat, replaceAll } = text, { join } = list;
function bound(length: number): void {
  if (length > MOST_CHARACTERS_OF_A_CALL) {
    throw new RangeError(`it makes a text of more than ${MOST_CHARACTERS_OF_A_CALL} characters`);
  }
}
text.repeat = function (count) {
  bound(this.length * count);
  return repeat.call(this, count);
};
text.replaceAll = function (this: string, pattern: string | RegExp, by: unknown) {
  if (typeof by !== "function") return replaceAll.call(this, pattern, by as never);
  let length = this.length;
  return replaceAll.call(this, pattern, (...found) => {
    const put = String(by(...found));
    bound(length += put.length);
    return put;
  });
};
list.join = function (separator = ",") {
  let length = separator.length * this.length;
  for (const part of this) length += typeof part === "string" ? part.length : 0;
  bound(length);
  return join.call(this, separator);
};

/** Python's `range`. */
function range(start: number, stop?: number, step = 1): number[] {
  const [first, end] = stop === undefined ? [0, start] : [start, stop];
  const count = Math.ceil((end - first) / step);
  if (!(count <= MOST_ITEMS)) throw new RangeError(`it makes a list of more than ${MOST_ITEMS} items`);
  return Array.from({ length: Math.max(0, count) }, (_, i) => first + i * step);
}

// The library's own makes a list of any length at once.
const { set } = Environment.prototype;
Environment.prototype.set = function (name, value) {
  return set.call(this, name, name === "range" && typeof value === "function" ? range : value);
};

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<RenderRequest>) => void;
  postMessage: (reply: RenderReply | "begins") => void;
};

scope.onmessage = ({ data: { template, contexts } }) => {
  scope.postMessage("begins");
  scope.postMessage(contexts.map((context) => {
    steps = 0;
    try {
      return { text: new Template(template).render(context), error: "" };
    } catch (error) {
      return { text: null, error: error instanceof Error ? error.message : String(error) };
    }
  }));
};
