import { assert, assertEquals } from "@std/assert";
import { quote, quoteName } from "../../model/quote.ts";

Deno.test("what a file holds is quoted on one line, short, and without what a terminal obeys", () => {
  assertEquals(quote("per-pixel"), '"per-pixel"');
  assertEquals(quote('a "b"\n\\'), '"a \\"b\\"\\n\\\\"');
  assertEquals(
    quote("\x1b[31m\u009b2J\u202e\u2028\u200b\ud800é😀"),
    '"\\u001b[31m\\u{9b}2J\\u{202e}\\u{2028}\\u{200b}\\ud800é😀"',
  );
  assertEquals([7, NaN, true, null, undefined].map(quote), ["7", "NaN", "true", "null", "undefined"]);
  assertEquals([[1, 2], { a: 1 }].map(quote), ["a list of 2", "an object"]);
  assertEquals(quote("x".repeat(81)), `"${"x".repeat(80)}"... (81 characters)`);
  assert(quote("\0".repeat(2_000_000)).length < 600);
  assert(quote(10n ** 1000n).length <= 80);
});

Deno.test("a plain name is shown as it is, any other quoted", () => {
  assertEquals(quoteName("language.blocks.0/x-1"), "language.blocks.0/x-1");
  assertEquals(quoteName("a b"), '"a b"');
  assertEquals(quoteName(""), '""');
});
