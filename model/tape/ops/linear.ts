/**
 * The linear layer, with activation and residual connection in the same launch.
 *
 * @module
 */
import { unaryBackward } from "../../../kernels/elementwise/mod.ts";
import { matmul } from "../../../kernels/matmul/mod.ts";
import { columnSum, columnSumPartialWords } from "../../../kernels/reduce/mod.ts";
import { defineOp, type Operand, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { asMatrix, formatShape, type Tensor } from "../tensor.ts";

/** A weight (in, out) and its bias (out), null if there is none. */
export interface Affine {
  /** (in, out) */
  readonly weight: Tensor;
  /** (out) */
  readonly bias: Tensor | null;
}

/** gelu?(X W + bias) + residual; X (..,K), W (K,N), bias (N), residual and result (..,N). */
export function linear(
  tape: Tape,
  X: Tensor,
  { weight, bias }: Affine,
  { gelu = false, residual = null }: { gelu?: boolean; residual?: Tensor | null } = {},
): Tensor {
  return tape.apply(linearRule, [X, weight, bias, residual], { gelu })[0];
}

/** X (..,K), W (K,N), bias (N)?, residual (..,N)? -> Y = gelu?(X W + bias) + residual */
export const linearRule: OpRule<
  [X: Tensor, W: Tensor, bias: Operand, residual: Operand],
  [Y: Tensor],
  { readonly gelu: boolean }
> = defineOp({
  name: "linear",
  arity: 4,
  forward(tape, [X, W, bias, residual], { gelu }) {
    const { rows: M, columns: K } = asMatrix(X);
    const [inner, N] = W.shape;
    if (inner !== K) {
      throw new RangeError(
        `Cannot multiply ${X.label} ${formatShape(X.shape)} by ${W.label} ${formatShape(W.shape)}: ` +
          `inner dimension must match, got ${K} and ${inner}`,
      );
    }
    const Y = tape.output([...X.shape.slice(0, -1), N], W.label.replace(/\.weight$/, ""));
    const U = gelu ? tape.save(M * N, `${Y.label}.preactivation`) : undefined;
    matmul(tape.gpu, {
      A: X.data,
      B: W.data,
      C: Y.data,
      bias: bias?.data,
      residual: residual?.data,
      U,
    }, { M, N, K, gelu });
    return [Y];
  },
  // Y = gelu(U) + residual, U = X W + bias:  dU = dY gelu'(U), dX = dU W^T, dW += X^T dU, dbias += sum_rows dU
  backward(tape, { inputs: [X, W, bias, residual], outputs: [Y], saved: [U], attributes: { gelu } }, [dY]) {
    const { rows: M, columns: K } = asMatrix(X);
    const N = W.shape[1];
    let dU = dY;
    if (gelu) {
      dU = tape.scratch(M * N, `d${Y.label}.preactivation`);
      unaryBackward(tape.gpu, { X: U, dY, dX: dU }, { op: "gelu", n: M * N });
    }
    if (W.gradient) {
      matmul(tape.gpu, { A: X.data, B: dU, C: W.gradient }, {
        M: K,
        N,
        K: M,
        transposeA: true,
        accumulate: true,
      });
    }
    if (bias?.gradient) {
      const words = columnSumPartialWords({ R: M, C: N }, tape.gpu);
      const partials = words === 0 ? undefined : tape.scratch(words, "columnSum.partials");
      columnSum(tape.gpu, { X: dU, Y: bias.gradient, partials }, { R: M, C: N, accumulate: true });
    }
    let dX = null;
    if (X.requiresGradient) {
      dX = tape.gradientOf(X);
      matmul(tape.gpu, { A: dU, B: W.data, C: dX }, { M, N: K, K: N, transposeB: true });
    }
    return [dX, null, null, residual?.requiresGradient ? dY : null];
  },
});
