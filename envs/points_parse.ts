/** The published text-to-action projection of the point games. */

import { afterKey, encodeTail, NO_ACTION } from "./parse.ts";
import type { Parse } from "./types.ts";

const ONE = "1".charCodeAt(0);
const BYTES = 256;

/**
 * Makes the parser of the point games: the published rule (see `parse.ts`) with its exception for them. Numbers of two
 * digits are taken out of the text, from left to right, before the actions of one character are looked for, so a `10`
 * is no `1`.
 *
 * `actions` are the numbers from 1 to 10 or to 13, then operators of one character.
 */
export function createPointsParser(actions: readonly string[]): (text: string) => Parse {
  // By byte: the action of one character, and that of two characters which ends there; -1 for none.
  const single = new Int8Array(BYTES).fill(-1);
  const double = new Int8Array(BYTES).fill(-1);
  for (const [action, text] of actions.entries()) {
    const table = text.length === 1 ? single : double;
    table[text.charCodeAt(text.length - 1)] = action;
  }
  return (text) => {
    const { bytes, placeOf } = encodeTail(text, afterKey(text, 1));
    let found = -1;
    let at = -1;
    // A loop and no pattern: how fast one is that tells a `1` from a `10` depends on the text it is first used on.
    for (let i = 0; i < bytes.length; i++) {
      const isDouble = bytes[i] === ONE && i + 1 < bytes.length && double[bytes[i + 1]] >= 0;
      const action = isDouble ? double[bytes[i + 1]] : single[bytes[i]];
      if (action >= 0 && action !== found) {
        if (found >= 0) return NO_ACTION;
        found = action;
        at = i;
      }
      if (isDouble) i++;
    }
    if (found < 0) return NO_ACTION;
    const start = placeOf(at);
    return { action: found, start, end: start + actions[found].length };
  };
}
