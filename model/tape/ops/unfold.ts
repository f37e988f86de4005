/**
 * The op that turns convolutions into matrix products.
 *
 * @module
 */
import {
  convolutionOutput,
  type ConvolutionShape,
  fold,
  unfold as launchUnfold,
} from "../../../kernels/convolution/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { formatShape, type Tensor } from "../tensor.ts";
import { type Affine, linear } from "./linear.ts";

/** Size, stride and padding of a convolution's window, in pixels. */
export interface ConvolutionWindow {
  /** Side of the window. */
  readonly kernelSize: number;
  /** From a window to the next. */
  readonly stride: number;
  /** Zeros around the input. */
  readonly padding: number;
}

/**
 * The window at every position of NHWC images: (B,height,width,C) -> (B,outHeight,outWidth,kernelSize^2 C).
 *
 * @throws {RangeError} when X has another number of dimensions, or the window does not fit.
 */
export function unfold(tape: Tape, X: Tensor, window: ConvolutionWindow): Tensor {
  return tape.apply(unfoldRule, [X], window)[0];
}

/** gelu?(X * filters + bias) of NHWC images; weight (kernelSize^2 C, out) with rows in (ky,kx,c) order. */
export function convolution(
  tape: Tape,
  X: Tensor,
  filters: Affine,
  { gelu = false, ...window }: ConvolutionWindow & { gelu?: boolean },
): Tensor {
  return linear(tape, unfold(tape, X, window), filters, { gelu });
}

/** X (B,height,width,C) -> Y (B,outHeight,outWidth,kernelSize^2 C): the window at each position, in (ky,kx,c) order */
export const unfoldRule: OpRule<[X: Tensor], [Y: Tensor], ConvolutionWindow> = defineOp({
  name: "unfold",
  arity: 1,
  forward(tape, [X], window) {
    const shape = shapeOf(X, window);
    const { outHeight, outWidth } = convolutionOutput(shape);
    const Y = tape.output(
      [shape.B, outHeight, outWidth, shape.kernelSize ** 2 * shape.C],
      `${X.label}.windows`,
    );
    launchUnfold(tape.gpu, { X: X.data, columns: Y.data }, shape);
    return [Y];
  },
  // Y[b,y,x,(ky,kx,c)] = X[b, y s + ky - p, x s + kx - p, c]:  dX sums dY over the windows that show a pixel
  backward(tape, { inputs: [X], attributes: window }, [dY]) {
    const dX = tape.gradientOf(X);
    fold(tape.gpu, { dcolumns: dY, dX }, shapeOf(X, window));
    return [dX];
  },
});

function shapeOf(X: Tensor, window: ConvolutionWindow): ConvolutionShape {
  if (X.shape.length !== 4) {
    throw new RangeError(
      `Cannot unfold ${X.label} ${formatShape(X.shape)}: images must be (B,height,width,C), reshape them`,
    );
  }
  const [B, height, width, C] = X.shape;
  return { B, height, width, C, ...window };
}
