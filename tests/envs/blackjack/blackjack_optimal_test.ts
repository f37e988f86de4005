import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { Blackjack } from "../../../envs/blackjack/blackjack.ts";
import {
  bestOdds,
  ceiling,
  handOf,
  hitOdds,
  isHitBetter,
  standOdds,
} from "../../../envs/blackjack/optimal.ts";

Deno.test("an ace counts eleven where that does not bust", () => {
  assertEquals(handOf([1, 1]), { total: 12, soft: true });
  assertEquals(handOf([1, 10]), { total: 21, soft: true });
  assertEquals(handOf([2, 7, 1]), { total: 20, soft: true });
  assertEquals(handOf([1, 6, 9]), { total: 16, soft: false });
  assertEquals(handOf([1, 6, 9, 1]), { total: 17, soft: false });
  assertEquals(handOf([10, 10, 5]), { total: 25, soft: false });
});

Deno.test("the odds of standing are those of the dealer's known chances to bust", () => {
  // Infinite deck, dealer stands on soft 17, ten and ace not peeked: the tables of Griffin, "The Theory of Blackjack".
  const busts = [0.1152, 0.3536, 0.3739, 0.3945, 0.4164, 0.4232, 0.2623, 0.2447, 0.2284, 0.2121];
  for (const [i, bust] of busts.entries()) {
    // A total of 4 wins by a bust alone.
    assertAlmostEquals(standOdds(4, i + 1).win, bust, 0.0002, `dealer ${i + 1}`);
  }
});

Deno.test("odds sum to one", () => {
  for (let dealer = 1; dealer <= 10; dealer++) {
    for (let total = 4; total <= 21; total++) {
      for (const odds of [standOdds(total, dealer), hitOdds({ total, soft: false }, dealer)]) {
        assertAlmostEquals(odds.win + odds.tie + odds.loss, 1, 1e-12);
      }
    }
  }
});

Deno.test("best play is never worse than standing or hitting", () => {
  for (let dealer = 1; dealer <= 10; dealer++) {
    for (let total = 12; total <= 21; total++) {
      for (const soft of [true, false]) {
        const { win } = bestOdds({ total, soft }, dealer);
        assertEquals(win, Math.max(standOdds(total, dealer).win, hitOdds({ total, soft }, dealer).win));
      }
    }
  }
});

Deno.test("the policy is basic strategy where that is plain", () => {
  for (let dealer = 1; dealer <= 10; dealer++) {
    for (let total = 4; total <= 11; total++) assert(isHitBetter({ total, soft: false }, dealer));
    for (let total = 18; total <= 21; total++) assert(!isHitBetter({ total, soft: false }, dealer));
    assert(!isHitBetter({ total: 19, soft: true }, dealer));
    assert(isHitBetter({ total: 17, soft: true }, dealer));
  }
  for (const dealer of [4, 5, 6]) assert(!isHitBetter({ total: 12, soft: false }, dealer));
  for (const dealer of [7, 1]) assert(isHitBetter({ total: 16, soft: false }, dealer));
});

Deno.test("what counts is winning: a hit that would mostly save ties is not worth it", () => {
  const sixteen = { total: 16, soft: false };
  const [stand, hit] = [standOdds(16, 10), hitOdds(sixteen, 10)];
  assert(hit.win - hit.loss > stand.win - stand.loss, "a hit earns more reward");
  assert(stand.win > hit.win && !isHitBetter(sixteen, 10), "and wins less often");
});

Deno.test("the ceiling of the win rate is 43.16%", () => {
  const { win, tie, loss } = ceiling();
  assertAlmostEquals(win, 0.4316, 0.00005);
  assertAlmostEquals(win + tie + loss, 1, 1e-12);
});

Deno.test("the solver wins as often as the ceiling says, over 10,000 hands", () => {
  const env = new Blackjack();
  const hands = 10_000;
  let wins = 0;
  for (let seed = 0; seed < hands; seed++) {
    env.reset({ seed });
    let step = env.step(env.solve());
    while (!step.terminated) step = env.step(env.solve());
    wins += Number(step.reward > 0);
  }
  const { win } = ceiling();
  assertAlmostEquals(wins / hands, win, 3 * Math.sqrt(win * (1 - win) / hands));
});
