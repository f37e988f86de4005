/**
 * `gigpo`: groups in groups. It compares the episodes of a deal, and the turns that were taken in exactly the same state.
 *
 *     A(turn)    = A(episode) + omega * (return to go - mean return to go of all turns in the same state of the deal)
 *     minimise     -mean over episodes of the mean over its tokens of min(ratio_t A, clip(ratio_t) A)
 *
 * Each part is divided by the standard deviation of what it compares, plus 1e-6, unless `--no-normalize-std`. The episode's
 * return is not discounted. The return to go is discounted by gamma.
 *
 * The mean of a state includes the turn itself. Without the division, and with n turns in a state, the second part is
 * (1 - 1/n) (Q - V) in expectation. In a state that was seen once it is 0. States are compared by their exact keys.
 *
 * Source: Feng et al. 2025 (arXiv:2505.10978).
 *
 * @module
 */
import { number } from "../cli/mod.ts";
import {
  collectGroups,
  deviationOf,
  groupMetrics,
  groupsOf,
  type LossMean,
  measureGroups,
  returnsToGo,
} from "../groups.ts";
import { improveOptions } from "../improve.ts";
import type { Rollout, Trajectory } from "../rollout.ts";
import { mean } from "../statistics.ts";
import { type Algorithm, defineAlgorithm } from "./algorithm.ts";
import { groupAdvantageOptions, groupSamples } from "./grpo.ts";

/** Group-in-group policy optimisation. */
export const gigpo: Algorithm = defineAlgorithm({
  name: "gigpo",
  summary:
    "group advantage of the episode plus that of each turn among those in the same state; a ratio a token",
  source: "arXiv:2505.10978",
  options: {
    ...groupAdvantageOptions,
    omega: number(1, "weight of the turn's advantage among those in the same state", { min: 0 }),
    ...improveOptions,
  },
  metrics: {
    ...groupMetrics,
    anchored: "share of turns whose state was acted in by another turn of the same deal",
  },
  collect: (settings) => collectGroups("gigpo", settings),
  objective: (settings) => ({
    ...settings,
    ratio: "token",
    values: "none",
    valueClip: 0,
    valueCoefficient: 0,
  }),
  score: (rollout, settings) => {
    const { normalizeStd, omega, gamma, fixedLength } = settings;
    // A deal whose episodes all returned the same may still tell good turns from bad ones.
    const dropsEqual = settings.dropEqualGroups && omega === 0;
    const groups = groupsOf(rollout, { ...settings, dropsEqual });
    const ofEpisodes = groupSamples(rollout, groups, {
      normalizeStd,
      lossMean: settings.lossMean as LossMean,
      fixedLength,
    });
    const ofTurns = new Float64Array(rollout.transitions.length);
    let anchored = 0;
    for (const { episodes } of groups) {
      for (const { turns, returns } of anchorStates(rollout, episodes, gamma)) {
        if (turns.length > 1) anchored += turns.length;
        const center = mean(returns);
        const scale = normalizeStd ? deviationOf(returns) + 1e-6 : 1;
        turns.forEach((turn, i) => ofTurns[turn] = (returns[i] - center) / scale);
      }
    }
    const samples = ofEpisodes.map((sample, turn) => ({
      ...sample,
      advantage: sample.advantage as number + omega * ofTurns[turn],
    }));
    const metrics = { ...measureGroups(groups), anchored: anchored / rollout.transitions.length };
    return { samples, metrics };
  },
});

/** Groups the turns of a deal's episodes by the state that they were taken in, with their returns to go. */
export function anchorStates(rollout: Rollout, episodes: readonly Trajectory[], gamma: number) {
  const states = new Map<string, { turns: number[]; returns: number[] }>();
  for (const episode of episodes) {
    const toGo = returnsToGo(rollout, episode, gamma);
    episode.turns.forEach((turn, t) => {
      const key = rollout.transitions[turn].state;
      const state = states.get(key) ?? { turns: [], returns: [] };
      states.set(key, state);
      state.turns.push(turn);
      state.returns.push(toGo[t]);
    });
  }
  return [...states.values()];
}
