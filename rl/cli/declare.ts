/**
 * Declares options, each in one line, with default, meaning, range and unit.
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

/** Range and unit of a number. */
export type NumberRange = Pick<NumberOption, "min" | "max" | "unit">;

/** A number or a whole number with a default, as {@linkcode number} and {@linkcode integer} declare it. */
export interface NumberSetting extends NumberOption {
  /** The value when it is not given. */
  readonly default: number;
}

/** A switch with a default, as {@linkcode boolean} declares it. */
export interface BooleanSetting extends BooleanOption {
  /** The value when it is not given. */
  readonly default: boolean;
}

/** A text with a default, as {@linkcode text} declares it. */
export interface TextSetting extends StringOption {
  /** The value when it is not given. */
  readonly default: string;
}

/** One of a few texts, with a default, as {@linkcode choice} declares it. */
export interface ChoiceSetting<C extends string = string> extends StringOption {
  /** The value when it is not given. */
  readonly default: C;
  /** The only texts allowed. */
  readonly choices: readonly C[];
}

/** Texts with a default, as {@linkcode list} declares them. */
export interface ListSetting extends ListOption {
  /** The value when it is not given. */
  readonly default: readonly string[];
}

/**
 * Declares a number with a default.
 *
 * @example Two settings, and their values' types
 * ```ts
 * import { integer, number, type Values } from "./mod.ts";
 *
 * const options = {
 *   decay: number(0.9, "how fast the mean forgets", { min: 0, max: 1 }),
 *   batch: integer(32, "episodes of an update", { min: 1, unit: "episodes" }),
 * };
 * const settings: Values<typeof options> = { decay: 0.5, batch: 8 };
 * console.log(settings);
 * ```
 */
export function number(fallback: number, meaning: string, range: NumberRange = {}): NumberSetting {
  return { type: "number", default: fallback, meaning, ...range };
}

/**
 * Declares a whole number with a default.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { integer } from "@ponder/ponder/rl";
 *
 * assertEquals(integer(8, "deals of an iteration", { min: 1, unit: "deals" }).default, 8);
 * ```
 */
export function integer(fallback: number, meaning: string, range: NumberRange = {}): NumberSetting {
  return { type: "integer", default: fallback, meaning, ...range };
}

/**
 * Declares a switch. If it is on by default, `--no-name` turns it off.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { boolean } from "@ponder/ponder/rl";
 *
 * assertEquals(boolean(true, "divide by the standard deviation").type, "boolean");
 * ```
 */
export function boolean(fallback: boolean, meaning: string): BooleanSetting {
  return { type: "boolean", default: fallback, meaning };
}

/**
 * Declares a text with a default.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { text } from "@ponder/ponder/rl";
 *
 * assertEquals(text("none", "what else to say").default, "none");
 * ```
 */
export function text(fallback: string, meaning: string): TextSetting {
  return { type: "string", default: fallback, meaning };
}

/** Declares a text that may be absent. */
export function optionalText(meaning: string): StringOption {
  return { type: "string", meaning };
}

/** Declares a path that may be absent. A relative path starts in the folder that the user is in. */
export function path(meaning: string): PathOption {
  return { type: "path", meaning };
}

/**
 * Declares a choice of a few texts, with a default.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { choice } from "@ponder/ponder/rl";
 *
 * assertEquals(choice("deal", ["deal", "state"], "what episodes are kept by").choices.length, 2);
 * ```
 */
export function choice<const C extends string>(
  fallback: C,
  choices: readonly C[],
  meaning: string,
): ChoiceSetting<C> {
  return { type: "string", default: fallback, choices, meaning };
}

/**
 * Declares a list of texts with a default. On the command line commas separate them.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { list } from "@ponder/ponder/rl";
 *
 * assertEquals(list(["norm", "bias"], "tensors to leave as they are").default, ["norm", "bias"]);
 * ```
 */
export function list(fallback: readonly string[], meaning: string): ListSetting {
  return { type: "list", default: fallback, meaning };
}

/** Puts options under a heading of `--help`. */
export function section<const O extends Options>(group: string, options: O): O {
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, { ...option, group }]),
  ) as unknown as O;
}
