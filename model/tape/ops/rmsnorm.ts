/**
 * Root-mean-square normalisation.
 *
 * @module
 */
import {
  rmsnorm as launchRmsnorm,
  rmsnormBackward,
  rmsnormPartialsWords,
} from "../../../kernels/rmsnorm/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { asMatrix, type Tensor } from "../tensor.ts";

/** Root-mean-square normalisation over the last dimension; X and result (..,C), weight (C). */
export function rmsnorm(tape: Tape, X: Tensor, weight: Tensor, epsilon: number): Tensor {
  return tape.apply(rmsnormRule, [X, weight], { epsilon })[0];
}

/** X (..,C), weight (C) -> Y = weight X / sqrt(mean X^2 + epsilon) over the last dimension */
export const rmsnormRule: OpRule<[X: Tensor, weight: Tensor], [Y: Tensor], { readonly epsilon: number }> =
  defineOp({
    name: "rmsnorm",
    arity: 2,
    forward(tape, [X, weight], { epsilon }) {
      const { rows: R, columns: C } = asMatrix(X);
      const Y = tape.output(X.shape, weight.label.replace(/\.weight$/, ""));
      const rstd = tape.save(R, `${Y.label}.rstd`);
      launchRmsnorm(tape.gpu, { X: X.data, weight: weight.data, Y: Y.data, rstd }, { R, C, epsilon });
      return [Y];
    },
    backward(tape, { inputs: [X, weight], saved: [rstd] }, [dY]) {
      const { rows: R, columns: C } = asMatrix(X);
      // Beside the norm there is a residual connection as a rule, whose gradient came before.
      const { dX, accumulate } = tape.gradientSoFar(X);
      rmsnormBackward(tape.gpu, {
        X: X.data,
        weight: weight.data,
        rstd,
        dY,
        dX,
        dWeight: weight.gradient ?? undefined,
        partials: tape.scratch(rmsnormPartialsWords(R, C), "rmsnorm.partials"),
      }, { R, C, accumulate });
      return [dX, null];
    },
  });
