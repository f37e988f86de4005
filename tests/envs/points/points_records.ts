/** Checks that the tests of EZPoints and Points24 share. */

import { assertEquals } from "@std/assert";
import { decode } from "fast-png";
import type { Points } from "../../../envs/points/points.ts";
import { Random } from "../../../envs/shared/random.ts";

/** [action, reward, terminated, truncated, item appended or null], as the published environment reports them. */
type RecordedStep = (number | boolean | string | null)[];

export interface PointsRecord {
  readonly cards: readonly string[];
  readonly numbers: readonly number[];
  readonly target: number;
  readonly steps: readonly RecordedStep[];
}

/** Replays recorded episodes of the published environment. */
export function assertReplays(env: Points, records: readonly PointsRecord[]): void {
  for (const { cards, numbers, target, steps } of records) {
    const { info } = env.reset({ options: { cards } });
    assertEquals([info.cards, info.numbers, info.target, info.formula], [cards, numbers, target, []]);
    const formula: string[] = [];
    for (const [action, reward, terminated, truncated, item] of steps) {
      if (item !== null) formula.push(String(item));
      const { info, ...step } = env.step(Number(action));
      // A formula that is too long ends the episode by the rules, whatever the published environment calls it.
      assertEquals([step.reward, step.terminated, step.truncated], [reward, terminated || truncated, false]);
      assertEquals([info.formula, info.goalReached], [formula, reward === 10]);
    }
  }
}

/** Plays episodes with demonstrations; the share that reaches the goal. */
export function demonstratedSuccess(env: Points, episodes: number, cot = true): number {
  const random = new Random(4, "demonstrations");
  let successes = 0;
  for (let seed = 0; seed < episodes; seed++) {
    env.reset({ seed });
    for (let isOver = false; !isOver;) {
      const step = env.step(env.parse(env.demonstrate(random, { cot })).action!);
      isOver = step.terminated || step.truncated;
      successes += Number(step.info.goalReached);
    }
  }
  return successes / episodes;
}

/** Mean absolute difference of grey levels between a drawn frame and a published one, from row `top` on. */
export async function frameDifference(data: Uint8Array, file: string, top = 0): Promise<number> {
  const published = decode(await Deno.readFile(new URL(`../data/${file}`, import.meta.url)));
  assertEquals(data.length, published.data.length);
  const from = top * published.width * 3;
  return data.subarray(from).reduce((sum, value, i) => sum + Math.abs(value - published.data[from + i]), 0) /
    (data.length - from);
}
