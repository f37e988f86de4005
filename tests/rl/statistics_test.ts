import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { mean, standardDeviation, wilsonInterval } from "../../rl/statistics.ts";

Deno.test("the Wilson interval agrees with published values", () => {
  // Newcombe 1998, "Two-sided confidence intervals for the single proportion", Stat. Med. 17, table I, method 3.
  const published: [number, number, number, number][] = [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ];
  for (const [successes, n, lo, hi] of published) {
    const interval = wilsonInterval(successes, n, 1.959964);
    assertAlmostEquals(interval[0], lo, 5e-5);
    assertAlmostEquals(interval[1], hi, 5e-5);
  }
});

Deno.test("the ends of the Wilson interval are the rates that lie z standard errors from the measured one", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, part) => {
      const successes = Math.round(part * n);
      const interval = wilsonInterval(successes, n);
      assert(
        0 <= interval[0] && interval[0] <= successes / n && successes / n <= interval[1] && interval[1] <= 1,
      );
      for (const end of interval) {
        if (end === 0 || end === 1) continue;
        const standardErrors = Math.abs(successes / n - end) / Math.sqrt(end * (1 - end) / n);
        assertAlmostEquals(standardErrors, 1.96, 1e-6);
      }
    }),
  );
});

Deno.test("the Wilson interval is exact at its ends, and everything without trials", () => {
  assertEquals(wilsonInterval(0, 512)[0], 0);
  assertEquals(wilsonInterval(512, 512)[1], 1);
  assert(wilsonInterval(512, 512)[0] > 0.99 && wilsonInterval(512, 512)[0] < 1);
  assertEquals(wilsonInterval(0, 0), [0, 1]);
});

Deno.test("impossible counts have no interval", () => {
  assertThrows(() => wilsonInterval(3, 2), RangeError, "3 successes in 2 trials");
  assertThrows(() => wilsonInterval(-1, 2), RangeError);
  assertThrows(() => wilsonInterval(NaN, 2), RangeError);
  assertThrows(() => wilsonInterval(1, 2.5), RangeError);
  assertThrows(() => wilsonInterval(1, 2, NaN), RangeError, "z is NaN");
});

Deno.test("mean and standard deviation are those of the population", () => {
  assertEquals(mean([2, 4, 4, 4, 5, 5, 7, 9]), 5);
  assertEquals(standardDeviation(Float32Array.of(2, 4, 4, 4, 5, 5, 7, 9)), 2);
  assertEquals(standardDeviation([3]), 0);
  assertEquals([mean([]), standardDeviation([])], [NaN, NaN]);
});

Deno.test("the standard deviation of large, close values keeps its digits", () => {
  assertAlmostEquals(standardDeviation([1e9, 1e9 + 1]), 0.5, 1e-9);
});
