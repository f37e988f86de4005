/** Samples of each deal, against values worked out by hand. */
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { passAt, sampledDeals } from "../../rl/pass_at.ts";
import { wilsonInterval } from "../../rl/statistics.ts";

Deno.test("pass@k is the chance that k samples drawn without replacement hold a success", () => {
  // Of 4 samples 1 succeeded: 2 of them hold it with 1 - C(3, 2) / C(4, 2) = 1/2.
  assertAlmostEquals(passAt(1, 4, 2), 0.5, 1e-15);
  assertAlmostEquals(passAt(2, 5, 2), 1 - 3 / 10, 1e-15);
  assertEquals([passAt(0, 4, 4), passAt(4, 4, 1), passAt(1, 4, 4)], [0, 1, 1]);
  for (const [c, n, k] of [[5, 4, 1], [-1, 4, 1], [1, 4, 5], [1, 4, 0], [1.5, 4, 1]]) {
    assertThrows(() => passAt(c, n, k), RangeError, "Cannot give pass@");
  }
});

Deno.test("pass@1 is the share of successes, and pass@n whether there is one", () => {
  for (let c = 0; c <= 6; c++) {
    assertAlmostEquals(passAt(c, 6, 1), c / 6, 1e-15);
    assertEquals(passAt(c, 6, 6), c === 0 ? 0 : 1);
  }
});

Deno.test("intervals are over deals: samples of one deal are no independent trials", () => {
  // Three deals with 4, 0 and 2 of 4: shares 1, 0 and 1/2, of deviation 1/2 (n - 1).
  const { samples, deals, success, ci95, passAt } = sampledDeals("111100000101", 4);
  assertEquals([samples, deals, success], [4, 3, 0.5]);
  assertAlmostEquals(ci95[0], Math.max(0, 0.5 - 1.96 * 0.5 / Math.sqrt(3)), 1e-15);
  assertAlmostEquals(ci95[1], Math.min(1, 0.5 + 1.96 * 0.5 / Math.sqrt(3)), 1e-15);
  assertEquals(passAt.map(({ k }) => k), [1, 2, 4]);
  // 2 of 4, two drawn: 1 - 1/6.
  assertAlmostEquals(passAt[1].success, (1 + 0 + 5 / 6) / 3, 1e-15);
  assertEquals(passAt[2].success, 2 / 3);
  assertThrows(() => sampledDeals("111", 2), RangeError, "no whole number of deals");
});

Deno.test("deals that all came out alike leave an interval, as Wilson's does", () => {
  const { ci95, passAt } = sampledDeals("11101101", 4);
  assertEquals(passAt.at(-1)!.success, 1);
  assertEquals(passAt.at(-1)!.ci95, wilsonInterval(2, 2));
  assertEquals(ci95, [0.75, 0.75]); // both shares are 3/4
  assertEquals(sampledDeals("0000", 2).ci95, wilsonInterval(0, 2));
});
