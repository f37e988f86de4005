/**
 * `grpo`: an episode's advantage is its return against the mean of its deal, the same for all its tokens.
 *
 *     A(episode) = (return - mean) / (standard deviation + 1e-6), over the G episodes of its deal
 *     minimise     -mean over episodes of the mean over its tokens of min(ratio_t A, clip(ratio_t, 1 - low, 1 + high) A)
 *
 * It has three known biases:
 *
 * - The mean includes the episode itself. That shrinks the gradient to (G - 1) / G of the policy gradient.
 * - The standard deviation weights deals by how hard they are.
 * - The mean over an episode's tokens favours long wrong answers.
 *
 * Dr. GRPO and DAPO are settings:
 *
 *     --dr-grpo    no standard deviation; tokens are added up and divided by a fixed length
 *     --dapo       --clip-high 0.28; all tokens count alike; deals of equal returns are always left out
 *
 * Without `--dapo`, deals of equal returns are left out by default too. They have no gradient, but they would count in the
 * mean over episodes and fill minibatches. `--extra-groups N` plays up to N other deals an iteration in their place: the dynamic
 * sampling of DAPO, with a bound. It is a flag of its own, since those deals cost steps. The paper's penalty on overlong
 * answers is left out: an answer that is cut off has no action, which costs `formatPenalty`. The standard deviation is the
 * population's.
 *
 * Sources: Shao et al. 2024 (GRPO, arXiv:2402.03300), Liu et al. 2025 (Dr. GRPO, arXiv:2503.20783), Yu et al. 2025 (DAPO,
 * arXiv:2503.14476).
 *
 * @module
 */
import {
  boolean,
  type BooleanSetting,
  choice,
  type ChoiceSetting,
  integer,
  number,
  type NumberSetting,
} from "../cli/mod.ts";
import {
  collectGroups,
  deviationOf,
  type Group,
  groupMetrics,
  groupOptions,
  groupsOf,
  LOSS_MEANS,
  type LossMean,
  lossWeights,
  measureGroups,
} from "../groups.ts";
import { improveOptions } from "../improve.ts";
import type { Sample } from "../objective.ts";
import type { Rollout } from "../rollout.ts";
import { mean } from "../statistics.ts";
import { type Algorithm, defineAlgorithm } from "./algorithm.ts";

/** Settings of group-relative advantages. */
export const groupAdvantageOptions = {
  ...groupOptions,
  normalizeStd: boolean(true, "divide by the standard deviation of the deal's returns") as BooleanSetting,
  dropEqualGroups: boolean(true, "leave out deals whose episodes all returned the same") as BooleanSetting,
  lossMean: choice(
    "episode",
    LOSS_MEANS,
    "what tokens are averaged over: each turn's sum, each episode, all tokens, or a fixed length an episode",
  ) as ChoiceSetting<LossMean>,
  fixedLength: integer(128, "tokens that an episode is divided by with --loss-mean fixed", {
    min: 1,
    unit: "tokens",
  }) as NumberSetting,
  clipLow: number(0.2, "clip of the policy ratio below 1", { min: 0 }) as NumberSetting,
  clipHigh: number(0.2, "clip of the policy ratio above 1", { min: 0 }) as NumberSetting,
};

/** Group-relative policy optimisation. */
export const grpo: Algorithm = defineAlgorithm({
  name: "grpo",
  summary: "return against the mean of the same deal's episodes, one ratio a token; --dr-grpo, --dapo",
  source: "arXiv:2402.03300, arXiv:2503.20783, arXiv:2503.14476",
  options: {
    ...groupAdvantageOptions,
    drGrpo: boolean(false, "Dr. GRPO: --no-normalize-std --loss-mean fixed"),
    dapo: boolean(false, "DAPO: --clip-high 0.28 --loss-mean tokens"),
    extraGroups: integer(
      0,
      "deals that may be played in place of ones whose episodes all returned the same",
      {
        min: 0,
        unit: "deals",
      },
    ),
    ...improveOptions,
  },
  metrics: {
    ...groupMetrics,
    dealsPlayed: "deals played, with those that others took the place of; with --extra-groups alone",
  },
  collect: ({ extraGroups, ...settings }) => ({ ...collectGroups("grpo", settings), extraGroups }),
  objective: ({ clipLow, clipHigh, dapo, ...settings }) => ({
    ...settings,
    ratio: "token",
    clipLow,
    clipHigh: dapo ? 0.28 : clipHigh,
    values: "none",
    valueClip: 0,
    valueCoefficient: 0,
  }),
  score: (rollout, settings) => {
    const { drGrpo, dapo } = settings;
    const groups = groupsOf(rollout, { ...settings, dropsEqual: settings.dropEqualGroups || dapo });
    const samples = groupSamples(rollout, groups, {
      normalizeStd: settings.normalizeStd && !drGrpo,
      lossMean: drGrpo ? "fixed" : dapo ? "tokens" : settings.lossMean as LossMean,
      fixedLength: settings.fixedLength,
    });
    const dealsPlayed = groups.length + (rollout.beside?.deals.length ?? 0);
    return { samples, metrics: { ...measureGroups(groups), ...settings.extraGroups > 0 && { dealsPlayed } } };
  },
});

/** Makes a sample of each transition: its episode's advantage, and the weight that makes the loss the chosen mean. */
export function groupSamples(
  rollout: Rollout,
  groups: readonly Group[],
  { normalizeStd, lossMean, fixedLength }: {
    readonly normalizeStd: boolean;
    readonly lossMean: LossMean;
    readonly fixedLength: number;
  },
): Sample[] {
  const kept = groups.flatMap(({ episodes, weight }) => weight === 0 ? [] : episodes);
  const weights = lossWeights(rollout, kept, lossMean, fixedLength);
  const samples: Sample[] = new Array(rollout.transitions.length);
  for (const { episodes, returns } of groups) {
    const center = mean(returns);
    const scale = normalizeStd ? deviationOf(returns) + 1e-6 : 1;
    episodes.forEach((episode, e) => {
      for (const turn of episode.turns) {
        samples[turn] = {
          transition: rollout.transitions[turn],
          advantage: (returns[e] - center) / scale,
          weight: weights.get(episode) ?? 0,
        };
      }
    });
  }
  return samples;
}
