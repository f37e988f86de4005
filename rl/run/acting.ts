/**
 * How the policy of a checkpoint writes when it acts, as its `config.json` says it.
 *
 * @module
 */
import { quote } from "../../model/mod.ts";
import { DEFAULT_SAMPLING, type Sampling } from "../agent.ts";

/** What `config.json` says about acting. Checkpoints of earlier versions lack it. */
export interface Acting {
  readonly sampling?: Partial<Sampling>;
  readonly actionNames?: readonly string[];
}

/** Checks it, and fills it up with defaults. */
export function readActing(
  { sampling = {}, actionNames = [] }: Acting,
  path: string,
): { sampling: Sampling; actions: readonly string[] } {
  const { temperature, maxNewTokens } = { ...DEFAULT_SAMPLING, ...sampling };
  const isGood = typeof sampling === "object" && sampling !== null && !Array.isArray(sampling) &&
    // As the GPU holds it.
    typeof temperature === "number" && Math.fround(temperature) > 0 && Math.fround(temperature) < Infinity &&
    Number.isSafeInteger(maxNewTokens) && maxNewTokens >= 1 &&
    Array.isArray(actionNames) && actionNames.every((name) => typeof name === "string");
  if (isGood) return { sampling: { temperature, maxNewTokens }, actions: actionNames };
  throw new SyntaxError(
    `Cannot load ${path}: "sampling" and "actionNames" in its config.json must be { temperature, maxNewTokens } and a ` +
      `list of texts, got ${quote(sampling)} and ${quote(actionNames)}`,
  );
}
