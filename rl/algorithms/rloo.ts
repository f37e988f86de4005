/**
 * `rloo`: the other episodes of the same deal are the baseline.
 *
 *     A(episode) = return - mean return of the other G - 1 episodes of its deal, for all its turns and tokens,
 *                  divided by their root mean square over the iteration's turns
 *     minimise     -mean over turns of min(ratio A, clip(ratio) A)
 *
 * The baseline does not depend on the episode. The gradient is therefore unbiased over the deals that are learnt from. Deals
 * whose episodes all returned the same have no gradient and are left out.
 *
 * One divisor for all deals keeps steps of equal size and favours no deal. The clamp is the only bias: without it one long, bad
 * episode could outweigh the rest. `--ratio` chooses one ratio for each response, with the thought weighted by lambda, or one
 * for each token.
 *
 * Sources: Kool et al. 2019 ("Buy 4 REINFORCE samples, get a baseline for free"), Ahmadian et al. 2024 (arXiv:2402.14740).
 *
 * @module
 */
import { limit, scaleOptions } from "../advantages.ts";
import { choice, number } from "../cli/mod.ts";
import { collectGroups, groupMetrics, groupOptions, groupsOf, measureGroups } from "../groups.ts";
import { improveOptions } from "../improve.ts";
import type { Sample } from "../objective.ts";
import { rootMeanSquare } from "../statistics.ts";
import { type Algorithm, defineAlgorithm } from "./algorithm.ts";

/** REINFORCE with a leave-one-out baseline. */
export const rloo: Algorithm = defineAlgorithm({
  name: "rloo",
  summary: "return less the mean of the others of the same deal; a ratio a response or a token, no critic",
  source: "arXiv:2402.14740",
  options: {
    ...groupOptions,
    groups: { ...groupOptions.groups, default: 16 },
    groupSize: { ...groupOptions.groupSize, default: 4 },
    ...scaleOptions,
    ratio: choice(
      "response",
      ["response", "token"],
      "one policy ratio for each response, or one for each token",
    ),
    lambda: number(0.5, "weight of the thought's log-probability in log pi, for a ratio of a response", {
      min: 0,
      max: 1,
    }),
    clip: number(0.2, "clip of the policy ratio", { min: 0 }),
    ...improveOptions,
  },
  metrics: {
    ...groupMetrics,
    advantageRms:
      "root mean square of the advantages learnt from before normalisation, in units of scaled return",
  },
  collect: (settings) => collectGroups("rloo", settings),
  thoughtWeight: ({ ratio, lambda }) => ratio === "response" ? lambda : 1,
  objective: ({ clip, ratio, ...settings }) => ({
    ...settings,
    ratio: ratio as "response" | "token",
    clipLow: clip,
    clipHigh: clip,
    values: "none",
    valueClip: 0,
    valueCoefficient: 0,
  }),
  score: (rollout, settings) => {
    const groups = groupsOf(rollout, { ...settings, dropsEqual: true });
    const advantages = new Float64Array(rollout.transitions.length);
    const weights = new Uint8Array(rollout.transitions.length);
    for (const group of groups) {
      const total = group.returns.reduce((sum, value) => sum + value, 0);
      group.episodes.forEach(({ turns }, e) => {
        const own = group.returns[e];
        for (const turn of turns) {
          advantages[turn] = own - (total - own) / (group.returns.length - 1);
          weights[turn] = group.weight;
        }
      });
    }
    const live = advantages.filter((_, turn) => weights[turn] > 0);
    const advantageRms = live.length === 0 ? 0 : rootMeanSquare(live);
    const scale = Math.max(advantageRms, settings.advantageFloor);
    const samples = rollout.transitions.map((transition, turn): Sample => ({
      transition,
      advantage: limit(advantages[turn] / scale, settings.advantageClamp),
      weight: weights[turn],
    }));
    return { samples, metrics: { ...measureGroups(groups), advantageRms } };
  },
});
