/**
 * Elementwise ops, sums and views: what losses are written with.
 *
 * @module
 */
import {
  applyChain,
  binary,
  binaryBackward,
  type BinaryOp,
  type Chain,
  chainBackward,
  unary,
  unaryBackward,
  type UnaryOp,
} from "../../kernels/elementwise/mod.ts";
import { rowBroadcast, rowSum, sum, sumPartialWords } from "../../kernels/reduce/mod.ts";
import type { Op } from "./tape.ts";
import { asMatrix, formatShape, sizeOf } from "./tensor.ts";

export interface ElementwiseAttributes {
  unary: { readonly op: UnaryOp; readonly a?: number; readonly b?: number };
  binary: { readonly op: BinaryOp };
  chain: { readonly chain: Chain };
  rowSum: Record<never, never>;
  sum: { readonly scale: number };
  reshape: { readonly shape: readonly number[] };
}

export const elementwiseOps: {
  readonly [Name in keyof ElementwiseAttributes]: Op<ElementwiseAttributes[Name]>;
} = {
  /** Y = f(X) */
  unary: {
    forward(tape, [X], { op, a, b }) {
      const Y = tape.output(X!.shape, `${op}(${X!.label})`);
      unary(tape.gpu, { X: X!.data, Y: Y.data }, { op, a, b, n: sizeOf(X!.shape) });
      return [Y];
    },
    backward(tape, { inputs: [X], attributes: { op, a, b } }, [dY]) {
      const dX = tape.gradientOf(X!);
      unaryBackward(tape.gpu, { X: X!.data, dY: dY!, dX }, { op, a, b, n: sizeOf(X!.shape) });
      return [dX];
    },
  },

  /** Y = f(A, B), same shapes */
  binary: {
    forward(tape, [A, B], { op }) {
      if (sizeOf(A!.shape) !== sizeOf(B!.shape)) {
        throw new RangeError(
          `Cannot ${op} ${A!.label} ${formatShape(A!.shape)} and ${B!.label} ${
            formatShape(B!.shape)
          }: shapes must match`,
        );
      }
      const Y = tape.output(A!.shape, `${op}(${A!.label},${B!.label})`);
      binary(tape.gpu, { A: A!.data, B: B!.data, Y: Y.data }, { op, n: sizeOf(A!.shape) });
      return [Y];
    },
    backward(tape, { inputs: [A, B], attributes: { op } }, [dY]) {
      const dA = A!.requiresGradient ? tape.gradientOf(A!) : null;
      const dB = B!.requiresGradient ? tape.gradientOf(B!) : null;
      binaryBackward(
        tape.gpu,
        { A: A!.data, B: B!.data, dY: dY!, dA: dA ?? undefined, dB: dB ?? undefined },
        { op, n: sizeOf(A!.shape) },
      );
      return [dA, dB];
    },
  },

  /** Y_j = results of a chain of such functions of X_i, all of the same shape */
  chain: {
    forward(tape, inputs, { chain }) {
      const X = inputs.map((input) => input!);
      const [{ shape }] = X;
      for (const input of X) {
        if (sizeOf(input.shape) === sizeOf(shape)) continue;
        throw new RangeError(
          `Cannot chain ${X[0].label} ${formatShape(shape)} and ${input.label} ${
            formatShape(input.shape)
          }: shapes must match`,
        );
      }
      const Y = chain.results.map((_, j) => tape.output(shape, `chain ${j} of ${X[0].label}`));
      const operands = { X: X.map(({ data }) => data), Y: Y.map(({ data }) => data) };
      applyChain(tape.gpu, chain, operands, { n: sizeOf(shape) });
      return Y;
    },
    backward(tape, { inputs, attributes: { chain } }, dY) {
      const X = inputs.map((input) => input!);
      const dX = X.map((input) => input.requiresGradient ? tape.gradientOf(input) : null);
      chainBackward(tape.gpu, chain, { X: X.map(({ data }) => data), dY, dX }, { n: sizeOf(X[0].shape) });
      return dX;
    },
  },

  /** X (..,C) -> Y (..), the sum of each row */
  rowSum: {
    forward(tape, [X]) {
      const { rows: R, columns: C } = asMatrix(X!);
      const Y = tape.output(X!.shape.slice(0, -1), `rowSum(${X!.label})`);
      rowSum(tape.gpu, { X: X!.data, Y: Y.data }, { R, C });
      return [Y];
    },
    // Y[r] = sum_c X[r,c]:  dX[r,c] = dY[r]
    backward(tape, { inputs: [X] }, [dY]) {
      const { rows: R, columns: C } = asMatrix(X!);
      const dX = tape.gradientOf(X!);
      rowBroadcast(tape.gpu, { X: dY!, Y: dX }, { R, C });
      return [dX];
    },
  },

  /** Y (1) = scale * sum of X; a mean when scale is 1/n */
  sum: {
    forward(tape, [X], { scale }) {
      const n = sizeOf(X!.shape);
      const Y = tape.output([1], `sum(${X!.label})`);
      const partials = tape.scratch(sumPartialWords({ n }), "sum.partials");
      sum(tape.gpu, { X: X!.data, Y: Y.data, partials }, { n, scale });
      return [Y];
    },
    // Y = scale sum_i X[i]:  dX[i] = scale dY
    backward(tape, { inputs: [X], attributes: { scale } }, [dY]) {
      const n = sizeOf(X!.shape);
      const scaled = tape.scratch(1, "sum.scaled");
      unary(tape.gpu, { X: dY!, Y: scaled }, { op: "scale", a: scale, n: 1 });
      const dX = tape.gradientOf(X!);
      rowBroadcast(tape.gpu, { X: scaled, Y: dX }, { R: 1, C: n });
      return [dX];
    },
  },

  /** The same data under another shape */
  reshape: {
    forward(tape, [X], { shape }) {
      if (sizeOf(shape) !== sizeOf(X!.shape)) {
        throw new RangeError(`Cannot reshape ${X!.label} ${formatShape(X!.shape)} to ${formatShape(shape)}`);
      }
      return [tape.view(X!, shape)];
    },
    backward: (_tape, _call, [dY]) => [dY],
  },
};
