/** Every op's backward rule against central differences of its forward. */
import { assertEquals } from "@std/assert";
import { caseValues } from "../../kernels/case.ts";
import {
  type BinaryOp,
  binaryOps,
  buildChain,
  type UnaryOp,
  unaryOps,
} from "../../kernels/elementwise/mod.ts";
import type { AnyOpRule, OpRule, Tensor } from "../../model/mod.ts";
import { rotaryTable } from "../../kernels/rotary/mod.ts";
import * as table from "../../model/tape/ops.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { type OpCase, requireGradients } from "./finite_differences.ts";

/** The table's rules, by the names under which it exports them. */
type RuleName = { [Name in keyof typeof table]: typeof table[Name] extends AnyOpRule ? Name : never }[
  keyof typeof table
];
/** A case of a rule. */
type CaseOf<Name extends RuleName> = typeof table[Name] extends
  OpRule<infer Inputs, infer _, infer Attributes> ? OpCase<Inputs, Attributes>
  : never;

/** Far enough from where functions have kinks for the step of the differences. */
const awayFrom = (kinks: readonly number[], values: Float32Array) =>
  values.map((value) => kinks.some((kink) => Math.abs(value - kink) < 0.05) ? value + 0.15 : value);

const unaryCase = (op: UnaryOp): CaseOf<"unaryRule"> => ({
  name: op,
  inputs: [{
    shape: [3, 7],
    values: op === "log"
      ? caseValues(21, 1).map((x) => 1.5 + x / 2)
      : awayFrom([-0.5, 0, 0.4], caseValues(21, 1)),
  }],
  attributes: { op, a: -0.5, b: 0.4 },
});

const binaryCase = (op: BinaryOp): CaseOf<"binaryRule"> => {
  const A = caseValues(15, 1);
  // Differences of at least 0.1 either way, so that minimum and maximum do not change their choice.
  const B = A.map((a, i) => a + (i % 2 ? 0.1 + i / 20 : -0.1 - i / 20));
  return {
    name: op,
    inputs: [{ shape: [3, 5], values: A }, { shape: [3, 5], values: B }],
    attributes: { op },
  };
};

const V = 36;

/** What the cases of rotary embedding share; nothing if tests on the GPU are skipped. */
const turning = onGpu.ignore ? null : {
  positions: (await testGpu()).upload(Uint32Array.of(0, 3, 9, 5001), "positions"),
  table: (await testGpu()).upload(rotaryTable({ positions: 6000, D: 8, theta: 1e4 }), "table"),
};

/** An op without an entry does not compile; one with an empty entry fails below. */
const cases: { readonly [Name in RuleName]: readonly CaseOf<Name>[] } = {
  linearRule: [
    {
      name: "without bias, residual or gelu",
      inputs: [{ shape: [5, 7] }, { shape: [7, 3] }, null, null],
      attributes: { gelu: false },
    },
    {
      name: "with bias, residual and gelu on (2,3,8)",
      inputs: [{ shape: [2, 3, 8] }, { shape: [8, 12] }, { shape: [12] }, { shape: [2, 3, 12] }],
      attributes: { gelu: true },
    },
    {
      name: "with bias on one row, the input a constant",
      inputs: [{ shape: [1, 5], isTrainable: false }, { shape: [5, 9] }, { shape: [9] }, null],
      attributes: { gelu: false },
    },
    {
      name: "with a frozen weight",
      inputs: [{ shape: [4, 6] }, { shape: [6, 5], isTrainable: false }, { shape: [5] }, { shape: [4, 5] }],
      attributes: { gelu: true },
    },
  ],
  addColumnsRule: [
    {
      name: "the last three columns, twofold",
      inputs: [{ shape: [2, 2, 7] }, { shape: [2, 2, 3] }],
      attributes: { column: 4, scale: 2 },
    },
  ],
  rmsnormRule: [
    {
      name: "on rows of 12",
      inputs: [{ shape: [2, 3, 12] }, { shape: [12] }],
      attributes: { epsilon: 1e-5 },
    },
    {
      name: "on ragged rows of 7, the weight frozen",
      inputs: [{ shape: [5, 7] }, { shape: [7], isTrainable: false }],
      attributes: { epsilon: 0.1 },
    },
  ],
  rotaryRule: [
    {
      name: "of three heads of five",
      inputs: [{ shape: [2, 2, 40] }],
      attributes: { ...turning!, headSize: 8, rotated: 3 },
    },
  ],
  swigluRule: [
    { name: "on rows of 2 x 6", inputs: [{ shape: [2, 2, 12] }], attributes: undefined },
    { name: "on ragged rows of 2 x 5", inputs: [{ shape: [3, 10] }], attributes: undefined },
  ],
  embedRowsRule: [
    {
      name: "tokens and image rows, some repeated",
      inputs: [{ shape: [9, 6] }, { shape: [3, 6] }],
      attributes: { sources: Int32Array.of(8, -1, -3, 0, 8, 8, 2, -2), shape: [2, 4] },
    },
    {
      name: "tokens alone",
      inputs: [{ shape: [5, 8] }, null],
      attributes: { sources: Int32Array.of(4, 0, 4), shape: [3] },
    },
  ],
  tableLogprobRule: [
    {
      name: "log-probabilities and entropies of 37 classes at temperature 0.7",
      inputs: [{ shape: [5, 8] }, { shape: [37, 8] }],
      attributes: { targets: Uint32Array.of(0, 36, 4, 4, 17), temperature: 0.7 },
    },
    {
      name: "log-probabilities alone, the table frozen",
      inputs: [{ shape: [3, 12] }, { shape: [32, 12], isTrainable: false }],
      attributes: { targets: Uint32Array.of(31, 0, 9), temperature: 1 },
      outputs: [0],
    },
  ],
  layernormRule: [
    {
      name: "on rows of 12",
      inputs: [{ shape: [2, 3, 12] }, { shape: [12] }, { shape: [12] }],
      attributes: { epsilon: 1e-5 },
    },
    {
      name: "on ragged rows of 7",
      inputs: [{ shape: [5, 7] }, { shape: [7] }, { shape: [7] }],
      attributes: { epsilon: 0.1 },
    },
  ],
  linearLogprobRule: [
    {
      name: "log-probabilities and entropies at temperature 0.7",
      inputs: [{ shape: [5, 8] }, { shape: [8, V] }],
      attributes: { targets: Uint32Array.of(0, 35, 4, 4, 17), temperature: 0.7 },
    },
    {
      name: "log-probabilities alone",
      inputs: [{ shape: [3, 12] }, { shape: [12, 32] }],
      attributes: { targets: Uint32Array.of(31, 0, 9), temperature: 1 },
      outputs: [0],
    },
    {
      name: "entropies alone",
      inputs: [{ shape: [3, 12] }, { shape: [12, 32] }],
      attributes: { targets: Uint32Array.of(31, 0, 9), temperature: 1 },
      outputs: [1],
    },
    {
      name: "with a frozen head",
      inputs: [{ shape: [5, 8] }, { shape: [8, V], isTrainable: false }],
      attributes: { targets: Uint32Array.of(0, 35, 4, 4, 17), temperature: 0.4 },
    },
  ],
  embedRule: [
    {
      name: "tokens and image rows, some repeated",
      inputs: [{ shape: [9, 6] }, { shape: [4, 6] }, { shape: [3, 6] }],
      attributes: {
        sources: Int32Array.of(8, -1, -3, 0, 8, 8, 2, -2),
        positions: Int32Array.of(0, 1, 2, 3, 0, 1, 2, 3),
        shape: [2, 4],
      },
    },
    {
      name: "image rows without a token table",
      inputs: [null, { shape: [3, 8] }, { shape: [6, 8] }],
      attributes: {
        sources: Int32Array.of(-1, -2, -3, -4, -5, -6),
        positions: Int32Array.of(0, 1, 2, 0, 1, 2),
        shape: [2, 3],
      },
    },
    {
      name: "tokens without image rows",
      inputs: [{ shape: [5, 4] }, { shape: [3, 4] }, null],
      attributes: { sources: Int32Array.of(4, 1, 4), positions: Int32Array.of(0, 1, 2), shape: [1, 3] },
    },
  ],
  attentionRule: [
    {
      name: "with different prefixes and lengths",
      inputs: [{ shape: [3, 5, 24] }],
      attributes: { prefix: Uint32Array.of(2, 1, 5), length: Uint32Array.of(5, 3, 5), heads: 2 },
    },
    {
      name: "bidirectional with one head",
      inputs: [{ shape: [1, 6, 12] }],
      attributes: { prefix: Uint32Array.of(6), length: Uint32Array.of(6), heads: 1 },
    },
  ],
  gatherRowsRule: [
    {
      name: "in another order, with a row of zeros",
      inputs: [{ shape: [2, 3, 5] }],
      attributes: { index: Int32Array.of(4, -1, 0, 5) },
    },
  ],
  pixelShuffleMergeRule: [
    { name: "2 x 2 of 4 x 4", inputs: [{ shape: [2, 16, 4] }], attributes: { factor: 2 } },
    { name: "3 x 3 of 3 x 3", inputs: [{ shape: [1, 9, 4] }], attributes: { factor: 3 } },
  ],
  unfoldRule: [
    {
      name: "3 x 3 windows two apart, with padding",
      inputs: [{ shape: [2, 5, 4, 3] }],
      attributes: { kernelSize: 3, stride: 2, padding: 1 },
    },
    {
      name: "2 x 2 windows over four channels, a column left out",
      inputs: [{ shape: [1, 4, 5, 4] }],
      attributes: { kernelSize: 2, stride: 2, padding: 0 },
    },
  ],
  unaryRule: unaryOps.map(unaryCase),
  binaryRule: binaryOps.map(binaryCase),
  chainRule: [
    {
      name: "of two results",
      inputs: [{ shape: [3, 7] }, { shape: [3, 7], values: caseValues(21, 2) }],
      attributes: {
        chain: buildChain(2, (x, y) => {
          const product = x.exp().multiply(y).subtract(x.gelu());
          return [product.square(), product.add(y).scale(0.5)];
        }),
      },
    },
    {
      name: "of the clipped surrogate",
      inputs: [{
        shape: [8],
        values: Float32Array.of(-0.6, -0.3, -0.15, -0.05, 0.05, 0.1, 0.3, 0.6),
      }, { shape: [8], values: Float32Array.of(1, -1, 0.5, -0.5, 1, -1, 0.5, -0.5) }],
      attributes: {
        chain: buildChain(2, (logRatio, advantage) => {
          const ratio = logRatio.exp();
          return [ratio.multiply(advantage).minimum(ratio.clamp(0.8, 1.2).multiply(advantage))];
        }),
      },
    },
  ],
  rowSumRule: [
    { name: "of (4,9)", inputs: [{ shape: [4, 9] }], attributes: undefined },
    { name: "of (2,3,1)", inputs: [{ shape: [2, 3, 1] }], attributes: undefined },
  ],
  sumRule: [
    { name: "of 300 elements", inputs: [{ shape: [3, 100] }], attributes: { scale: -0.25 } },
    { name: "of one element", inputs: [{ shape: [1] }], attributes: { scale: 3 } },
  ],
  reshapeRule: [{ name: "to (7,2,3)", inputs: [{ shape: [6, 7] }], attributes: { shape: [7, 2, 3] } }],
};

/** Softmax and layer normalisation bend more, so that differences are less exact. */
const TOLERANCES: Partial<Record<RuleName, number>> = { layernormRule: 2e-3, linearLogprobRule: 2e-3 };

function testOp<Name extends RuleName>(name: Name): void {
  const rule = table[name] as unknown as OpRule<readonly (Tensor | null)[], readonly Tensor[], unknown>;
  const own = (cases[name] ?? []) as readonly OpCase<readonly (Tensor | null)[], unknown>[];
  if (own.length === 0) throw new Error(`Cannot test ${rule.name}: it has no case, add one`);
  for (const opCase of own) {
    Deno.test({
      name: `the backward of ${rule.name} agrees with differences of its forward: ${opCase.name}`,
      ...onGpu,
      fn: async () => await requireGradients(await testGpu(), rule, opCase, TOLERANCES[name]),
    });
  }
}

const ruleNames = (Object.keys(table) as (keyof typeof table)[])
  .filter((name): name is RuleName => typeof table[name] === "object" && "backward" in table[name]);
for (const name of ruleNames) testOp(name);

Deno.test("each op has a name of its own, and its row exports the rule under it", () => {
  assertEquals(ruleNames, ruleNames.map((name) => `${table[name].name}Rule`));
  assertEquals(new Set(ruleNames).size, ruleNames.length);
});
