/** The published text-to-action projection of the point games. */

import { afterKey, encodeParts, NO_ACTION } from "../shared/parse.ts";
import type { Parse } from "../types.ts";

const ONE = "1".charCodeAt(0);
const BYTES = 256;
const NOTHING = -1;
/** What every action begins with. */
const HAS_ACTION = /[1-9+\-*/()=]/;
/** Two different actions. */
const CONFLICT = -2;

/**
 * Makes the parser of the point games: the published rule (see `parse.ts`) with its exception for them.
 *
 * Numbers of two digits are taken out of the text first, from left to right. Actions of one character are looked for in what is
 * left, so that a `10` is no `1`. The published rule takes digits anywhere. If `-` is no action, `-1` counts as `1`; `1.5x`
 * does too, if nothing else is in it. The tolerant parser takes neither.
 *
 * `actions` are the numbers from 1 to 10 or to 13, then operators of one character.
 */
export function createPointsParser(actions: readonly string[]): (text: string) => Parse {
  // An automaton of two states. One comes after a `1` that may be the first digit of two, the other after anything else.
  // For each state and byte the tables say which action is complete, and whether the byte is such a `1`.
  const complete = new Int8Array(2 * BYTES).fill(NOTHING);
  const isOne = new Uint8Array(2 * BYTES);
  const one = actions.indexOf("1");
  complete.fill(one, BYTES);
  isOne[ONE] = isOne[BYTES + ONE] = 1;
  for (const [action, text] of actions.entries()) {
    const last = text.charCodeAt(text.length - 1);
    if (text.length === 2) isOne[BYTES + last] = 0;
    if (text.length === 2) complete[BYTES + last] = action;
    else if (action !== one) {
      complete[last] = action;
      if (complete[BYTES + last] === one) complete[BYTES + last] = CONFLICT;
    }
  }
  return (text) => {
    let found = NOTHING;
    let start = -1;
    let open = 0; // 1 after a `1`
    // A loop, since the speed of a regular expression for this depends on the text that it is first used on.
    const isWanted = (part: string) => open === 1 || HAS_ACTION.test(part);
    for (const { bytes, placeOf } of encodeParts(text, afterKey(text, 1), isWanted)) {
      for (let i = 0; i < bytes.length; i++) {
        const key = open * BYTES + bytes[i];
        const action = complete[key];
        if (action !== NOTHING && action !== found) {
          if (action === CONFLICT || found !== NOTHING) return NO_ACTION;
          found = action;
          start = placeOf(i) - open;
        }
        open = isOne[key];
      }
    }
    if (open === 1 && found !== one) {
      if (found !== NOTHING) return NO_ACTION;
      found = one;
      start = text.length - 1;
    }
    return found === NOTHING ? NO_ACTION : { action: found, start, end: start + actions[found].length };
  };
}
