import { createTolerantParser } from "../../envs/mod.ts";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createParser } from "../../envs/shared/parse.ts";
import { responseWeights } from "../../rl/thought.ts";

const END = "";
const LAMBDA = 0.25;

/** A response of the tokens that wrote `pieces`; an empty piece is a special token. */
function responseOf(pieces: readonly string[]) {
  const starts: number[] = [], ends: number[] = [];
  let text = "";
  for (const piece of pieces) {
    starts.push(text.length);
    text += piece;
    ends.push(text.length);
  }
  return { text, starts, ends };
}

/** The weights of `pieces` as one letter each: t thought, a action. */
function spansOf(pieces: readonly string[], actions: readonly string[]): string {
  const response = responseOf(pieces);
  const parse = createParser(actions)(response.text);
  const weights = responseWeights(response, parse, LAMBDA);
  return Array.from(weights, (weight) => weight === LAMBDA ? "t" : weight === 1 ? "a" : String(weight)).join(
    "",
  );
}

const NUMBER_LINE = ["-", "+"];

Deno.test("tokens before the action key are thought, those from it on are action", () => {
  const pieces = ['{"thoughts": "', "2 is", " below", ' 5", ', '"action": "', "+", '"}', END];
  assertEquals(spansOf(pieces, NUMBER_LINE), "ttttaaaa");
});

Deno.test("the token that holds the key's first character is an action token, whatever else it holds", () => {
  const pieces = ['{"thoughts": "', "below", '", "action": "', "+", '"}', END];
  assertEquals(spansOf(pieces, NUMBER_LINE), "ttaaaa");
});

Deno.test("a token that ends just before the key is a thought token", () => {
  const pieces = ["below ", '"', 'action"', ': "', "+", '"}', END];
  assertEquals(spansOf(pieces, NUMBER_LINE), "taaaaaa");
});

Deno.test("an action may take many tokens", () => {
  const pieces = ["I hold 12", ', "action": ', '"st', "an", "d", '"', "}", END];
  assertEquals(spansOf(pieces, ["stand", "hit"]), "taaaaaaa");
});

Deno.test("tokens after the action belong to the action", () => {
  const pieces = ["low", '"action": "', "+", '"', " because", " so", END];
  assertEquals(spansOf(pieces, NUMBER_LINE), "taaaaaa");
});

Deno.test("of several keys the last one before the action counts", () => {
  const pieces = ["my ", '"action": ', "is up ", '"Action": ', "+", ' "action": ', END];
  assertEquals(spansOf(pieces, NUMBER_LINE), "tttaaaa");
});

Deno.test("an action without a key begins at the action itself", () => {
  assertEquals(spansOf(["go", " up ", "+", END], NUMBER_LINE), "ttaa");
  assertEquals(spansOf(["go up", " up+", END], NUMBER_LINE), "taa");
});

Deno.test("an action-only response is all action, with or without a key or an opening bracket", () => {
  assertEquals(spansOf(['{"action": "', "+", '"}', END], NUMBER_LINE), "aaaa");
  assertEquals(spansOf(["{", "\n", '"action": "', "+", '"}', END], NUMBER_LINE), "aaaaaa");
  assertEquals(spansOf(["+", END], NUMBER_LINE), "aa");
});

Deno.test("a response without an action weighs 1 throughout, so that its cost does not shrink with lambda", () => {
  assertEquals(spansOf(["I", " cannot", " say", END], NUMBER_LINE), "aaaa");
  assertEquals(spansOf(['"action": "', "+", "-", END], NUMBER_LINE), "aaaa");
});

Deno.test("a response of no tokens has no weights", () => {
  assertEquals(spansOf([], NUMBER_LINE), "");
});

Deno.test("special tokens belong to the part around them", () => {
  assertEquals(spansOf([END, "low", END, '"action": ', END, "+", END], NUMBER_LINE), "tttaaaa");
});

Deno.test("offsets are UTF-16 code units, so characters outside the basic plane shift nothing", () => {
  assertEquals(spansOf(["\u{1F0A1} İ low ", '"action": ', "+", END], NUMBER_LINE), "taaa");
});

Deno.test("any cut of a response into tokens gives thought, then action, and the parsed action is action", () => {
  const pieces = fc.array(
    fc.constantFrom("", "{", "low ", '"', '"action"', ":", '"action": ', "+", "-", "é", "\u{1F0A1}", "}"),
    { maxLength: 12 },
  );
  fc.assert(fc.property(pieces, (pieces) => {
    const response = responseOf(pieces);
    const parse = createParser(NUMBER_LINE)(response.text);
    const spans = spansOf(pieces, NUMBER_LINE);
    assert(/^t*a*$/.test(spans) && spans.length === pieces.length, spans);
    if (parse.action === null) assertEquals(spans.includes("t"), false);
    else assert(spans.includes("a"));
    for (const [i, span] of [...spans].entries()) {
      const overlaps = response.ends[i] > parse.start && response.starts[i] < parse.end;
      if (parse.action !== null && overlaps) assertEquals(span, "a");
    }
  }));
});

Deno.test("a lambda outside [0, 1] is refused", () => {
  const response = responseOf(["low", "+"]);
  const parse = { action: 1, start: 3 };
  assertThrows(() => responseWeights(response, parse, 2), RangeError, "lambda is 2");
  assertThrows(() => responseWeights(response, parse, NaN), RangeError, "lambda is NaN");
});

Deno.test("a key of another form begins the action part where the parser found it", () => {
  const text = "{'thoughts': 'so', 'action': 'hit'}";
  const starts = [0, 13, 19, 30, 35], ends = [13, 19, 30, 35, 35];
  const parse = createTolerantParser(["stand", "hit"])(text);
  assertEquals(text.slice(parse.start, parse.end), "hit");
  assertEquals([...responseWeights({ text, starts, ends }, parse, 0.5)], [0.5, 0.5, 1, 1, 1]);
});
