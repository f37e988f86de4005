/**
 * Chains of elementwise functions in one launch.
 *
 * @module
 */
import {
  applyChain,
  buildChain,
  type Chain,
  chainBackward,
  type ChainValue,
} from "../../../kernels/elementwise/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { formatShape, sizeOf, type Tensor } from "../tensor.ts";

/**
 * Elementwise functions of tensors of one shape in one launch: `build` is given a value for each input and returns the
 * results, `(x, y) => [x.subtract(y).square()]`.
 *
 * @throws {RangeError} when the shapes differ.
 */
export function chain(
  tape: Tape,
  inputs: readonly Tensor[],
  build: (...values: ChainValue[]) => readonly ChainValue[],
): Tensor[] {
  return [...tape.apply(chainRule, inputs, { chain: buildChain(inputs.length, build) })];
}

/** What {@linkcode chainRule} needs beside its tensors. */
export interface ChainAttributes {
  /** Made by `buildChain`. */
  readonly chain: Chain;
}

/** Y_j = results of a chain of functions of X_i, all of the same shape */
export const chainRule: OpRule<readonly Tensor[], Tensor[], ChainAttributes> = defineOp({
  name: "chain",
  arity: "any",
  forward(tape, X, { chain }) {
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
  backward(tape, { inputs: X, attributes: { chain } }, dY) {
    const dX = X.map((input) => input.requiresGradient ? tape.gradientOf(input) : null);
    chainBackward(tape.gpu, chain, { X: X.map(({ data }) => data), dY, dX }, { n: sizeOf(X[0].shape) });
    return dX;
  },
});
