/**
 * Which deals groups of episodes play: new ones, and again some of those from which there was something to learn.
 *
 * @module
 */
import { Random } from "../envs/mod.ts";
import { groupsOf } from "./groups.ts";
import type { Rollout } from "./rollout.ts";
import { shuffled } from "./shuffled.ts";

/** Most deals that are remembered; the oldest go first. */
const REMEMBERED = 2048;
/** Where the deals stand in a run's memory. */
const KEY = "splitDeals";

/** What to draw for one iteration. */
export interface DealDraw {
  /** Number of deals. */
  readonly groups: number;
  /** Share of them that are drawn from earlier ones, while there are as many. */
  readonly again: number;
  /** Seed of the first new deal. */
  readonly firstNew: number;
  /** Seed of the draw. */
  readonly seed: number;
  /** Iterations before this one. */
  readonly iteration: number;
}

/**
 * Draws the deals of an iteration: first new ones, then earlier ones whose episodes did not all return the same. No deal comes
 * twice.
 */
export function drawDeals(memory: Readonly<Record<string, unknown>>, draw: DealDraw): number[] {
  const { groups, again, firstNew, seed, iteration } = draw;
  const earlier = splitDeals(memory);
  const count = Math.min(Math.floor(again * groups), earlier.length);
  const order = count === 0 ? [] : shuffled(earlier.length, new Random(seed, `deals again ${iteration}`));
  return [
    ...Array.from({ length: groups - count }, (_, i) => firstNew + i),
    ...Array.from(order.slice(0, count), (index) => earlier[index]),
  ];
}

/** Remembers which deals of a rollout split, and forgets those that no longer do. */
export function noteDeals(memory: Record<string, unknown>, rollout: Rollout): void {
  const groups = groupsOf(rollout, { snrFilter: 1, dropsEqual: true });
  const played = new Set([...groups.map(({ deal }) => deal), ...rollout.beside?.deals ?? []]);
  const split = groups.filter(({ weight }) => weight > 0).map(({ deal }) => deal);
  memory[KEY] = [...splitDeals(memory).filter((deal) => !played.has(deal)), ...split].slice(-REMEMBERED);
}

const splitDeals = (memory: Readonly<Record<string, unknown>>): readonly number[] =>
  (memory[KEY] ?? []) as readonly number[];
