/** The published text-to-action projection of the point games. */

import { NO_ACTION } from "./parse.ts";
import type { Parse } from "./types.ts";

const KEY = /"action":/i;

/**
 * Makes the parser of the point games: the published rule (see `parse.ts`) with its exception for them. Numbers of two
 * digits are taken out of the text before the actions of one character are looked for, so a `10` is no `1`.
 *
 * `actions` are the numbers from 1 to 10 or to 13, then operators of one character.
 */
export function createPointsParser(actions: readonly string[]): (text: string) => Parse {
  const two = `1[${actions.filter((action) => action.length > 1).map((action) => action[1]).join("")}]`;
  const item = new RegExp(`${two}|${anyOf(actions)}`, "g");
  // Two searches find at most two items, so a long text of one item stays as cheap as any other.
  const others = actions.map((action) => new RegExp(otherThan(action, actions, two), "g"));
  return (text) => {
    const key = text.search(KEY);
    item.lastIndex = key < 0 ? Math.max(0, text.length - 1) : key;
    const match = item.exec(text);
    if (match === null) return NO_ACTION;
    const action = actions.indexOf(match[0]);
    const other = others[action];
    other.lastIndex = match.index;
    if (other.test(text)) return NO_ACTION;
    return { action, start: match.index, end: match.index + match[0].length };
  };
}

/** A pattern that is found, from an `action` on, where the text has another item. */
function otherThan(action: string, actions: readonly string[], two: string): string {
  const rest = anyOf(actions.filter((other) => ![action, "1", action[1]].includes(other)));
  if (action === "1") return `${two}|${rest}`;
  if (action === "10") return `1(?!0)|${rest}`;
  if (action === "11") return `(?<!1)1(?:11)*(?!1)|${rest}`; // an odd number of ones
  if (action.length > 1) return `1(?!${action[1]})|(?<!1)${action[1]}|${rest}`;
  return `1|${rest}`;
}

/** A pattern for the actions of one character. */
function anyOf(actions: readonly string[]): string {
  return `[${
    actions.filter((action) => action.length === 1).map((action) => action.replace(/\D/, "\\$&")).join("")
  }]`;
}
