/**
 * One line a setting: declares options with their default, meaning, range and unit.
 *
 * @module
 */
import type {
  BooleanOption,
  ListOption,
  NumberOption,
  Options,
  PathOption,
  StringOption,
} from "./options.ts";

type Range = Pick<NumberOption, "min" | "max" | "unit">;

/** A number with a default. */
export function number<const R extends Range>(fallback: number, meaning: string, range: R = {} as R) {
  return { type: "number", default: fallback, meaning, ...range } as const satisfies NumberOption;
}

/** A whole number with a default. */
export function integer<const R extends Range>(fallback: number, meaning: string, range: R = {} as R) {
  return { type: "integer", default: fallback, meaning, ...range } as const satisfies NumberOption;
}

/** A switch; `--no-name` turns one off that is on by default. */
export function boolean(fallback: boolean, meaning: string) {
  return { type: "boolean", default: fallback, meaning } as const satisfies BooleanOption;
}

/** A text with a default. */
export function text(fallback: string, meaning: string) {
  return { type: "string", default: fallback, meaning } as const satisfies StringOption;
}

/** A text that may be absent. */
export function optionalText(meaning: string) {
  return { type: "string", meaning } as const satisfies StringOption;
}

/** A path that may be absent; a relative one starts in the folder that the user is in. */
export function path(meaning: string) {
  return { type: "path", meaning } as const satisfies PathOption;
}

/** One of a few texts. */
export function choice<const C extends string>(fallback: C, choices: readonly C[], meaning: string) {
  return { type: "string", default: fallback, choices, meaning } as const satisfies StringOption;
}

/** Texts, separated by commas on the command line. */
export function list(fallback: readonly string[], meaning: string) {
  return { type: "list", default: fallback, meaning } as const satisfies ListOption;
}

/** The same options under a heading of `--help`. */
export function section<const O extends Options>(group: string, options: O): O {
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, { ...option, group }]),
  ) as unknown as O;
}
