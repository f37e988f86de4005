/** The published text-to-action projection, shared by the environments. */

import type { Parse } from "./types.ts";

/** The result for a text without a legal action. */
export const NO_ACTION: Parse = Object.freeze({ action: null, start: -1, end: -1 });

// Without the `u` flag, `i` folds no non-ASCII letter onto an ASCII one, so offsets stay those of the original text:
// lower-casing first, as the published code does, would shift them ("İ" grows to two characters).
const KEY = /"action":/i;

/**
 * Where the part of a response begins that the published projections look at: at the first `"action":`, in any letter
 * case. Without one the published code slices from `find`'s -1: `tailLength` code units before the end.
 */
export function afterKey(text: string, tailLength: number): number {
  const key = text.search(KEY);
  return key < 0 ? Math.max(0, text.length - tailLength) : key;
}

/** UTF-8 of the part of a text from `from` on, and where it comes from; good until the next text is encoded. */
export interface EncodedTail {
  readonly bytes: Uint8Array;
  /** The place in the text, in UTF-16 code units, of the ASCII character at `bytes[i]`. */
  placeOf(i: number): number;
}

const encoder = new TextEncoder();
// Lone surrogates come back as another character, but as one, so lengths are those of the text.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** Kept: `encode`, which has to find out how long the result is, takes three times as long on text beyond ASCII. */
let buffer = new Uint8Array(0);

/**
 * Encodes `text` from `from` on, for loops over every character of a long text: bytes are read faster than a string,
 * which may be a rope or a slice, and much faster before the loop is fully compiled.
 */
export function encodeTail(text: string, from: number): EncodedTail {
  const tail = text.slice(from);
  // A code unit takes three bytes at most.
  if (buffer.length < 3 * tail.length) buffer = new Uint8Array(3 * tail.length);
  const bytes = buffer.subarray(0, encoder.encodeInto(tail, buffer).written);
  return { bytes, placeOf: (i) => from + decoder.decode(bytes.subarray(0, i)).length };
}

/**
 * Makes the parser of an environment whose actions are `actions`.
 *
 * The published rule: look, in any letter case, at the text from the first `"action":` on; if exactly one of the
 * actions occurs there, anywhere, that is the action. Without the key only the last character is looked at (the
 * published code slices from `find`'s -1), which is why a bare `+` parses and `"action" : "+"` does not.
 * The span is the first occurrence.
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
