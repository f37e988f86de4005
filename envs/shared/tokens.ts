/** The tokens of an environment that lists none: pieces of its texts, found by playing it. */

import { Random } from "./random.ts";
import { ACTION_KEY, ACTION_ONLY_KEY, CLOSE } from "./response.ts";
import type { Environment } from "../types.ts";

const EPISODES = 8;
const STEPS = 8;
/** Words taken from prompts and demonstrations that differ from state to state. */
const MAX_WORDS = 400;

/** Printable ASCII and the line break. Everything else is spelled with them. */
const CHARACTERS = ["\n", ...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i))];

/**
 * Finds pieces that cover the prompts and demonstrations of `env`, most texts with few: common beginnings and ends, words, actions,
 * single characters. It plays some episodes of `env` to see them. The result is the same every time.
 */
export function defaultTokens(env: Environment): string[] {
  const prompts = { cot: new Set<string>(), bare: new Set<string>() };
  const responses = new Set<string>();
  const random = new Random(0, "tokens");
  for (let seed = 0; seed < EPISODES; seed++) {
    let { info } = env.reset({ seed });
    for (let step = 0; step < STEPS; step++) {
      prompts.cot.add(env.prompt(info, { cot: true }));
      prompts.bare.add(env.prompt(info, { cot: false }));
      if (env.demonstrate) responses.add(env.demonstrate(random, { cot: true }));
      const result = env.step(env.solve?.() ?? env.randomAction());
      if (result.terminated || result.truncated) break;
      info = result.info;
    }
  }
  const words = new Set<string>();
  const pieces: string[] = [];
  for (const kind of [prompts.cot, prompts.bare]) {
    const { prefix, suffix, middles } = common([...kind]);
    pieces.push(prefix, suffix);
    for (const middle of middles) for (const [word] of middle.matchAll(/\s?[\p{L}\p{N}]+/gu)) words.add(word);
  }
  for (const response of responses) {
    for (const [word] of response.matchAll(/ ?\p{L}{2,}/gu)) words.add(word);
  }
  return [
    ...new Set([
      ...pieces.filter((piece) => piece.length > 1),
      ...[THOUGHTS_KEY, ACTION_KEY, ACTION_ONLY_KEY, CLOSE],
      ...[...words].filter((word) => word.length > 1).slice(0, MAX_WORDS),
      ...env.actions,
      ...CHARACTERS,
    ]),
  ];
}

/** Before the thought of a response. */
export const THOUGHTS_KEY = '{"thoughts": "';

/** Finds the common beginning and end of texts, cut at the ends of words, and what is between them. */
function common(texts: readonly string[]): { prefix: string; suffix: string; middles: string[] } {
  const [first] = texts;
  if (texts.length === 1) return { prefix: first, suffix: "", middles: [] };
  const shortest = Math.min(...texts.map((text) => text.length));
  let start = 0;
  while (start < shortest && texts.every((text) => text[start] === first[start])) start++;
  while (start > 0 && /[\p{L}\p{N}]/u.test(first[start - 1])) start--;
  let end = 0;
  while (end < shortest - start && texts.every((text) => text.at(-1 - end) === first.at(-1 - end))) end++;
  while (end > 0 && /[\p{L}\p{N}]/u.test(first.at(-end)!)) end--;
  return {
    prefix: first.slice(0, start),
    suffix: first.slice(first.length - end),
    middles: texts.map((text) => text.slice(start, text.length - end)),
  };
}
