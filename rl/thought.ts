/**
 * Which tokens of a response are its thought and which its action.
 *
 * The policy's log-probability of a response is
 *
 *     log pi = lambda * sum log p(thought tokens) + sum log p(action tokens)
 *
 * so that a long chain of thought does not drown the one token that acts (Zhai et al. 2024, section 4.3,
 * https://arxiv.org/abs/2405.10292). Spans are found by characters, never by token ids. Any tokenizer will do, and an action
 * may take any number of tokens.
 *
 * @module
 */

import type { Parse } from "../envs/types.ts";
import type { Decoding } from "../model/tokenizer.ts";

/** The key that the environments' parsers look for: any letter case, no space before the colon. */
const ACTION_KEY = /"action":/gi;

/** A letter or a digit. Brackets, quotes and white space alone are no thought. */
const THOUGHT = /[\p{L}\p{N}]/u;

/**
 * Finds the index of the response's first action token; the number of its tokens if the text has no action.
 *
 * A response is `[thought tokens][action tokens]`. The rules are:
 *
 * - The action part begins at the key that the parser found, or at the last `"action":` before the action.
 * - If the parser found the action without a key, the part begins at the action itself.
 * - The part runs to the end of the response, with its end token, as in the published code.
 * - A token that holds the first character of the part is an action token, even if it also holds the end of the thought.
 * - Text before the key without letters or digits, such as `{`, is no thought. Such a response is all action.
 *
 * @param response The response's tokens, without padding.
 * @param parse The environment's parse of `response.text`.
 */
export function actionTokenStart(response: Decoding, parse: Pick<Parse, "action" | "start" | "key">): number {
  const { text, ends } = response;
  if (parse.action === null) return ends.length;
  const start = parse.key ?? publishedKey(text, parse.start) ?? parse.start;
  if (!THOUGHT.test(text.slice(0, start))) return 0;
  const first = ends.findIndex((end) => end > start);
  return first < 0 ? ends.length : first;
}

function publishedKey(text: string, before: number): number | undefined {
  let last: number | undefined;
  for (const key of text.matchAll(ACTION_KEY)) {
    if (key.index > before) break;
    last = key.index;
  }
  return last;
}

/**
 * Computes the weight of each response token's log-probability in log pi: lambda for the thought, 1 for the action.
 *
 * If the text has no action, the action was drawn at random, and no token stands for it. Every token then weighs 1: at lambda,
 * the cost of such a step would shrink with lambda. The published code instead credits the random action to the tokens at a
 * fixed place.
 *
 * @throws {RangeError} when lambda is outside [0, 1].
 *
 * @example
 * ```ts
 * import { responseWeights } from "./thought.ts";
 *
 * const response = { text: 'so "action": "+"', starts: [0, 3, 14, 16], ends: [3, 14, 16, 16] };
 * const parse = { action: 1, start: 14 };
 * responseWeights(response, parse, 0.5); // [0.5, 1, 1, 1]
 * ```
 */
export function responseWeights(
  response: Decoding,
  parse: Pick<Parse, "action" | "start" | "key">,
  lambda: number,
): Float32Array {
  if (!(lambda >= 0 && lambda <= 1)) {
    throw new RangeError(`Cannot weigh a response: lambda is ${lambda}, use a number in [0, 1]`);
  }
  const first = parse.action === null ? 0 : actionTokenStart(response, parse);
  return new Float32Array(response.ends.length).fill(lambda, 0, first).fill(1, first);
}
