/** Hands held out of the point games, and thoughts that state whole plans. */
import { assert, assertEquals } from "@std/assert";
import { EZPoints } from "../../../envs/points/ez_points.ts";
import { Points24 } from "../../../envs/points/points24.ts";
import { Random } from "../../../envs/shared/random.ts";
import { greedyPieces } from "../greedy_pieces.ts";

const handsOf = (env: EZPoints | Points24, deals: number) =>
  new Set(Array.from({ length: deals }, (_, seed) => {
    env.reset({ seed });
    return env.stateKey().split(" |")[0];
  }));

Deno.test("a sum and a product of EZPoints' seven hands can be held out", () => {
  assertEquals([...handsOf(new EZPoints({ hands: "held-out" }), 100)].sort(), ["3 4", "5 7"]);
  assertEquals([...handsOf(new EZPoints({ hands: "seen" }), 300)].sort(), [
    "2 10",
    "2 6",
    "3 9",
    "4 8",
    "6 6",
  ]);
});

Deno.test("a tenth of Points24's hands can be held out; both parts make up all of them", () => {
  const seen = handsOf(new Points24({ hands: "seen" }), 3000);
  const heldOut = handsOf(new Points24({ hands: "held-out" }), 1500);
  assertEquals(seen.intersection(heldOut).size, 0);
  assert(heldOut.size > 60 && heldOut.size < 80, String(heldOut.size));
  assert([...handsOf(new Points24(), 300)].every((hand) => seen.has(hand) || heldOut.has(hand)));
});

Deno.test("a thought can state the whole plan with the place that play has come to, and is judged by it", () => {
  const env = new Points24({ thought: "whole" });
  const random = new Random(0);
  env.reset({ options: { cards: ["S2", "D3", "H8", "C7"] } });
  const thoughts: string[] = [];
  for (let isOver = false; !isOver;) {
    const text = env.demonstrate(random, { cot: true });
    assertEquals(env.judge(text), { perception: 1, faithful: true });
    const misplaced = text.replace(" then ", "").replace(": plan ", ": plan  then ");
    if (thoughts.length > 0) assertEquals(env.judge(misplaced).faithful, false, misplaced);
    assert(greedyPieces(text, env.tokens).length <= 42, text);
    thoughts.push(JSON.parse(text).thoughts);
    const step = env.step(env.parse(text).action!);
    isOver = step.terminated;
    if (isOver) assertEquals(step.reward, 10);
  }
  assertEquals([thoughts[0], thoughts[2], thoughts.at(-1)], [
    "sorted 8, 7, 3, 2: plan  then (8+7-3)*2",
    "sorted 8, 7, 3, 2: plan (8 then +7-3)*2",
    "sorted 8, 7, 3, 2: plan (8+7-3)*2 then ",
  ]);
});

Deno.test("of 60,000 demonstrated steps few state the whole plan of a hand, unless every step does", () => {
  const env = new Points24({ solvableOnly: true });
  const first = new Map<string, number>(), every = new Map<string, number>();
  const count = (of: Map<string, number>, hand: string) => of.set(hand, (of.get(hand) ?? 0) + 1);
  // As the demonstrations of a run with seed 0: seeds count down from a million.
  for (let episode = 1, steps = 0; steps < 60_000; episode++) {
    env.reset({ seed: 1_000_000 - episode });
    const hand = env.stateKey();
    count(first, hand);
    for (let isOver = false; !isOver; steps++) {
      count(every, hand);
      isOver = env.step(env.solve()).terminated;
    }
  }
  const rare = (of: Map<string, number>) => [...of.values()].filter((times) => times <= 8).length;
  assertEquals([first.size, rare(first), rare(every)], [546, 342, 17]);
});
