/**
 * A parser that takes the action that a reader of the text would, where the published rules are strict about its form.
 *
 * @module
 */
import type { Parse } from "../types.ts";
import { NO_ACTION } from "./parse.ts";

/** Signs that stand for those of actions, one code unit each, so that places in the text stay what they are. */
const SIGNS: Readonly<Record<string, string>> = {
  ...{ "×": "*", "⋅": "*", "∗": "*", "÷": "/", "∕": "/", "⁄": "/" },
  ...{ "−": "-", "–": "-", "—": "-", "\u2011": "-", "\u00a0": " ", "。": ".", "、": "," },
};
/** Those, and the forms of ASCII that are as wide as a Chinese character. */
const SIGN = new RegExp(`[${Object.keys(SIGNS).join("")}\uff01-\uff5e]`, "g");
/** A sign as JSON may write it. */
const ESCAPED = /\\u[0-9a-f]{4}/gi;
/** Fills the place of an escape: it counts as space. */
const FILLER = "\ufeff";

const QUOTES = "\"'`“”„‘’‚«»‹›「」『』";
/** Closing quotes of each opening one. */
const CLOSING: Readonly<Record<string, string>> = {
  ...{
    '"': '"',
    "'": "'’",
    "`": "`'",
    "“": "”“",
    "”": "”",
    "„": "“”",
    "‘": "’‘",
    "’": "’",
    "‚": "‘’",
    "«": "»",
    "»": "«",
    "‹": "›",
    "›": "‹",
    "「": "」",
    "『": "』",
  },
};
const quotedKey = (word: string) =>
  new RegExp(`(?<!\\\\)[${QUOTES}]\\s{0,3}${word}\\s{0,3}\\\\?[${QUOTES}]\\s{0,9}[:：=]`, "gi");
const bareKey = (word: string) =>
  new RegExp(
    `(?<![\\p{L}\\p{N}_\\\\${QUOTES}-])[*_]{0,3}${word}[*_]{0,3}\\s{0,9}(?:[:：=]|->|=>|→)`,
    "giu",
  );
/** Keys that are looked for if `action` is none: `next_action`, `Actions`, `Action (hit or stand)`. */
const KINDRED = "(?:(?:next|final|chosen|selected|best|my)[ _-]?)?actions?(?:[ _-]?(?:name|taken))?";
/** The most certain first. */
const KEYS = [
  quotedKey("action"),
  bareKey("action"),
  quotedKey(KINDRED),
  bareKey(`${KINDRED}(?:\\s?\\([^()\\n]{0,80}\\))?`),
];
/** What stands before the value of a key: the end of its own bold or italic letters, and space. */
const BEFORE_VALUE = /(?:[*_]{1,3}(?=\s))?\s{0,40}(?:[*_]{1,3}(?=["'`“‘«]))?/y;
/** Bold or italic letters, or code. */
const MARK = /^(?:\*{1,3}|_{1,3}|`)/;
/** The text goes on with another value: `"hit" or "stand"`. */
const ALTERNATIVE = /^\s{0,9}(?:\/(?!\/)|[|&]|or\b|and\b)/i;
/** Where a thought begins, and where it ends. */
const THOUGHT = /<think(?:ing)?>|◁think▷/gi;
const THOUGHT_END = /<\/think(?:ing)?>|◁\/think▷/gi;
const ANSWER = /<(answer|action)>/gi;
const THOUGHT_KEY = /["'“‘][\p{L} _]{1,40}["'”’]\s{0,9}:/u;
const LETTER = /\p{L}/u;
const NEGATION = /\b(?:not|never|avoid|cannot|neither|nor|instead)\b|n['’]t\b/i;
/** What may follow an action that a reason follows. */
const REASON = /^\s{0,9}(?:[.,;:!()[\]#]|\/\/|(?:because|since|as|so)\b)/i;
/** A word or number behind an action, on the same line: `go northwest` says another thing than `go`. */
const GOES_ON = /^[^\S\n]{1,9}[\p{L}\p{N}]/u;
const WORD = /[\p{L}\p{N}_]/u;
/** Bounds against hostile texts, far above what models write: of the text, from its end; of a value; of keys without one. */
const MAX_LENGTH = 1 << 13;
const MAX_VALUE = 256;
const MAX_KEYS = 64;

type Stretch = [from: number, to: number];

interface Found {
  readonly action: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Makes a tolerant parser of these actions. It takes, in this order:
 *
 * 1. what follows `</think>`, if the text has that, and nothing of a thought that does not end;
 * 2. the value of the first key `action` that has one: in quotes of any kind, spaces around the colon, in code fences, with
 *    a reason behind the action; then of a key without quotes (`Action: hit`); then of a key like it (`next_action`);
 * 3. what stands in `<answer>` or `<action>`;
 * 4. the only action that a text without keys names, unless the text says what not to do.
 *
 * Letter case and bold letters do not matter, `×` is `*`, `in` and `on` are `in/on`. An action is taken as a whole: `understand` is no
 * `stand`, `11` and `-1` are no `1`, `go northwest` is no `go`. A sign counts with a number behind it: `+1` is `+`. A value
 * that names two actions names none, unless the first has a reason behind it; `do not hit` names none either.
 * The span is the action as written; `key` is where its key begins.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createTolerantParser } from "@ponder/ponder/envs";
 *
 * const parse = createTolerantParser(["stand", "hit"]);
 * assertEquals(parse("{'action' : 'Hit', 'why': 'to stand loses'}"), { action: 1, start: 13, end: 16, key: 1 });
 * ```
 */
export function createTolerantParser(actions: readonly string[]): (text: string) => Parse {
  const plain = actions.map(plainSigns);
  // Actions that differ by such signs alone are read as they are written.
  const isPlain = new Set(plain).size === new Set(actions).size;
  const { pattern: whole, order } = actionPattern(isPlain ? plain : actions);
  const find = (text: string, from: number, to: number): Found[] => {
    const found: Found[] = [];
    whole.lastIndex = from;
    for (let match; (match = whole.exec(text)) !== null && match.index + match[0].length <= to;) {
      found.push({
        action: order[match.slice(1).findIndex((group) => group !== undefined)],
        start: match.index,
        end: match.index + match[0].length,
      });
    }
    return found;
  };
  /** Is an action of words or digits only the beginning of what is said, or the end of a number with a sign? */
  const isPart = (text: string, { start, end }: Found, before: Found | undefined, to: number): boolean => {
    if (!WORD.test(text[end - 1])) return false;
    const rest = text.slice(end, to);
    if (GOES_ON.test(rest) && !REASON.test(rest)) return true;
    return /\d/.test(text[start]) && /[-+]/.test(text[start - 1] ?? "") && before?.end !== start;
  };
  /** The one action of a stretch: it is all of it, has a reason behind it, or is the only one. */
  const readValue = (text: string, ...[begin, end]: Stretch): Found | null => {
    const [from, to] = withoutMarks(text, begin, end);
    const found = find(text, from, to);
    if (found.length === 0) return null;
    const [first, second] = found;
    if (isPart(text, first, undefined, to)) return null;
    const isFirst = text.slice(from, first.start).trim() === "";
    if (isFirst) {
      const rest = text.slice(first.end, to);
      const isAlone = rest.trim() === "";
      const next = second === undefined ? Infinity : text.slice(first.end, second.start).trim().length;
      if (isAlone || REASON.test(rest) && next > 1) return first;
    }
    if (NEGATION.test(text.slice(from, first.start))) return null;
    if (found.some((each, i) => isPart(text, each, found[i - 1], to))) return null;
    return found.every(({ action }) => action === first.action) ? first : null;
  };

  return (given) => {
    const offset = Math.max(0, given.length - MAX_LENGTH);
    const tail = given.slice(offset);
    const plain = isPlain ? plainSigns(tail) : tail;
    const result = ({ action, start, end }: Found, key?: number): Parse => ({
      action,
      start: offset + start,
      // An escape is one sign in the text that was searched, and six here.
      end: offset + end + (isPlain && isEscape(tail.slice(end - 1, end + 5)) ? 5 : 0),
      ...key !== undefined && { key: offset + key },
    });
    const begin = lastOf(THOUGHT_END, plain)?.end ?? 0;
    const open = lastOf(THOUGHT, plain);
    // A thought that does not end says nothing yet.
    const text = open !== null && open.start >= begin ? plain.slice(0, open.start) : plain;
    for (const pattern of KEYS) {
      pattern.lastIndex = begin;
      for (let match, keys = 0; keys < MAX_KEYS && (match = pattern.exec(text)) !== null; keys++) {
        const found = readValue(text, ...valueOf(text, match.index + match[0].length));
        if (found !== null) return result(found, match.index);
      }
    }
    const answer = lastOf(ANSWER, text);
    if (answer !== null && answer.start >= begin) {
      const close = text.slice(answer.end).search(/<\/(?:answer|action)>/i);
      const found = readValue(text, answer.end, close < 0 ? text.length : answer.end + close);
      return found === null ? NO_ACTION : result(found, answer.start);
    }
    const rest = text.slice(begin);
    if (THOUGHT_KEY.test(rest) || NEGATION.test(rest)) return NO_ACTION;
    const found = find(text, begin, text.length);
    const isOne = found.length > 0 &&
      found.every((each, i) =>
        each.action === found[0].action && !isPart(text, each, found[i - 1], text.length)
      );
    return isOne ? result(found.at(-1)!) : NO_ACTION;
  };
}

function plainSigns(text: string): string {
  return text.replace(
    ESCAPED,
    (escape) => isEscape(escape) ? plainSign(character(escape)).padEnd(6, FILLER) : escape,
  )
    .replace(SIGN, plainSign);
}

function plainSign(sign: string): string {
  return SIGNS[sign] ??
    (/[\uff01-\uff5e]/.test(sign) ? String.fromCharCode(sign.charCodeAt(0) - 0xfee0) : sign);
}

/** Is this text one escape of a sign that may be an action? */
function isEscape(text: string): boolean {
  return /^\\u[0-9a-f]{4}$/i.test(text) && /[-+*/=()]/.test(plainSign(character(text)));
}

function character(escape: string): string {
  return String.fromCharCode(parseInt(escape.slice(2), 16));
}

function lastOf(pattern: RegExp, text: string): { readonly start: number; readonly end: number } | null {
  const match = [...text.matchAll(pattern)].at(-1);
  return match === undefined ? null : { start: match.index, end: match.index + match[0].length };
}

/** All actions as one pattern, each a group of its own; longer ones first, so that none is found inside another. */
function actionPattern(actions: readonly string[]): { pattern: RegExp; order: readonly number[] } {
  const order = actions.map((_, index) => index).sort((a, b) => actions[b].length - actions[a].length);
  const source = order.map((action) => `(${wholePattern(actions[action])})`).join("|");
  return { pattern: new RegExp(source || "(?!)", "giu"), order };
}

function wholePattern(action: string): string {
  const parts = action.trim().split(/\s+/).map((word) => {
    if (/^in\/on$/i.test(word)) return "(?:in\\s?/\\s?on|into|in|onto|on)";
    return word.replace(/[\\^$.*+?()[\]{}|/]/g, (sign) => `\\${sign}`)
      .replace(/['’]/g, "\\\\?['’]").replaceAll('"', '\\\\?"'); // as JSON and Python write them, and word processors
  });
  // Dashes and apostrophes join words, points and dashes numbers.
  const before = WORD.test(action.at(0)!) || /^[-+]?\d/.test(action)
    ? "(?<![\\p{L}\\p{N}_]|\\p{L}[-'’]|\\d[.,])"
    : "";
  const after = WORD.test(action.at(-1)!) ? "(?![\\p{L}\\p{N}_]|[-'’]\\p{L}|[-.,]\\d)" : "";
  // A dash between letters joins words.
  const joined = action === "-" ? "(?<!\\p{L}\\s?)" : "";
  return before + joined + parts.join("\\s{1,9}") + after;
}

/** Where the value that begins behind a key's colon stands, without its quotes. */
function valueOf(whole: string, colon: number): Stretch {
  const text = whole.slice(0, colon + MAX_VALUE);
  BEFORE_VALUE.lastIndex = colon;
  const at = colon + (BEFORE_VALUE.exec(text)?.[0].length ?? 0);
  const opening = text[at] ?? "";
  if (Object.hasOwn(CLOSING, opening)) {
    let to = at + 1;
    const isEnd = () =>
      CLOSING[opening].includes(text[to]) && text[to - 1] !== "\\" &&
      // An apostrophe stands between letters.
      !(/['’]/.test(text[to]) && LETTER.test(text[to - 1]) && LETTER.test(text[to + 1] ?? ""));
    while (to < text.length && !isEnd()) to++;
    return ALTERNATIVE.test(text.slice(to + 1)) ? [at, lineEnd(text, at)] : [at + 1, to];
  }
  const close = { "[": "]", "{": "}" }[opening];
  if (close !== undefined) {
    const to = text.indexOf(close, at);
    return [at + 1, to < 0 ? text.length : to];
  }
  return [at, lineEnd(text, at)];
}

/** Where a value without quotes ends. */
function lineEnd(text: string, from: number): number {
  const end = text.slice(from).search(/[\n}\]]|,(?!\s*(?:because|since|as)\b)/);
  return end < 0 ? text.length : from + end;
}

/** A stretch of a text without space and the marks of bold letters around it. A single `*` may be an action. */
function withoutMarks(text: string, from: number, to: number): Stretch {
  while (from < to) {
    if (/\s/.test(text[from])) from++;
    else if (/\s/.test(text[to - 1])) to--;
    else {
      const mark = MARK.exec(text.slice(from, to))?.[0] ?? "";
      const isAround = mark !== "" && to - from > 2 * mark.length && text.slice(from, to).endsWith(mark);
      if (isAround) [from, to] = [from + mark.length, to - mark.length];
      else if (to - from > 2 && text.slice(from, to).endsWith("**")) to -= 2;
      else break;
    }
  }
  return [from, to];
}
