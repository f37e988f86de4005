/**
 * Pre-tokenizers of a `tokenizer.json`: how a text is cut into words, with where each word lies in it. Words are as the
 * reference implementation cuts them.
 *
 * Source: https://github.com/huggingface/tokenizers/tree/main/tokenizers/src/pre_tokenizers
 *
 * @module
 */
import { quote } from "../quote.ts";
import { compilePattern, expressionMatches, GPT2_PATTERN, literalMatches, type Matches } from "./pattern.ts";
import { isRecord, type JsonRecord, unusable } from "./unusable.ts";

/** A stretch of a text. */
export type Span = readonly [start: number, end: number];

/** How a section of text becomes words. */
export interface Splitter {
  /** The words' stretches, in order; what lies between them is dropped. */
  readonly split: (text: string) => Span[];
  /** Words are handed to the model as their UTF-8 bytes, each written as one character. */
  readonly byteLevel: boolean;
}

type Step = (text: string) => Span[];

const WHITE_SPACE = "\\p{White_Space}";
const PUNCTUATION = "[\\p{P}!-/:-@\\[-`\\{-~]";
const WORDS = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]";
/** More than any published tokenizer has. */
const MAX_STEPS = 32;

/**
 * Reads the section `pre_tokenizer`.
 *
 * @throws {SyntaxError} Naming the part that this project does not have.
 */
export function readSplitter(json: unknown): Splitter {
  const steps: Step[] = [];
  let byteLevel = false;
  for (const part of flatten(json)) {
    if (byteLevel) throw unusable("something follows the ByteLevel pre-tokenizer");
    byteLevel = part.type === "ByteLevel";
    steps.push(...readStep(part));
  }
  const split = (text: string) =>
    steps.reduce<Span[]>(
      (spans, step) =>
        spans.flatMap(([start, end]) =>
          step(text.slice(start, end)).map(([from, to]): Span => [start + from, start + to])
        ),
      [[0, text.length]],
    );
  return { split, byteLevel };
}

function flatten(json: unknown): JsonRecord[] {
  if (json === null || json === undefined) return [];
  if (!isRecord(json)) throw unusable(`its pre_tokenizer is ${quote(json)}`);
  if (json.type !== "Sequence") return [json];
  const { pretokenizers: parts } = json;
  if (!Array.isArray(parts) || parts.length > MAX_STEPS) {
    throw unusable(`its pre_tokenizer is no sequence of at most ${MAX_STEPS}`);
  }
  return parts.map((part) => {
    if (!isRecord(part)) throw unusable(`its pre_tokenizer holds ${quote(part)}`);
    return part;
  });
}

function readStep(part: JsonRecord): Step[] {
  switch (part.type) {
    case "ByteLevel":
      // It would put a space in front that the text does not have. The format's default is true.
      if (part.add_prefix_space !== false) throw unusable("its ByteLevel pre-tokenizer adds a prefix space");
      return part.use_regex === false ? [] : [cut(compilePattern(GPT2_PATTERN), "Isolated")];
    case "Whitespace":
      return [cut(expressionMatches(`${WORDS}+|[^${WORDS.slice(1, -1)}${WHITE_SPACE}]+`), "Removed", true)];
    case "WhitespaceSplit":
      return [cut(expressionMatches(WHITE_SPACE), "Removed")];
    case "BertPreTokenizer":
      return [
        cut(expressionMatches(WHITE_SPACE), "Removed"),
        cut(expressionMatches(PUNCTUATION), "Isolated"),
      ];
    case "Punctuation":
      return [cut(expressionMatches(PUNCTUATION), part.behavior ?? "Isolated")];
    case "Digits":
      return [cut(expressionMatches("\\p{N}"), part.individual_digits === true ? "Isolated" : "Contiguous")];
    case "Split":
      return [cut(readPattern(part.pattern), part.behavior, part.invert === true)];
    default:
      throw unusable(`its pre-tokenizer is ${quote(part.type)}`);
  }
}

function readPattern(pattern: unknown): Matches {
  if (typeof pattern === "string") return literalMatches([pattern]);
  if (isRecord(pattern)) {
    if (typeof pattern.String === "string" && pattern.String !== "") return literalMatches([pattern.String]);
    if (typeof pattern.Regex === "string") return compilePattern(pattern.Regex);
  }
  throw unusable("its Split pre-tokenizer has no pattern");
}

/** Cuts at matches: `Isolated` makes a word of each, `Contiguous` one of neighbours, `Removed` drops them. */
function cut(matches: Matches, behavior: unknown, invert = false): Step {
  if (behavior !== "Isolated" && behavior !== "Contiguous" && behavior !== "Removed") {
    throw unusable(`its pre-tokenizer cuts in the way ${quote(behavior)}`);
  }
  return (text) => {
    const spans: Span[] = [];
    let wasMatch = false;
    const put = (start: number, end: number, isMatch: boolean) => {
      if (start === end || isMatch && behavior === "Removed") return;
      if (behavior === "Contiguous" && isMatch && wasMatch && spans.at(-1)?.[1] === start) {
        spans[spans.length - 1] = [spans.at(-1)![0], end];
      } else spans.push([start, end]);
      wasMatch = isMatch;
    };
    let position = 0;
    for (const [start, end] of matches(text)) {
      put(position, start, invert);
      put(start, end, !invert);
      position = end;
    }
    put(position, text.length, invert);
    return spans;
  };
}
