/** Settings of environments: the meaning of each, and its possible values. */

import { show } from "./checks.ts";

/** A simple setting: its meaning, default and possible values. The environment itself checks anything else. */
export interface SettingSpec<T> {
  /** What it means to people, with its unit: "cells a side". */
  readonly meaning: string;
  /** The value when it is not given. */
  readonly default: T;
  /** Smallest number, if there is one. */
  readonly min?: number;
  /** Largest number, if there is one. */
  readonly max?: number;
  /** Whether a number may have a fraction; false when absent. */
  readonly fraction?: boolean;
  /** All its possible values, if they are few. */
  readonly choices?: readonly T[];
}

/** A setting: its meaning alone, if the environment checks it, or its meaning with its possible values. */
export type Setting<T = unknown> = string | SettingSpec<T>;

/** Describes a setting, with its range and default. */
export function settingMeaning(setting: Setting): string {
  if (typeof setting === "string") return setting;
  const { meaning, default: value } = setting;
  return `${meaning}${typeof value === "boolean" ? "" : `, ${rangeOf(setting)}`}; ${value} by default`;
}

/**
 * Overrides the defaults with given settings. Throws `RangeError` for a name that is not among the settings, and for a value that
 * a setting cannot have.
 */
export function checkSettings(
  name: string,
  settings: Readonly<Record<string, Setting>>,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const known = ["seed", ...Object.keys(settings)];
  const resolved: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(settings)) {
    if (typeof setting !== "string") resolved[key] = setting.default;
  }
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!known.includes(key)) {
      throw new RangeError(
        `Cannot make ${name}: it has no setting "${key}", known: ${known.join(", ")}`,
      );
    }
    const setting = key === "seed" ? "" : settings[key];
    if (typeof setting !== "string" && !fits(setting, value)) {
      throw new RangeError(`Cannot make ${name}: ${key} is ${show(value)}, use ${rangeOf(setting)}`);
    }
    resolved[key] = value;
  }
  return resolved;
}

function fits(
  { default: usual, min, max, fraction, choices }: SettingSpec<unknown>,
  value: unknown,
): boolean {
  if (choices !== undefined) return choices.includes(value);
  if (typeof value !== typeof usual) return false;
  if (typeof value !== "number") return true;
  const isWhole = fraction ? Number.isFinite(value) : Number.isSafeInteger(value);
  return isWhole && value >= (min ?? -Infinity) && value <= (max ?? Infinity);
}

function rangeOf({ default: usual, min, max, fraction, choices }: SettingSpec<unknown>): string {
  if (choices !== undefined) return `one of ${choices.join(", ")}`;
  if (typeof usual === "boolean") return "true or false";
  if (typeof usual !== "number") return "a word";
  const kind = fraction ? "a number" : "an integer";
  if (min !== undefined && max !== undefined) return `${kind} from ${min} to ${max}`;
  if (min !== undefined) return `${kind} of at least ${min}`;
  return max === undefined ? kind : `${kind} of at most ${max}`;
}
