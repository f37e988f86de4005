/**
 * Episodes that share a deal: how they are collected, what they returned, and which are worth learning from.
 *
 * @module
 */
import type { Collection } from "./algorithms/algorithm.ts";
import { integer, number, type NumberSetting, UsageError, type Values } from "./cli/mod.ts";
import type { Rollout, Trajectory } from "./rollout.ts";
import { mean } from "./statistics.ts";

/** Settings of every algorithm that plays whole episodes in groups. */
export const groupOptions = {
  groups: integer(8, "deals of an iteration", { min: 1, unit: "deals" }) as NumberSetting,
  groupSize: integer(8, "episodes that share a deal", { min: 1, unit: "episodes" }) as NumberSetting,
  snrFilter: number(
    1,
    "keep the deals of largest return variance, to this share of it in all (RAGEN-2); 1 keeps all",
    {
      min: 0,
      max: 1,
    },
  ) as NumberSetting,
  dealAgain: number(
    0,
    "share of an iteration's deals that are played again: earlier ones whose episodes did not all return the same",
    { min: 0, max: 1 },
  ) as NumberSetting,
};

/** Values of {@linkcode groupOptions}. */
export type GroupSettings = Values<typeof groupOptions>;

/**
 * Says how an algorithm collects if it compares the episodes of a deal.
 *
 * @throws {UsageError} when `groupSize` is below 2, so that there is nothing to compare.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { collectGroups } from "@ponder/ponder/rl";
 *
 * const collection = collectGroups("grpo", { groups: 4, groupSize: 8, snrFilter: 1, dealAgain: 0 });
 * assertEquals(collection, { kind: "episodes", groups: 4, groupSize: 8, dealAgain: 0 });
 * ```
 */
export function collectGroups(
  name: string,
  { groups, groupSize, dealAgain }: GroupSettings,
): Collection {
  if (groupSize >= 2) return { kind: "episodes", groups, groupSize, dealAgain };
  throw new UsageError(
    `Cannot use ${name} with --group-size 1: an episode needs others of its deal, use 2 or more`,
  );
}

/** The episodes of one deal. */
export interface Group {
  /** Seed that the episodes were reset with. */
  readonly deal: number;
  /** The episodes that share the deal. */
  readonly episodes: readonly Trajectory[];
  /** Return of each episode: the undiscounted sum of its scaled rewards. */
  readonly returns: readonly number[];
  /** 0 when the filter leaves the group out. */
  readonly weight: 0 | 1;
}

/** Definitions of the metrics that {@linkcode measureGroups} computes. */
export const groupMetrics = {
  groupStd: "mean standard deviation of the returns of a deal's episodes, in units of scaled reward",
  groupsKept: "share of the deals that were learnt from",
} as const;

/**
 * Groups a rollout's episodes by deal, and weights the groups. A group of weight 0 is left out. None is played in its place.
 *
 * A deal whose episodes all returned the same teaches nothing; `dropsEqual` leaves it out. `snrFilter` leaves out the deals of
 * least variance: deals are kept in falling order of variance until their sum reaches this share of the whole.
 *
 * Source: SNR-aware filtering of RAGEN-2, Wang et al. 2026 (arXiv:2604.06268), its top-p by variance with linear shares.
 */
export function groupsOf(
  { trajectories, transitions }: Rollout,
  { snrFilter, dropsEqual }: Pick<GroupSettings, "snrFilter"> & { readonly dropsEqual: boolean },
): Group[] {
  const byDeal = new Map<number, Trajectory[]>();
  for (const trajectory of trajectories) {
    byDeal.set(trajectory.deal, [...(byDeal.get(trajectory.deal) ?? []), trajectory]);
  }
  const groups = Array.from(byDeal, ([deal, episodes]) => {
    const returns = episodes.map(({ turns }) =>
      turns.reduce((sum, turn) => sum + transitions[turn].reward, 0)
    );
    return { deal, episodes, returns, variance: varianceOf(returns) };
  });
  const total = groups.reduce((sum, { variance }) => sum + variance, 0);
  let kept = 0;
  const isKept = new Map<number, boolean>();
  for (const { deal, variance } of groups.toSorted((a, b) => b.variance - a.variance)) {
    isKept.set(deal, (snrFilter === 1 || kept < snrFilter * total) && !(dropsEqual && variance === 0));
    kept += variance;
  }
  return groups.map(({ variance: _, ...group }) => ({ ...group, weight: isKept.get(group.deal) ? 1 : 0 }));
}

/** Population variance; exactly 0 when all values are the same. */
function varianceOf(values: readonly number[]): number {
  if (values.every((value) => value === values[0])) return 0;
  const center = mean(values);
  return mean(values.map((value) => (value - center) ** 2));
}

/** Population standard deviation; exactly 0 when all values are the same. */
export const deviationOf = (values: readonly number[]): number => Math.sqrt(varianceOf(values));

/** Computes the metrics of {@linkcode groupMetrics}. */
export function measureGroups(groups: readonly Group[]): { groupStd: number; groupsKept: number } {
  return {
    groupStd: mean(groups.map(({ returns }) => deviationOf(returns))),
    groupsKept: mean(groups.map(({ weight }) => weight)),
  };
}

/** Computes the discounted return to go from each turn of an episode on, in scaled reward, in the order of its turns. */
export function returnsToGo(rollout: Rollout, { turns }: Trajectory, gamma: number): number[] {
  const sums: number[] = new Array(turns.length);
  let later = 0;
  for (let t = turns.length - 1; t >= 0; t--) {
    sums[t] = later = rollout.transitions[turns[t]].reward + gamma * later;
  }
  return sums;
}

/** Names of the means that a loss can be over: see {@linkcode lossWeights}. */
export const LOSS_MEANS = ["turn", "episode", "tokens", "fixed"] as const;
/** Name of the mean that a loss is over: one of {@linkcode LOSS_MEANS}. */
export type LossMean = typeof LOSS_MEANS[number];

/**
 * Computes the weight of each episode's tokens. An update takes the mean over the N kept turns of an iteration; the weights
 * turn that into the chosen mean:
 *
 *     turn      1                        the tokens of a turn are added up, turns are averaged
 *     episode   N / (E tokens(episode))  the tokens of an episode are averaged, then the E episodes: all count alike
 *     tokens    N / tokens(iteration)    all tokens count alike
 *     fixed     N / (E fixedLength)      the tokens of an episode are added up and divided by a constant
 *
 * Only kept episodes count in N, E and tokens.
 */
export function lossWeights(
  rollout: Rollout,
  kept: readonly Trajectory[],
  lossMean: LossMean,
  fixedLength: number,
): Map<Trajectory, number> {
  const tokensOf = ({ turns }: Trajectory) =>
    turns.reduce((sum, turn) => sum + rollout.transitions[turn].response.length, 0);
  const turns = kept.reduce((sum, episode) => sum + episode.turns.length, 0);
  const tokens = kept.reduce((sum, episode) => sum + tokensOf(episode), 0);
  const weightOf = (episode: Trajectory) => {
    switch (lossMean) {
      case "turn":
        return 1;
      case "episode":
        return turns / (kept.length * tokensOf(episode));
      case "tokens":
        return turns / tokens;
      case "fixed":
        return turns / (kept.length * fixedLength);
    }
  };
  return new Map(kept.map((episode) => [episode, weightOf(episode)]));
}
