/**
 * Sums over rows, over columns and over everything, and the broadcast that is a row sum's gradient. f32 throughout,
 * always added in the same order.
 *
 * @module
 */
import {
  chooseVariant,
  flatGrid,
  type Gpu,
  MAX_ROUNDS,
  params,
  read,
  requireSizes,
  requireWords,
  roundUp,
  type Slice,
  texels,
  write,
} from "../gpu/mod.ts";
import columnSumSource from "./column_sum.wgsl" with { type: "text" };
import rowBroadcastSource from "./row_broadcast.wgsl" with { type: "text" };
import rowSumSource from "./row_sum.wgsl" with { type: "text" };
import sumPartialsSource from "./sum_partials.wgsl" with { type: "text" };
import sumTotalSource from "./sum_total.wgsl" with { type: "text" };

/** Rows and columns of a matrix. */
export interface MatrixShape {
  /** Rows; there may be none. */
  readonly R: number;
  /** Columns. */
  readonly C: number;
}

/**
 * Y[r] = sum over c of X[r,c]: X (R,C), Y (R).
 *
 * @throws {RangeError} when an operand is too short, or a row too long for a software adapter.
 */
export function rowSum(gpu: Gpu, { X, Y }: { X: Slice; Y: Slice }, { R, C }: MatrixShape): void {
  const action = `sum the rows of (${R},${C})`;
  requireSizes(action, { C }, { R });
  requireWords(action, [[X, R * C], [Y, R]]);
  const [vector, width] = valuesPerRow(C);
  if (gpu.isSoftware && width > MAX_ROUNDS) {
    throw new RangeError(
      `Cannot ${action}: on a software adapter C must be at most ${MAX_ROUNDS}, or ${
        4 * MAX_ROUNDS
      } in multiples of 4`,
    );
  }
  gpu.dispatch({
    kernel: { name: "reduce/row_sum", source: rowSumSource, constants: { VECTOR: vector } },
    bindings: [read(X), write(Y), params({ R, C: width })],
    workgroups: flatGrid(Math.ceil(R / 64)),
  });
}

/** Y[r,c] = X[r]: X (R), Y (R,C). The backward of {@linkcode rowSum} and, with one row, of {@linkcode sum}. */
export function rowBroadcast(gpu: Gpu, { X, Y }: { X: Slice; Y: Slice }, { R, C }: MatrixShape): void {
  const action = `broadcast to (${R},${C})`;
  requireSizes(action, { C }, { R });
  requireWords(action, [[X, R], [Y, R * C]]);
  const [vector, width] = valuesPerRow(C);
  gpu.dispatch({
    kernel: { name: "reduce/row_broadcast", source: rowBroadcastSource, constants: { VECTOR: vector } },
    bindings: [read(X), write(Y), params({ R, C: width })],
    workgroups: flatGrid(Math.ceil(R * width / 64)),
  });
}

/** What {@linkcode columnSum} reads and writes. */
export interface ColumnSumOperands {
  /** (R,C). */
  readonly X: Slice;
  /** (C), written, or added to. */
  readonly Y: Slice;
  /** Scratch, when {@linkcode columnSumPartialWords} wants it; without it one invocation adds a whole column. */
  readonly partials?: Slice;
}

/** Sizes and options of {@linkcode columnSum}. */
export interface ColumnSumShape extends MatrixShape {
  /** Adds to what Y holds instead of overwriting it. */
  readonly accumulate: boolean;
  /** `naive`, or `texture` if C is a multiple of 4. */
  readonly variant?: string;
}

/** Names of {@linkcode columnSum}'s implementations: `naive` takes every shape. */
export const columnSumVariants = ["naive", "texture"] as const;

/** Up to this many rows the few lanes that a software adapter has are occupied by the columns. */
const ONE_LAUNCH_ROWS = 8192;

/** Words of scratch with which {@linkcode columnSum} occupies the device; 0 if it does without. */
export function columnSumPartialWords(shape: MatrixShape, { isSoftware }: Pick<Gpu, "isSoftware">): number {
  return isSoftware && shape.R <= ONE_LAUNCH_ROWS ? 0 : chunkWords(shape);
}

function chunkWords({ R, C }: MatrixShape): number {
  const chunks = Math.ceil(R / chunkRows(R));
  return chunks > 1 ? chunks * C : 0;
}

/** About as many rows in a chunk as there are chunks, so that neither launch has long chains. */
function chunkRows(R: number): number {
  return roundUp(Math.max(32, Math.sqrt(R)), 4);
}

/**
 * Y[c] (+)= sum over r of X[r,c]: the gradient of a bias.
 *
 * @throws {RangeError} when an operand is too short, the variant cannot do the shape, or R is too large for a software
 * adapter without `partials`.
 */
export function columnSum(gpu: Gpu, { X, Y, partials }: ColumnSumOperands, shape: ColumnSumShape): void {
  const { R, C, accumulate } = shape;
  const action = `sum the columns of (${R},${C})`;
  requireSizes(action, { R, C });
  requireWords(action, [[X, R * C], [Y, C]]);
  const [vector, width] = valuesPerRow(C);
  const add = (from: Slice, to: Slice, rows: number, chunk: number, keep: boolean, texture: boolean) =>
    gpu.dispatch({
      kernel: {
        name: "reduce/column_sum",
        source: columnSumSource,
        constants: { VECTOR: vector, TEXTURE: texture },
      },
      bindings: [
        texture ? texels(from) : read(from),
        write(to),
        params({
          R: rows,
          C: width,
          chunk,
          accumulate: keep,
          base: texture ? from.offset / 4 : 0,
        }),
      ],
      workgroups: [Math.ceil(width / 8), Math.ceil(Math.ceil(rows / chunk) / 8)],
    });
  const variant = chooseVariant(gpu, {
    kernel: "reduce",
    action,
    software: ["texture", "naive"],
    hardware: ["naive"],
    variant: shape.variant,
    obstacle: (name) => name === "naive" || C % 4 === 0 ? null : `C is ${C}, it must be a multiple of 4`,
  });
  const texture = variant === "texture";
  const partialWords = chunkWords(shape);
  if (partials === undefined || partialWords === 0) {
    if (gpu.isSoftware && R > 4 * MAX_ROUNDS) {
      throw new RangeError(
        `Cannot ${action} without scratch: on a software adapter R must be at most ${
          4 * MAX_ROUNDS
        }, pass partials`,
      );
    }
    add(X, Y, R, R, accumulate, texture);
    return;
  }
  requireWords(action, [[partials, partialWords]]);
  add(X, partials, R, chunkRows(R), false, texture);
  add(partials, Y, partialWords / C, partialWords / C, accumulate, false);
}

/** What {@linkcode sum} reads and writes. */
export interface SumOperands {
  /** (n). */
  readonly X: Slice;
  /** (1), written. */
  readonly Y: Slice;
  /** Scratch of {@linkcode sumPartialWords}. */
  readonly partials: Slice;
}

/** Words of scratch for {@linkcode sum}. */
export function sumPartialWords({ n }: { n: number }): number {
  return 4 * sumLanes(n);
}

/** Invocations of the first launch: 32 vec4s each, within what one workgroup can then add. */
function sumLanes(n: number): number {
  return Math.min(65536, roundUp(Math.max(1, n / 128), 64));
}

/** Y[0] = scale * (sum of all n words of X), in strided partial sums and a tree. The scale is interned. */
export function sum(
  gpu: Gpu,
  { X, Y, partials }: SumOperands,
  { n, scale }: { n: number; scale: number },
): void {
  const action = `sum ${n} words`;
  requireSizes(action, { n });
  const lanes = sumLanes(n);
  requireWords(action, [[X, n], [Y, 1], [partials, 4 * lanes]]);
  gpu.dispatch({
    kernel: { name: "reduce/sum_partials", source: sumPartialsSource, constants: {} },
    bindings: [read(X), write(partials), params({ n, L: lanes })],
    workgroups: [lanes / 64],
  });
  gpu.dispatch({
    kernel: { name: "reduce/sum_total", source: sumTotalSource, constants: {} },
    bindings: [read(partials), write(Y), params({ L: lanes, scale })],
    workgroups: [1],
  });
}

/** Whether rows are read as vec4s, and how many values a row then has. */
function valuesPerRow(C: number): [vector: boolean, width: number] {
  return C % 4 === 0 ? [true, C / 4] : [false, C];
}
