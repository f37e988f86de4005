/**
 * Groups worth learning from: a deal whose episodes all returned the same gives way to another deal.
 *
 * Source: dynamic sampling of DAPO, Yu et al. 2025 (arXiv:2503.14476), with a bound on the deals that are played.
 *
 * @module
 */
import { groupsOf } from "./groups.ts";
import type { Rollout, Trajectory, Transition } from "./rollout.ts";

/**
 * Collects `groups` deals of whole episodes. As long as some of them have episodes that all returned the same, it plays as many
 * other deals, `extraGroups` at most in all. The first deals whose returns differ take their places, in the order of play. If
 * there are too few of them, deals of equal returns stay, so that a rollout always has the same number of episodes.
 *
 * With q the chance of equal returns, a place ends up with a deal that teaches nothing with a chance of q to the power of
 * 1 + `extraGroups`, if there is one place.
 *
 * @param play Plays the deals from `first` on, counted from 0 in this iteration.
 */
export async function collectVaried(
  play: (first: number, deals: number) => Promise<Rollout>,
  { groups, extraGroups }: { readonly groups: number; readonly extraGroups: number },
): Promise<Rollout> {
  const all = [await play(0, groups)];
  let deals = groups;
  let missing = groups - variedDeals(all[0]).size;
  while (missing > 0 && deals < groups + extraGroups) {
    const more = Math.min(missing, groups + extraGroups - deals);
    const rollout = await play(deals, more);
    all.push(rollout);
    deals += more;
    missing -= variedDeals(rollout).size;
  }
  return deals === groups ? all[0] : chosenOf(all, groups);
}

/** The deals whose episodes did not all return the same. */
function variedDeals(rollout: Rollout): Set<number> {
  const groups = groupsOf(rollout, { snrFilter: 1, dropsEqual: true });
  return new Set(groups.filter(({ weight }) => weight > 0).map(({ deal }) => deal));
}

/** A rollout of so many deals, those whose returns differ before others. */
function chosenOf(all: readonly Rollout[], groups: number): Rollout {
  const varied = all.flatMap((rollout) => [...variedDeals(rollout)]);
  const equal = all.flatMap(({ trajectories }) => trajectories.map(({ deal }) => deal))
    .filter((deal) => !varied.includes(deal));
  const chosen = new Set([...new Set([...varied, ...equal])].slice(0, groups));
  const transitions: Transition[] = [], trajectories: Trajectory[] = [], bootstraps: number[] = [];
  let turns = 0, tokens = 0;
  for (const rollout of all) {
    for (const trajectory of rollout.trajectories) {
      if (chosen.has(trajectory.deal)) {
        const places = trajectory.turns.map((turn) => {
          bootstraps.push(rollout.bootstrapValues[turn]);
          return transitions.push(rollout.transitions[turn]) - 1;
        });
        trajectories.push({ ...trajectory, turns: places });
      } else {
        turns += trajectory.turns.length;
        for (const turn of trajectory.turns) tokens += rollout.transitions[turn].response.length;
      }
    }
  }
  const deals = [...new Set(equal)].filter((deal) => !chosen.has(deal));
  return {
    transitions,
    trajectories,
    bootstrapValues: Float32Array.from(bootstraps),
    episodes: all.flatMap(({ episodes }) => episodes),
    beside: { deals, turns, tokens },
  };
}
