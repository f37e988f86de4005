/**
 * Sums of rows.
 *
 * @module
 */
import { rowBroadcast, rowSum as launchRowSum } from "../../../kernels/reduce/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { asMatrix, type Tensor } from "../tensor.ts";

/** Sums of rows: (..,C) -> (..). */
export function rowSum(tape: Tape, X: Tensor): Tensor {
  return tape.apply(rowSumRule, [X])[0];
}

/** X (..,C) -> Y (..), the sum of each row */
export const rowSumRule: OpRule<[X: Tensor], [Y: Tensor]> = defineOp({
  name: "rowSum",
  arity: 1,
  forward(tape, [X]) {
    const { rows: R, columns: C } = asMatrix(X);
    const Y = tape.output(X.shape.slice(0, -1), `rowSum(${X.label})`);
    launchRowSum(tape.gpu, { X: X.data, Y: Y.data }, { R, C });
    return [Y];
  },
  // Y[r] = sum_c X[r,c]:  dX[r,c] = dY[r]
  backward(tape, { inputs: [X] }, [dY]) {
    const { rows: R, columns: C } = asMatrix(X);
    const dX = tape.gradientOf(X);
    rowBroadcast(tape.gpu, { X: dY, Y: dX }, { R, C });
    return [dX];
  },
});
