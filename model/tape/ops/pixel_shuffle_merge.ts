/**
 * Merging of squares of tokens.
 *
 * @module
 */
import { pixelShuffleMerge as launchMerge } from "../../../kernels/image/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";

/** (B,side^2,C) -> (B,(side/factor)^2,factor^2 C): each token concatenates a factor x factor square. */
export function pixelShuffleMerge(tape: Tape, X: Tensor, factor: number): Tensor {
  return tape.apply(pixelShuffleMergeRule, [X], { factor })[0];
}

/** X (B,side^2,C) -> Y (B,(side/factor)^2,factor^2 C) */
export const pixelShuffleMergeRule: OpRule<[X: Tensor], [Y: Tensor], { readonly factor: number }> = defineOp({
  name: "pixelShuffleMerge",
  arity: 1,
  forward(tape, [X], { factor }) {
    const [B, tokens, C] = X.shape;
    const Y = tape.output([B, tokens / factor ** 2, C * factor ** 2], "merged");
    launchMerge(tape.gpu, { X: X.data, Y: Y.data }, {
      B,
      side: Math.sqrt(tokens),
      C,
      factor,
      inverse: false,
    });
    return [Y];
  },
  backward(tape, { inputs: [X], attributes: { factor } }, [dY]) {
    const [B, tokens, C] = X.shape;
    const dX = tape.gradientOf(X);
    launchMerge(tape.gpu, { X: dY, Y: dX }, {
      B,
      side: Math.sqrt(tokens),
      C,
      factor,
      inverse: true,
    });
    return [dX];
  },
});
