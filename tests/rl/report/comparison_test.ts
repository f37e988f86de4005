/** Statistics of comparisons, against values worked out by hand. */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  bootstrapInterval,
  interquartileMean,
  pairedDifference,
  probabilityOfImprovement,
  quantile,
} from "../../../rl/report/comparison.ts";
import { mean } from "../../../rl/statistics.ts";

Deno.test("a paired difference has the interval of its pairs, not that of two separate rates", () => {
  // Differences 0, 1, 0, 1: mean 1/2, s^2 = 4 (1/2)^2 / 3 = 1/3, half = z sqrt(1/12).
  const { difference, ci95 } = pairedDifference([0, 0, 1, 0], [0, 1, 1, 1]);
  assertEquals(difference, 0.5);
  assertAlmostEquals(ci95[0], 0.5 - 1.959964 * Math.sqrt(1 / 12), 1e-15);
  assertAlmostEquals(ci95[1], 0.5 + 1.959964 * Math.sqrt(1 / 12), 1e-15);
  assertEquals(pairedDifference([0, 1, 1], [0, 1, 1]), { difference: 0, ci95: [0, 0] });
  assertThrows(() => pairedDifference([1, 2], [1]), RangeError, "there are 2 values and 1");
  assertThrows(() => pairedDifference([1], [1]), RangeError, "at least 2");
});

Deno.test("the probability of improvement counts pairs of runs, ties by half", () => {
  // Of nine pairs of (1, 2, 3) and (2, 3, 4), b is larger in 6 and equal in 2.
  assertEquals(probabilityOfImprovement([1, 2, 3], [2, 3, 4]), 7 / 9);
  assertEquals(probabilityOfImprovement([1, 2], [1, 2]), 0.5);
  assertEquals(probabilityOfImprovement([5], [1, 2]), 0);
});

Deno.test("the interquartile mean cuts a quarter at either end, fractions of a value included", () => {
  assertEquals(interquartileMean([100, 2, 3, -50]), 2.5);
  assertEquals(interquartileMean([7]), 7);
  // Of five values 1.25 go at either end: (0.75 x 2 + 3 + 0.75 x 4) / 2.5.
  assertAlmostEquals(interquartileMean([1, 2, 3, 4, 100]), 3, 1e-15);
  assertAlmostEquals(interquartileMean([1, 2, 3, 8, 100]), (0.75 * 2 + 3 + 0.75 * 8) / 2.5, 1e-15);
});

Deno.test("quantiles are linear between sorted values", () => {
  assertEquals([0, 0.25, 0.5, 1].map((q) => quantile([0, 10, 20], q)), [0, 5, 10, 20]);
});

Deno.test("the bootstrap draws each stratum from its own values and is the same each time", () => {
  const strata = [[0, 0, 0], [1, 1, 1, 1]];
  assertEquals(bootstrapInterval(strata, (drawn) => mean(drawn.map(mean)), 100), [0.5, 0.5]);
  const values = Array.from({ length: 100 }, (_, i) => i % 2);
  const interval = bootstrapInterval([values], ([drawn]) => mean(drawn));
  // The mean of 100 fair coins has a deviation of 0.05.
  assertAlmostEquals(interval[0], 0.5 - 1.96 * 0.05, 0.015);
  assertAlmostEquals(interval[1], 0.5 + 1.96 * 0.05, 0.015);
  assertEquals(interval, bootstrapInterval([values], ([drawn]) => mean(drawn)));
  assert(interval[0] < interval[1]);
});
