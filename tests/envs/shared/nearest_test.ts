import { assertEquals } from "@std/assert";
import { editDistance, nearestName, suggestion } from "../../../rl/cli/mod.ts";

Deno.test("edit distance counts insertions, deletions, changes and swaps", () => {
  assertEquals(editDistance("", "abc"), 3);
  assertEquals(editDistance("seed", "seed"), 0);
  assertEquals(editDistance("sed", "seed"), 1);
  assertEquals(editDistance("sead", "seed"), 1);
  assertEquals(editDistance("sede", "seed"), 1);
  assertEquals(editDistance("kitten", "sitting"), 3);
});

Deno.test("the nearest name is the closest likely slip, ignoring case", () => {
  const names = ["NumberLine", "EZPoints", "Points24", "Blackjack"];
  assertEquals(nearestName("numberlin", names), "NumberLine");
  assertEquals(nearestName("Points", names), "EZPoints");
  assertEquals(nearestName("chess", names), undefined);
});

Deno.test("a short name is not suggested for a wholly different one", () => {
  assertEquals(nearestName("xy", ["ab"]), undefined);
});

Deno.test("without a likely slip the known names are listed", () => {
  assertEquals(suggestion("chess", ["EZPoints", "Blackjack"]), ": known are EZPoints, Blackjack");
  assertEquals(suggestion("blackjak", ["EZPoints", "Blackjack"]), ": did you mean Blackjack?");
});
