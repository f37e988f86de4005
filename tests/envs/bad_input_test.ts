/** What the environments make of texts and options that no well-meaning caller would give. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ENV_NAMES, makeEnv, Random } from "../../envs/mod.ts";
import { fastestMs } from "../processor_time.ts";

const MEBIBYTE = 2 ** 20;

/** Texts of a mebibyte of UTF-8 that repeat nothing, from bytes and from code units, with and without the key. */
function randomTexts(fragments: readonly string[]): Record<string, string> {
  const random = new Random(3, "bad input");
  const codes = (count: number) => Array.from({ length: MEBIBYTE }, () => random.integer(count));
  const textOf = (list: readonly number[]) => {
    const parts = Array.from({ length: 256 }, (_, i) => list.slice(i * 4096, (i + 1) * 4096));
    return parts.map((part) => String.fromCharCode(...part)).join("");
  };
  const joined: string[] = [];
  for (let length = 0; length < MEBIBYTE; length += joined.at(-1)!.length) {
    joined.push(fragments[random.integer(fragments.length)]);
  }
  const bytes = codes(256);
  const texts = {
    "bytes as Latin-1": textOf(bytes),
    "bytes as UTF-8": new TextDecoder().decode(Uint8Array.from(bytes)),
    "UTF-16 code units, lone surrogates too": textOf(codes(65536)),
    "actions, keys and quotes": joined.join("").slice(0, MEBIBYTE),
  };
  const entries = Object.entries(texts).map(([name, text]) => [name, limited(text)]);
  const keyed = entries.map(([name, text]) => [`${name} after the key`, `"action":${text}`]);
  return Object.fromEntries([...entries, ...keyed]);
}

/** As much of a text as a mebibyte of UTF-8 holds. */
function limited(text: string): string {
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(MEBIBYTE)).read);
}

for (const name of ENV_NAMES) {
  Deno.test(`${name}: 1 MB of anything parses to an action's span or to null in under 10 ms of processor time`, () => {
    const env = makeEnv(name);
    env.reset({ seed: 1 });
    const fragments = [...env.actions, '"action":', '"action": "', '"', "}", " ", "\n"];
    for (const [kind, text] of Object.entries(randomTexts(fragments))) {
      const { action, start, end } = env.parse(text);
      if (action === null) assertEquals([start, end], [-1, -1], kind);
      else assertEquals(text.slice(start, end).toLowerCase(), env.actions[action].toLowerCase(), kind);
      const elapsedMs = fastestMs(10, () => env.parse(text));
      assert(elapsedMs < 10, `${kind} took ${elapsedMs} ms`);
    }
  });
}

Deno.test("an unknown task is answered with the known ones", () => {
  for (const name of ["Chess", "gym_cards/Chess-v0", "alfworld/NumberLin-v0", "", "__proto__"]) {
    const { message } = assertThrows(() => makeEnv(name), RangeError, `Cannot make environment "${name}"`);
    for (const known of ENV_NAMES) assertStringIncludes(message, known);
  }
});

Deno.test("an illegal option is a RangeError that names it", () => {
  const illegal: [env: string, options: Record<string, unknown>, named: string][] = [
    ["NumberLine", { target: 6 }, "target is 6"],
    ["NumberLine", { start: -1 }, "start is -1"],
    ["NumberLine", { start: "2" }, 'start is "2"'],
    ["EZPoints", { cards: ["H1", "DT"] }, '"H1"'],
    ["EZPoints", { cards: ["H2"] }, "1 cards"],
    ["Points24", { cards: ["H2", "D3", "C4", "X5"] }, '"X5"'],
    ["Points24", { cards: "H2 D3 C4 S5" }, "cards has no list"],
    ["Points24", { target: 0 }, "target is 0"],
    ["Points24", { target: 1000 }, "target is 1000"],
    ["Blackjack", { draws: [[2, "2", "H"]] }, "draws"],
    ["Blackjack", { draws: [[99, "2", "H"], [2, "2", "H"], [2, "2", "H"], [2, "2", "H"]] }, "99"],
    ["Household", { kind: "cook" }, 'kind is "cook"'],
    ["Household", { split: 3 }, "split is 3"],
  ];
  for (const [name, options, named] of illegal) {
    const { message } = assertThrows(() => makeEnv(name).reset({ options }), RangeError, named);
    assertStringIncludes(message, `Cannot reset ${name}`);
  }
});

Deno.test("an illegal setting is a RangeError that names it and says what is legal", () => {
  const illegal: [env: string, settings: Record<string, unknown>, named: string][] = [
    ["NumberLine", { maxPosition: 0 }, "maxPosition is 0, use an integer from 1 to 999"],
    ["Points24", { target: 1e9 }, "target is 1000000000, use an integer from 1 to 999"],
    ["Points24", { faceValue: "eleven" }, 'faceValue is "eleven", use "ten" or "11-13"'],
    ["Household", { split: "new" }, 'split is "new", use one of seen, unseen'],
    ["EZPoints", { target: 30 }, 'it has no setting "target", known: seed'],
    ["Blackjack", { toString: true }, 'it has no setting "toString", known: seed, natural, sab'],
  ];
  for (const [name, settings, named] of illegal) {
    assertThrows(() => makeEnv(name, settings as never), RangeError, named);
  }
});
