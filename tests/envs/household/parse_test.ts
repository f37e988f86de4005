import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { PART_LENGTH } from "../../../envs/shared/parse.ts";
import { parseCommand } from "../../../envs/household/parse.ts";
import { COMMANDS } from "../../../envs/household/vocabulary.ts";
import { World } from "../../../envs/household/world.ts";
import { fastestMs } from "../../processor_time.ts";
import { commandOf, dealOf } from "./deals.ts";

const world = new World(
  dealOf("pick_and_place_simple", "kitchen 4", "put a mug in cabinet", {
    "mug 1": "countertop 1",
    "egg 1": "countertop 1",
  }),
);
world.apply(commandOf("go to countertop 1"));
const admissible = world.admissible();
const parse = (text: string) => parseCommand(text, admissible);
const textOf = (text: string) => {
  const { action } = parse(text);
  return action === null ? null : COMMANDS[action].text;
};

Deno.test("the command after the key is the action, in any letter case, with its span", () => {
  const text = '{"thoughts": "go to fridge 1", "ACTION": "Take Mug 1 from countertop 1"}';
  const { action, start, end } = parse(text);
  assertEquals(action, commandOf("take mug 1 from countertop 1"));
  assertEquals(text.slice(start, end), "Take Mug 1 from countertop 1");
});

Deno.test("of several admissible commands the first of the list counts, wherever it stands", () => {
  assertEquals(textOf('"action": "look, then go to fridge 1"'), "go to fridge 1");
  const both = '"action": "take mug 1 from countertop 1, take egg 1 from countertop 1"';
  assertEquals(textOf(both), "take egg 1 from countertop 1");
});

Deno.test("an admissible command goes before one that is not", () => {
  assertEquals(textOf('"action": "open fridge 1, then look"'), "look");
  assertEquals(
    textOf('"action": "open fridge 1"'),
    "open fridge 1",
    "not admissible, so nothing will happen",
  );
});

Deno.test("without the key the last 30 characters count", () => {
  assertEquals(textOf("I think I should go to fridge 1"), "go to fridge 1");
  assertEquals(textOf(`go to fridge 1${" ".repeat(16)}`), "go to fridge 1");
  assertEquals(textOf(`go to fridge 1${" ".repeat(17)}`), null);
});

Deno.test("characters beyond ASCII count as one, and the span is in the original text", () => {
  assertEquals(textOf(`go to fridge 1${"\u{1F0A1}".repeat(16)}`), "go to fridge 1");
  assertEquals(textOf(`go to fridge 1${"\u{1F0A1}".repeat(17)}`), null);
  for (const prefix of ["İ\u{1F0A1}", "\ud800", "\ufeff", "é"]) {
    const text = `${prefix}{"action": "${prefix}look"}`;
    const { start, end } = parse(text);
    assertEquals([start, end], [text.indexOf("look"), text.indexOf("look") + 4]);
  }
});

Deno.test("a text without a command of the vocabulary gives null", () => {
  for (
    const text of [
      "",
      '"action": "fly to fridge 1"',
      '"action": "go to fridge 9"',
      '"action": "go  to fridge 1"',
    ]
  ) {
    assertEquals(parse(text), { action: null, start: -1, end: -1 }, text);
  }
});

Deno.test("any text gives the command that the published rule, written as published, gives", () => {
  const published = (text: string) => {
    const lower = text.toLowerCase();
    const key = lower.indexOf('"action":');
    const tail = key < 0 ? [...lower].slice(-30).join("") : lower.slice(key);
    return admissible.find((index) => tail.includes(COMMANDS[index].text)) ?? null;
  };
  const fragment = fc.oneof(
    fc.constantFrom(...admissible.map((index) => COMMANDS[index].text)),
    fc.constantFrom(
      '"action":',
      '"ACTION": "',
      "go to ",
      "take mug 1",
      " from countertop 1",
      "LOOK",
      "go to go",
    ),
    fc.constantFrom("é", "\ud800", "\ufeff", "\u{1F0A1}"),
    fc.string(),
  );
  let parsed = 0;
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 6 }), (fragments) => {
      const text = fragments.join("");
      const { action, start, end } = parse(text);
      const expected = published(text);
      parsed += Number(expected !== null);
      if (action !== null) assertEquals(text.slice(start, end).toLowerCase(), COMMANDS[action].text);
      // The published engine gets texts that are not admissible as they are; here they may name a command, too.
      return expected === null ? action === null || !admissible.includes(action) : action === expected;
    }),
    { numRuns: 2000, seed: 4 },
  );
  assert(parsed > 500, `only ${parsed} of 2000 texts parsed: the comparison would say little`);
});

Deno.test("a command is found where it is, also across the parts that long texts are read in", () => {
  for (const filler of [" ", "é", "\u{1F0A1}"]) {
    const command = "go to cabinet 1";
    for (let before = 0; before <= command.length + 1; before++) {
      const text = ('"action":' + filler.repeat(PART_LENGTH)).slice(0, PART_LENGTH - before) + command;
      const { action, start, end } = parse(text);
      assertEquals(COMMANDS[action!].text, command);
      assertEquals([start, end], [text.length - command.length, text.length]);
    }
  }
});

Deno.test("a text of 1 MB parses in under 10 ms of processor time, whatever it repeats", () => {
  const units = [
    "g",
    "go ",
    "go to ",
    "go to cabinet",
    "go to cabinet 1",
    "take apple 1 from ",
    "put mug 1 in/on ",
    "look",
    "\u{1F0A1}",
  ];
  for (const unit of ["x", '"action":', ...units]) {
    for (const prefix of ["", '"action": "']) {
      const text = prefix + unit.repeat(Math.ceil(2 ** 20 / new TextEncoder().encode(unit).length));
      const elapsedMs = fastestMs(10, () => parse(text));
      assert(elapsedMs < 10, `${JSON.stringify(prefix + unit)} repeated took ${elapsedMs} ms`);
    }
  }
});
