/**
 * The same data under another shape.
 *
 * @module
 */
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { formatShape, sizeOf, type Tensor } from "../tensor.ts";

/** The same data under another shape; throws a `RangeError` when that holds another number of elements. */
export function reshape(tape: Tape, X: Tensor, shape: readonly number[]): Tensor {
  return tape.apply(reshapeRule, [X], { shape })[0];
}

/** A view of X, no launch */
export const reshapeRule: OpRule<[X: Tensor], [Y: Tensor], { readonly shape: readonly number[] }> = defineOp({
  name: "reshape",
  arity: 1,
  forward(tape, [X], { shape }) {
    if (sizeOf(shape) !== sizeOf(X.shape)) {
      throw new RangeError(`Cannot reshape ${X.label} ${formatShape(X.shape)} to ${formatShape(shape)}`);
    }
    return [tape.view(X, shape)];
  },
  backward: (_tape, _call, [dY]) => [dY],
});
