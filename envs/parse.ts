/** The published text-to-action projection, shared by the environments. */

import type { Parse } from "./types.ts";

/** The result for a text without a legal action. */
export const NO_ACTION: Parse = Object.freeze({ action: null, start: -1, end: -1 });

// Without the `u` flag, `i` folds no non-ASCII letter onto an ASCII one, so offsets stay those of the original text:
// lower-casing first, as the published code does, would shift them ("İ" grows to two characters).
const KEY = /"action":/i;

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
    const key = text.search(KEY);
    const from = key < 0 ? Math.max(0, text.length - 1) : key;
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
