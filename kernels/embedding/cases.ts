/**
 * Shapes for the embedding kernels.
 *
 * @module
 */
import { caseValues, type KernelCase } from "../case.ts";
import { bucketRows, embed, embedRows, gatherRows, sumRows, sumRowsVariants } from "./mod.ts";
import { embedReference, embedRowsReference, gatherRowsReference, sumRowsReference } from "./reference.ts";

/** Reproducible integers in [from, to). */
function caseIndices(length: number, seed: number, from: number, to: number): Int32Array {
  return Int32Array.from(caseValues(length, seed), (x) => from + Math.floor(((x + 1) / 2) * (to - from)));
}

function embedCase(N: number, C: number, V: number, imageRows: number): KernelCase {
  const T = 36;
  return {
    kernel: "embedding",
    name: `embed ${N}x${C} from ${V} tokens and ${imageRows} image rows`,
    variants: ["naive"],
    inputs: () => ({
      sources: caseIndices(N, 1, -imageRows, V),
      positions: caseIndices(N, 2, 0, T),
      tokenTable: caseValues(V * C, 3),
      positionTable: caseValues(T * C, 4),
      imageTokens: caseValues(Math.max(1, imageRows * C), 5),
    }),
    outputs: { Y: N * C },
    launch: (gpu, { sources, positions, tokenTable, positionTable, imageTokens, Y }) =>
      embed(
        gpu,
        {
          sources,
          positions,
          tokenTable,
          positionTable,
          imageTokens: imageRows > 0 ? imageTokens : gpu.placeholder,
          Y,
        },
        { N, C },
      ),
    reference: (inputs) => ({ Y: embedReference(inputs, { N, C }) }),
    tolerance: 1e-6,
    flops: N * C,
    bytes: 4 * (3 * N * C + 2 * N),
  };
}

/** Reads of a table of `V` rows of which `[row0, row0 + rows)` are at hand. */
function embedRowsCase(
  [N, C, V]: readonly [N: number, C: number, V: number],
  [row0, rows]: readonly [row0: number, rows: number],
  imageRows: number,
): KernelCase {
  const shape = { N, C, row0, rows };
  const hasImages = imageRows > 0;
  return {
    kernel: "embedding",
    name: `embed ${N}x${C} from rows ${row0} to ${row0 + rows - 1} of ${V} and ${imageRows} image rows`,
    variants: ["naive"],
    inputs: () => ({
      sources: caseIndices(N, 1, -Math.max(1, imageRows), V),
      table: caseValues(rows * C, 2),
      imageTokens: caseValues(Math.max(1, imageRows) * C, 3),
      Y: caseValues(N * C, 4),
    }),
    outputs: { Y: N * C },
    launch: (gpu, { sources, table, imageTokens, Y }) =>
      embedRows(gpu, { sources, table, ...(hasImages ? { imageTokens } : {}), Y }, shape),
    reference: (inputs) => ({ Y: embedRowsReference(inputs, { ...shape, hasImages }) }),
    tolerance: 0,
    flops: 0,
    bytes: 4 * (2 * N * C + N),
  };
}

function gatherCase(rows: number, C: number, N: number): KernelCase {
  return {
    kernel: "embedding",
    name: `gather ${rows} of ${N} rows of ${C}`,
    variants: ["naive"],
    inputs: () => ({ X: caseValues(N * C, 1), index: caseIndices(rows, 2, -1, N) }),
    outputs: { Y: rows * C },
    launch: (gpu, { X, index, Y }) => gatherRows(gpu, { X, index, Y }, { rows, C }),
    reference: (inputs) => ({ Y: gatherRowsReference(inputs, { rows, C }) }),
    tolerance: 0,
    flops: 0,
    bytes: 4 * (2 * rows * C + rows),
  };
}

function sumCase(N: number, C: number, rows: number, accumulate: boolean, isNamed = false): KernelCase {
  return {
    kernel: "embedding",
    name: `backward of ${N} reads of a ${rows}x${C} table${accumulate ? ", accumulated" : ""}${
      isNamed ? ", rows by name" : ""
    }`,
    variants: C % 4 === 0 ? sumRowsVariants : ["naive"],
    inputs: () => {
      const index = caseIndices(N, 1, -1, rows);
      const dTable: Record<string, Float32Array> = accumulate ? { dTable: caseValues(rows * C, 3) } : {};
      const { starts, items, named } = bucketRows(index, rows);
      // With numbers behind that name no row.
      const list = isNamed && { named: Uint32Array.of(...named, rows, 2 ** 32 - 1) };
      return { index, starts, items, ...list, dY: caseValues(N * C, 2), ...dTable };
    },
    outputs: { dTable: rows * C },
    launch: (gpu, { dY, starts, items, dTable, named }, variant) =>
      sumRows(gpu, { dY, starts, items, dTable, named }, { rows, C, accumulate, variant }),
    reference: (inputs) => ({ dTable: sumRowsReference(inputs, { rows, C, accumulate }) }),
    tolerance: 1e-5,
    flops: N * C,
    bytes: 4 * (N * C + (accumulate ? 2 : 1) * rows * C + N),
  };
}

/** Ragged, single and typical shapes of every embedding kernel. */
export const cases: KernelCase[] = [
  embedCase(1, 1, 1, 0),
  embedCase(17, 13, 5, 3),
  embedCase(37, 20, 9, 0),
  embedCase(2304, 96, 96, 1024),
  embedRowsCase([1, 1, 1], [0, 1], 0),
  embedRowsCase([37, 13, 9], [0, 9], 3),
  embedRowsCase([37, 20, 9], [0, 5], 4),
  embedRowsCase([37, 20, 9], [5, 4], 0),
  embedRowsCase([29, 7, 11], [3, 6], 0),
  gatherCase(1, 1, 1),
  gatherCase(11, 6, 5),
  gatherCase(896, 96, 2304),
  sumCase(1, 1, 1, false),
  sumCase(29, 7, 5, true),
  sumCase(33, 12, 50, false),
  sumCase(33, 12, 50, true),
  sumCase(2304, 96, 96, true),
  sumCase(29, 7, 90, true, true),
  sumCase(33, 12, 500, true, true),
];
