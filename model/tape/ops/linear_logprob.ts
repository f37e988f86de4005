/**
 * The fused output layer: log-probabilities of targets and entropies, without a logits matrix.
 *
 * @module
 */
import {
  linearLogprob as launchLinearLogprob,
  linearLogprobBackward,
  linearLogprobPartialsWords,
  linearLogprobScratchWords,
} from "../../../kernels/softmax_logprob/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { asMatrix, type Tensor } from "../tensor.ts";

/** What {@linkcode linearLogprob} needs beside tensors. */
export interface LinearLogprobAttributes {
  /** (N) a class of each row, 0 to V-1. */
  readonly targets: Uint32Array;
  /** Divides the logits. */
  readonly temperature: number;
}

/**
 * Log-probabilities (N) of targets (N) under softmax(X W / temperature), and that distribution's entropies (N), in nats;
 * X (N,C), W (C,V).
 *
 * @throws {RangeError} when a target is no class.
 */
export function linearLogprob(
  tape: Tape,
  X: Tensor,
  W: Tensor,
  attributes: LinearLogprobAttributes,
): { logprob: Tensor; entropy: Tensor } {
  const [logprob, entropy] = tape.apply(linearLogprobRule, [X, W], attributes);
  return { logprob, entropy };
}

/** X (N,C), W (C,V) -> logprob (N) = log softmax(X W / temperature)[target], entropy (N) of that distribution */
export const linearLogprobRule: OpRule<
  [X: Tensor, W: Tensor],
  [logprob: Tensor, entropy: Tensor],
  LinearLogprobAttributes
> = defineOp({
  name: "linearLogprob",
  arity: 2,
  forward(tape, [X, W], { targets, temperature }) {
    const { rows: N, columns: C } = asMatrix(X);
    const V = W.shape[1];
    const stray = targets.find((target) => !(target < V));
    if (stray !== undefined) {
      throw new RangeError(
        `Cannot take log-probabilities: a target is ${stray}, classes are 0 to ${V - 1}`,
      );
    }
    const logprob = tape.output([N], "logprob");
    const entropy = tape.output([N], "entropy");
    const lse = tape.save(N, "lse");
    const targetSlice = tape.indices(targets, "targets");
    launchLinearLogprob(tape.gpu, {
      X: X.data,
      W: W.data,
      targets: targetSlice,
      logprob: logprob.data,
      lse,
      entropy: entropy.data,
      partials: tape.scratch(linearLogprobPartialsWords({ N, C, V }, tape.gpu), "linearLogprob.partials"),
    }, { N, C, V, temperature });
    return [logprob, entropy];
  },
  backward(
    tape,
    { inputs: [X, W], outputs: [, entropy], saved: [lse], attributes: { targets, temperature } },
    [dLogprob, dEntropy],
  ) {
    const { rows: N, columns: C } = asMatrix(X);
    const V = W.shape[1];
    const dX = tape.gradientOf(X);
    linearLogprobBackward(tape.gpu, {
      X: X.data,
      W: W.data,
      targets: tape.indices(targets, "targets"),
      lse,
      entropy: entropy.data,
      dLogprob: dLogprob ?? tape.zeros(N),
      dEntropy: dEntropy ?? undefined,
      dX,
      dW: W.gradient ?? undefined,
      scratch: tape.scratch(linearLogprobScratchWords({ N, V }), "linearLogprob.scratch"),
    }, { N, C, V, temperature });
    return [dX, null];
  },
});
