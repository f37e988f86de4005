/** Shapes that test and time rotary embedding. */
import { caseValues, type KernelCase } from "../case.ts";
import { rotary, rotaryTable } from "./mod.ts";
import { rotaryReference } from "./reference.ts";

const POSITIONS = 9000;

function turn(
  [R, heads, rotated, D]: readonly [R: number, heads: number, rotated: number, D: number],
  { theta = 10_000, inverse = false }: { theta?: number; inverse?: boolean } = {},
): KernelCase {
  const shape = { R, heads, rotated, D, inverse };
  return {
    kernel: "rotary",
    name: `R${R} ${rotated} of ${heads} heads D${D} theta ${theta}${inverse ? " inverse" : ""}`,
    variants: D % 8 === 0 ? ["naive", "vec4"] : ["naive"],
    inputs: () => ({
      X: caseValues(R * heads * D, 1, 2),
      // Near the origin and far out.
      positions: Uint32Array.from({ length: R }, (_, r) => r % 2 === 0 ? r : POSITIONS - 1 - r),
      table: rotaryTable({ positions: POSITIONS, D, theta }),
    }),
    outputs: { Y: R * heads * D },
    launch: (gpu, { X, positions, table, Y }, variant) =>
      rotary(gpu, { X, positions, table, Y }, { ...shape, variant }),
    reference: ({ X, positions }) => rotaryReference({ X, positions }, { ...shape, theta }),
    tolerance: 3e-7,
    flops: 6 * R * rotated * D / 2,
    bytes: 8 * R * heads * D + 4 * R * D,
  };
}

/** Both directions. */
export const cases: KernelCase[] = [
  turn([1, 1, 1, 2]),
  turn([13, 5, 4, 6]),
  turn([130, 10, 8, 8], { theta: 100_000 }),
  turn([19, 10, 8, 8], { inverse: true }),
  turn([33, 5, 4, 64], { theta: 100_000, inverse: true }),
];
