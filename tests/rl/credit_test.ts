/** Advantages against exact action values. */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { measureCredit } from "../../rl/credit.ts";
import type { Sample } from "../../rl/objective.ts";
import type { Transition } from "../../rl/rollout.ts";

const turn = (state: string, action: number, actionValues: readonly number[]) =>
  ({ state, action, actionValues }) as unknown as Transition;

// Two turns of three in state a are good; b was seen once and c always did the same.
const turns = [
  turn("a", 0, [1, 0]),
  turn("a", 0, [1, 0]),
  turn("a", 1, [1, 0]),
  turn("b", 0, [0.5, 3]),
  turn("c", 1, [2, 4]),
  turn("c", 1, [2, 4]),
];
const exact = [1 / 3, 1 / 3, -2 / 3, 0, 0, 0];
const samples = (advantages: readonly number[]): Sample[] =>
  advantages.map((advantage, i) => ({ transition: turns[i], advantage }));

Deno.test("the cosine is 1 for Q - V itself at any scale, -1 for its opposite", () => {
  for (const scale of [1, 7, -2]) {
    const { advantageCosine } = measureCredit(turns, samples(exact.map((value) => scale * value)));
    assertAlmostEquals(advantageCosine!, Math.sign(scale), 1e-12);
  }
});

Deno.test("noise in a state that was acted in again lowers the cosine, in one seen once it does not", () => {
  const inOnce = measureCredit(turns, samples(exact.with(3, 5)));
  assertAlmostEquals(inOnce.advantageCosine!, 1, 1e-12);
  const inAgain = measureCredit(turns, samples(exact.with(4, 1)));
  const length = 2 / 3; // the square of |Q - V|
  assertAlmostEquals(inAgain.advantageCosine!, length / Math.sqrt(length * (length + 1)), 1e-12);
});

Deno.test("a token's advantages count by their mean, turns without weight not at all", () => {
  const tokens = samples(exact).map(({ transition, advantage }) => ({
    transition,
    advantage: Float32Array.of((advantage as number) - 1, (advantage as number) + 1),
  }));
  assertAlmostEquals(measureCredit(turns, tokens).advantageCosine!, 1, 1e-6);
  const unweighted = samples(exact.with(4, 9)).map((sample, i) =>
    i === 4 ? { ...sample, weight: 0 } : sample
  );
  assertAlmostEquals(measureCredit(turns, unweighted).advantageCosine!, 1, 1e-12);
});

Deno.test("regret is what the turns gave away, advantages or not", () => {
  const regret = (0 + 0 + 1 + 2.5 + 0 + 0) / 6;
  assertEquals(measureCredit(turns, null), { advantageCosine: null, regret });
  assertEquals(measureCredit(turns, samples([0, 0, 0, 0, 0, 0])), { advantageCosine: null, regret });
});
