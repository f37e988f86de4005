/** Exact values of Blackjack, against enumeration, simulation and published numbers. */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { Blackjack } from "../../../envs/blackjack/blackjack.ts";
import { CARDS, handOf } from "../../../envs/blackjack/optimal.ts";
import { blackjackValues } from "../../../envs/blackjack/values.ts";

const PUBLISHED = { natural: false, sab: false, discount: 1 };

Deno.test("the best play earns -0.0466 a hand, as published rules pay", () => {
  let mean = 0;
  for (const [dealer, p] of CARDS) {
    for (const [first, q] of CARDS) {
      for (const [second, r] of CARDS) {
        const hand = handOf([first, second]);
        const isNatural = hand.total === 21;
        mean += p * q * r * Math.max(...blackjackValues({ ...hand, isNatural, dealer }, PUBLISHED));
      }
    }
  }
  assertAlmostEquals(mean, -0.0466, 5e-5);
});

Deno.test("values of a state are the mean returns of playing it, under every rule", () => {
  for (
    const [rules, player] of [
      [{}, [[9, "9", "C"], [7, "7", "C"]]],
      [{ natural: true }, [[1, "A", "C"], [10, "K", "C"]]],
      [{ sab: true }, [[1, "A", "C"], [10, "K", "C"]]],
    ] as const
  ) {
    for (const first of [0, 1]) {
      const env = new Blackjack({ ...rules, seed: 8 });
      const runs = 6000;
      let sum = 0, expected = NaN;
      for (let i = 0; i < runs; i++) {
        // The dealer's hidden card is drawn anew: only the open one is known.
        const [value, face] = hidden(i);
        env.reset({ options: { draws: [[10, "Q", "D"], [value, face, "H"], ...player] } });
        expected = env.actionValues()[first];
        let result = env.step(first);
        while (!result.terminated) {
          const [stand, hit] = env.actionValues();
          result = env.step(hit > stand ? 1 : 0);
        }
        sum += result.reward;
      }
      assertAlmostEquals(
        sum / runs,
        expected,
        4 / Math.sqrt(runs),
        `${JSON.stringify(rules)} action ${first}`,
      );
    }
  }
});

/** Each value in turn, in its share: 13 runs hold every rank once. */
function hidden(i: number): [number, string] {
  const rank = i % 13;
  return rank === 0 ? [1, "A"] : rank < 9 ? [rank + 1, String(rank + 1)] : [10, "J"];
}

Deno.test("a discount makes hitting worth less, but for going bust", () => {
  const state = { ...handOf([5, 6]), isNatural: false, dealer: 6 };
  const [stand, hit] = blackjackValues(state, PUBLISHED);
  const [sameStand, laterHit] = blackjackValues(state, { ...PUBLISHED, discount: 0.5 });
  assertEquals(sameStand, stand);
  assertAlmostEquals(laterHit, hit / 2, 1e-12); // no card busts 11
  const [, bust] = blackjackValues({ ...handOf([10, 10]), isNatural: false, dealer: 6 }, {
    ...PUBLISHED,
    discount: 0,
  });
  assertAlmostEquals(bust, -12 / 13, 1e-12); // all but the ace
});

Deno.test("values are those of an episode under way, and of a discount from 0 to 1", () => {
  const env = new Blackjack();
  assertThrows(() => env.actionValues(), Error, "Cannot value Blackjack: no episode has begun");
  env.reset({ seed: 1 });
  assertThrows(() => env.actionValues({ discount: 1.5 }), RangeError, "discount is 1.5");
  assert(env.actionValues().length === env.actions.length);
});
