/**
 * Regular expressions of a `tokenizer.json`, of which only some are taken: a file must not be able to hang its reader.
 *
 * A pattern is an alternation. Each alternative must be literal text or a known one of published tokenizers. Matching
 * these never tries one stretch of text in many ways.
 *
 * @module
 */
import { quote } from "../quote.ts";
import { Literals } from "./literals.ts";
import { unusable } from "./unusable.ts";

/** Where a pattern matches: from, to; ascending, none empty. */
export type Matches = (text: string) => Iterable<readonly [start: number, end: number]>;

const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
const CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const CONTRACTION_CASES = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
/** U+017F, the long s, folds to s. */
const CONTRACTION_JS = "(?:'(?:[sS\\u017ftTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))";
const UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
const NO_LETTER = "[^\\r\\n\\p{L}\\p{N}]?";

/**
 * Alternatives as the format writes them (Oniguruma), of GPT-2, GPT-4, GPT-4o, Llama 3, Qwen 2, Mistral and simpler
 * tokenizers.
 */
const ALTERNATIVES: ReadonlySet<string> = new Set([
  CONTRACTION,
  CONTRACTION_CASES,
  ...["\\s", "\\s+", " +", "\\s+(?!\\S)", "\\s*[\\r\\n]+", "\\s*[\\r\\n]", "[\\r\\n]", "[\\r\\n]+"],
  ...["\\d", "\\d+", "[0-9]", "[0-9]+", "\\p{N}", "\\p{N}+", "\\p{N}{1,3}", "\\d{1,3}", " ?\\p{N}+"],
  ...[
    "\\w",
    "\\w+",
    "[^\\w\\s]",
    "[^\\w\\s]+",
    "\\S",
    "\\S+",
    "\\p{P}",
    "\\p{P}+",
    "[a-z]+",
    "[A-Z]+",
    "[a-zA-Z]+",
  ],
  ...[
    "\\p{L}+",
    " ?\\p{L}+",
    `${NO_LETTER}\\p{L}+`,
    " ?[^\\s\\p{L}\\p{N}]+",
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*",
  ],
  " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*",
  ...["", `${CONTRACTION}?`].flatMap((end) => [
    `${NO_LETTER}${UPPER}*${LOWER}+${end}`,
    `${NO_LETTER}${UPPER}+${LOWER}*${end}`,
  ]),
]);

/** Longest pattern with other than literal alternatives: all are tried at every place of a text. */
const MAX_MIXED_LENGTH = 4096;

/** GPT-2's pattern, which the `ByteLevel` pre-tokenizer uses. */
export const GPT2_PATTERN =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/**
 * Compiles a pattern from a file.
 *
 * @throws {SyntaxError} If an alternative is not one that is known to be harmless.
 */
export function compilePattern(source: string): Matches {
  const alternatives = alternativesOf(source);
  const literals = alternatives.map(literalOf);
  const odd = alternatives.findIndex((text, i) => literals[i] === null && !ALTERNATIVES.has(text));
  if (odd >= 0 || !source.isWellFormed()) {
    const pattern = alternatives[odd] === source ? "" : ` in ${quote(source)}`;
    throw unusable(`pattern ${quote(alternatives[odd] ?? source)}${pattern} is not known to be harmless`);
  }
  if (literals.every((literal) => literal !== null)) return literalMatches(literals);
  if (source.length > MAX_MIXED_LENGTH) {
    throw unusable(`pattern ${quote(source)} has more than ${MAX_MIXED_LENGTH} characters`);
  }
  return expressionMatches(
    alternatives.map((text, i) => literals[i] === null ? toJavaScript(text) : escapeRegex(literals[i])).join(
      "|",
    ),
  );
}

/** Where any of these texts stands; at each place the first in the list, as in an alternation. */
export function literalMatches(texts: readonly string[]): Matches {
  const literals = new Literals(texts);
  return function* (text) {
    for (let at = 0; at < text.length;) {
      const length = literals.firstAt(text, at);
      if (length > 0) yield [at, at + length];
      at += length || 1;
    }
  };
}

/** Where a regular expression of our own matches. */
export function expressionMatches(source: string): Matches {
  const expression = new RegExp(source, "gu");
  return function* (text) {
    for (const { 0: { length }, index } of text.matchAll(expression)) yield [index, index + length];
  };
}

/** Backslash before what both JavaScript's `u` mode and Oniguruma take for syntax. */
export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/** Cuts a pattern at the bars that stand in no brackets. */
function alternativesOf(source: string): string[] {
  const alternatives: string[] = [];
  let [start, depth, inClass] = [0, 0, false];
  for (let i = 0; i < source.length; i++) {
    const char = source[i];
    if (char === "\\") i++;
    else if (inClass) inClass = char !== "]";
    else if (char === "[") inClass = true;
    else if (char === "(") depth++;
    else if (char === ")") depth--;
    else if (char === "|" && depth === 0) {
      alternatives.push(source.slice(start, i));
      start = i + 1;
    }
  }
  return [...alternatives, source.slice(start)];
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", f: "\f", v: "\v" };

/** The text that an alternative stands for; null if it is more than text. */
function literalOf(alternative: string): string | null {
  if (alternative === "") return null;
  let text = "";
  for (let i = 0; i < alternative.length; i++) {
    const char = alternative[i];
    if (char === "\\") {
      const next = alternative[++i];
      if (next === undefined || /[A-Za-z0-9]/.test(next) && !Object.hasOwn(ESCAPES, next)) return null;
      text += ESCAPES[next] ?? next;
    } else if ("^$.*+?()[]{}".includes(char)) return null;
    else text += char;
  }
  return text;
}

/** An alternative of {@linkcode ALTERNATIVES} in JavaScript's words: `\s`, `\d` and `\w` are Unicode's in Oniguruma. */
function toJavaScript(alternative: string): string {
  return alternative
    .replaceAll(CONTRACTION, CONTRACTION_JS)
    .replaceAll("\\s", "\\p{White_Space}")
    .replaceAll("\\S", "\\P{White_Space}")
    .replaceAll("\\d", "\\p{Nd}")
    .replaceAll(/(?<!\[\^)\\w/g, `[${WORD}]`)
    .replaceAll("\\w", WORD);
}
