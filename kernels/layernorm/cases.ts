/** Shapes that test and time layernorm. */
import { type CaseArray, caseValues, type KernelCase } from "../case.ts";
import { layernorm, layernormBackward, layernormPartialsWords } from "./mod.ts";
import { layernormBackwardReference, layernormReference } from "./reference.ts";

const EPSILON = 1e-5;

function variantsFor(C: number, ...forwardOnly: string[]): string[] {
  if (C % 4 !== 0) return ["naive"];
  return ["naive", ...(C <= 256 ? ["rows"] : []), ...forwardOnly, "workgroup"];
}

/** Values with a mean well off zero, as a residual stream has. */
const rowsWithOffset = (length: number, seed: number) =>
  caseValues(length, seed, 2).map((value) => value + 3);

function forward(R: number, C: number): KernelCase {
  const shape = { R, C, epsilon: EPSILON };
  return {
    kernel: "layernorm",
    name: `${R}x${C} forward`,
    variants: variantsFor(C, "texture"),
    inputs: () => ({ X: rowsWithOffset(R * C, 1), weight: caseValues(C, 2), bias: caseValues(C, 3) }),
    outputs: { Y: R * C, mean: R, rstd: R },
    launch: (gpu, { X, weight, bias, Y, mean, rstd }, variant) =>
      layernorm(gpu, { X, weight, bias, Y, mean, rstd }, { ...shape, variant }),
    reference: ({ X, weight, bias }) => layernormReference({ X, weight, bias }, shape),
    tolerance: 1e-5,
    flops: 8 * R * C,
    bytes: 8 * R * C + 8 * R + 8 * C,
  };
}

function backward(
  R: number,
  C: number,
  { isFrozen = false, accumulate = false }: { isFrozen?: boolean; accumulate?: boolean } = {},
): KernelCase {
  const shape = { R, C };
  const parameterOutputs: Record<string, number> = isFrozen ? {} : { dWeight: C, dBias: C };
  return {
    kernel: "layernorm",
    name: `${R}x${C} backward${isFrozen ? " frozen" : ""}${accumulate ? " accumulate" : ""}`,
    variants: variantsFor(C),
    inputs: () => {
      const X = rowsWithOffset(R * C, 1);
      const weight = caseValues(C, 2);
      const { mean, rstd } = layernormReference({ X, weight, bias: new Float32Array(C) }, {
        ...shape,
        epsilon: EPSILON,
      });
      const gradients: Record<string, CaseArray> = isFrozen
        ? {}
        : { dWeight: caseValues(C, 5), dBias: caseValues(C, 6) };
      return {
        X,
        weight,
        mean: Float32Array.from(mean),
        rstd: Float32Array.from(rstd),
        dY: caseValues(R * C, 4),
        partials: new Float32Array(layernormPartialsWords(R, C)).fill(NaN),
        ...gradients,
        ...(accumulate ? { dX: caseValues(R * C, 7) } : {}),
      };
    },
    outputs: { dX: R * C, ...parameterOutputs },
    launch: (gpu, { X, weight, mean, rstd, dY, dX, dWeight, dBias, partials }, variant) =>
      layernormBackward(gpu, { X, weight, mean, rstd, dY, dX, dWeight, dBias, partials }, {
        ...shape,
        accumulate,
        variant,
      }),
    reference: ({ X, weight, mean, rstd, dY, dX, dWeight, dBias }) =>
      layernormBackwardReference({ X, weight, mean, rstd, dY, dX, dWeight, dBias }, shape),
    tolerance: 1e-5,
    flops: (isFrozen ? 12 : 17) * R * C,
    bytes: ((isFrozen ? 12 : 20) + (accumulate ? 4 : 0)) * R * C + 8 * R + 4 * C,
  };
}

const SHAPES: readonly (readonly [R: number, C: number])[] = [
  [1, 1],
  [1, 4],
  [7, 5],
  [65, 33],
  [130, 36],
  [19, 260],
  [5, 1540],
  [33, 4096],
  [500, 64],
  [600, 128],
  [2304, 96],
];

export const cases: KernelCase[] = [
  ...SHAPES.map(([R, C]) => forward(R, C)),
  ...SHAPES.map(([R, C]) => backward(R, C)),
  backward(67, 96, { isFrozen: true }),
  backward(9, 3, { isFrozen: true }),
  backward(130, 36, { accumulate: true }),
  backward(19, 260, { accumulate: true }),
  backward(65, 33, { accumulate: true }),
  backward(67, 96, { isFrozen: true, accumulate: true }),
];
