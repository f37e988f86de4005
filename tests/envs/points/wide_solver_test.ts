/** Plans by the published rules: joined digits, powers, rounded quotients. */
import { assert, assertEquals } from "@std/assert";
import { formulaEquals } from "../../../envs/points/formula.ts";
import { Points24 } from "../../../envs/points/points24.ts";
import { arithmeticSolutions } from "../../../envs/points/solver.ts";
import { widePlan } from "../../../envs/points/wide_solver.ts";
import { demonstratedSuccess } from "./points_records.ts";

/** Every hand of four numbers, with the number of deals that have it. */
function* hands(): Generator<[readonly number[], number]> {
  const factorial = [1, 1, 2, 6, 24];
  for (let a = 1; a <= 10; a++) {
    for (let b = a; b <= 10; b++) {
      for (let c = b; c <= 10; c++) {
        for (let d = c; d <= 10; d++) {
          const hand = [a, b, c, d];
          const same = Map.groupBy(hand, (number) => number).values();
          const orders = [...same].reduce((ways, { length }) => ways / factorial[length], 24);
          // Ten, jack, queen and king count ten.
          yield [hand, orders * hand.reduce((ways, number) => ways * (number === 10 ? 4 : 1), 1)];
        }
      }
    }
  }
}

Deno.test("22,085 of 28,561 deals make 24 with joined digits and 25,297 by the published rules; plans use each card once", () => {
  const solved = { joined: 0, published: 0 };
  for (const [hand, deals] of hands()) {
    const isPlain = arithmeticSolutions(hand, 24).length > 0;
    for (const kind of ["joined", "published"] as const) {
      const plan = isPlain ? undefined : widePlan(hand, 24, kind);
      if (plan !== null) solved[kind] += deals;
      if (!plan) continue;
      const numbers = plan.filter((item) => /\d/.test(item)).map(Number).sort((x, y) => x - y);
      assertEquals(numbers, hand);
      assert(formulaEquals(plan.join(""), 24) && plan.length <= 20, plan.join(""));
    }
  }
  assertEquals(solved, { joined: 22_085, published: 25_297 });
});

Deno.test("wide plans are the plainest, and hands with an arithmetic plan keep it", () => {
  const plan = (hand: number[], kind: "joined" | "published") => widePlan(hand, 24, kind)?.join("");
  assertEquals(plan([2, 7, 8, 10], "joined"), "102-78");
  assertEquals(plan([1, 8, 9, 9], "joined"), undefined);
  assertEquals(plan([1, 8, 9, 9], "published"), "199//8");
  assertEquals(plan([4, 9, 10, 10], "published"), "4--10//9*10");
  const env = new Points24({ plans: "published" });
  const plain = new Points24();
  for (const cards of [["D8", "SA", "CJ", "H7"], ["S2", "D3", "H8", "C7"]]) {
    for (const one of [env, plain]) one.reset({ options: { cards } });
    assertEquals(env.solve(), plain.solve());
  }
});

Deno.test("demonstrations by the published rules are faithful and win what such plans win", () => {
  const env = new Points24({ plans: "published" });
  const won = demonstratedSuccess(env, 200);
  assert(won > demonstratedSuccess(new Points24(), 200) + 0.08, String(won));
});
