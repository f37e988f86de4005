/**
 * Returns of demonstrated steps, as if no step limit cut an episode: what the value head learns in the warm start.
 *
 *     V(s)   mean over the visits of s of  r + gamma V(s'),  with V(s') = 0 where the episode terminated
 *     G_t    r_t + gamma G_t+1,  G_T = 0 where the episode terminated, V(s_T) where the step limit cut it
 *
 * A limit says nothing of the state: an agent that goes on from it earns what others earned from the same state. Without
 * V a cut episode's steps would look better, or worse, than they are.
 *
 * Source: Pardo et al. 2018 (arXiv:1712.00378), bootstrapping at a time limit.
 *
 * @module
 */

/** A demonstrated episode, as far as returns go. */
export interface DemonstratedEpisode {
  /** Keys of the states that were acted in, in order; see `Environment.stateKey`. */
  readonly states: readonly string[];
  /** What each action earned. */
  readonly rewards: readonly number[];
  /** Key of the state that the step limit cut it in; null where the rules ended it. */
  readonly cutIn: string | null;
}

/** The sweeps end when no value moves by more than this share of the largest. */
const TOLERANCE = 1e-7;
/** Undiscounted loops that are seldom left converge slowly. */
const MAX_SWEEPS = 1000;

/**
 * The discounted return of every step of every episode, without the step limit. It is null in an episode that was cut in a
 * state that no demonstration ends well from: none goes on from it, or none of those that do terminates.
 */
export function demonstratedReturns(
  episodes: readonly DemonstratedEpisode[],
  gamma: number,
): (number | null)[][] {
  const values = episodes.some(({ cutIn }) => cutIn !== null) ? stateValues(episodes, gamma) : new Map();
  return episodes.map(({ rewards, cutIn }) => {
    let discounted: number | null = cutIn === null ? 0 : values.get(cutIn) ?? null;
    return rewards.toReversed().map((reward) =>
      discounted = discounted === null ? null : reward + gamma * discounted
    ).reverse();
  });
}

/** Stands for the end of an episode by the rules. */
const END = -1;

/** V of every state from which some demonstration terminates. */
function stateValues(episodes: readonly DemonstratedEpisode[], gamma: number): Map<string, number> {
  const ids = new Map<string, number>();
  const idOf = (state: string) => {
    const id = ids.get(state) ?? ids.size;
    ids.set(state, id);
    return id;
  };
  // By state: what its visits earned, and the states after them.
  const rewards: number[][] = [], nexts: number[][] = [];
  for (const { states, rewards: earned, cutIn } of episodes) {
    const way = states.map(idOf);
    way.push(cutIn === null ? END : idOf(cutIn));
    while (rewards.length < ids.size) [rewards, nexts].forEach((lists) => lists.push([]));
    earned.forEach((reward, t) => {
      rewards[way[t]].push(reward);
      nexts[way[t]].push(way[t + 1]);
    });
  }
  const known = terminating(nexts);
  const values = new Float64Array(ids.size);
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let [moved, largest] = [0, 0];
    for (const state of known) {
      let [total, count] = [0, 0];
      nexts[state].forEach((next, visit) => {
        // What leads to where nothing is known says nothing.
        if (next !== END && !known.has(next)) return;
        total += rewards[state][visit] + (next === END ? 0 : gamma * values[next]);
        count++;
      });
      const value = total / count;
      moved = Math.max(moved, Math.abs(value - values[state]));
      largest = Math.max(largest, Math.abs(value));
      values[state] = value;
    }
    if (moved <= TOLERANCE * largest) break;
  }
  return new Map([...ids].filter(([, id]) => known.has(id)).map(([state, id]) => [state, values[id]]));
}

/** The states from which a way of visits leads to an end by the rules, those nearest to it first. */
function terminating(nexts: readonly (readonly number[])[]): Set<number> {
  const before: number[][] = nexts.map(() => []);
  const known = new Set<number>();
  nexts.forEach((ofState, state) => {
    for (const next of ofState) {
      if (next === END) known.add(state);
      else before[next].push(state);
    }
  });
  // A set grows while it is walked.
  for (const state of known) {
    for (const earlier of before[state]) known.add(earlier);
  }
  return known;
}
