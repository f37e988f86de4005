/**
 * The gated activation of Llama's MLP.
 *
 * @module
 */
import { swiglu as launchSwiglu, swigluBackward } from "../../../kernels/swiglu/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { asMatrix, type Tensor } from "../tensor.ts";

/** silu(gate) * up of rows [gate | up]: (..,2I) -> (..,I). */
export function swiglu(tape: Tape, X: Tensor): Tensor {
  return tape.apply(swigluRule, [X])[0];
}

/** X (..,2I) with rows [gate | up] -> Y (..,I) = silu(gate) up */
export const swigluRule: OpRule<[X: Tensor], [Y: Tensor]> = defineOp({
  name: "swiglu",
  arity: 1,
  forward(tape, [X]) {
    const { rows: R, columns } = asMatrix(X);
    const Y = tape.output([...X.shape.slice(0, -1), columns / 2], "swiglu");
    launchSwiglu(tape.gpu, { X: X.data, Y: Y.data }, { R, I: columns / 2 });
    return [Y];
  },
  backward(tape, { inputs: [X] }, [dY]) {
    const { rows: R, columns } = asMatrix(X);
    const dX = tape.gradientOf(X);
    swigluBackward(tape.gpu, { X: X.data, dY, dX }, { R, I: columns / 2 });
    return [dX];
  },
});
