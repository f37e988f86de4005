/**
 * Shapes for the elementwise kernels.
 *
 * @module
 */
import { caseValues, type KernelCase } from "../case.ts";
import {
  addInPlace,
  applyChain,
  binary,
  binaryBackward,
  type BinaryOp,
  binaryOps,
  buildChain,
  type Chain,
  chainBackward,
  unary,
  unaryBackward,
  type UnaryOp,
  unaryOps,
} from "./mod.ts";
import { binaryReference, chainReference, unaryReference } from "./reference.ts";

/** Bounds, factor or summand of the ops that take scalars; exact in f32. */
const SCALARS: Partial<Record<UnaryOp, readonly [a: number, b: number]>> = {
  scale: [-1.75, 0],
  shift: [0.625, 0],
  clamp: [-0.5, 1.25],
};

/** Values that meet the kinks of every op: bounds of clamp, zero for relu, large magnitudes for gelu. */
function operand(n: number, seed: number, positive = false): Float32Array {
  const values = caseValues(n, seed, 3);
  if (n > 8) values.set([0, -0.5, 1.25, -30, 30, 1, -1], 0);
  return positive ? values.map((x) => Math.abs(x) + 0.125) : values;
}

/** Y = f(X) of `n` elements. */
export function unaryCase(op: UnaryOp, n: number): KernelCase {
  const [a, b] = SCALARS[op] ?? [0, 0];
  return {
    kernel: "elementwise",
    name: `${op} of ${n}`,
    variants: ["naive"],
    inputs: () => ({ X: op === "exp" ? caseValues(n, 1, 3) : operand(n, 1, op === "log") }),
    outputs: { Y: n },
    launch: (gpu, { X, Y }) => unary(gpu, { X, Y }, { op, n, a, b }),
    reference: ({ X }) => ({ Y: new Float64Array(X).map((x) => unaryReference[op](x, a, b)[0]) }),
    tolerance: 2e-6,
    flops: n,
    bytes: 8 * n,
  };
}

function unaryBackwardCase(op: UnaryOp, n: number): KernelCase {
  const [a, b] = SCALARS[op] ?? [0, 0];
  return {
    kernel: "elementwise",
    name: `${op} backward of ${n}`,
    variants: ["naive"],
    inputs: () => ({
      X: op === "exp" ? caseValues(n, 1, 3) : operand(n, 1, op === "log"),
      dY: caseValues(n, 2),
    }),
    outputs: { dX: n },
    launch: (gpu, { X, dY, dX }) => unaryBackward(gpu, { X, dY, dX }, { op, n, a, b }),
    reference: ({ X, dY }) => ({
      dX: new Float64Array(X).map((x, i) => dY[i] * unaryReference[op](x, a, b)[1]),
    }),
    tolerance: 2e-6,
    flops: 2 * n,
    bytes: 12 * n,
  };
}

/** Pairs with ties, which minimum and maximum must give to A. */
function pair(n: number): { A: Float32Array; B: Float32Array } {
  const A = caseValues(n, 1);
  const B = caseValues(n, 2);
  for (let i = 0; i < n; i += 5) B[i] = A[i];
  return { A, B };
}

/** Y = f(A, B) of `n` elements. */
export function binaryCase(op: BinaryOp, n: number): KernelCase {
  return {
    kernel: "elementwise",
    name: `${op} of ${n}`,
    variants: ["naive"],
    inputs: () => pair(n),
    outputs: { Y: n },
    launch: (gpu, { A, B, Y }) => binary(gpu, { A, B, Y }, { op, n }),
    reference: ({ A, B }) => ({ Y: new Float64Array(A).map((a, i) => binaryReference[op](a, B[i])[0]) }),
    tolerance: 1e-6,
    flops: n,
    bytes: 12 * n,
  };
}

function binaryBackwardCase(op: BinaryOp, n: number, wanted: readonly ("dA" | "dB")[]): KernelCase {
  return {
    kernel: "elementwise",
    name: `${op} backward of ${n} for ${wanted.join(" and ")}`,
    variants: ["naive"],
    inputs: () => ({ ...pair(n), dY: caseValues(n, 3) }),
    outputs: Object.fromEntries(wanted.map((name) => [name, n])),
    launch: (gpu, { A, B, dY, dA, dB }) => binaryBackward(gpu, { A, B, dY, dA, dB }, { op, n }),
    reference: ({ A, B, dY }) =>
      Object.fromEntries(
        wanted.map((name) => {
          const side = name === "dA" ? 1 : 2;
          return [name, new Float64Array(A).map((a, i) => dY[i] * binaryReference[op](a, B[i])[side])];
        }),
      ),
    tolerance: 1e-6,
    flops: wanted.length * n,
    bytes: 4 * n * wanted.length * (op === "minimum" || op === "maximum" ? 4 : op === "multiply" ? 3 : 2),
  };
}

function addInPlaceCase(n: number): KernelCase {
  return {
    kernel: "elementwise",
    name: `add in place of ${n}`,
    variants: ["naive"],
    inputs: () => ({ X: caseValues(n, 1), Y: caseValues(n, 2) }),
    outputs: { Y: n },
    launch: (gpu, { X, Y }) => addInPlace(gpu, { X, Y }, { n }),
    reference: ({ X, Y }) => ({ Y: Float64Array.from(Y, (y, i) => y + X[i]) }),
    tolerance: 1e-6,
    flops: n,
    bytes: 12 * n,
  };
}

/** PPO's clipped surrogate of new and old log-probabilities and advantages, and the log ratio. */
const surrogate = buildChain(3, (logPi, old, advantage) => {
  const logRatio = logPi.subtract(old);
  const ratio = logRatio.clamp(-2, 2).exp();
  return [ratio.multiply(advantage).minimum(ratio.clamp(0.8, 1.2).multiply(advantage)), logRatio];
});
/** Every op once at least, and values that several steps take. */
const everything = buildChain(2, (x, y) => {
  const gated = x.gelu().add(y.relu()).maximum(x.negate());
  const bounded = y.clamp(-0.5, 1.25).scale(-1.75).shift(0.625);
  return [
    gated.multiply(bounded).minimum(x.square()),
    x.square().shift(1).log().subtract(y.clamp(-1, 1).exp()),
  ];
});

function chainOperands({ inputs }: Chain, n: number): Record<string, Float32Array> {
  return Object.fromEntries(Array.from({ length: inputs }, (_, i) => [`X${i}`, operand(n, i + 1)]));
}

/** The operands of one kind, in their order. */
const named = <Value>(operands: Readonly<Record<string, Value>>, name: string) =>
  Object.keys(operands).filter((key) => key.replace(/\d+$/, "") === name).map((key) => operands[key]);

function chainCase(name: string, chain: Chain, n: number): KernelCase {
  return {
    kernel: "elementwise",
    name: `${name} of ${n}`,
    variants: ["naive"],
    inputs: () => chainOperands(chain, n),
    outputs: Object.fromEntries(chain.results.map((_, j) => [`Y${j}`, n])),
    launch: (gpu, operands) =>
      applyChain(gpu, chain, { X: named(operands, "X"), Y: named(operands, "Y") }, { n }),
    reference: (inputs) => {
      const rows = Array.from(
        { length: n },
        (_, i) => chainReference(chain, named(inputs, "X").map((values) => values[i])).values,
      );
      return Object.fromEntries(chain.results.map((number, j) => [`Y${j}`, rows.map((row) => row[number])]));
    },
    tolerance: 2e-6,
    flops: chain.steps.length * n,
    bytes: 4 * (chain.inputs + chain.results.length) * n,
  };
}

/** Without the gradient of the last result if `isPartial`, and then of the first input alone. */
function chainBackwardCase(name: string, chain: Chain, n: number, isPartial: boolean): KernelCase {
  const given = chain.results.slice(0, isPartial ? -1 : undefined);
  const wanted = isPartial ? 1 : chain.inputs;
  return {
    kernel: "elementwise",
    name: `${name} backward of ${n}${isPartial ? ", in part" : ""}`,
    variants: ["naive"],
    inputs: () => ({
      ...chainOperands(chain, n),
      ...Object.fromEntries(given.map((_, j) => [`dY${j}`, caseValues(n, 7 + j)])),
    }),
    outputs: Object.fromEntries(Array.from({ length: wanted }, (_, i) => [`dX${i}`, n])),
    launch: (gpu, operands) =>
      chainBackward(gpu, chain, {
        X: named(operands, "X"),
        dY: padded(named(operands, "dY"), chain.results.length, null),
        dX: padded(named(operands, "dX"), chain.inputs, null),
      }, { n }),
    reference: (inputs) => {
      const at = (name: string, i: number) => named(inputs, name).map((values) => values[i]);
      const rows = Array.from({ length: n }, (_, i) => {
        const dResults = padded(at("dY", i), chain.results.length, 0);
        return chainReference(chain, at("X", i), dResults).gradients;
      });
      return Object.fromEntries(
        Array.from({ length: wanted }, (_, x) => [`dX${x}`, rows.map((row) => row[x + 1])]),
      );
    },
    tolerance: 5e-6,
    flops: 3 * chain.steps.length * n,
    bytes: 4 * (chain.inputs + given.length + wanted) * n,
  };
}

/** `values`, then `filler`, `count` in all. */
const padded = <Value, Filler>(values: readonly Value[], count: number, filler: Filler) =>
  Array.from({ length: count }, (_, i): Value | Filler => values[i] ?? filler);

/** Every op at a ragged size; one op of each kernel at size 1 and at the activations of a batch of 64. */
export const cases: KernelCase[] = [
  ...unaryOps.flatMap((op) => [unaryCase(op, 1027), unaryBackwardCase(op, 1027)]),
  unaryCase("copy", 1),
  unaryBackwardCase("relu", 1),
  unaryCase("gelu", 2304 * 384),
  unaryBackwardCase("gelu", 2304 * 384),
  ...binaryOps.flatMap((op) => [binaryCase(op, 1027), binaryBackwardCase(op, 1027, ["dA", "dB"])]),
  binaryCase("add", 1),
  binaryBackwardCase("minimum", 3, ["dA"]),
  binaryBackwardCase("maximum", 2, ["dB"]),
  binaryCase("add", 2304 * 96),
  addInPlaceCase(1),
  addInPlaceCase(1027),
  addInPlaceCase(2304 * 384),
  ...[64, 27].flatMap((n) => [
    chainCase("clipped surrogate", surrogate, n),
    chainBackwardCase("clipped surrogate", surrogate, n, true),
    chainCase("every op in a chain", everything, n),
    chainBackwardCase("every op in a chain", everything, n, false),
  ]),
  chainCase("clipped surrogate", surrogate, 2304 * 96),
  chainBackwardCase("clipped surrogate", surrogate, 4099, false),
];
