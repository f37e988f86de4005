/**
 * Shapes for the elementwise kernels.
 *
 * @module
 */
import { caseValues, type KernelCase } from "../case.ts";
import {
  addInPlace,
  binary,
  binaryBackward,
  type BinaryOp,
  binaryOps,
  unary,
  unaryBackward,
  type UnaryOp,
  unaryOps,
} from "./mod.ts";
import { binaryReference, unaryReference } from "./reference.ts";

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
    reference: ({ X }) => ({ Y: Float64Array.from(X, (x) => unaryReference[op](x, a, b)[0]) }),
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
      dX: Float64Array.from(X, (x, i) => dY[i] * unaryReference[op](x, a, b)[1]),
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
    reference: ({ A, B }) => ({ Y: Float64Array.from(A, (a, i) => binaryReference[op](a, B[i])[0]) }),
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
          return [name, Float64Array.from(A, (a, i) => dY[i] * binaryReference[op](a, B[i])[side])];
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
];
