import type { Environment } from "../envs/mod.ts";
import { quote, type Tokenizer } from "../model/mod.ts";

/** How many words the message names. */
const NAMED = 3;

/**
 * Requires a tokenizer to be able to write an environment's actions, prompts and demonstrations. Without them an agent would
 * act at random, and its measurements would mean nothing.
 *
 * @param source What the tokenizer belongs to, for the message: a checkpoint's folder.
 * @throws {RangeError} naming the environment and words that the tokenizer cannot write, actions first.
 */
export function requireWords(
  tokenizer: Tokenizer,
  env: Pick<Environment, "name" | "actions" | "tokens">,
  source: string,
): void {
  const missing = [...new Set([...env.actions, ...env.tokens])].filter((text) => !tokenizer.covers(text));
  if (missing.length === 0) return;
  const named = missing.slice(0, NAMED).map((text) => quote(text)).join(", ");
  const rest = missing.length > NAMED ? ` and ${missing.length - NAMED} more of its words` : "";
  throw new RangeError(
    `Cannot use ${source} in ${env.name}: its tokenizer cannot write ${named}${rest}, name the environment that it ` +
      "was trained in",
  );
}
