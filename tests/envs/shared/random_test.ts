import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { Random } from "../../../envs/shared/random.ts";

const draws = (random: Random, count: number) => Array.from({ length: count }, () => random.uint32());

Deno.test("a stream is the same on every machine", () => {
  // From an independent implementation in Python's unbounded integers.
  assertEquals(draws(new Random(7, "deals"), 4), [1433794506, 3369930248, 1992146836, 954952870]);
  assertEquals(draws(new Random(2 ** 53 - 1), 2), [865635855, 2479022076]);
});

Deno.test("seeds and purposes give different streams, also where seeds differ above 32 bits", () => {
  const first = draws(new Random(7, "deals"), 8);
  assertNotEquals(draws(new Random(8, "deals"), 8), first);
  assertNotEquals(draws(new Random(7, "fallback"), 8), first);
  assertNotEquals(draws(new Random(7 + 2 ** 32, "deals"), 8), first);
});

Deno.test("draws are uniform, and those of neighbouring seeds are uncorrelated", () => {
  const count = 20_000;
  const bins = new Array(10).fill(0);
  let product = 0;
  const a = new Random(1);
  const b = new Random(2);
  for (let i = 0; i < count; i++) {
    const x = a.float();
    bins[Math.floor(x * 10)]++;
    product += (x - 0.5) * (b.float() - 0.5);
  }
  const expected = count / 10;
  const chiSquare = bins.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  assert(chiSquare < 27.9, `chi-square is ${chiSquare}, above the 0.1% point of 9 degrees of freedom`);
  // The product's standard deviation is 1/12, so four standard errors of the mean:
  assertAlmostEquals(product / count, 0, 4 / 12 / Math.sqrt(count));
});

Deno.test("the first draws of consecutive seeds are uniform: an evaluation takes one deal a seed", () => {
  const count = 12_000;
  const bins = new Array(6).fill(0);
  for (let seed = 0; seed < count; seed++) bins[new Random(seed, "deals").integer(6)]++;
  const chiSquare = bins.reduce((sum, n) => sum + (n - count / 6) ** 2 / (count / 6), 0);
  assert(chiSquare < 20.5, `chi-square is ${chiSquare}, above the 0.1% point of 5 degrees of freedom`);
});

Deno.test("integers cover their range and nothing else", () => {
  const random = new Random(3);
  const seen = new Set(Array.from({ length: 500 }, () => random.integer(7)));
  assertEquals([...seen].sort(), [0, 1, 2, 3, 4, 5, 6]);
  assertEquals(random.integer(1), 0);
});

Deno.test("illegal seeds and bounds are named", () => {
  assertThrows(() => new Random(-1), RangeError, "seed is -1");
  assertThrows(() => new Random(1.5), RangeError, "seed is 1.5");
  assertThrows(() => new Random(0).integer(0), RangeError, "bound is 0");
});
