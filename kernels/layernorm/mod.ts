/**
 * Layer normalization over the last dimension, forward and backward.
 *
 * @module
 */
import { environment, type Gpu, params, read, type Slice, write } from "../gpu/mod.ts";
import backwardNaiveSource from "./backward_naive.wgsl" with { type: "text" };
import backwardRowsSource from "./backward_rows.wgsl" with { type: "text" };
import columnPartialsSource from "./column_partials.wgsl" with { type: "text" };
import columnSumSource from "./column_sum.wgsl" with { type: "text" };
import naiveSource from "./naive.wgsl" with { type: "text" };
import rowsSource from "./rows.wgsl" with { type: "text" };

/** Rows R of C values; a row is normalized over its C values. */
export interface LayernormShape {
  readonly R: number;
  readonly C: number;
  /** Added to the variance. */
  readonly epsilon: number;
  /** `naive` or `rows` (C a multiple of 4, at most 256); by shape when absent. */
  readonly variant?: string;
}

/** Operands of {@linkcode layernorm}: X, Y (R,C); weight, bias (C); mean, rstd (R). */
export interface LayernormOperands {
  readonly X: Slice;
  readonly weight: Slice;
  readonly bias: Slice;
  /** Written. */
  readonly Y: Slice;
  /** Written: mean of each row. */
  readonly mean: Slice;
  /** Written: reciprocal standard deviation of each row. */
  readonly rstd: Slice;
}

/** Operands of {@linkcode layernormBackward}: X, dY, dX (R,C); weight, dWeight, dBias (C); mean, rstd (R). */
export interface LayernormBackwardOperands {
  readonly X: Slice;
  readonly weight: Slice;
  readonly mean: Slice;
  readonly rstd: Slice;
  readonly dY: Slice;
  /** Written. */
  readonly dX: Slice;
  /** Accumulated into; absent together with `dBias` when the parameters are frozen. */
  readonly dWeight?: Slice;
  /** Accumulated into; absent together with `dWeight` when the parameters are frozen. */
  readonly dBias?: Slice;
  /** Scratch of {@linkcode layernormPartialsWords} words; not touched when the parameters are frozen. */
  readonly partials: Slice;
}

/** Rows that one invocation of the column-partials pass adds up. */
const BLOCK_ROWS = 64;

/** Words of scratch that {@linkcode layernormBackward} needs. */
export function layernormPartialsWords(R: number, C: number): number {
  return 2 * Math.ceil(R / BLOCK_ROWS) * C;
}

/**
 * Y = weight * (X - mean) * rstd + bias, and the statistics the backward needs.
 *
 * @throws {RangeError} when an operand is too small, or an explicit variant cannot do the shape.
 */
export function layernorm(gpu: Gpu, operands: LayernormOperands, shape: LayernormShape): void {
  const { X, weight, bias, Y, mean, rstd } = operands;
  const { R, C, epsilon } = shape;
  checkWords("layernorm", shape, { X: [X, R * C], Y: [Y, R * C], mean: [mean, R], rstd: [rstd, R] });
  checkWords("layernorm", shape, { weight: [weight, C], bias: [bias, C] });
  const isRows = chooseVariant("layernorm", gpu, shape) === "rows";
  const WORKGROUP = workgroupSize(gpu);
  const LANE_ROWS = laneRows(gpu);
  gpu.dispatch({
    kernel: isRows
      ? { name: "layernorm/rows", source: rowsSource, constants: { WORKGROUP, LANE_ROWS, COLUMNS: C / 4 } }
      : { name: "layernorm/naive", source: naiveSource, constants: { WORKGROUP } },
    bindings: [
      read(X),
      read(weight),
      read(bias),
      write(Y),
      write(mean),
      write(rstd),
      params(isRows ? [R] : [R, C], [epsilon]),
    ],
    workgroups: [Math.ceil(R / (isRows ? WORKGROUP * LANE_ROWS : WORKGROUP))],
  });
}

/**
 * dX of layernorm; dWeight and dBias are accumulated into where they are given.
 *
 * @throws {RangeError} when an operand is too small, or an explicit variant cannot do the shape.
 * @throws {TypeError} when only one of dWeight and dBias is given.
 */
export function layernormBackward(
  gpu: Gpu,
  operands: LayernormBackwardOperands,
  shape: Omit<LayernormShape, "epsilon">,
): void {
  const { X, weight, mean, rstd, dY, dX, dWeight, dBias, partials } = operands;
  const { R, C } = shape;
  checkWords("layernormBackward", shape, {
    X: [X, R * C],
    dY: [dY, R * C],
    dX: [dX, R * C],
    weight: [weight, C],
  });
  checkWords("layernormBackward", shape, { mean: [mean, R], rstd: [rstd, R] });
  const isRows = chooseVariant("layernormBackward", gpu, shape) === "rows";
  const WORKGROUP = workgroupSize(gpu);
  const LANE_ROWS = laneRows(gpu);
  gpu.dispatch({
    kernel: isRows
      ? {
        name: "layernorm/backward_rows",
        source: backwardRowsSource,
        constants: { WORKGROUP, LANE_ROWS, COLUMNS: C / 4 },
      }
      : { name: "layernorm/backward_naive", source: backwardNaiveSource, constants: { WORKGROUP } },
    bindings: [
      read(X),
      read(weight),
      read(mean),
      read(rstd),
      read(dY),
      write(dX),
      params(isRows ? [R] : [R, C]),
    ],
    workgroups: [Math.ceil(R / (isRows ? WORKGROUP * LANE_ROWS : WORKGROUP))],
  });
  if (dWeight === undefined && dBias === undefined) return;
  if (dWeight === undefined || dBias === undefined) {
    throw new TypeError(
      "Cannot run layernormBackward: dWeight and dBias must be given, or left out, together",
    );
  }
  const partialWords = layernormPartialsWords(R, C);
  checkWords("layernormBackward", shape, {
    dWeight: [dWeight, C],
    dBias: [dBias, C],
    partials: [partials, partialWords],
  });
  const isVec4 = isRows;
  const blocks = Math.ceil(R / BLOCK_ROWS);
  const elements = isVec4 ? C / 4 : C;
  const ELEMENTS = Math.min(4, Math.ceil(elements / WORKGROUP));
  gpu.dispatch({
    kernel: {
      name: "layernorm/column_partials",
      source: columnPartialsSource,
      constants: { WORKGROUP, BLOCK_ROWS, ELEMENTS, IS_VEC4: isVec4 },
    },
    bindings: [read(X), read(mean), read(rstd), read(dY), write(partials), params([R, elements])],
    workgroups: [Math.ceil(elements / (WORKGROUP * ELEMENTS)), blocks],
  });
  gpu.dispatch({
    kernel: { name: "layernorm/column_sum", source: columnSumSource, constants: { WORKGROUP } },
    bindings: [read(partials), write(dWeight), write(dBias), params([C, blocks])],
    workgroups: [Math.ceil(C / WORKGROUP)],
  });
}

/** One SIMD group of a software adapter, a few warps of a real one. */
const workgroupSize = (gpu: Gpu) => gpu.isSoftware ? 8 : 64;
/** Rows an invocation takes in turn: where loads are dear, the weights are worth keeping for several rows. */
const laneRows = (gpu: Gpu) => gpu.isSoftware ? 8 : 1;

/** Larger rows are not unrolled: compile time grows with C. */
const MAX_ROWS_VARIANT_C = 256;

/** llvmpipe silently ends all loops of an invocation after 65535 rounds in sum; naive.wgsl takes three a column. */
const MAX_SOFTWARE_C = 21_800;

function chooseVariant(
  action: string,
  gpu: Gpu,
  { R, C, variant }: { R: number; C: number; variant?: string },
): "naive" | "rows" {
  if (gpu.isSoftware && C > MAX_SOFTWARE_C) {
    throw new RangeError(
      `Cannot run ${action} with (R,C) = (${R},${C}): on a software adapter C must be at most ${MAX_SOFTWARE_C}`,
    );
  }
  const canRows = C % 4 === 0 && C <= MAX_ROWS_VARIANT_C;
  if (variant === "naive" || (variant === "rows" && canRows)) return variant;
  if (variant === "rows") {
    throw new RangeError(
      `Cannot run ${action} with (R,C) = (${R},${C}): for variant "rows" C must be a multiple of 4, at most ${MAX_ROWS_VARIANT_C}`,
    );
  }
  if (variant !== undefined) {
    throw new RangeError(`Cannot run ${action}: unknown variant "${variant}", known are "naive" and "rows"`);
  }
  return canRows && environment("PONDER_VARIANT") !== "naive" ? "rows" : "naive";
}

function checkWords(
  action: string,
  { R, C }: { R: number; C: number },
  operands: Record<string, [slice: Slice, words: number]>,
): void {
  for (const [name, [slice, words]] of Object.entries(operands)) {
    if (slice.length >= words) continue;
    throw new RangeError(
      `Cannot run ${action} with (R,C) = (${R},${C}): ${name} (${slice.label}) must hold ${words} words, got ${slice.length}`,
    );
  }
}
