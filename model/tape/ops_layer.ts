/**
 * Ops with parameters: linear layer, layer normalisation, and the fused output layer with log-probabilities.
 *
 * @module
 */
import { layernorm, layernormBackward, layernormPartialsWords } from "../../kernels/layernorm/mod.ts";
import { matmul } from "../../kernels/matmul/mod.ts";
import { unaryBackward } from "../../kernels/elementwise/mod.ts";
import { columnSum, columnSumPartialWords } from "../../kernels/reduce/mod.ts";
import {
  linearLogprob,
  linearLogprobBackward,
  linearLogprobPartialsWords,
  linearLogprobScratchWords,
} from "../../kernels/softmax_logprob/mod.ts";
import type { Op } from "./tape.ts";
import { asMatrix, formatShape } from "./tensor.ts";

export interface LayerAttributes {
  linear: { readonly gelu: boolean };
  layernorm: { readonly epsilon: number };
  linearLogprob: { readonly targets: Uint32Array; readonly temperature: number };
}

export const layerOps: { readonly [Name in keyof LayerAttributes]: Op<LayerAttributes[Name]> } = {
  /** inputs X (..,K), W (K,N), bias (N)?, residual (..,N)?;  Y = gelu?(X W + bias) + residual */
  linear: {
    forward(tape, [X, W, bias, residual], { gelu }) {
      const { rows: M, columns: K } = asMatrix(X!);
      const [inner, N] = W!.shape;
      if (inner !== K) {
        throw new RangeError(
          `Cannot multiply ${X!.label} ${formatShape(X!.shape)} by ${W!.label} ${formatShape(W!.shape)}: ` +
            `inner dimension must match, got ${K} and ${inner}`,
        );
      }
      const Y = tape.output([...X!.shape.slice(0, -1), N], W!.label.replace(/\.weight$/, ""));
      const U = gelu ? tape.save(M * N, `${Y.label}.preactivation`) : undefined;
      matmul(tape.gpu, {
        A: X!.data,
        B: W!.data,
        C: Y.data,
        bias: bias?.data,
        residual: residual?.data,
        U,
      }, { M, N, K, gelu });
      return [Y];
    },
    // Y = gelu(U) + residual, U = X W + bias:  dU = dY gelu'(U), dX = dU W^T, dW += X^T dU, dbias += sum_rows dU
    backward(tape, { inputs: [X, W, bias, residual], outputs: [Y], saved: [U], attributes: { gelu } }, [dY]) {
      const { rows: M, columns: K } = asMatrix(X!);
      const N = W!.shape[1];
      let dU = dY!;
      if (gelu) {
        dU = tape.scratch(M * N, `d${Y.label}.preactivation`);
        unaryBackward(tape.gpu, { X: U, dY: dY!, dX: dU }, { op: "gelu", n: M * N });
      }
      if (W!.gradient) {
        matmul(tape.gpu, { A: X!.data, B: dU, C: W!.gradient }, {
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
      if (X!.requiresGradient) {
        dX = tape.gradientOf(X!);
        matmul(tape.gpu, { A: dU, B: W!.data, C: dX }, { M, N: K, K: N, transposeB: true });
      }
      return [dX, null, null, residual?.requiresGradient ? dY : null];
    },
  },

  /** inputs X (..,C), weight (C), bias (C);  Y = weight (X - mean) rstd + bias over the last dimension */
  layernorm: {
    forward(tape, [X, weight, bias], { epsilon }) {
      const { rows: R, columns: C } = asMatrix(X!);
      const Y = tape.output(X!.shape, weight!.label.replace(/\.weight$/, ""));
      const mean = tape.save(R, `${Y.label}.mean`);
      const rstd = tape.save(R, `${Y.label}.rstd`);
      layernorm(
        tape.gpu,
        { X: X!.data, weight: weight!.data, bias: bias!.data, Y: Y.data, mean, rstd },
        { R, C, epsilon },
      );
      return [Y];
    },
    backward(tape, { inputs: [X, weight, bias], saved: [mean, rstd] }, [dY]) {
      const { rows: R, columns: C } = asMatrix(X!);
      // Beside the norm there is a residual connection as a rule, whose gradient came before.
      const { dX, accumulate } = tape.gradientSoFar(X!);
      // The kernel makes both or none: what is frozen goes nowhere.
      const isTrained = weight!.gradient !== null || bias!.gradient !== null;
      layernormBackward(tape.gpu, {
        X: X!.data,
        weight: weight!.data,
        mean,
        rstd,
        dY: dY!,
        dX,
        ...isTrained && {
          dWeight: weight!.gradient ?? tape.scratch(C, "layernorm.dWeight"),
          dBias: bias!.gradient ?? tape.scratch(C, "layernorm.dBias"),
        },
        partials: tape.scratch(layernormPartialsWords(R, C), "layernorm.partials"),
      }, { R, C, accumulate });
      return [dX, null, null];
    },
  },

  /**
   * inputs X (N,C), W (C,V); attributes targets (N), temperature;
   * outputs logprob (N) = log softmax(X W / temperature)[target], entropy (N) of that distribution
   */
  linearLogprob: {
    forward(tape, [X, W], { targets, temperature }) {
      const { rows: N, columns: C } = asMatrix(X!);
      const V = W!.shape[1];
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
      linearLogprob(tape.gpu, {
        X: X!.data,
        W: W!.data,
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
      const { rows: N, columns: C } = asMatrix(X!);
      const V = W!.shape[1];
      const dX = tape.gradientOf(X!);
      linearLogprobBackward(tape.gpu, {
        X: X!.data,
        W: W!.data,
        targets: tape.indices(targets, "targets"),
        lse,
        entropy: entropy.data,
        dLogprob: dLogprob ?? tape.zeros(N),
        dEntropy: dEntropy ?? undefined,
        dX,
        dW: W!.gradient ?? undefined,
        scratch: tape.scratch(linearLogprobScratchWords({ N, V }), "linearLogprob.scratch"),
      }, { N, C, V, temperature });
      return [dX, null];
    },
  },
};
