/**
 * Formulas of the point games beyond plain arithmetic, as the published rules allow them: Python reads the items `1` `2` as 12,
 * `*` `*` as a power and `/` `/` as a quotient rounded down.
 */

import { formulaEquals } from "./formula.ts";

/** What a plan may use beside `+ - * /` and parentheses: nothing, digits put together, or `**` and `//` as well. */
export const PLAN_KINDS = ["arithmetic", "joined", "published"] as const;
/** One of {@linkcode PLAN_KINDS}. */
export type PlanKind = typeof PLAN_KINDS[number];

/** A formula of some of the numbers. */
interface Node {
  /** Nearly as Python computes it: large powers are rounded, so that a plan is proved exactly before it counts. */
  readonly value: number;
  /** 1 `+ -`, 2 `* / //`, 3 `**`, 4 a number. */
  readonly precedence: number;
  readonly items: readonly string[];
  readonly cost: number;
  /** Does another grouping of its operands have another value? Then it keeps its parentheses. */
  readonly isRounded: boolean;
}

interface Operator {
  readonly items: readonly string[];
  /** A sign before the left operand. */
  readonly sign?: "-";
  readonly precedence: number;
  /** Sums are preferred to differences, products, quotients and powers. */
  readonly cost: number;
  readonly compute: (a: number, b: number) => number;
}

const PLAIN: readonly Operator[] = [
  { items: ["+"], precedence: 1, cost: 0, compute: (a, b) => a + b },
  { items: ["-"], precedence: 1, cost: 1, compute: (a, b) => a - b },
  { items: ["*"], precedence: 2, cost: 2, compute: (a, b) => a * b },
  { items: ["/"], precedence: 2, cost: 6, compute: (a, b) => a / b },
];
const DOUBLED: readonly Operator[] = [
  { items: ["/", "/"], precedence: 2, cost: 8, compute: (a, b) => Math.floor(a / b) },
  // Rounds up, as the right side of a difference: 9--7//2 is 13.
  { sign: "-", items: ["/", "/"], precedence: 2, cost: 9, compute: (a, b) => Math.floor(-a / b) },
  { items: ["*", "*"], precedence: 3, cost: 8, compute: (a, b) => a ** b },
];
const JOINED_COST = 4;
/** Values that may stand for one of these are proved. */
const NEAR = 1e-6;
const MAX_REMEMBERED = 20_000;

const remembered = new Map<string, readonly string[] | null>();

/**
 * Finds the plainest formula that equals `target` and uses each of `numbers` once; null if there is none. Few items come first,
 * then sums before differences, products, joined digits, quotients and powers. It takes some milliseconds for four numbers, and
 * remembers its answers.
 */
export function widePlan(
  numbers: readonly number[],
  target: number,
  kind: Exclude<PlanKind, "arithmetic">,
): readonly string[] | null {
  const sorted = numbers.toSorted((a, b) => b - a);
  const key = `${sorted} ${target} ${kind}`;
  let plan = remembered.get(key);
  if (plan === undefined) {
    plan = findPlan(sorted, target, kind === "published" ? [...PLAIN, ...DOUBLED] : PLAIN);
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(key, plan);
  }
  return plan;
}

function findPlan(
  numbers: readonly number[],
  target: number,
  operators: readonly Operator[],
): readonly string[] | null {
  const whole = (1 << numbers.length) - 1;
  /** The plainest node of each value and precedence, by the bits of its numbers. */
  const nodes: Map<string, Node>[] = [];
  let best: Node | null = null;
  for (let bits = 1; bits <= whole; bits++) {
    const own = new Map<string, Node>();
    nodes[bits] = own;
    const offer = (node: Node) => {
      if (bits === whole) {
        if (Math.abs(node.value - target) > NEAR || best !== null && !isPlainer(node, best)) return;
        if (formulaEquals(node.items.join(""), target)) best = node;
        return;
      }
      const key = `${node.value} ${node.precedence} ${node.isRounded}`;
      const known = own.get(key);
      if (known === undefined || isPlainer(node, known)) own.set(key, node);
    };
    for (const items of orders(numbers.filter((_, i) => bits & 1 << i))) {
      const cost = JOINED_COST * (items.length - 1);
      offer({ value: Number(items.join("")), precedence: 4, items, cost, isRounded: false });
    }
    for (let part = (bits - 1) & bits; part > 0; part = (part - 1) & bits) {
      for (const left of nodes[part].values()) {
        for (const right of nodes[bits ^ part].values()) {
          for (const operator of operators) join(operator, left, right, offer);
        }
      }
    }
  }
  return (best as Node | null)?.items ?? null;
}

/** Fewer items come first, then the lower cost. */
function isPlainer(a: Node, b: Node): boolean {
  return a.items.length < b.items.length || a.items.length === b.items.length && a.cost < b.cost;
}

function join(
  { sign, items, precedence, cost, compute }: Operator,
  left: Node,
  right: Node,
  offer: (node: Node) => void,
): void {
  const isRounded = items.length === 2 && precedence === 2;
  // a-(b-c) is a-b+c, and a*(b/c) is a*b/c: the other form is offered as well. Rounding has no other form.
  const isSame = right.precedence === precedence && precedence < 3;
  if (isSame && !isRounded && !right.isRounded) return;
  const value = compute(left.value, right.value);
  if (!Number.isFinite(value)) return;
  const inner = ({ items }: Node, isBare: boolean) => isBare ? items : ["(", ...items, ")"];
  // Powers are grouped from the right: 2**3**2 is 2**9.
  const isLeftBare = precedence === 3 ? left.precedence > 3 : left.precedence >= precedence;
  const isRightBare = precedence === 3 ? right.precedence >= 3 : right.precedence > precedence;
  offer({
    value,
    precedence,
    items: [
      ...sign === undefined ? [] : [sign],
      ...inner(left, isLeftBare),
      ...items,
      ...inner(right, isRightBare),
    ],
    cost: left.cost + right.cost + cost,
    isRounded,
  });
}

/** All orders of numbers, as items; equal numbers give the same order more than once. */
function orders(numbers: readonly number[]): string[][] {
  if (numbers.length === 0) return [[]];
  return numbers.flatMap((number, i) =>
    orders(numbers.toSpliced(i, 1)).map((rest) => [String(number), ...rest])
  );
}
