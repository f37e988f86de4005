/** Shapes that test and time columns. */
import { caseValues, type KernelCase } from "../case.ts";
import { addColumns, cutColumns } from "./mod.ts";
import { addColumnsReference, cutColumnsReference } from "./reference.ts";

function both(R: number, C: number, N: number, column: number, scale: number): KernelCase[] {
  const shape = { R, C, N, column, scale };
  const variants = [C, N, column].every((size) => size % 4 === 0) ? ["naive", "vec4"] : ["naive"];
  const name = `${N} columns at ${column} of ${R}x${C}`;
  return [{
    kernel: "columns",
    name: `add ${name}`,
    variants,
    inputs: () => ({ X: caseValues(R * C, 1), Z: caseValues(R * N, 2) }),
    outputs: { Y: R * C },
    launch: (gpu, { X, Z, Y }, variant) => addColumns(gpu, { X, Z, Y }, { ...shape, variant }),
    reference: ({ X, Z }) => addColumnsReference({ X, Z }, shape),
    tolerance: 1e-6,
    flops: 2 * R * N,
    bytes: 8 * R * C + 4 * R * N,
  }, {
    kernel: "columns",
    name: `add in place ${name}`,
    variants,
    inputs: () => ({ Y: caseValues(R * C, 1), Z: caseValues(R * N, 2) }),
    outputs: { Y: R * C },
    launch: (gpu, { Z, Y }, variant) => addColumns(gpu, { Z, Y }, { ...shape, variant }),
    reference: ({ Y, Z }) => addColumnsReference({ X: Y, Z }, shape),
    tolerance: 1e-6,
    flops: 2 * R * N,
    bytes: 12 * R * N,
  }, {
    kernel: "columns",
    name: `cut ${name}`,
    variants,
    inputs: () => ({ Y: caseValues(R * C, 1) }),
    outputs: { Z: R * N },
    launch: (gpu, { Y, Z }, variant) => cutColumns(gpu, { Y, Z }, { ...shape, variant }),
    reference: ({ Y }) => cutColumnsReference({ Y }, shape),
    tolerance: 1e-6,
    flops: R * N,
    bytes: 8 * R * N,
  }];
}

/** Ragged and whole shapes of both. */
export const cases: KernelCase[] = [
  ...both(1, 1, 1, 0, 1),
  ...both(7, 11, 5, 6, 2),
  ...both(70, 80, 16, 64, 0.5),
];
