/**
 * Layer normalization over the last dimension, forward and backward.
 *
 * @module
 */
import {
  chooseVariant,
  flatGrid,
  type Gpu,
  type KernelSource,
  params,
  type ParamValues,
  read,
  requireSizes,
  rowLanes,
  type Slice,
  texels,
  write,
} from "../gpu/mod.ts";
import backwardNaiveSource from "./backward_naive.wgsl" with { type: "text" };
import backwardRowsSource from "./backward_rows.wgsl" with { type: "text" };
import backwardWorkgroupSource from "./backward_workgroup.wgsl" with { type: "text" };
import columnPartialsSource from "./column_partials.wgsl" with { type: "text" };
import columnSumSource from "./column_sum.wgsl" with { type: "text" };
import columnSumWorkgroupSource from "./column_sum_workgroup.wgsl" with { type: "text" };
import naiveSource from "./naive.wgsl" with { type: "text" };
import rowsSource from "./rows.wgsl" with { type: "text" };
import textureSource from "./texture.wgsl" with { type: "text" };
import workgroupSource from "./workgroup.wgsl" with { type: "text" };

/** Rows R of C values; a row is normalized over its C values. */
export interface LayernormShape {
  /** Rows; there may be none. */
  readonly R: number;
  /** Values of a row. */
  readonly C: number;
  /** Added to the variance. */
  readonly epsilon: number;
  /**
   * `naive`, or for C a multiple of 4 `rows` (at most 256), `workgroup` (at most 8192) or, forward only, `texture`; by
   * adapter when absent.
   */
  readonly variant?: string;
}

/** Operands of {@linkcode layernorm}: X, Y (R,C); weight, bias (C); mean, rstd (R). */
export interface LayernormOperands {
  /** (R,C). */
  readonly X: Slice;
  /** (C). */
  readonly weight: Slice;
  /** (C). */
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
  /** (R,C), as in the forward. */
  readonly X: Slice;
  /** (C), as in the forward. */
  readonly weight: Slice;
  /** (R), of the forward. */
  readonly mean: Slice;
  /** (R), of the forward. */
  readonly rstd: Slice;
  /** (R,C), gradient of Y. */
  readonly dY: Slice;
  /** Written, or added to. */
  readonly dX: Slice;
  /** Accumulated into; absent together with `dBias` when the parameters are frozen. */
  readonly dWeight?: Slice;
  /** Accumulated into; absent together with `dWeight` when the parameters are frozen. */
  readonly dBias?: Slice;
  /** Scratch of {@linkcode layernormPartialsWords} words; not touched when the parameters are frozen. */
  readonly partials: Slice;
}

/** Sizes and options of {@linkcode layernormBackward}. */
export interface LayernormBackwardShape extends Omit<LayernormShape, "epsilon"> {
  /** Adds to what dX holds instead of overwriting it; false by default. */
  readonly accumulate?: boolean;
}

/** Rows that one invocation of the column-partials pass adds up. */
const BLOCK_ROWS = 64;
/** Rows that a workgroup of backward_workgroup.wgsl adds up: few, since a GPU wants many workgroups. */
const WORKGROUP_BLOCK_ROWS = 16;

/** Words of scratch that {@linkcode layernormBackward} needs. */
export function layernormPartialsWords(R: number, C: number): number {
  return 2 * Math.ceil(R / Math.min(BLOCK_ROWS, WORKGROUP_BLOCK_ROWS)) * C;
}

/**
 * Y = weight * (X - mean) * rstd + bias, and the statistics the backward needs. R may be 0.
 *
 * @throws {RangeError} when a size is no whole number, an operand is too small, or an explicit variant cannot do the shape.
 */
export function layernorm(gpu: Gpu, operands: LayernormOperands, shape: LayernormShape): void {
  const { X, weight, bias, Y, mean, rstd } = operands;
  const { R, C, epsilon } = shape;
  requireSizes(`run layernorm with (R,C) = (${R},${C})`, { C }, { R });
  checkWords("layernorm", shape, { X: [X, R * C], Y: [Y, R * C], mean: [mean, R], rstd: [rstd, R] });
  checkWords("layernorm", shape, { weight: [weight, C], bias: [bias, C] });
  const { variant, kernel, rows } = forwardKernel(gpu, shape);
  const workgroups = Math.ceil(R / rows);
  const sizes: Record<string, ParamValues> = { naive: { R, C }, texture: { base: X.offset / 4, R } };
  gpu.dispatch({
    kernel,
    bindings: [
      variant === "texture" ? texels(X) : read(X),
      read(weight),
      read(bias),
      write(Y),
      write(mean),
      write(rstd),
      params({ ...sizes[variant] ?? { R }, epsilon }),
    ],
    workgroups: variant === "workgroup" ? flatGrid(workgroups) : [workgroups],
  });
}

/** The variant, its kernel, and the rows of one workgroup. */
function forwardKernel(
  gpu: Gpu,
  shape: LayernormShape,
): { variant: string; kernel: KernelSource; rows: number } {
  const isWide = shape.C > NARROW_C && shape.R * shape.C >= MANY_WORDS;
  const software = isWide ? ["texture", "rows", "naive"] : ["rows", "texture", "naive"];
  const variant = variantFor("layernorm", gpu, shape, software);
  const WORKGROUP = workgroupSize(gpu);
  if (variant === "workgroup") {
    const constants = workgroupTile(gpu, shape.C);
    return {
      variant,
      kernel: { name: "layernorm/workgroup", source: workgroupSource, constants },
      rows: constants.ROWS,
    };
  }
  if (variant === "rows") {
    const constants = { WORKGROUP, LANE_ROWS: laneRows(gpu, shape.R), COLUMNS: shape.C / 4 };
    return {
      variant,
      kernel: { name: "layernorm/rows", source: rowsSource, constants },
      rows: WORKGROUP * constants.LANE_ROWS,
    };
  }
  if (variant === "texture") {
    const constants = { WORKGROUP, LANE_ROWS: TEXTURE_LANE_ROWS, COLUMNS: shape.C / 4 };
    return {
      variant,
      kernel: { name: "layernorm/texture", source: textureSource, constants },
      rows: WORKGROUP * constants.LANE_ROWS,
    };
  }
  const kernel = { name: "layernorm/naive", source: naiveSource, constants: { WORKGROUP } };
  return { variant, kernel, rows: WORKGROUP };
}

/**
 * dX of layernorm, written or added; dWeight and dBias are accumulated into if they are given. R may be 0.
 *
 * @throws {RangeError} when a size is no whole number, an operand is too small, or an explicit variant cannot do the shape.
 * @throws {TypeError} when only one of dWeight and dBias is given.
 */
export function layernormBackward(
  gpu: Gpu,
  operands: LayernormBackwardOperands,
  shape: LayernormBackwardShape,
): void {
  const { X, weight, mean, rstd, dY, dX, partials } = operands;
  const { R, C, accumulate: ACCUMULATE = false } = shape;
  requireSizes(`run layernormBackward with (R,C) = (${R},${C})`, { C }, { R });
  checkWords("layernormBackward", shape, {
    X: [X, R * C],
    dY: [dY, R * C],
    dX: [dX, R * C],
    weight: [weight, C],
  });
  checkWords("layernormBackward", shape, { mean: [mean, R], rstd: [rstd, R] });
  const parameters = parameterGradients(operands, shape);
  if (R === 0) return; // nothing to add up
  const variant = variantFor("layernormBackward", gpu, shape, ["rows", "naive"]);
  if (variant === "workgroup") {
    backwardWorkgroup(gpu, operands, shape, parameters);
    return;
  }
  const isRows = variant === "rows";
  const WORKGROUP = workgroupSize(gpu);
  const LANE_ROWS = laneRows(gpu, R);
  gpu.dispatch({
    kernel: isRows
      ? {
        name: "layernorm/backward_rows",
        source: backwardRowsSource,
        constants: { WORKGROUP, LANE_ROWS, COLUMNS: C / 4, ACCUMULATE },
      }
      : {
        name: "layernorm/backward_naive",
        source: backwardNaiveSource,
        constants: { WORKGROUP, ACCUMULATE },
      },
    bindings: [
      read(X),
      read(weight),
      read(mean),
      read(rstd),
      read(dY),
      write(dX),
      params(isRows ? { R } : { R, C }),
    ],
    workgroups: [Math.ceil(R / (isRows ? WORKGROUP * LANE_ROWS : WORKGROUP))],
  });
  if (parameters === null) return;
  const blocks = Math.ceil(R / BLOCK_ROWS);
  const elements = isRows ? C / 4 : C;
  const ELEMENTS = Math.min(4, Math.ceil(elements / WORKGROUP));
  gpu.dispatch({
    kernel: {
      name: "layernorm/column_partials",
      source: columnPartialsSource,
      constants: { WORKGROUP, BLOCK_ROWS, ELEMENTS, IS_VEC4: isRows },
    },
    bindings: [read(X), read(mean), read(rstd), read(dY), write(partials), params({ R, C: elements })],
    workgroups: [Math.ceil(elements / (WORKGROUP * ELEMENTS)), blocks],
  });
  gpu.dispatch({
    kernel: { name: "layernorm/column_sum", source: columnSumSource, constants: { WORKGROUP } },
    bindings: [
      read(partials),
      write(parameters.dWeight),
      write(parameters.dBias),
      params({ C, blocks }),
    ],
    workgroups: [Math.ceil(C / WORKGROUP)],
  });
}

interface ParameterGradients {
  readonly dWeight: Slice;
  readonly dBias: Slice;
}

/** dWeight and dBias, or null when the parameters are frozen. */
function parameterGradients(
  { dWeight, dBias, partials }: LayernormBackwardOperands,
  shape: { R: number; C: number },
): ParameterGradients | null {
  if (dWeight === undefined && dBias === undefined) return null;
  if (dWeight === undefined || dBias === undefined) {
    throw new TypeError(
      "Cannot run layernormBackward: dWeight and dBias must be given, or left out, together",
    );
  }
  checkWords("layernormBackward", shape, {
    dWeight: [dWeight, shape.C],
    dBias: [dBias, shape.C],
    partials: [partials, layernormPartialsWords(shape.R, shape.C)],
  });
  return { dWeight, dBias };
}

function backwardWorkgroup(
  gpu: Gpu,
  { X, weight, mean, rstd, dY, dX, partials }: LayernormBackwardOperands,
  { R, C, accumulate = false }: LayernormBackwardShape,
  parameters: ParameterGradients | null,
): void {
  const blocks = Math.ceil(R / WORKGROUP_BLOCK_ROWS);
  gpu.dispatch({
    kernel: {
      name: "layernorm/backward_workgroup",
      source: backwardWorkgroupSource,
      constants: {
        ...workgroupTile(gpu, C),
        BLOCK_ROWS: WORKGROUP_BLOCK_ROWS,
        HAS_PARTIALS: parameters !== null,
        ACCUMULATE: accumulate,
      },
    },
    bindings: [
      ...[X, weight, mean, rstd, dY].map(read),
      write(dX),
      params({ R }),
      ...(parameters === null ? [] : [write(partials)]),
    ],
    workgroups: flatGrid(blocks),
  });
  if (parameters === null) return;
  gpu.dispatch({
    kernel: { name: "layernorm/column_sum_workgroup", source: columnSumWorkgroupSource, constants: {} },
    bindings: [read(partials), write(parameters.dWeight), write(parameters.dBias), params({ C, blocks })],
    workgroups: [Math.ceil(C / 16)],
  });
}

/** One SIMD group of a software adapter, a few warps of a real one. */
const workgroupSize = (gpu: Gpu) => gpu.isSoftware ? 8 : 64;
/** Rows an invocation takes in turn: when loads are dear, the weights are worth keeping while both cores have work. */
const laneRows = (gpu: Gpu, R: number) => !gpu.isSoftware ? 1 : R < 2048 ? 8 : 16;

/** How the workgroup variants split rows and columns. */
function workgroupTile({ subgroupSize }: Gpu, C: number) {
  const COLUMNS = C / 4;
  const lanes = rowLanes(COLUMNS, subgroupSize);
  return { COLUMNS, ...lanes, ELEMENTS: Math.ceil(COLUMNS / lanes.LANES) };
}

/** Larger rows are not unrolled: compile time grows with C, and a GPU's registers end. */
const MAX_C: Readonly<Record<string, number>> = { rows: 256, workgroup: 8192, texture: 16_384 };

/** Rows a lane of the texture variant takes together: they share each load of weight and bias. */
const TEXTURE_LANE_ROWS = 8;
/** Up to this width rows.wgsl keeps up with texture.wgsl, and needs no copy. */
const NARROW_C = 128;
/** With fewer words than this the copy costs what it saves. */
const MANY_WORDS = 1 << 16;

/** llvmpipe silently ends all loops of an invocation after 65535 rounds in sum; naive.wgsl takes three a column. */
const MAX_SOFTWARE_C = 21_800;

function variantFor(
  action: string,
  gpu: Gpu,
  { R, C, variant }: { R: number; C: number; variant?: string },
  software: readonly string[],
): string {
  if (gpu.isSoftware && C > MAX_SOFTWARE_C) {
    throw new RangeError(
      `Cannot run ${action} with (R,C) = (${R},${C}): on a software adapter C must be at most ${MAX_SOFTWARE_C}`,
    );
  }
  return chooseVariant(gpu, {
    kernel: "layernorm",
    action: `run ${action} with (R,C) = (${R},${C})`,
    software,
    hardware: ["workgroup", "naive"],
    variant,
    obstacle: (name) =>
      name === "naive" || (C % 4 === 0 && C <= MAX_C[name])
        ? null
        : `C must be a multiple of 4, at most ${MAX_C[name]}`,
  });
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
