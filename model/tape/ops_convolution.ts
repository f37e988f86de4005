/**
 * The op that turns convolutions into matrix products.
 *
 * @module
 */
import { convolutionOutput, type ConvolutionShape, fold, unfold } from "../../kernels/convolution/mod.ts";
import type { Op } from "./tape.ts";
import { formatShape, type Tensor } from "./tensor.ts";

export interface ConvolutionAttributes {
  unfold: Pick<ConvolutionShape, "kernelSize" | "stride" | "padding">;
}

export const convolutionOps: {
  readonly [Name in keyof ConvolutionAttributes]: Op<ConvolutionAttributes[Name]>;
} = {
  /** X (B,height,width,C) -> Y (B,outHeight,outWidth,kernelSize^2 C): the window at each position, in (ky,kx,c) order */
  unfold: {
    forward(tape, [X], window) {
      const shape = shapeOf(X!, window);
      const { outHeight, outWidth } = convolutionOutput(shape);
      const Y = tape.output(
        [shape.B, outHeight, outWidth, shape.kernelSize ** 2 * shape.C],
        `${X!.label}.windows`,
      );
      unfold(tape.gpu, { X: X!.data, columns: Y.data }, shape);
      return [Y];
    },
    // Y[b,y,x,(ky,kx,c)] = X[b, y s + ky - p, x s + kx - p, c]:  dX sums dY over the windows that show a pixel
    backward(tape, { inputs: [X], attributes: window }, [dY]) {
      const dX = tape.gradientOf(X!);
      fold(tape.gpu, { dcolumns: dY!, dX }, shapeOf(X!, window));
      return [dX];
    },
  },
};

function shapeOf(X: Tensor, window: ConvolutionAttributes["unfold"]): ConvolutionShape {
  if (X.shape.length !== 4) {
    throw new RangeError(
      `Cannot unfold ${X.label} ${formatShape(X.shape)}: images must be (B,height,width,C), reshape them`,
    );
  }
  const [B, height, width, C] = X.shape;
  return { B, height, width, C, ...window };
}
