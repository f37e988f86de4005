/**
 * Measures how diverse thoughts are, and how much they tell about what was seen.
 *
 * @module
 */
import type { Parse } from "../envs/mod.ts";
import type { Decoding, Segment } from "../model/mod.ts";
import { actionTokenStart } from "./thought.ts";

/** How thoughts and states go together. Both numbers are null if no response states a thought. */
export interface ThoughtRates {
  /**
   * Number of different thoughts over number of different states. Near 0, a few thoughts answer all states. Above 1, states
   * get several.
   */
  readonly thoughtDiversity: number | null;
  /**
   * I(state; thought) / H(state), in [0, 1], computed from the counts. It is 1 if the thought tells which state it was written
   * for. It is 0 if the thought is the same whatever was shown. It is null if only one state was shown.
   *
   * The entropy of tokens cannot show this: thoughts may vary and still ignore the picture (arXiv:2604.06268). The estimate is
   * too high if few states come up twice. It can show a collapse; it cannot rule out noise.
   */
  readonly thoughtInformation: number | null;
}

/** Counts which thoughts answered which states. */
export class ThoughtTally {
  readonly #states = new Map<string, number>();
  readonly #thoughts = new Map<string, number>();
  readonly #pairs = new Map<string, number>();
  #isStated = false;

  /** Counts a response: its state as `promptKey` names it, its thought as `thoughtOf` finds it. */
  add(state: string, thought: string | null): void {
    // If any response states a thought, a response without one has an empty thought.
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
      // Rounding may move it out of [0, 1].
      thoughtInformation: this.#states.size === 1 ? null : Math.min(1, Math.max(0, information / ofStates)),
    };
  }
}

/** Entropy of a distribution given by counts, in nats. */
function entropy(counts: ReadonlyMap<string, number>): number {
  const total = counts.values().reduce((sum, count) => sum + count, 0);
  // Sorted: rounding then does not depend on the order of arrival.
  const sorted = [...counts.values()].sort((a, b) => a - b);
  return -sorted.reduce((sum, count) => sum + count / total * Math.log(count / total), 0);
}

/** Finds the thought of a response: its text before the action part; null if it is all action. */
export function thoughtOf(response: Decoding, parse: Pick<Parse, "action" | "start">): string | null {
  const first = actionTokenStart(response, parse);
  return first === 0 ? null : response.text.slice(0, response.ends[first - 1]);
}

/** Names what the model saw. Equal prompts with equal pictures have equal keys. */
export function promptKey(prompt: readonly Segment[]): string {
  return prompt.map((segment) => segment.kind === "text" ? segment.ids.join() : segment.picture.id).join(":");
}
