import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { evaluateFormula, formulaEquals, MAX_FORMULA_LENGTH } from "../../../envs/points/formula.ts";
import { fastestMs } from "../../processor_time.ts";
import records from "../data/formula_records.json" with { type: "json" };

/** The value as the records have it: `eval`'s type and `repr` in CPython 3.11; null alone for errors, `()`, complex. */
function describe(formula: string): (string | null)[] {
  const value = evaluateFormula(formula);
  if (value === null) return [formula, null];
  return typeof value === "bigint"
    ? [formula, "int", String(value)]
    : [formula, "float", String(Object.is(value, -0) ? "-0" : value)];
}

function normalise(record: (string | null)[]): (string | null)[] {
  const [formula, type, value] = record;
  if (type !== "float") return record;
  const number = Number(value!.replace("inf", "Infinity"));
  return [formula, type, Object.is(number, -0) ? "-0" : String(number)];
}

Deno.test("formulas have the values that CPython's eval gave", () => {
  assert(records.length > 350);
  for (const record of records) assertEquals(describe(record[0]!), normalise(record));
});

Deno.test("equality is Python's: a double that is not quite the target is not equal", () => {
  assert(formulaEquals("(3-(6/10))*10", 24));
  assert(formulaEquals("3*8", 24));
  assert(!formulaEquals("8/(3-8/3)", 24));
  assert(!formulaEquals("3*8", 25));
  assert(!formulaEquals("", 24));
  assert(formulaEquals("9007199254740993-1+1-1", 9007199254740992));
});

Deno.test("digits join, spaces part them, and stars and slashes join too", () => {
  assertEquals(evaluateFormula("12+12"), 24n);
  assertEquals(evaluateFormula("1 2+12"), null);
  assertEquals(evaluateFormula("   2 + 10 "), 12n);
  assertEquals(evaluateFormula("2**3*3"), 24n);
  assertEquals(evaluateFormula("2* *3"), null);
  assertEquals(evaluateFormula("49//2"), 24n);
  assertEquals(evaluateFormula("49/ /2"), null);
  assertEquals(evaluateFormula("2***3"), null);
});

Deno.test("no formula hangs: powers, depth and length are bounded", () => {
  const chain = "9**99*".repeat(40) + "9";
  const bounded = [
    "9**9**9",
    "10**10**10",
    "2**10**9",
    "-9**9**9**9",
    "(".repeat(120) + "1" + ")".repeat(120),
    "1" + "**1".repeat(120) + "1".repeat(MAX_FORMULA_LENGTH),
    "9".repeat(1_000_000),
    " ".repeat(1_000_000),
  ];
  for (const formula of bounded) assertEquals(evaluateFormula(formula), null, formula.slice(0, 40));
  assertEquals(typeof evaluateFormula(chain), "bigint");
  assertEquals(evaluateFormula("1**10**9"), 1n);
  assertEquals(evaluateFormula("-".repeat(200) + "24"), 24n);
  const elapsedMs = fastestMs(200, () => [...bounded, chain].forEach(evaluateFormula));
  assert(elapsedMs < 200, `${elapsedMs} ms`);
});

Deno.test("any text has a value or null", () => {
  const items = fc.constantFrom(..."1 2 7 10 + - * / ** // ( ) 0".split(" "), " ", "x", "é");
  fc.assert(fc.property(fc.array(items, { maxLength: 40 }), (parts) => {
    const value = evaluateFormula(parts.join(""));
    return value === null || ["bigint", "number"].includes(typeof value);
  }));
  fc.assert(fc.property(fc.string(), (text) => evaluateFormula(text) !== undefined));
});
