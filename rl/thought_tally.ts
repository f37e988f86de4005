/**
 * How diverse thoughts are, and how much they say about what was seen.
 *
 * @module
 */
import type { Parse } from "../envs/mod.ts";
import type { Decoding, Segment } from "../model/mod.ts";
import { actionTokenStart } from "./thought.ts";

/** Both are null if no response states a thought. */
export interface ThoughtRates {
  /** Different thoughts / different states shown. Near 0: a few thoughts answer all states; above 1: states get several. */
  readonly thoughtDiversity: number | null;
  /**
   * I(state; thought) / H(state), in [0, 1], of the counts as they are: 1 when the thought tells which state it was
   * written for, 0 when it is the same whatever was shown. Null, too, if only one state was shown.
   *
   * Entropy of tokens cannot tell these apart: thoughts may vary and still ignore the picture (arXiv:2604.06268). The
   * estimate is high when few states come up twice, so it can show a collapse and cannot rule out noise.
   */
  readonly thoughtInformation: number | null;
}

/** Counts which thoughts answered which states. */
export class ThoughtTally {
  readonly #states = new Map<string, number>();
  readonly #thoughts = new Map<string, number>();
  readonly #pairs = new Map<string, number>();
  #isStated = false;

  /** `state` as `stateKey` writes it, `thought` as `thoughtOf`. */
  add(state: string, thought: string | null): void {
    // Once some response states a thought, one that states none has an empty one.
    this.#isStated ||= thought !== null;
    const text = thought ?? "";
    for (
      const [counts, key] of [
        [this.#states, state],
        [this.#thoughts, text],
        [this.#pairs, `${state} ${text}`],
      ] as const
    ) counts.set(key, (counts.get(key) ?? 0) + 1);
  }

  rates(): ThoughtRates {
    if (!this.#isStated) return { thoughtDiversity: null, thoughtInformation: null };
    const ofStates = entropy(this.#states);
    const information = ofStates + entropy(this.#thoughts) - entropy(this.#pairs);
    return {
      thoughtDiversity: this.#thoughts.size / this.#states.size,
      // Rounding can leave the exact 0 and 1.
      thoughtInformation: this.#states.size === 1 ? null : Math.min(1, Math.max(0, information / ofStates)),
    };
  }
}

/** Entropy of the shares that counts are, in nats. */
function entropy(counts: ReadonlyMap<string, number>): number {
  const total = counts.values().reduce((sum, count) => sum + count, 0);
  // Sorted, so that the rounding does not depend on the order of arrival.
  const sorted = [...counts.values()].sort((a, b) => a - b);
  return -sorted.reduce((sum, count) => sum + count / total * Math.log(count / total), 0);
}

/** The thought of a response: its text before the action part; null if it is all action. */
export function thoughtOf(response: Decoding, parse: Pick<Parse, "action" | "start">): string | null {
  const first = actionTokenStart(response, parse);
  return first === 0 ? null : response.text.slice(0, response.ends[first - 1]);
}

/** Names what the model saw: equal prompts, pictures included, have equal keys. */
export function stateKey(prompt: readonly Segment[]): string {
  return prompt.map((segment) => segment.kind === "text" ? segment.ids.join() : segment.picture.id).join(":");
}
