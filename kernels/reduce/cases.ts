/**
 * Shapes for the reductions.
 *
 * @module
 */
import { caseValues, type KernelCase } from "../case.ts";
import {
  columnSum,
  columnSumPartialWords,
  columnSumVariants,
  rowBroadcast,
  rowSum,
  sum,
  sumPartialWords,
} from "./mod.ts";
import { columnSumReference, rowBroadcastReference, rowSumReference, sumReference } from "./reference.ts";

function rowSumCase(R: number, C: number): KernelCase {
  return {
    kernel: "reduce",
    name: `row sum of ${R}x${C}`,
    variants: ["naive"],
    inputs: () => ({ X: caseValues(R * C, 1) }),
    outputs: { Y: R },
    launch: (gpu, { X, Y }) => rowSum(gpu, { X, Y }, { R, C }),
    reference: ({ X }) => ({ Y: rowSumReference(X, { R, C }) }),
    tolerance: 1e-5,
    flops: R * C,
    bytes: 4 * (R * C + R),
  };
}

function rowBroadcastCase(R: number, C: number): KernelCase {
  return {
    kernel: "reduce",
    name: `row broadcast to ${R}x${C}`,
    variants: ["naive"],
    inputs: () => ({ X: caseValues(R, 1) }),
    outputs: { Y: R * C },
    launch: (gpu, { X, Y }) => rowBroadcast(gpu, { X, Y }, { R, C }),
    reference: ({ X }) => ({ Y: rowBroadcastReference(X, { R, C }) }),
    tolerance: 0,
    flops: 0,
    bytes: 4 * (R * C + R),
  };
}

function columnSumCase(R: number, C: number, accumulate: boolean, hasPartials = true): KernelCase {
  const partialWords = hasPartials ? columnSumPartialWords({ R, C }, { isSoftware: false }) : 0;
  return {
    kernel: "reduce",
    name: `column sum of ${R}x${C}${accumulate ? ", accumulated" : ""}${hasPartials ? "" : ", no scratch"}`,
    variants: C % 4 === 0 ? columnSumVariants : ["naive"],
    inputs: () => ({
      X: caseValues(R * C, 1),
      ...(partialWords > 0 ? { partials: new Float32Array(partialWords).fill(NaN) } : {}),
      ...(accumulate ? { Y: caseValues(C, 2) } : {} as Record<string, Float32Array>),
    }),
    outputs: { Y: C },
    launch: (gpu, { X, Y, partials }, variant) =>
      columnSum(gpu, { X, Y, partials }, { R, C, accumulate, variant }),
    reference: ({ X, Y }) => ({ Y: columnSumReference(X, Y, { R, C }) }),
    tolerance: 2e-5,
    flops: R * C,
    bytes: 4 * (R * C + 2 * partialWords + (accumulate ? 2 : 1) * C),
  };
}

function sumCase(n: number, scale: number): KernelCase {
  const partialWords = sumPartialWords({ n });
  return {
    kernel: "reduce",
    name: `sum of ${n}`,
    variants: ["naive"],
    inputs: () => ({ X: caseValues(n, 1), partials: new Float32Array(partialWords).fill(NaN) }),
    outputs: { Y: 1 },
    launch: (gpu, { X, Y, partials }) => sum(gpu, { X, Y, partials }, { n, scale }),
    reference: ({ X }) => ({ Y: [scale * sumReference(X)] }),
    tolerance: 1e-5,
    flops: n,
    bytes: 4 * (n + 2 * partialWords),
  };
}

/** Ragged, single and typical shapes of every reduction. */
export const cases: KernelCase[] = [
  rowSumCase(1, 1),
  rowSumCase(67, 13),
  rowSumCase(130, 36),
  rowSumCase(2304, 96),
  rowBroadcastCase(1, 1),
  // More workgroups than a dimension holds.
  rowBroadcastCase(1, 64 * 65535 + 67),
  rowBroadcastCase(67, 13),
  rowBroadcastCase(2304, 96),
  columnSumCase(1, 1, false),
  columnSumCase(3, 5, true),
  columnSumCase(301, 13, true),
  columnSumCase(301, 44, false),
  columnSumCase(301, 44, true, false),
  columnSumCase(2304, 96, true),
  columnSumCase(4096, 64, true),
  columnSumCase(2304, 384, true),
  sumCase(1, 1),
  sumCase(67, 0.5),
  sumCase(8191, -2),
  sumCase(524_289, 0.125),
];
