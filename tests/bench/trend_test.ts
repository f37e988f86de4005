import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { trendOf } from "../../bench/trend.ts";
import { Random } from "../../envs/shared/random.ts";

/** Roughly normal. */
function noise(random: Random): number {
  let sum = 0;
  for (let i = 0; i < 12; i++) sum += random.float();
  return sum - 6;
}

/** Values of which each remembers the one before. */
function series(seed: number, { n, memory, slope }: { n: number; memory: number; slope: number }): number[] {
  const random = new Random(seed, "trend test");
  let state = noise(random) / Math.sqrt(1 - memory ** 2);
  return Array.from({ length: n }, (_, i) => {
    state = memory * state + noise(random);
    return state + slope * i;
  });
}

Deno.test("a line has its slope and no doubt, a constant none at all", () => {
  const line = trendOf(Array.from({ length: 50 }, (_, i) => 1e9 + 3 * i));
  assertAlmostEquals(line.slope, 3, 1e-9);
  assertAlmostEquals(line.interval[0], line.interval[1], 1e-9);
  assertEquals(trendOf([7, 7, 7, 7]), { slope: 0, interval: [0, 0], autocorrelation: 0, effectiveCount: 4 });
});

Deno.test("the interval of independent values is that of the textbook", () => {
  // Anscombe 1973, "Graphs in statistical analysis", first data set in the order of x: slope 0.5001, standard error 0.1179.
  const { slope, interval, autocorrelation } = trendOf([
    ...[4.26, 5.68, 7.24, 4.82, 6.95, 8.81, 8.04, 8.33, 10.84, 7.58, 9.96],
  ]);
  assertAlmostEquals(slope, 0.5001, 1e-4);
  assertEquals(autocorrelation, 0);
  assertAlmostEquals((interval[1] - interval[0]) / 2, 2.262 * 0.1179, 1e-3);
});

for (const memory of [0, 0.9]) {
  Deno.test(`95 of 100 intervals hold the slope where each value remembers ${memory} of the last`, () => {
    const count = 400;
    let hits = 0;
    for (let seed = 0; seed < count; seed++) {
      const { interval: [low, high] } = trendOf(series(seed, { n: 300, memory, slope: 0.01 }));
      if (low <= 0.01 && 0.01 <= high) hits++;
    }
    // Plain least squares holds it in about 35 of 100 where values remember 0.9.
    assert(hits / count > 0.88 && hits / count < 0.985, `${hits} of ${count}`);
  });
}

Deno.test("a leak stands out, a random walk does not", () => {
  assert(trendOf(series(1, { n: 300, memory: 0.5, slope: 0.05 })).interval[0] > 0);
  let walk = 0;
  const random = new Random(2, "walk");
  const { interval } = trendOf(Array.from({ length: 300 }, () => walk += noise(random)));
  assert(interval[0] <= 0 && interval[1] >= 0);
});

Deno.test("too few values and NaN have no trend", () => {
  assertThrows(() => trendOf([1, 2]), RangeError, "there are 2 values");
  assertThrows(() => trendOf([1, NaN, 2]), RangeError, "not finite");
});
