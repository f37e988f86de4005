/**
 * Sums and means of all elements.
 *
 * @module
 */
import { unary } from "../../../kernels/elementwise/mod.ts";
import { rowBroadcast, sum as launchSum, sumPartialWords } from "../../../kernels/reduce/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";

/** scale * sum of all elements, a scalar (1). */
export function sum(tape: Tape, X: Tensor, scale = 1): Tensor {
  return tape.apply(sumRule, [X], { scale })[0];
}

/** The mean of all elements, a scalar (1). */
export function mean(tape: Tape, X: Tensor): Tensor {
  return sum(tape, X, 1 / sizeOf(X.shape));
}

/** X (..) -> Y (1) = scale * sum of X; a mean when scale is 1/n */
export const sumRule: OpRule<[X: Tensor], [Y: Tensor], { readonly scale: number }> = defineOp({
  name: "sum",
  arity: 1,
  forward(tape, [X], { scale }) {
    const n = sizeOf(X.shape);
    const Y = tape.output([1], `sum(${X.label})`);
    const partials = tape.scratch(sumPartialWords({ n }), "sum.partials");
    launchSum(tape.gpu, { X: X.data, Y: Y.data, partials }, { n, scale });
    return [Y];
  },
  // Y = scale sum_i X[i]:  dX[i] = scale dY
  backward(tape, { inputs: [X], attributes: { scale } }, [dY]) {
    const n = sizeOf(X.shape);
    const scaled = tape.scratch(1, "sum.scaled");
    unary(tape.gpu, { X: dY, Y: scaled }, { op: "scale", a: scale, n: 1 });
    const dX = tape.gradientOf(X);
    rowBroadcast(tape.gpu, { X: scaled, Y: dX }, { R: 1, C: n });
    return [dX];
  },
});
