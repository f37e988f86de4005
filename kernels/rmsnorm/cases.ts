/** Shapes that test and time rmsnorm. */
import { type CaseArray, caseValues, type KernelCase } from "../case.ts";
import { rmsnorm, rmsnormBackward, rmsnormPartialsWords } from "./mod.ts";
import { rmsnormBackwardReference, rmsnormReference } from "./reference.ts";

const EPSILON = 1e-5;

const variantsFor = (C: number) => C % 4 === 0 ? ["naive", "texture", "workgroup"] : ["naive"];

function forward(R: number, C: number): KernelCase {
  const shape = { R, C, epsilon: EPSILON };
  return {
    kernel: "rmsnorm",
    name: `${R}x${C} forward`,
    variants: variantsFor(C),
    inputs: () => ({ X: caseValues(R * C, 1, 2), weight: caseValues(C, 2) }),
    outputs: { Y: R * C, rstd: R },
    launch: (gpu, { X, weight, Y, rstd }, variant) =>
      rmsnorm(gpu, { X, weight, Y, rstd }, { ...shape, variant }),
    reference: ({ X, weight }) => rmsnormReference({ X, weight }, shape),
    tolerance: 2e-6,
    flops: 4 * R * C,
    bytes: 8 * R * C + 4 * R + 4 * C,
  };
}

function backward(
  R: number,
  C: number,
  { isFrozen = false, accumulate = false }: { isFrozen?: boolean; accumulate?: boolean } = {},
): KernelCase {
  const shape = { R, C };
  const outputs: Record<string, number> = isFrozen ? { dX: R * C } : { dX: R * C, dWeight: C };
  return {
    kernel: "rmsnorm",
    name: `${R}x${C} backward${isFrozen ? " frozen" : ""}${accumulate ? " accumulate" : ""}`,
    variants: variantsFor(C),
    inputs: () => {
      const X = caseValues(R * C, 1, 2);
      const weight = caseValues(C, 2);
      const { rstd } = rmsnormReference({ X, weight }, { ...shape, epsilon: EPSILON });
      const gradients: Record<string, CaseArray> = isFrozen ? {} : { dWeight: caseValues(C, 5) };
      return {
        X,
        weight,
        rstd: Float32Array.from(rstd),
        dY: caseValues(R * C, 4),
        partials: new Float32Array(rmsnormPartialsWords(R, C)).fill(NaN),
        ...gradients,
        ...(accumulate ? { dX: caseValues(R * C, 7) } : {}),
      };
    },
    outputs,
    launch: (gpu, { X, weight, rstd, dY, dX, dWeight, partials }, variant) =>
      rmsnormBackward(gpu, { X, weight, rstd, dY, dX, dWeight, partials }, { ...shape, accumulate, variant }),
    reference: ({ X, weight, rstd, dY, dX, dWeight }) =>
      rmsnormBackwardReference({ X, weight, rstd, dY, dX, dWeight }, shape),
    tolerance: 1e-5,
    flops: (isFrozen ? 8 : 11) * R * C,
    bytes: ((isFrozen ? 12 : 20) + (accumulate ? 4 : 0)) * R * C + 4 * R + 4 * C,
  };
}

/** Forward and backward cases. */
export const cases: KernelCase[] = [
  forward(1, 1),
  forward(7, 5),
  forward(1, 4),
  forward(65, 36),
  forward(5, 1540),
  forward(300, 576),
  backward(7, 5),
  backward(9, 3, { isFrozen: true, accumulate: true }),
  backward(65, 36),
  backward(5, 1540, { accumulate: true }),
  backward(300, 576),
  backward(300, 576, { isFrozen: true, accumulate: true }),
];
