import { assert, assertEquals } from "@std/assert";
import { clip, printable, shellQuote, shown } from "../../../rl/cli/mod.ts";

Deno.test("a short value is repeated whole, a long one by its beginning and its length", () => {
  assertEquals(shown("x"), '"x"');
  assertEquals(shown("a\x1b[2J\x7f\x9b"), '"a\\u001b[2J\\u007f\\u009b"');
  assertEquals(shown([1, null]), "[1,null]");
  assertEquals(shown(undefined), "undefined");
  assertEquals(shown("a".repeat(80)), `"${"a".repeat(80)}"`);
  assertEquals(shown("a".repeat(2_000_000)), `"${"a".repeat(80)}…" (2000000 characters)`);
  assertEquals(shown(Array(1000).fill(1)).length, 80 + "… (2001 characters)".length);
});

Deno.test("half of a surrogate pair is not repeated", () => {
  assertEquals(clip("a😀b", 2), "a… (4 characters)");
});

Deno.test("a message holds no control characters and no endless word", () => {
  assertEquals(printable("a\x1b[31mb\x07\nc\td"), "a\ufffd[31mb\ufffd\nc\td");
  assert(printable(`Cannot use ${"x".repeat(5000)}: no`).length < 200);
  const path = "/home/" + "folder/".repeat(40);
  assertEquals(printable(path), path);
});

Deno.test("a word is quoted for the shell if it needs to be", () => {
  assertEquals(shellQuote("runs/NumberLine-s0"), "runs/NumberLine-s0");
  assertEquals(shellQuote("my runs/a"), "'my runs/a'");
  assertEquals(shellQuote("it's"), "'it'\\''s'");
  assertEquals(shellQuote(""), "''");
});
