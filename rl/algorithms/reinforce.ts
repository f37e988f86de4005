/**
 * `reinforce++`: returns without a critic, held to the warm start, whitened over the batch.
 *
 *     k1_t       = log p_t - log p_ref_t                         what a token costs, times beta
 *     return_t   = discounted sum of the rewards from its turn on  -  beta * sum of k1 from its token on
 *     A_t        = (return_t - mean) / standard deviation, over all tokens of the iteration
 *     minimise     -mean over tokens of min(ratio_t A_t, clip(ratio_t) A_t)
 *
 * An episode's return stands on its own, even if others share its deal. The penalty is a part of the reward. The best policy
 * is therefore p_ref exp(return / beta) / Z, the optimum of the KL-regularised objective. `--kl-coefficient`, a loss (k3), has
 * another optimum: see `objective.ts`.
 *
 * Source: Hu et al. 2025 (arXiv:2501.03262).
 *
 * @module
 */
import { limit } from "../advantages.ts";
import { boolean, number, UsageError } from "../cli/mod.ts";
import { groupMetrics, groupOptions, groupsOf, lossWeights, measureGroups, returnsToGo } from "../groups.ts";
import { improveOptions } from "../improve.ts";
import type { Sample } from "../objective.ts";
import type { Rollout, Trajectory } from "../rollout.ts";
import { mean, standardDeviation } from "../statistics.ts";
import { type Algorithm, defineAlgorithm } from "./algorithm.ts";

/** REINFORCE with a KL penalty in the reward and advantages whitened over the batch. */
export const reinforcePlusPlus: Algorithm = defineAlgorithm({
  name: "reinforce++",
  summary: "return to go less a KL penalty, whitened over the batch, one ratio a token, no critic",
  source: "arXiv:2501.03262",
  options: {
    ...groupOptions,
    groups: { ...groupOptions.groups, default: 64 },
    groupSize: { ...groupOptions.groupSize, default: 1 },
    beta: number(0.01, "weight of the KL penalty in the reward", { min: 0 }),
    whiten: boolean(true, "subtract the mean of the advantages and divide by their standard deviation"),
    advantageClamp: number(3, "largest normalised advantage", { min: 0 }),
    clip: number(0.2, "clip of the policy ratio", { min: 0 }),
    ...improveOptions,
  },
  metrics: {
    ...groupMetrics,
    advantageStd: "standard deviation of the tokens' returns before whitening, in units of scaled return",
    referenceK1: "mean log p - log p_ref of the response tokens, in nats",
  },
  collect: ({ groups, groupSize, snrFilter, dealAgain }) => {
    if (groupSize > 1 || snrFilter === 1 && dealAgain === 0) {
      return { kind: "episodes", groups, groupSize, dealAgain };
    }
    throw new UsageError(
      `Cannot use --${
        snrFilter < 1 ? "snr-filter" : "deal-again"
      } with --group-size 1: one episode of a deal has no variance, use 2 or more`,
    );
  },
  needsReference: ({ beta }) => beta > 0,
  objective: ({ clip, ...settings }) => ({
    ...settings,
    ratio: "token",
    clipLow: clip,
    clipHigh: clip,
    values: "none",
    valueClip: 0,
    valueCoefficient: 0,
  }),
  score: async (rollout, settings, { referenceLogprobs }) => {
    const { transitions } = rollout;
    const references = settings.beta > 0
      ? await referenceLogprobs(transitions)
      : transitions.map(({ logprobs }) => logprobs);
    const groups = groupsOf(rollout, { ...settings, dropsEqual: false });
    const kept = groups.flatMap(({ episodes, weight }) => weight === 0 ? [] : episodes);
    const weights = lossWeights(rollout, kept, "tokens", 1);
    const returns = tokenReturns(rollout, references, settings);
    const all = kept.flatMap(({ turns }) => turns.flatMap((turn) => Array.from(returns[turn])));
    const std = all.length === 0 ? 0 : standardDeviation(all); // when the filter left nothing
    const [center, scale] = settings.whiten && all.length > 0 ? [mean(all), Math.max(std, 1e-6)] : [0, 1];
    const bound = settings.whiten ? settings.advantageClamp : Infinity;
    const samples: Sample[] = new Array(transitions.length);
    for (const episode of rollout.trajectories) {
      for (const turn of episode.turns) {
        samples[turn] = {
          transition: transitions[turn],
          advantage: returns[turn].map((value) => limit((value - center) / scale, bound)),
          weight: weights.get(episode) ?? 0,
        };
      }
    }
    const k1 = transitions.flatMap(({ logprobs }, i) => Array.from(logprobs, (p, r) => p - references[i][r]));
    return { samples, metrics: { ...measureGroups(groups), advantageStd: std, referenceK1: mean(k1) } };
  },
});

/**
 * Computes the return of every response token: the rewards from its turn on, less beta times the k1 of the tokens from it on.
 * The result has a row for each transition, with an element for each token.
 */
export function tokenReturns(
  rollout: Rollout,
  references: readonly Float32Array[],
  { gamma, beta }: { readonly gamma: number; readonly beta: number },
): Float32Array[] {
  const rows: Float32Array[] = new Array(rollout.transitions.length);
  for (const episode of rollout.trajectories) {
    episodeReturns(rollout, episode, references, rows, { gamma, beta });
  }
  return rows;
}

function episodeReturns(
  rollout: Rollout,
  episode: Trajectory,
  references: readonly Float32Array[],
  rows: Float32Array[],
  { gamma, beta }: { readonly gamma: number; readonly beta: number },
): void {
  const toGo = returnsToGo(rollout, episode, gamma);
  let penalty = 0; // beta * k1 of later tokens, discounted by turns
  for (let t = episode.turns.length - 1; t >= 0; t--) {
    const turn = episode.turns[t];
    const { logprobs } = rollout.transitions[turn];
    const row = rows[turn] = new Float32Array(logprobs.length);
    for (let r = logprobs.length - 1; r >= 0; r--) {
      penalty += beta * (logprobs[r] - references[turn][r]);
      row[r] = toGo[t] - penalty;
    }
    penalty *= gamma;
  }
}
