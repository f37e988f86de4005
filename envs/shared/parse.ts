/** The published text-to-action projection, shared by the environments. */

import type { Parse } from "../types.ts";

/** The result for a text without a legal action. */
export const NO_ACTION: Parse = Object.freeze({ action: null, start: -1, end: -1 });

// Without the `u` flag, `i` maps no other letter to an ASCII one. Offsets therefore stay those of the original text. The
// published code lower-cases the text first, which shifts them: "İ" grows to two characters.
const KEY = /"action":/i;

/**
 * Finds the beginning of the part of a response that the published projections look at: the first `"action":`, in any letter case.
 * Without one the published code slices from `find`'s -1, which is `tailLength` code units before the end.
 */
export function afterKey(text: string, tailLength: number): number {
  const key = text.search(KEY);
  return key < 0 ? Math.max(0, text.length - tailLength) : key;
}

/** UTF-8 of a part of a text, and its place in the text. It is valid until the next part is encoded. */
export interface EncodedPart {
  readonly bytes: Uint8Array;
  /** The place in the text, in UTF-16 code units, that `bytes[i]` begins at; i may be the length. */
  placeOf(i: number): number;
}

/** UTF-16 code units in a part. */
export const PART_LENGTH = 1 << 14;
/** A code unit takes at most three bytes. The buffer is kept: fresh memory costs more than the loop over it. */
const buffer = new Uint8Array(3 * PART_LENGTH);
const encoder = new TextEncoder();
// Half of a surrogate pair comes back as one other character, so that lengths are those of the text.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Encodes `text` from `from` on, part by part, for loops over every character of a long text. Bytes are read faster than a string,
 * which may be a rope or a slice; before the loop is fully compiled they are read much faster. Parts without a wanted character
 * are skipped, since a pattern finds them much faster than a loop.
 */
export function* encodeParts(
  text: string,
  from: number,
  isWanted: (part: string) => boolean,
): Generator<EncodedPart, void> {
  for (let start = from; start < text.length; start += PART_LENGTH) {
    const part = text.slice(start, start + PART_LENGTH);
    if (!isWanted(part)) continue;
    const bytes = buffer.subarray(0, encoder.encodeInto(part, buffer).written);
    yield { bytes, placeOf: (i) => start + decoder.decode(bytes.subarray(0, i)).length };
  }
}

/**
 * Makes the parser of an environment whose actions are `actions`.
 *
 * The published rule looks at the text from the first `"action":` on, in any letter case. If exactly one of the actions occurs
 * anywhere in it, that is the action. The span is its first occurrence.
 *
 * Without the key it looks only at the last character, since the published code slices from `find`'s -1. A bare `+` therefore
 * parses, and `"action" : "+"` does not.
 *
 * By its source the rule takes actions that were not said: `-1` is `-`, `understand` is `stand`. The tolerant parser does not.
 *
 * Source: RL4VLM, `text_projection`.
 */
export function createParser(actions: readonly string[]): (text: string) => Parse {
  const patterns = actions.map((action) => new RegExp(action.replace(/[^a-z0-9]/gi, "\\$&"), "gi"));
  return (text) => {
    const from = afterKey(text, 1);
    let found = NO_ACTION;
    for (const [action, pattern] of patterns.entries()) {
      pattern.lastIndex = from;
      const match = pattern.exec(text);
      if (match === null) continue;
      if (found.action !== null) return NO_ACTION;
      found = { action, start: match.index, end: match.index + match[0].length };
    }
    return found;
  };
}

/**
 * Makes the parser of an environment that has none of its own. It finds the action that follows the first `"action":`, in any letter
 * case, in quotation marks or not. The action must be all that is said there: `"jump"` is no `"jum"`, `"go northwest"` no
 * `"go"`, `"-1"` no `"-"`. A text may end before the closing mark.
 *
 * Unlike the published rule it allows any names: "a" is in `"action":` itself, and "up" in "upper left".
 */
export function createValueParser(actions: readonly string[]): (text: string) => Parse {
  const longestFirst = actions.map((action, index) => ({
    lower: action.toLowerCase(),
    length: action.length,
    index,
  }))
    .sort((a, b) => b.length - a.length);
  return (text) => {
    const match = VALUE.exec(text);
    if (match === null) return NO_ACTION;
    const start = match.index + match[0].length;
    for (const { lower, length, index } of longestFirst) {
      // That of the name: "İ" in lower case is two characters.
      const end = start + length;
      if (text.slice(start, end).toLowerCase() !== lower) continue;
      const isWhole = match[0].endsWith('"')
        ? CLOSED.test(text.slice(end, end + 10))
        : !GOES_ON.test(text.slice(end, end + 11));
      if (isWhole) return { action: index, start, end };
    }
    return NO_ACTION;
  };
}

const VALUE = /"action":\s{0,9}"?/i;
/** What follows a name in quotation marks: their end, or that of the text. */
const CLOSED = /^\s{0,9}(?:"|$)/;
/** What follows a name without quotation marks if it is only the beginning of what is said. */
const GOES_ON = /^[^\S\n]{0,9}[\p{L}\p{N}]/u;
