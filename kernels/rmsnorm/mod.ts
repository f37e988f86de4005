/**
 * Root-mean-square normalization over the last dimension, forward and backward.
 *
 * @module
 */
import {
  chooseVariant,
  flatGrid,
  type Gpu,
  params,
  read,
  requireSizes,
  requireWords,
  rowLanes,
  type Slice,
  texels,
  write,
} from "../gpu/mod.ts";
import backwardNaiveSource from "./backward_naive.wgsl" with { type: "text" };
import backwardTextureSource from "./backward_texture.wgsl" with { type: "text" };
import backwardWorkgroupSource from "./backward_workgroup.wgsl" with { type: "text" };
import columnPartialsSource from "./column_partials.wgsl" with { type: "text" };
import columnSumSource from "./column_sum.wgsl" with { type: "text" };
import naiveSource from "./naive.wgsl" with { type: "text" };
import textureSource from "./texture.wgsl" with { type: "text" };
import workgroupSource from "./workgroup.wgsl" with { type: "text" };

/** Rows R of C values; a row is normalized over its C values. */
export interface RmsnormShape {
  /** Rows; there may be none. */
  readonly R: number;
  /** Values of a row. */
  readonly C: number;
  /** Added to the mean square. */
  readonly epsilon: number;
  /** `naive`, or for C a multiple of 4 `texture`, or `workgroup` up to 8192; by adapter and shape when absent. */
  readonly variant?: string;
}

/** Operands of {@linkcode rmsnorm}. */
export interface RmsnormOperands {
  /** (R,C). */
  readonly X: Slice;
  /** (C). */
  readonly weight: Slice;
  /** (R,C), written. */
  readonly Y: Slice;
  /** (R), written: reciprocal root of each row's mean square. */
  readonly rstd: Slice;
}

/** Operands of {@linkcode rmsnormBackward}. */
export interface RmsnormBackwardOperands {
  /** (R,C), as in the forward. */
  readonly X: Slice;
  /** (C), as in the forward. */
  readonly weight: Slice;
  /** (R), of the forward. */
  readonly rstd: Slice;
  /** (R,C), gradient of Y. */
  readonly dY: Slice;
  /** (R,C), written, or added to. */
  readonly dX: Slice;
  /** (C), accumulated into; absent when the weight is frozen. */
  readonly dWeight?: Slice;
  /** Scratch of {@linkcode rmsnormPartialsWords} words; not touched when the weight is frozen. */
  readonly partials: Slice;
}

/** Sizes and options of {@linkcode rmsnormBackward}. */
export interface RmsnormBackwardShape extends Omit<RmsnormShape, "epsilon"> {
  /** Adds to what dX holds instead of overwriting it; false by default. */
  readonly accumulate?: boolean;
}

/** Rows that one invocation adds up for dWeight. */
const BLOCK_ROWS = 32;

/** Words of scratch that {@linkcode rmsnormBackward} needs. */
export function rmsnormPartialsWords(R: number, C: number): number {
  return Math.ceil(R / BLOCK_ROWS) * C;
}

/**
 * Y = weight * X * rstd, and the rstd that the backward needs. R may be 0.
 *
 * @throws {RangeError} when a size is no whole number, an operand is too small, or an explicit variant cannot do the shape.
 */
export function rmsnorm(gpu: Gpu, { X, weight, Y, rstd }: RmsnormOperands, shape: RmsnormShape): void {
  const { R, C, epsilon } = shape;
  const action = `run rmsnorm with (R,C) = (${R},${C})`;
  requireSizes(action, { C }, { R });
  requireWords(action, [[X, R * C], [weight, C], [Y, R * C], [rstd, R]]);
  const variant = variantFor(action, gpu, shape);
  const WORKGROUP = workgroupSize(gpu);
  const rest = [read(weight), write(Y), write(rstd)];
  if (variant === "workgroup") {
    const tile = workgroupTile(gpu, C);
    gpu.dispatch({
      kernel: { name: "rmsnorm/workgroup", source: workgroupSource, constants: tile },
      bindings: [read(X), ...rest, params({ R, epsilon })],
      workgroups: flatGrid(Math.ceil(R / tile.ROWS)),
    });
  } else if (variant === "texture") {
    const LANE_ROWS = laneRows(R);
    gpu.dispatch({
      kernel: {
        name: "rmsnorm/texture",
        source: textureSource,
        constants: { WORKGROUP, LANE_ROWS, COLUMNS: C / 4 },
      },
      bindings: [texels(X), ...rest, params({ base: X.offset / 4, R, epsilon })],
      workgroups: [Math.ceil(R / (WORKGROUP * LANE_ROWS))],
    });
  } else {
    const VECTOR = C % 4 === 0;
    gpu.dispatch({
      kernel: { name: "rmsnorm/naive", source: naiveSource, constants: { WORKGROUP, VECTOR } },
      bindings: [read(X), ...rest, params({ R, C: VECTOR ? C / 4 : C, epsilon })],
      workgroups: [Math.ceil(R / WORKGROUP)],
    });
  }
}

/**
 * dX of rmsnorm, written or added; dWeight is accumulated into if it is given. R may be 0.
 *
 * @throws {RangeError} as {@linkcode rmsnorm} does.
 */
export function rmsnormBackward(
  gpu: Gpu,
  { X, weight, rstd, dY, dX, dWeight, partials }: RmsnormBackwardOperands,
  shape: RmsnormBackwardShape,
): void {
  const { R, C, accumulate: ACCUMULATE = false } = shape;
  const action = `run rmsnormBackward with (R,C) = (${R},${C})`;
  requireSizes(action, { C }, { R });
  requireWords(action, [[X, R * C], [weight, C], [rstd, R], [dY, R * C], [dX, R * C]]);
  if (R === 0) return; // nothing to add up
  const variant = variantFor(action, gpu, shape);
  const WORKGROUP = workgroupSize(gpu);
  const VECTOR = C % 4 === 0;
  const width = VECTOR ? C / 4 : C;
  if (variant === "workgroup") {
    const tile = workgroupTile(gpu, C);
    gpu.dispatch({
      kernel: {
        name: "rmsnorm/backward_workgroup",
        source: backwardWorkgroupSource,
        constants: { ...tile, ACCUMULATE },
      },
      bindings: [...[X, weight, rstd, dY].map(read), write(dX), params({ R })],
      workgroups: flatGrid(Math.ceil(R / tile.ROWS)),
    });
  } else if (variant === "texture") {
    const LANE_ROWS = laneRows(R);
    gpu.dispatch({
      kernel: {
        name: "rmsnorm/backward_texture",
        source: backwardTextureSource,
        constants: { WORKGROUP, LANE_ROWS, COLUMNS: width, ACCUMULATE },
      },
      bindings: [
        texels(X),
        read(weight),
        read(rstd),
        texels(dY),
        write(dX),
        params({ baseX: X.offset / 4, baseDY: dY.offset / 4, R }),
      ],
      workgroups: [Math.ceil(R / (WORKGROUP * LANE_ROWS))],
    });
  } else {
    gpu.dispatch({
      kernel: {
        name: "rmsnorm/backward_naive",
        source: backwardNaiveSource,
        constants: { WORKGROUP, VECTOR, ACCUMULATE },
      },
      bindings: [...[X, weight, rstd, dY].map(read), write(dX), params({ R, C: width })],
      workgroups: [Math.ceil(R / WORKGROUP)],
    });
  }
  if (dWeight === undefined) return;
  requireWords(action, [[dWeight, C], [partials, rmsnormPartialsWords(R, C)]]);
  const blocks = Math.ceil(R / BLOCK_ROWS);
  gpu.dispatch({
    kernel: {
      name: "rmsnorm/column_partials",
      source: columnPartialsSource,
      constants: { WORKGROUP, BLOCK_ROWS, VECTOR },
    },
    bindings: [read(X), read(rstd), read(dY), write(partials), params({ R, C: width })],
    workgroups: [Math.ceil(width / WORKGROUP), blocks],
  });
  gpu.dispatch({
    kernel: { name: "rmsnorm/column_sum", source: columnSumSource, constants: { WORKGROUP } },
    bindings: [read(partials), write(dWeight), params({ C, blocks })],
    workgroups: [Math.ceil(C / WORKGROUP)],
  });
}

/** One SIMD group of a software adapter, a few warps of a real one. */
const workgroupSize = (gpu: Gpu) => gpu.isSoftware ? 8 : 64;
/** Rows a lane of the texture variants takes together: they share each load of the weight. */
const laneRows = (R: number) => R >= 256 ? 4 : 1;

/** How the workgroup variants split rows and columns. */
function workgroupTile({ subgroupSize }: Gpu, C: number) {
  const COLUMNS = C / 4;
  const lanes = rowLanes(COLUMNS, subgroupSize);
  return { COLUMNS, ...lanes, ELEMENTS: Math.ceil(COLUMNS / lanes.LANES) };
}

/** Larger rows are not unrolled: compile time grows with C, and a GPU's registers end. */
const MAX_WORKGROUP_C = 8192;
/** With fewer words than this the copy to a texture costs what it saves. */
const MANY_WORDS = 1 << 16;
/** llvmpipe silently ends all loops of an invocation after 65535 rounds in sum; there are two walks of a row. */
const MAX_SOFTWARE_C = 32_700;

function variantFor(
  action: string,
  gpu: Gpu,
  { R, C, variant }: { R: number; C: number; variant?: string },
): string {
  if (gpu.isSoftware && C > MAX_SOFTWARE_C) {
    throw new RangeError(`Cannot ${action}: on a software adapter C must be at most ${MAX_SOFTWARE_C}`);
  }
  return chooseVariant(gpu, {
    kernel: "rmsnorm",
    action,
    software: R * C >= MANY_WORDS ? ["texture", "naive"] : ["naive", "texture", "naive"],
    hardware: ["workgroup", "naive"],
    variant,
    obstacle: (name) => {
      if (name === "naive") return null;
      if (C % 4 !== 0) return "C must be a multiple of 4";
      return name === "workgroup" && C > MAX_WORKGROUP_C ? `C must be at most ${MAX_WORKGROUP_C}` : null;
    },
  });
}
