/**
 * SwiGLU: the gated activation of Llama's MLP, forward and backward.
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
  type Slice,
  write,
} from "../gpu/mod.ts";
import backwardSource from "./backward.wgsl" with { type: "text" };
import forwardSource from "./forward.wgsl" with { type: "text" };

/** Rows `[gate | up]` of I values each. */
export interface SwigluShape {
  /** Rows. */
  readonly R: number;
  /** Values of gate, of up and of the result. */
  readonly I: number;
  /** `naive`, or `vec4` for I a multiple of 4; chosen by shape when absent. */
  readonly variant?: string;
}

/**
 * Y (R,I) = silu(gate) * up of X (R,2I).
 *
 * @throws {RangeError} when an operand is too short, or the variant cannot do the shape.
 */
export function swiglu(gpu: Gpu, { X, Y }: { X: Slice; Y: Slice }, shape: SwigluShape): void {
  const { R, I } = shape;
  const action = `take SwiGLU of ${R} x ${I}`;
  const { VECTOR, width } = check(gpu, action, shape, [[X, 2 * R * I], [Y, R * I]]);
  gpu.dispatch({
    kernel: { name: "swiglu/forward", source: forwardSource, constants: { VECTOR } },
    bindings: [read(X), write(Y), params({ n: R * width, I: width })],
    workgroups: flatGrid(Math.ceil(R * width / 64)),
  });
}

/**
 * dX (R,2I) from X (R,2I) and dY (R,I).
 *
 * @throws {RangeError} as {@linkcode swiglu} does.
 */
export function swigluBackward(
  gpu: Gpu,
  { X, dY, dX }: { X: Slice; dY: Slice; dX: Slice },
  shape: SwigluShape,
): void {
  const { R, I } = shape;
  const action = `take the gradient of SwiGLU of ${R} x ${I}`;
  const { VECTOR, width } = check(gpu, action, shape, [[X, 2 * R * I], [dY, R * I], [dX, 2 * R * I]]);
  gpu.dispatch({
    kernel: { name: "swiglu/backward", source: backwardSource, constants: { VECTOR } },
    bindings: [read(X), read(dY), write(dX), params({ n: R * width, I: width })],
    workgroups: flatGrid(Math.ceil(R * width / 64)),
  });
}

function check(
  gpu: Gpu,
  action: string,
  { R, I, variant }: SwigluShape,
  words: readonly (readonly [Slice, number])[],
): { VECTOR: boolean; width: number } {
  requireSizes(action, { R, I });
  requireWords(action, words);
  const VECTOR = chooseVariant(gpu, {
    kernel: "swiglu",
    action,
    software: ["vec4", "naive"],
    hardware: ["vec4", "naive"],
    variant,
    obstacle: (name) => name === "naive" || I % 4 === 0 ? null : "I must be a multiple of 4",
  }) === "vec4";
  return { VECTOR, width: VECTOR ? I / 4 : I };
}
