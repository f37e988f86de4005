/** Numbers as the watch page writes them. */
import { assertEquals } from "@std/assert";
import { tickLabels } from "../../web/watch/format.ts";

Deno.test("ticks of an axis differ from each other, in no more digits than that takes", () => {
  assertEquals(tickLabels([0, 0.5, 1]), ["0", "0.5", "1"]);
  assertEquals(tickLabels([-3, -2, -1]), ["−3", "−2", "−1"]);
  assertEquals(tickLabels([0, 5e-5, 1e-4]), ["0", "5e−5", "1e−4"]);
  assertEquals(tickLabels([1.1e-4, 1.2e-4]), ["1.1e−4", "1.2e−4"]);
  assertEquals(tickLabels([3.7291, 3.7292, 3.7293]), ["3.7291", "3.7292", "3.7293"]);
  assertEquals(tickLabels([0, 5000, 10_000]), ["0", "5k", "10k"]);
  assertEquals(tickLabels([100_010, 100_020]), ["100010", "100020"]);
  assertEquals(tickLabels([2, 2]), ["2", "2"]);
  assertEquals(tickLabels([]), []);
});
