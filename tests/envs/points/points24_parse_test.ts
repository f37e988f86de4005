import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { PART_LENGTH } from "../../../envs/shared/parse.ts";
import { createPointsParser } from "../../../envs/points/parse.ts";

const numbers = Array.from({ length: 10 }, (_, i) => String(i + 1));
const actions = [...numbers, ..."+-*/()="];

/** The published steps, one by one: cut at the key, take the tens out, look for every action. */
function published(text: string): number | null {
  let tail = text.slice(text.toLowerCase().indexOf('"action":')); // -1 without the key: the last character
  const found = new Set(tail.includes("10") ? ["10"] : []);
  tail = tail.replaceAll("10", "");
  for (const action of actions) if (tail.includes(action)) found.add(action);
  return found.size === 1 ? actions.indexOf([...found][0]) : null;
}

/** The same with numbers to 13, taken out from left to right. */
function publishedTo13(text: string): string | null {
  const tail = text.slice(text.toLowerCase().indexOf('"action":'));
  const found = new Set(tail.match(/1[0-3]|[1-9]|[-+*/()=]/g));
  return found.size === 1 ? [...found][0] : null;
}

const parts = '"action": "ACTION": 10 11 12 13 1 1 0 2 3 + ( " x é'.split(" ");
const texts = fc.array(fc.constantFrom(...parts, " "), { maxLength: 8 }).map((list) => list.join(""));
/** Those that lie across the border of two parts, which long texts are read in. */
const acrossParts = fc.tuple(texts, fc.nat(20)).map(([text, before]) =>
  '"action":'.padEnd(PART_LENGTH - before) + text
);

Deno.test("the parser of the point games finds what the published steps find", () => {
  const parse = createPointsParser(actions);
  const check = (text: string) => {
    const { action, start, end } = parse(text);
    assertEquals(action, published(text), text);
    if (action === null) assertEquals([start, end], [-1, -1]);
    else assertEquals(text.slice(start, end), actions[action]);
  };
  fc.assert(fc.property(texts, check), { numRuns: 5000 });
  fc.assert(fc.property(acrossParts, check), { numRuns: 2000 });
});

Deno.test("numbers to 13 are taken out of the text from left to right", () => {
  const to13 = [...numbers, "11", "12", "13", ..."+-*/()="];
  const parse = createPointsParser(to13);
  const check = (text: string) => {
    const { action } = parse(text);
    assertEquals(action === null ? null : to13[action], publishedTo13(text), text);
  };
  fc.assert(fc.property(texts, check), { numRuns: 5000 });
  fc.assert(fc.property(acrossParts, check), { numRuns: 2000 });
  for (const text of ["1", "11", "111", "1111", "11011", "112", "1212", "12 2", "113", "1 1", "2112"]) {
    check(`"action": ${text}`);
  }
  check(`"action": ${"1".repeat(1_000_000)}`);
  check(`"action": ${"1".repeat(999_999)}`);
});
