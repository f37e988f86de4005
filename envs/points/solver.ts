/**
 * Plans of the point games: the items that bring a formula to the target, with every card used once.
 *
 * Plans use the game's own operators with their meaning in arithmetic. Python also reads `1` `2` as 12 and `*` `*` as a power.
 * The solver understands these in a formula, and plans them only if it is asked to, for hands that have no other plan. This share
 * of Points24's deals (target 24, faces 10) has a plan:
 *
 *     73.1%   arithmetic
 *     77.3%   joined: with digits put together
 *     88.6%   published: with `**`, `//` and a sign before `//` as well
 */

import { formulaEquals } from "./formula.ts";
import { type PlanKind, widePlan } from "./wide_solver.ts";

/** What a game allows. */
export interface PlanRules {
  /** Operators that a plan may use, the preferred ones first; `(` among them allows parentheses. */
  readonly operators: readonly string[];
  /** Longest formula, in items, that can still be closed with `=`. */
  readonly maxItems: number;
  /** What plans of four numbers may use beside the operators; `arithmetic` when absent. */
  readonly plans?: PlanKind;
}

export interface PlanTask {
  readonly numbers: readonly number[];
  readonly target: number;
  /** The items so far, illegal numbers' spaces included. */
  readonly formula: readonly string[];
}

/** New pairs of parentheses that the completion of an unusual formula may open. */
const MAX_NEW_PAIRS = 2;
const MAX_REMEMBERED = 20_000;

const remembered = new Map<string, readonly string[] | null>();

/**
 * Finds the items to append before `=`, as few as possible. The list is empty if the formula is complete, and null if no plan is
 * left. Answers are remembered. The first takes up to about 1 ms for a formula on a plan of its deal, and 0.1 s for an unusual
 * one.
 */
export function completeFormula(rules: PlanRules, task: PlanTask): readonly string[] | null {
  const key = [rules.operators, rules.maxItems, rules.plans, task.numbers, task.target, task.formula].join(
    "|",
  );
  let plan = remembered.get(key);
  if (plan === undefined) {
    plan = findPlan(rules, task);
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(key, plan);
  }
  return plan;
}

function findPlan(rules: PlanRules, { numbers, target, formula }: PlanTask): readonly string[] | null {
  const room = rules.maxItems - formula.length;
  const remaining = without(numbers, formula);
  const state = scan(formula);
  if (room < 0 || remaining === null || state === null) return null;
  if (rules.operators.includes("(") && numbers.length <= 4) {
    const solutions = solutionsBy(rules, numbers, target);
    if (solutions.length === 0 && !state.isUnusual) return null;
    const items = formula.filter((item) => item !== " ");
    const onPlan = solutions.find((solution) =>
      solution.length - items.length <= room && items.every((item, i) => item === solution[i])
    );
    if (onPlan) return onPlan.slice(items.length);
  }
  return search(rules, formula.join(""), state, remaining, target, room);
}

/** The plans of a hand, the plainest first. Plans beyond arithmetic are for hands that have no other. */
function solutionsBy(
  { plans = "arithmetic" }: PlanRules,
  numbers: readonly number[],
  target: number,
): readonly (readonly string[])[] {
  const plain = arithmeticSolutions(numbers, target);
  if (plain.length > 0 || plans === "arithmetic") return plain;
  const wide = widePlan(numbers, target, plans);
  return wide === null ? [] : [wide];
}

/** `numbers` less those in `formula`; null if the formula has one that is not there. */
function without(numbers: readonly number[], formula: readonly string[]): number[] | null {
  const remaining = [...numbers];
  for (const item of formula) {
    if (!/^\d/.test(item)) continue;
    const place = remaining.indexOf(Number(item));
    if (place < 0) return null;
    remaining.splice(place, 1);
  }
  return remaining;
}

interface Scan {
  /** A number, a sign or `(` must come next; otherwise an operator or `)`. */
  readonly wantsOperand: boolean;
  /** Open parentheses. */
  readonly depth: number;
  /** Has digits put together, `**` or `//`. */
  readonly isUnusual: boolean;
}

/** Scans a formula; null if no continuation can make it valid. */
function scan(formula: readonly string[]): Scan | null {
  let wantsOperand = true;
  let depth = 0;
  let isUnusual = false;
  let isDoubled = false; // the operator before is `**` or `//`
  for (const [i, item] of formula.entries()) {
    const before = formula[i - 1]; // undefined at the start
    if (item === " ") continue;
    if (/^\d/.test(item)) {
      if (!wantsOperand) {
        if (!/^\d/.test(before)) return null;
        isUnusual = true;
      }
      wantsOperand = false;
    } else if (item === "(") {
      if (!wantsOperand) return null;
      depth++;
    } else if (item === ")") {
      if (wantsOperand || depth === 0) return null;
      depth--;
    } else if (!wantsOperand) {
      wantsOperand = true;
      isDoubled = false;
    } else if (item === "*" || item === "/") {
      if (before !== item || isDoubled) return null;
      isUnusual = isDoubled = true;
    } // else a sign
  }
  return { wantsOperand, depth, isUnusual };
}

/** Tries all completions of a text, the shortest first, in the order of the numbers and operators. */
function search(
  { operators }: PlanRules,
  start: string,
  { wantsOperand, depth }: Scan,
  numbers: readonly number[],
  target: number,
  room: number,
): readonly string[] | null {
  const binary = operators.filter((operator) => !"()".includes(operator));
  const hasParentheses = operators.includes("(");
  const items: string[] = [];

  function needed(wants: boolean, open: number, remaining: readonly number[]): number {
    if (wants && remaining.length === 0) return Infinity;
    return 2 * remaining.length + open - Number(wants);
  }

  function extend(
    text: string,
    wants: boolean,
    open: number,
    remaining: readonly number[],
    left: number,
  ): boolean {
    if (needed(wants, open, remaining) > left) return false;
    if (left === 0) return formulaEquals(text, target);
    const follow = (item: string, nextWants: boolean, nextOpen: number, nextRemaining = remaining) => {
      items.push(item);
      const found = extend(text + item, nextWants, nextOpen, nextRemaining, left - 1);
      if (!found) items.pop();
      return found;
    };
    if (wants) {
      for (const [i, number] of remaining.entries()) {
        if (remaining.indexOf(number) < i) continue;
        if (follow(String(number), false, open, remaining.toSpliced(i, 1))) return true;
      }
      return hasParentheses && follow("(", true, open + 1);
    }
    for (const operator of remaining.length > 0 ? binary : []) {
      if (follow(operator, true, open)) return true;
    }
    // A pair that this search opened holds more than one number.
    return open > 0 && items.at(-2) !== "(" && follow(")", false, open - 1);
  }

  const least = needed(wantsOperand, depth, numbers);
  const most = Math.min(room, least + (hasParentheses ? 2 * MAX_NEW_PAIRS : 0));
  for (let length = least; length <= most; length += 2) {
    if (extend(start, wantsOperand, depth, numbers, length)) return items;
  }
  return null;
}

interface Node {
  /** As Python computes it: small integers and their quotients are the same doubles. */
  readonly value: number;
  /** 1 `+ -`, 2 `* /`, 3 a number. */
  readonly precedence: number;
  readonly operator?: string;
  readonly left?: Node;
  readonly right?: Node;
}

const OPERATORS = ["+", "-", "*", "/"] as const;
/** Cost of each operator in a plan: sums are preferred to differences, products and quotients. */
const COST: Readonly<Record<string, number>> = { "+": 0, "-": 1, "*": 2, "/": 6 };

const solutionsOf = new Map<string, readonly (readonly string[])[]>();

/**
 * Lists all formulas that equal `target` and use each of `numbers` once, without parentheses that could be left out. The plainest
 * come first: few items, few quotients, large numbers early. The order of the numbers does not matter.
 */
export function arithmeticSolutions(
  numbers: readonly number[],
  target: number,
): readonly (readonly string[])[] {
  const sorted = numbers.toSorted((a, b) => b - a);
  const key = `${sorted} ${target}`;
  let solutions = solutionsOf.get(key);
  if (solutions === undefined) {
    const texts = new Map<string, readonly string[]>();
    for (const order of permutations(sorted)) {
      for (const tree of trees(order)) {
        if (tree.value !== target) continue;
        const items = write(tree);
        texts.set(items.join(""), items);
      }
    }
    const cost = (items: readonly string[]) => items.reduce((sum, item) => sum + (COST[item] ?? 0), 0);
    // The sort is stable: equals stay in the order of the permutations, large numbers first.
    solutions = [...texts.values()].sort((a, b) => a.length - b.length || cost(a) - cost(b));
    if (solutionsOf.size >= MAX_REMEMBERED) solutionsOf.clear();
    solutionsOf.set(key, solutions);
  }
  return solutions;
}

function permutations(numbers: readonly number[]): number[][] {
  if (numbers.length === 0) return [[]];
  return numbers.flatMap((number, i) =>
    numbers.indexOf(number) < i ? [] : permutations(numbers.toSpliced(i, 1)).map((rest) => [number, ...rest])
  );
}

/** Every tree over numbers in this order that needs no parentheses among operators of one precedence. */
function trees(numbers: readonly number[]): Node[] {
  if (numbers.length === 1) return [{ value: numbers[0], precedence: 3 }];
  const found: Node[] = [];
  for (let split = 1; split < numbers.length; split++) {
    const rights = trees(numbers.slice(split));
    for (const left of trees(numbers.slice(0, split))) {
      for (const right of rights) {
        for (const [i, operator] of OPERATORS.entries()) {
          const precedence = i < 2 ? 1 : 2;
          if (right.precedence === precedence || (operator === "/" && right.value === 0)) continue;
          found.push({
            value: compute(operator, left.value, right.value),
            precedence,
            operator,
            left,
            right,
          });
        }
      }
    }
  }
  return found;
}

function compute(operator: string, a: number, b: number): number {
  return operator === "+" ? a + b : operator === "-" ? a - b : operator === "*" ? a * b : a / b;
}

function write(node: Node): string[] {
  const { value, precedence, operator, left, right } = node;
  if (operator === undefined) return [String(value)];
  const operand = (child: Node) => child.precedence < precedence ? ["(", ...write(child), ")"] : write(child);
  return [...operand(left!), operator, ...operand(right!)];
}
