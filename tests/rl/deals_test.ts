/** Which deals groups of episodes play. */
import { assert, assertEquals } from "@std/assert";
import { drawDeals, noteDeals } from "../../rl/deals.ts";
import type { Rollout } from "../../rl/rollout.ts";

/** A rollout of two episodes a deal, with these returns. */
function rolloutOf(returns: Readonly<Record<number, readonly number[]>>): Rollout {
  const episodes = Object.entries(returns).flatMap(([deal, own]) =>
    own.map((reward) => ({ deal: Number(deal), reward }))
  );
  return {
    transitions: episodes.map(({ reward }) => ({ reward })),
    trajectories: episodes.map(({ deal }, turn) => ({ turns: [turn], deal, outcome: null })),
  } as unknown as Rollout;
}

const DRAW = { groups: 4, again: 0.5, firstNew: 100, seed: 0, iteration: 3 };

Deno.test("all deals are new ones until some have split, and always without a share", () => {
  assertEquals(drawDeals({}, DRAW), [100, 101, 102, 103]);
  assertEquals(drawDeals({ splitDeals: [7, 8, 9] }, { ...DRAW, again: 0 }), [100, 101, 102, 103]);
});

Deno.test("deals whose episodes returned differently are dealt again, each once, until they agree", () => {
  const memory: Record<string, unknown> = {};
  noteDeals(memory, rolloutOf({ 7: [1, -1], 8: [1, 1], 9: [-1, 1], 10: [-1, -1] }));
  assertEquals(memory.splitDeals, [7, 9]);
  const drawn = drawDeals(memory, DRAW);
  assertEquals([drawn.slice(0, 2), drawn.slice(2).sort()], [[100, 101], [7, 9]]);
  assertEquals(drawDeals(memory, DRAW), drawn);
  noteDeals(memory, rolloutOf({ 7: [1, 1], 100: [0, 1] }));
  assertEquals(memory.splitDeals, [9, 100]);
  // One that agreed and gave way to another.
  noteDeals(memory, { ...rolloutOf({ 101: [0, 1] }), beside: { deals: [9], turns: 2, tokens: 2 } });
  assertEquals(memory.splitDeals, [100, 101]);
});

Deno.test("with one deal that split there is one to deal again, and the memory keeps the latest", () => {
  assertEquals(drawDeals({ splitDeals: [9] }, DRAW), [100, 101, 102, 9]);
  const memory: Record<string, unknown> = {};
  noteDeals(memory, rolloutOf(Object.fromEntries(Array.from({ length: 2100 }, (_, deal) => [deal, [0, 1]]))));
  const kept = memory.splitDeals as number[];
  assertEquals([kept.length, kept[0], kept.at(-1)], [2048, 52, 2099]);
  const orders = [0, 1].map((iteration) => drawDeals(memory, { ...DRAW, iteration }).join());
  assert(orders[0] !== orders[1]);
});
