/**
 * Log-softmax of given logits over the last dimension, forward and backward.
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
  rowLanes,
  type Slice,
  texels,
  write,
} from "../gpu/mod.ts";
import backwardNaiveSource from "./backward_naive.wgsl" with { type: "text" };
import backwardTextureSource from "./backward_texture.wgsl" with { type: "text" };
import backwardWorkgroupSource from "./backward_workgroup.wgsl" with { type: "text" };
import naiveSource from "./naive.wgsl" with { type: "text" };
import textureSource from "./texture.wgsl" with { type: "text" };
import workgroupSource from "./workgroup.wgsl" with { type: "text" };

/** N rows of V logits; a row is normalized over its V values. */
export interface LogSoftmaxShape {
  /** Rows; there may be none. */
  readonly N: number;
  /** Values of a row. */
  readonly V: number;
  /** Logits are divided by it. Above 0. */
  readonly temperature: number;
  /** `naive`, `workgroup` or, for V a multiple of 4, `texture`; by adapter when absent. */
  readonly variant?: string;
}

/** Operands of {@linkcode logSoftmax}: X, Y (N,V). */
export interface LogSoftmaxOperands {
  /** Logits. */
  readonly X: Slice;
  /** Written: log-probabilities. */
  readonly Y: Slice;
}

/** Operands of {@linkcode logSoftmaxBackward}: Y, dY, dX (N,V). */
export interface LogSoftmaxBackwardOperands {
  /** What the forward wrote; X is not needed. */
  readonly Y: Slice;
  /** Gradient of Y. */
  readonly dY: Slice;
  /** Written. */
  readonly dX: Slice;
}

/**
 * Y = X / temperature - log sum_v e^(X / temperature), row by row, exact to float error for logits of any size.
 *
 * @throws {RangeError} when a size is no whole number, an operand is too small, the temperature is not above 0, or the
 * variant cannot do the shape.
 */
export function logSoftmax(gpu: Gpu, { X, Y }: LogSoftmaxOperands, shape: LogSoftmaxShape): void {
  const { N, V, temperature } = shape;
  const action = `take the log-softmax of (N,V) = (${N},${V})`;
  checkOperands(action, shape, { X, Y });
  const variant = variantFor(action, gpu, shape);
  if (variant === "texture") {
    const constants = lanesTile(gpu, shape);
    gpu.dispatch({
      kernel: { name: "log_softmax/texture", source: textureSource, constants },
      bindings: [texels(X), write(Y), params({ base: X.offset / 4, N, temperature })],
      workgroups: [Math.ceil(N / constants.ROWS)],
    });
    return;
  }
  if (variant === "workgroup") {
    const { constants, workgroups } = workgroupTile(gpu, shape);
    gpu.dispatch({
      kernel: { name: "log_softmax/workgroup", source: workgroupSource, constants },
      bindings: [read(X), write(Y), params({ N, temperature })],
      workgroups,
    });
    return;
  }
  const WORKGROUP = naiveWorkgroup(gpu);
  gpu.dispatch({
    kernel: { name: "log_softmax/naive", source: naiveSource, constants: { WORKGROUP } },
    bindings: [read(X), write(Y), params({ N, V, temperature })],
    workgroups: [Math.ceil(N / WORKGROUP)],
  });
}

/**
 * dX = (dY - e^Y * sum_v dY) / temperature, row by row.
 *
 * @throws {RangeError} when a size is no whole number, an operand is too small, the temperature is not above 0, or the
 * variant cannot do the shape.
 */
export function logSoftmaxBackward(
  gpu: Gpu,
  { Y, dY, dX }: LogSoftmaxBackwardOperands,
  shape: LogSoftmaxShape,
): void {
  const { N, V, temperature } = shape;
  const action = `differentiate the log-softmax of (N,V) = (${N},${V})`;
  checkOperands(action, shape, { Y, dY, dX });
  const variant = variantFor(action, gpu, shape);
  if (variant === "texture") {
    const constants = lanesTile(gpu, shape);
    gpu.dispatch({
      kernel: { name: "log_softmax/backward_texture", source: backwardTextureSource, constants },
      bindings: [
        texels(Y),
        texels(dY),
        write(dX),
        params({ baseY: Y.offset / 4, baseDY: dY.offset / 4, N, temperature }),
      ],
      workgroups: [Math.ceil(N / constants.ROWS)],
    });
    return;
  }
  if (variant === "workgroup") {
    const { constants, workgroups } = workgroupTile(gpu, shape);
    gpu.dispatch({
      kernel: { name: "log_softmax/backward_workgroup", source: backwardWorkgroupSource, constants },
      bindings: [read(Y), read(dY), write(dX), params({ N, temperature })],
      workgroups,
    });
    return;
  }
  const WORKGROUP = naiveWorkgroup(gpu);
  gpu.dispatch({
    kernel: { name: "log_softmax/backward_naive", source: backwardNaiveSource, constants: { WORKGROUP } },
    bindings: [read(Y), read(dY), write(dX), params({ N, V, temperature })],
    workgroups: [Math.ceil(N / WORKGROUP)],
  });
}

/** One SIMD group of a software adapter, a few warps of a real one. */
const naiveWorkgroup = (gpu: Gpu) => gpu.isSoftware ? 8 : 64;

/** Words that a workgroup of the texture variant takes, in whole rows: fewer, and starting it shows. */
const LANES_WORDS = 1 << 14;
/** vec4s of a row that a lane takes in a round. */
const UNROLLED = 4;

/** How a workgroup of the texture variants walks its rows; there are at least 32 workgroups, for all threads, or one a row. */
function lanesTile(gpu: Gpu, { N, V }: LogSoftmaxShape) {
  const COLUMNS = V / 4;
  const J = Math.min(UNROLLED, Math.ceil(COLUMNS / 8));
  const ROWS = Math.max(1, Math.min(Math.ceil(LANES_WORDS / V), Math.ceil(N / 32)));
  return { COLUMNS, J, ROWS, IS_RAGGED: COLUMNS % (8 * J) !== 0, BROADCAST: gpu.canBroadcast };
}

/** How the workgroup variants split rows and columns. */
function workgroupTile({ subgroupSize }: Gpu, { N, V }: LogSoftmaxShape) {
  const IS_VEC4 = V % 4 === 0;
  const ELEMENTS = IS_VEC4 ? V / 4 : V;
  const constants = { IS_VEC4, ELEMENTS, ...rowLanes(ELEMENTS, subgroupSize) };
  return { constants, workgroups: flatGrid(Math.ceil(N / constants.ROWS)) };
}

/** llvmpipe silently ends all loops of an invocation after 65535 rounds in sum; naive.wgsl takes two for 8 columns. */
const MAX_SOFTWARE_V = MAX_ROUNDS * 4;

function variantFor(action: string, gpu: Gpu, { N, V, variant }: LogSoftmaxShape): string {
  if (gpu.isSoftware && V > MAX_SOFTWARE_V) {
    throw new RangeError(
      `Cannot ${action}: on a software adapter V must be at most ${MAX_SOFTWARE_V}`,
    );
  }
  return chooseVariant(gpu, {
    kernel: "log_softmax",
    action,
    software: N * V < MANY_WORDS ? ["naive", "texture", "naive"] : ["texture", "naive"],
    hardware: ["workgroup", "naive"],
    variant,
    obstacle: (name) => name === "texture" && V % 4 !== 0 ? "V must be a multiple of 4" : null,
  });
}

/** With fewer words than this the copy to a texture costs what it saves. */
const MANY_WORDS = 1 << 14;

function checkOperands(
  action: string,
  { N, V, temperature }: LogSoftmaxShape,
  operands: Record<string, Slice>,
): void {
  requireSizes(action, { V }, { N });
  for (const [name, slice] of Object.entries(operands)) {
    if (slice.length >= N * V) continue;
    throw new RangeError(
      `Cannot ${action}: ${name} (${slice.label}) must hold ${N * V} words, got ${slice.length}`,
    );
  }
  if (temperature > 0) return;
  throw new RangeError(`Cannot ${action}: temperature must be above 0, got ${temperature}`);
}
