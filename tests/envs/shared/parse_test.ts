import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { NumberLine } from "../../../envs/number_line/number_line.ts";
import { createParser, createValueParser } from "../../../envs/shared/parse.ts";
import { fastestMs } from "../../processor_time.ts";
import records from "../data/number_line_parser.json" with { type: "json" };

const { actions, parse } = new NumberLine();

/** Text made of what the parser looks at, so that random texts get past the key. */
const fragment = fc.oneof(
  fc.constantFrom('"action":', '"ACTION":', '"action', " ", "-", "+", '"', "}", "İ", "\u{1F0A1}", "\n"),
  fc.string({ unit: "binary" }),
);
const text = fc.array(fragment, { maxLength: 12 }).map((fragments) => fragments.join(""));

Deno.test("every recorded text of the published parser gives the recorded action", () => {
  assertEquals(records.length, 27);
  for (const { text, action } of records) assertEquals(parse(text).action, action, text);
});

Deno.test("any text gives null or an action whose span lies in the text and is the action", () => {
  fc.assert(
    fc.property(text, (text) => {
      const { action, start, end } = parse(text);
      if (action === null) return start === -1 && end === -1;
      return start >= 0 && end <= text.length && text.slice(start, end) === actions[action];
    }),
    { numRuns: 2000, seed: 1 },
  );
});

Deno.test("any text gives the action that the published rule, written as published, gives", () => {
  const published = (text: string) => {
    const lower = text.toLowerCase();
    const key = lower.indexOf('"action":');
    const tail = key < 0 ? lower.slice(-1) : lower.slice(key);
    const contained = actions.filter((action) => tail.includes(action));
    return contained.length === 1 ? actions.indexOf(contained[0]) : null;
  };
  let parsed = 0;
  fc.assert(
    fc.property(text, (text) => {
      const { action } = parse(text);
      parsed += Number(action !== null);
      return action === published(text);
    }),
    { numRuns: 2000, seed: 2 },
  );
  assert(parsed > 100, `only ${parsed} of 2000 texts parsed: the comparison would say little`);
});

Deno.test("the span is in the original text where lower-casing would lengthen it", () => {
  const text = 'İİİ {"action": "+"}';
  const { start, end } = parse(text);
  assertEquals([start, end], [text.indexOf("+"), text.indexOf("+") + 1]);
});

Deno.test("actions that are words are found in any letter case", () => {
  assertEquals(createParser(["stand", "hit"])('{"action": "HIT"}'), { action: 1, start: 12, end: 15 });
});

Deno.test("a text of 1 MB parses in under 10 ms of processor time, whatever it repeats", () => {
  for (const unit of ["x", '"action"', '"action":', '"action": +', '"', "+-", '"ACTION" : ']) {
    const text = unit.repeat(Math.ceil(2 ** 20 / unit.length));
    const elapsedMs = fastestMs(10, () => parse(text));
    assert(elapsedMs < 10, `${JSON.stringify(unit)} repeated took ${elapsedMs} ms`);
  }
});

Deno.test("without a parser of its own, an environment takes the whole name that follows the key", () => {
  const actions = ["a", "up", "upper left", "-", "tion"];
  const parse = createValueParser(actions);
  for (
    const [text, action] of [
      ['{"thoughts": "up or a?", "action": "up"}', "up"],
      ['{"action": "upper left"}', "upper left"],
      ['{"ACTION":   "A"}', "a"],
      ['"action": tion', "tion"],
      ['"action": "-', "-"],
      ['"action": "-1"', null],
      ['"action": -1', null],
      ['"action": "up', "up"],
      ['"action": "up now"', null],
      ['"action": up now', null],
      ['"action": up, now', "up"],
      ['"action": "up "', "up"],
      ['"action": "upp"', null],
      ['"action": "down"', null],
      ["up", null],
      ["", null],
    ] as const
  ) {
    const parsed = parse(text);
    assertEquals(parsed.action, action === null ? null : actions.indexOf(action), text);
    if (action !== null) assertEquals(text.slice(parsed.start, parsed.end).toLowerCase(), action);
  }
});

Deno.test("a name that is longer in lower case is found all the same", () => {
  assertEquals(createValueParser(["İleri", "geri"])('{"action": "İleri"}'), {
    action: 0,
    start: 12,
    end: 17,
  });
});
