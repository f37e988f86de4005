/**
 * Which turns of an iteration are recorded: a fair draw of its episodes, and other answers to the states in them.
 *
 * @module
 */
import type { Random } from "../../envs/mod.ts";
import type { Rollout } from "../rollout.ts";
import { shuffled } from "../shuffled.ts";

/** A turn to record. */
export interface ChosenTurn {
  readonly kind: "turn" | "other";
  /** Counts the recorded episodes. */
  readonly episode: number;
  /** Which of the rollout's trajectories that is. */
  readonly trajectory: number;
  /** Turns of the episode before it; of an `other`, the turn whose state it shares. */
  readonly turn: number;
  /** Which of the rollout's transitions. */
  readonly index: number;
}

/** Share of the turns that are other answers, if there are such. */
const OTHERS = 1 / 3;

/** Draws at most `most` turns. Every trajectory is as likely as another to be among them. */
export function chooseTurns(
  { transitions, trajectories }: Rollout,
  most: number,
  random: Random,
): ChosenTurn[] {
  const chosen: ChosenTurn[] = [];
  const own = most - Math.floor(most * OTHERS);
  let episode = 0;
  for (const trajectory of shuffled(trajectories.length, random)) {
    const { turns, before = [] } = trajectories[trajectory];
    if (episode > 0 && chosen.length + turns.length > own) break;
    turns.slice(0, own).forEach((index, t) =>
      chosen.push({ kind: "turn", episode, trajectory, turn: before.length + t, index })
    );
    episode++;
  }
  const taken = new Set(chosen.map(({ index }) => index));
  const byState = Map.groupBy(
    transitions.keys().filter((index) => !taken.has(index)),
    (index) => transitions[index].state,
  );
  // The state with the most other answers has the most to compare.
  const [shared] = chosen.toSorted((a, b) => othersOf(b) - othersOf(a));
  function othersOf({ index }: ChosenTurn): number {
    return byState.get(transitions[index].state)?.length ?? 0;
  }
  if (shared === undefined) return chosen;
  const others = byState.get(transitions[shared.index].state) ?? [];
  for (const at of shuffled(others.length, random).slice(0, most - chosen.length)) {
    chosen.push({ ...shared, kind: "other", index: others[at] });
  }
  return chosen;
}
