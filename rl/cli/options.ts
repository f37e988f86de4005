import { UsageError } from "./usage_error.ts";
import { suggestion } from "../../envs/shared/nearest.ts";
import { runPath, userPath } from "./paths.ts";
import { shown } from "./shown.ts";

/** What every option declares, for `--help` and for error messages. */
export interface OptionBase {
  /** What it means, in one line. */
  readonly meaning: string;
  /** Unit of the value, such as `steps` or `px`. */
  readonly unit?: string;
  /** Heading that it appears under in `--help`. */
  readonly group?: string;
  /** Short form of one letter, such as `s`. */
  readonly short?: string;
}

/** An option with a text: `--name text`. */
export interface StringOption extends OptionBase {
  /** What kind of value it takes. */
  readonly type: "string";
  /** The value when it is not given; the setting is undefined when absent. */
  readonly default?: string;
  /** The only texts allowed. */
  readonly choices?: readonly string[];
  /** What `--name` alone stands for; without it a text has to follow. */
  readonly bare?: string;
}

/** An option with a path: `--name path/to/it`. A relative path starts in the folder that the user is in. */
export interface PathOption extends OptionBase {
  /** What kind of value it takes. */
  readonly type: "path";
  /** The value when it is not given. A relative default starts in this process's folder. */
  readonly default?: string;
  /** What `--name` alone stands for; without it a path has to follow. */
  readonly bare?: string;
  /** Is it the path of a run? Then the name of a run under `runs/` does from any folder. */
  readonly isRun?: boolean;
}

/** An option with a number: `--name 0.5`. `integer` refuses fractions. */
export interface NumberOption extends OptionBase {
  /** What kind of value it takes. */
  readonly type: "number" | "integer";
  /** The value when it is not given; the setting is undefined when absent. */
  readonly default?: number;
  /** Smallest value allowed, inclusive. */
  readonly min?: number;
  /** Largest value allowed, inclusive. */
  readonly max?: number;
}

/** A switch: `--name`, and `--no-name` for false. */
export interface BooleanOption extends OptionBase {
  /** What kind of value it takes. */
  readonly type: "boolean";
  /** The value when it is not given; the setting is undefined when absent. */
  readonly default?: boolean;
}

/** An option with a list: `--name a,b,c`. In a file it is a JSON list of strings. */
export interface ListOption extends OptionBase {
  /** What kind of value it takes. */
  readonly type: "list";
  /** The value when it is not given; the setting is undefined when absent. */
  readonly default?: readonly string[];
}

/** One declared option. */
export type Option = StringOption | PathOption | NumberOption | BooleanOption | ListOption;

/** Options by the name of the setting in camelCase. The flag is the same in kebab-case: `envSteps` is `--env-steps`. */
export type Options = { readonly [name: string]: Option };

/** The type of an option's value. */
export type ValueType<O extends Option> = O extends { type: "string"; choices: readonly (infer C)[] } ? C
  : O extends StringOption | PathOption ? string
  : O extends NumberOption ? number
  : O extends BooleanOption ? boolean
  : readonly string[];

/** Typed values: `T` if an option has a default, `T | undefined` if it has none. */
export type Values<O extends Options> = {
  -readonly [K in keyof O]: O[K] extends { default: unknown } ? ValueType<O[K]> : ValueType<O[K]> | undefined;
};

/** Typed values of only those options that were given. */
export type Given<O extends Options> = { -readonly [K in keyof O]?: ValueType<O[K]> };

/** Declares options, and keeps their literal types for {@linkcode Values}. */
export function defineOptions<const O extends Options>(options: O): O {
  return options;
}

/** Lists the default of every option; undefined if it has none. */
export function defaultsOf(options: Options): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).map(([name, option]) => [name, option.default]));
}

/** Makes the flag of a setting's name: `envSteps` becomes `env-steps`. */
export const toFlag = (name: string): string => name.replace(/[A-Z]/g, (c) => "-" + c.toLowerCase());

/** Makes the setting's name of a flag without its dashes: `env-steps` becomes `envSteps`. */
export const fromFlag = (flag: string): string =>
  flag.replace(/-([a-z])/g, (_, c: string) => c.toUpperCase());

const number = (option: NumberOption, raw: unknown, label: string): number => {
  // Number("") is 0 and Number("0x") NaN: an empty text is no number.
  const value = typeof raw === "string" && raw.trim() !== "" ? Number(raw) : raw;
  const article = option.type === "integer" ? "an integer" : "a number";
  const ofUnit = option.unit ? ` of ${option.unit}` : "";
  const isValid = typeof value === "number" && Number.isFinite(value) &&
    (option.type === "number" || Number.isSafeInteger(value));
  if (!isValid) throw new UsageError(`${label} needs ${article}${ofUnit}, got ${shown(raw)}`);
  const { min = -Infinity, max = Infinity } = option;
  if (value < min || value > max) {
    const range = option.max === undefined
      ? `at least ${min}`
      : option.min === undefined
      ? `at most ${max}`
      : `from ${min} to ${max}`;
    throw new UsageError(`${label} must be ${range}${option.unit ? ` ${option.unit}` : ""}, got ${value}`);
  }
  return value + 0; // -0 is 0
};

/**
 * Reads one raw value, from a flag (text or boolean) or from a JSON file.
 *
 * @param label How messages name the option, such as `--seed` or `"seed" in run.json`.
 * @throws {UsageError} when it does not fit the option's type, range or choices.
 */
export function readValue(
  option: Option,
  raw: unknown,
  label: string,
): string | number | boolean | readonly string[] {
  switch (option.type) {
    case "number":
    case "integer":
      return number(option, raw, label);
    case "boolean":
      if (typeof raw !== "boolean") throw new UsageError(`${label} needs true or false, got ${shown(raw)}`);
      return raw;
    case "list": {
      const items = typeof raw === "string" ? raw.split(",").map((item) => item.trim()).filter(Boolean) : raw;
      if (Array.isArray(items) && items.every((item) => typeof item === "string")) return items;
      throw new UsageError(`${label} needs a list of texts, got ${shown(raw)}`);
    }
    case "path":
      if (typeof raw !== "string" || raw === "" || raw.includes("\0")) {
        throw new UsageError(`${label} needs a path, got ${shown(raw)}`);
      }
      return option.isRun ? runPath(raw) : userPath(raw);
    case "string":
      if (typeof raw !== "string" || raw === "") {
        throw new UsageError(`${label} needs a text, got ${shown(raw)}`);
      }
      if (option.choices && !option.choices.includes(raw)) {
        throw new UsageError(`Unknown value ${shown(raw)} of ${label}${suggestion(raw, option.choices)}`);
      }
      return raw;
  }
}
