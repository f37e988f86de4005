/**
 * Quotes the contents of files for error messages: short, on one line, and without control characters.
 *
 * @module
 */

/** Longest quotation in characters. */
const MAX_QUOTED = 80;

/** Control, format and private characters, line separators, halves of surrogate pairs: what a terminal must not see. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * Quotes a value from a file for an error message: at most about 80 characters, whatever the value's size. Text is
 * put in double quotes, and characters that cannot be printed are escaped; lists and objects are described.
 *
 * @example
 * ```ts
 * import { quote } from "./quote.ts";
 *
 * quote("per-pixel"); // '"per-pixel"'
 * quote([1, 2]); // "a list of 2"
 * ```
 */
export function quote(value: unknown): string {
  if (typeof value === "string") {
    const isLong = value.length > MAX_QUOTED;
    const start = isLong ? value.slice(0, MAX_QUOTED) : value;
    const escaped = JSON.stringify(start).replace(UNPRINTABLE, escapeCharacter);
    return isLong ? `${escaped}... (${value.length} characters)` : escaped;
  }
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  return String(value).slice(0, MAX_QUOTED);
}

/** A name from a file: as it is when it is short and plain, else quoted. */
export function quoteName(name: string): string {
  return name.length <= MAX_QUOTED && /^[\w.\-/]+$/.test(name) ? name : quote(name);
}

function escapeCharacter(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}
