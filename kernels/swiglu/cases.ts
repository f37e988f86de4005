/** Shapes that test and time SwiGLU. */
import { caseValues, type KernelCase } from "../case.ts";
import { swiglu, swigluBackward } from "./mod.ts";
import { swigluReference } from "./reference.ts";

const variantsOf = (I: number) => I % 4 === 0 ? ["naive", "vec4"] : ["naive"];

/** Some values that exponentials of both signs overflow at. */
const wide = (length: number, seed: number) =>
  caseValues(length, seed, 8).map((value, i) => i % 17 === 0 ? 25 * value : value);

function forward(R: number, I: number): KernelCase {
  return {
    kernel: "swiglu",
    name: `${R}x${I} forward`,
    variants: variantsOf(I),
    inputs: () => ({ X: wide(2 * R * I, 1) }),
    outputs: { Y: R * I },
    launch: (gpu, { X, Y }, variant) => swiglu(gpu, { X, Y }, { R, I, variant }),
    reference: ({ X }) => ({ Y: swigluReference({ X }, { R, I }).Y }),
    tolerance: 3e-6,
    flops: 6 * R * I,
    bytes: 12 * R * I,
  };
}

function backward(R: number, I: number): KernelCase {
  return {
    kernel: "swiglu",
    name: `${R}x${I} backward`,
    variants: variantsOf(I),
    inputs: () => ({ X: wide(2 * R * I, 1), dY: caseValues(R * I, 2) }),
    outputs: { dX: 2 * R * I },
    launch: (gpu, { X, dY, dX }, variant) => swigluBackward(gpu, { X, dY, dX }, { R, I, variant }),
    reference: ({ X, dY }) => ({ dX: swigluReference({ X, dY }, { R, I }).dX }),
    tolerance: 3e-6,
    flops: 12 * R * I,
    bytes: 20 * R * I,
  };
}

/** Forward and backward cases. */
export const cases: KernelCase[] = [
  forward(1, 1),
  forward(5, 7),
  forward(65, 36),
  backward(1, 3),
  backward(5, 7),
  backward(65, 36),
];
