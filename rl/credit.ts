/**
 * Measures how good an algorithm's advantages are, in an environment whose action values are known exactly.
 *
 * @module
 */
import type { Sample } from "./objective.ts";
import type { Transition } from "./rollout.ts";
import { mean } from "./statistics.ts";

/** What `--exact-credit` logs. Q* is the environment's exact value: the best expected discounted return after an action. */
export interface CreditMetrics {
  /**
   * Cosine of the advantages with Q* - V. It is over turns that have a weight in the loss and share their state with another.
   *
   * V is the mean of Q* over this iteration's turns in the same state. It is the worth of acting once as the policy does, and
   * then as well as possible. If tokens have advantages, their mean over the turn counts.
   *
   * Null if there is nothing to compare, or if the algorithm has no advantages.
   */
  readonly advantageCosine: number | null;
  /** What a turn gives away: the mean of max Q* less the taken action's Q*, in units of return. Null without turns. */
  readonly regret: number | null;
}

/** Compares samples with exact values. The transitions must hold their action values. */
export function measureCredit(
  transitions: readonly Transition[],
  samples: readonly Sample[] | null,
): CreditMetrics {
  const valueOf = ({ actionValues, action }: Transition) => actionValues![action];
  const regrets = transitions.map((transition) =>
    Math.max(...transition.actionValues!) - valueOf(transition)
  );
  return {
    advantageCosine: samples === null ? null : cosine(
      samples.filter(({ weight }) => weight !== 0).map(({ advantage, transition }) => ({
        state: transition.state,
        value: valueOf(transition),
        advantage: typeof advantage === "number" ? advantage : mean(advantage),
      })),
    ),
    regret: transitions.length === 0 ? null : mean(regrets),
  };
}

interface Turn {
  readonly state: string;
  readonly value: number;
  readonly advantage: number;
}

function cosine(turns: readonly Turn[]): number | null {
  const states = Map.groupBy(turns, ({ state }) => state);
  let dot = 0, ofAdvantages = 0, ofValues = 0;
  for (const group of states.values()) {
    if (group.length === 1) continue;
    const center = mean(group.map(({ value }) => value));
    for (const { value, advantage } of group) {
      dot += advantage * (value - center);
      ofAdvantages += advantage ** 2;
      ofValues += (value - center) ** 2;
    }
  }
  return ofAdvantages > 0 && ofValues > 0 ? dot / Math.sqrt(ofAdvantages * ofValues) : null;
}
