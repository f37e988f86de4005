import { assert, assertEquals } from "@std/assert";
import { formulaEquals } from "../../../envs/points/formula.ts";
import { arithmeticSolutions, completeFormula } from "../../../envs/points/solver.ts";

const RULES = { operators: ["+", "-", "*", "/", "(", ")"], maxItems: 20 };

function complete(numbers: number[], formula: string[], rules = RULES): string | undefined {
  return completeFormula(rules, { numbers, target: 24, formula })?.join("");
}

Deno.test("20,870 of the 28,561 deals make 24, 73.1%, and every plan evaluates to it", () => {
  const weight = (number: number) => number === 10 ? 4 : 1; // ten, jack, queen, king
  let solved = 0;
  let deals = 0;
  for (let a = 1; a <= 10; a++) {
    for (let b = 1; b <= 10; b++) {
      for (let c = 1; c <= 10; c++) {
        for (let d = 1; d <= 10; d++) {
          const ways = weight(a) * weight(b) * weight(c) * weight(d);
          const [best] = arithmeticSolutions([a, b, c, d], 24);
          deals += ways;
          if (best === undefined) continue;
          solved += ways;
          if (a <= b && b <= c && c <= d) assert(formulaEquals(best.join(""), 24), best.join(""));
        }
      }
    }
  }
  assertEquals([solved, deals], [20_870, 28_561]);
});

Deno.test("solutions use every card once, without needless parentheses, the plainest first", () => {
  const solutions = arithmeticSolutions([5, 10, 9, 10], 24).map((items) => items.join(""));
  assertEquals(solutions[0], "10+10+9-5");
  assertEquals(new Set(solutions).size, solutions.length);
  for (const solution of solutions) {
    assert(formulaEquals(solution, 24));
    assertEquals(solution.match(/\d+/g)!.map(Number).sort((x, y) => x - y), [5, 9, 10, 10]);
  }
  assertEquals(arithmeticSolutions([8, 3, 8, 3], 24), []); // 8/(3-8/3) is not 24 in doubles
  assertEquals(arithmeticSolutions([1, 1, 1, 1], 24), []);
  assertEquals(arithmeticSolutions([1, 1, 1, 1], 4).map((items) => items.join("")), [
    "1+1+1+1",
    "(1+1)*(1+1)",
  ]);
});

Deno.test("formulas off the plans are completed too, to the same target with the cards that are left", () => {
  const numbers = [8, 1, 10, 7];
  const starts = ["( ( 8 -", "( (", "-", "+ +", "7 +", "( 10", "7 + (", "8 7"];
  for (const start of starts) {
    const items = start.split(" ");
    const rest = complete(numbers, items);
    if (start === "8 7") assertEquals(rest, undefined);
    else assert(rest !== undefined && formulaEquals(items.join("") + rest, 24), `${start} ${rest}`);
  }
  assertEquals(complete([2, 3, 6, 10], [" ", "2", " "]), "*(10-6)*3");
  assertEquals(complete([1, 2, 2, 10], ["1", "2", "+"]), "2+10"); // digits already put together
  assertEquals(complete([2, 3, 3, 1], ["2", "*", "*"]), "3*3*1"); // a power already begun
});

Deno.test("lost formulas have no completion", () => {
  const numbers = [8, 1, 10, 7];
  const lost = ["*", ")", "8 (", "8 * * *", "8 / / /", "( 8 ) 7", "8 + *", "8 + )", "9", "8 8"];
  for (const start of lost) assertEquals(complete(numbers, start.split(" ")), undefined, start);
  assertEquals(complete(numbers, ["8", " ", "7"]), undefined);
  assertEquals(complete(numbers, ["8", "*", " ", "*"]), undefined);
  const spaces = (count: number) => Array.from({ length: count }, () => " ");
  assertEquals(complete(numbers, spaces(13))?.length, 8); // 10+8+7-1
  assertEquals(complete(numbers, spaces(14)), undefined); // no room for seven items
});
