/**
 * Layer normalisation.
 *
 * @module
 */
import {
  layernorm as launchLayernorm,
  layernormBackward,
  layernormPartialsWords,
} from "../../../kernels/layernorm/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { asMatrix, type Tensor } from "../tensor.ts";

/** Layer normalisation over the last dimension; X and result (..,C), weight and bias (C). */
export function layernorm(
  tape: Tape,
  X: Tensor,
  { weight, bias }: { weight: Tensor; bias: Tensor },
  epsilon: number,
): Tensor {
  return tape.apply(layernormRule, [X, weight, bias], { epsilon })[0];
}

/** X (..,C), weight (C), bias (C) -> Y = weight (X - mean) rstd + bias over the last dimension */
export const layernormRule: OpRule<
  [X: Tensor, weight: Tensor, bias: Tensor],
  [Y: Tensor],
  { readonly epsilon: number }
> = defineOp({
  name: "layernorm",
  arity: 3,
  forward(tape, [X, weight, bias], { epsilon }) {
    const { rows: R, columns: C } = asMatrix(X);
    const Y = tape.output(X.shape, weight.label.replace(/\.weight$/, ""));
    const mean = tape.save(R, `${Y.label}.mean`);
    const rstd = tape.save(R, `${Y.label}.rstd`);
    launchLayernorm(
      tape.gpu,
      { X: X.data, weight: weight.data, bias: bias.data, Y: Y.data, mean, rstd },
      { R, C, epsilon },
    );
    return [Y];
  },
  backward(tape, { inputs: [X, weight, bias], saved: [mean, rstd] }, [dY]) {
    const { rows: R, columns: C } = asMatrix(X);
    // Beside the norm there is a residual connection as a rule, whose gradient came before.
    const { dX, accumulate } = tape.gradientSoFar(X);
    // The kernel makes both or none: what is frozen goes nowhere.
    const isTrained = weight.gradient !== null || bias.gradient !== null;
    layernormBackward(tape.gpu, {
      X: X.data,
      weight: weight.data,
      mean,
      rstd,
      dY,
      dX,
      ...isTrained && {
        dWeight: weight.gradient ?? tape.scratch(C, "layernorm.dWeight"),
        dBias: bias.gradient ?? tape.scratch(C, "layernorm.dBias"),
      },
      partials: tape.scratch(layernormPartialsWords(R, C), "layernorm.partials"),
    }, { R, C, accumulate });
    return [dX, null, null];
  },
});
