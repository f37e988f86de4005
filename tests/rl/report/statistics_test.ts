import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { movingAverage, studentInterval } from "../../../rl/report/statistics.ts";

Deno.test("a moving average covers the last values, fewer at the start", () => {
  assertEquals([...movingAverage([1, 2, 3, 4, 10], 3)], [1, 1.5, 2, 3, 17 / 3]);
  assertEquals([...movingAverage([5, 7], 1)], [5, 7]);
  assertEquals(movingAverage([], 4).length, 0);
  assertThrows(() => movingAverage([1], 0), RangeError, "the window is 0 values");
});

Deno.test("a NaN leaves the moving average with its window", () => {
  assertEquals([...movingAverage([1, NaN, 3, 5], 2)], [1, NaN, NaN, 4]);
});

Deno.test("Student's interval has the tabulated quantiles", () => {
  // Values -1 and 1 as often: s = sqrt(n / (n - 1)), so that half the interval is the quantile / sqrt(n - 1).
  const tabulated = { 2: 12.706, 4: 3.182, 8: 2.365, 12: 2.201, 20: 2.093, 30: 2.045, 60: 2.001, 120: 1.98 };
  for (const [n, quantile] of Object.entries(tabulated)) {
    const values = Array.from({ length: Number(n) }, (_, i) => i % 2 === 0 ? -1 : 1);
    const [lo, hi] = studentInterval(values);
    assertAlmostEquals(hi * Math.sqrt(Number(n) - 1), quantile, 1e-3, n);
    assertEquals(lo, -hi);
  }
});

Deno.test("Student's interval is around the mean, a point where all values are one", () => {
  const [lo, hi] = studentInterval([1, 2, 6]);
  assertAlmostEquals((lo + hi) / 2, 3, 1e-12);
  // s = sqrt(7), t = 4.303: 4.303 * sqrt(7 / 3)
  assertAlmostEquals(hi - 3, 6.573, 1e-3);
  assertEquals(studentInterval([5, 5, 5]), [5, 5]);
  assertThrows(() => studentInterval([1]), RangeError, "there are 1 values, use at least 2");
});
