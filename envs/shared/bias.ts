/** The scripted solver's mistakes: their settings, and the mistake that several environments share. */

import type { Random } from "./random.ts";
import type { Bias } from "../types.ts";

/**
 * Overrides default probabilities of mistakes. Throws `RangeError` for a kind of mistake that `defaults` does not have, and for a
 * value outside [0, 1].
 */
export function resolveBias<B extends Bias>(defaults: B, overrides: Bias = {}): B {
  for (const [kind, probability] of Object.entries(overrides)) {
    if (!Object.hasOwn(defaults, kind)) {
      const known = Object.keys(defaults).join(", ");
      throw new RangeError(`Cannot demonstrate: unknown bias "${kind}", use ${known}`);
    }
    if (!(probability >= 0 && probability <= 1)) {
      throw new RangeError(
        `Cannot demonstrate: bias ${kind} is ${probability}, use a probability from 0 to 1`,
      );
    }
  }
  return { ...defaults, ...overrides };
}

/** Returns `shown`, or with the given probability another integer in [1, largest], all equally likely. */
export function misreadNumber(shown: number, largest: number, probability: number, random: Random): number {
  if (!random.chance(probability)) return shown;
  const other = 1 + random.integer(largest - 1);
  return other < shown ? other : other + 1;
}
