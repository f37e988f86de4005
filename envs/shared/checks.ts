/** What the environments refuse, in the same words. */

import type { ActionValueSettings } from "../types.ts";

/** The phase of an episode. Actions can be taken, and states solved, only while it is running. */
export type Phase = "before the first reset" | "running" | "ended";

/** Throws `Error` unless an episode is under way; `verb` is what cannot be done without one. */
export function checkRunning(phase: Phase, verb: string, env: string): void {
  if (phase === "running") return;
  const state = phase === "ended" ? "the episode has ended" : "no episode has begun";
  throw new Error(`Cannot ${verb} ${env}: ${state}, call reset first`);
}

/** Throws `Error` before the first reset. A state can still be named after the end of its episode. */
export function checkBegun(phase: Phase, env: string): void {
  if (phase !== "before the first reset") return;
  checkRunning(phase, "name the state of", env);
}

/** Throws `RangeError` naming an option of `reset` that is not among the known ones. */
export function checkOptionNames(
  env: string,
  options: Readonly<Record<string, unknown>>,
  known: readonly string[],
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const list = [known.slice(0, -1).join(", "), known.at(-1)].filter(Boolean).join(" and ");
    throw new RangeError(`Cannot reset ${env}: unknown option "${name}", use ${list}`);
  }
}

/** Throws `RangeError` naming the first setting or option that is not true or false; `verb` is `make` or `reset`. */
export function checkBooleans(verb: string, env: string, values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || typeof value === "boolean") continue;
    throw new RangeError(`Cannot ${verb} ${env}: ${name} is ${show(value)}, use true or false`);
  }
}

/** The discount of action values, 1 when absent. Throws `RangeError` unless it is in [0, 1]. */
export function checkDiscount(env: string, { discount = 1 }: ActionValueSettings = {}): number {
  if (discount >= 0 && discount <= 1) return discount;
  throw new RangeError(`Cannot value ${env}: discount is ${show(discount)}, use a number from 0 to 1`);
}

/** A value as an error message shows it, at most 80 characters. */
export function show(value: unknown): string {
  if (typeof value === "number") return String(value); // JSON has no NaN
  try {
    // Characters that a terminal obeys are left out; JSON has escaped those below a space.
    return (JSON.stringify(value) ?? String(value)).slice(0, 80).replace(/[\x7f-\x9f]/g, "?");
  } catch {
    return typeof value;
  }
}
