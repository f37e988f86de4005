/** How much of the returns the values explain. */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { explainedVariance } from "../../rl/advantages.ts";

/** Of values that should have been `returns`. */
const explained = (returns: readonly number[], values: readonly number[]): number | null =>
  explainedVariance(returns.map((target, i) => target - values[i]), returns);

Deno.test("of returns that are all equal there is no variance to explain, whatever the values are", () => {
  for (const values of [[6, 6, 6, 6], [0, 3, -2, 1], [1, 1, 1, 1]]) {
    assertEquals(explained([1, 1, 1, 1], values), null, `${values}`);
  }
  // Equal but for rounding, as sums of the same rewards in another order are.
  assertEquals(explained([0.1 + 0.2, 0.3, 0.3, 0.3], [0, 1, 2, 3]), null);
  assertEquals(explained([0, 0], [1, 2]), null);
});

Deno.test("values that are right explain all, their mean nothing, and worse ones less than nothing", () => {
  const returns = [1, 2, 3, 6];
  assertAlmostEquals(explained(returns, returns)!, 1, 1e-6);
  assertAlmostEquals(explained(returns, [3, 3, 3, 3])!, 0, 1e-6);
  assertAlmostEquals(explained(returns, [6, 3, 2, 1])!, 1 - 13 / 3.5, 1e-6);
});
