/** Linear layer, log-softmax and gather in plain f64 loops. */
import type { LinearLogprobShape } from "./mod.ts";

type Numbers = ArrayLike<number>;
function logitsOfRow(
  X: Numbers,
  W: Numbers,
  row: number,
  { C, V, temperature }: LinearLogprobShape,
): Float64Array {
  const logits = new Float64Array(V);
  for (let c = 0; c < C; c++) {
    for (let v = 0; v < V; v++) logits[v] += X[row * C + c] * W[c * V + v] / temperature;
  }
  return logits;
}

/** Log-probability of the target, log-sum-exp and entropy of every row. */
export function linearLogprobReference(
  { X, W, targets }: Readonly<Record<"X" | "W" | "targets", Numbers>>,
  shape: LinearLogprobShape,
): Record<"logprob" | "lse" | "entropy", Float64Array> {
  const { N } = shape;
  const logprob = new Float64Array(N);
  const lse = new Float64Array(N);
  const entropy = new Float64Array(N);
  for (let n = 0; n < N; n++) {
    const logits = logitsOfRow(X, W, n, shape);
    const largest = logits.reduce((a, b) => Math.max(a, b));
    const logTotal = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
    lse[n] = largest + logTotal;
    // Not logit - lse: beside a large maximum the sum's logarithm would be rounded away.
    const logps = logits.map((logit) => logit - largest - logTotal);
    logprob[n] = logps[targets[n]];
    // p log p of a logit of -infinity is 0.
    entropy[n] = -logps.reduce((sum, logp) => sum + (logp === -Infinity ? 0 : Math.exp(logp) * logp), 0);
  }
  return { logprob, lse, entropy };
}

/** dX; dW starts from the given values if there are any. */
export function linearLogprobBackwardReference(
  { X, W, targets, dLogprob, dEntropy, dW: dW0 }:
    & Readonly<Record<"X" | "W" | "targets" | "dLogprob", Numbers>>
    & Readonly<Partial<Record<"dEntropy" | "dW", Numbers>>>,
  shape: LinearLogprobShape,
): Record<"dX" | "dW", Float64Array> {
  const { N, C, V, temperature } = shape;
  const { lse, entropy } = linearLogprobReference({ X, W, targets }, shape);
  const dX = new Float64Array(N * C);
  const dW = Float64Array.from(dW0 ?? new Float64Array(C * V));
  for (let n = 0; n < N; n++) {
    const logits = logitsOfRow(X, W, n, shape);
    const dLogits = logits.map((logit, v) => {
      const logp = logit - lse[n];
      const p = Math.exp(logp);
      const ofEntropy = dEntropy === undefined ? 0 : dEntropy[n] * p * (logp + entropy[n]);
      return (dLogprob[n] * ((v === targets[n] ? 1 : 0) - p) - ofEntropy) / temperature;
    });
    // Along the rows of W: down its columns the caches would miss at every word of a large vocabulary.
    for (let c = 0; c < C; c++) {
      for (let v = 0; v < V; v++) {
        dX[n * C + c] += dLogits[v] * W[c * V + v];
        dW[c * V + v] += dLogits[v] * X[n * C + c];
      }
    }
  }
  return { dX, dW };
}
