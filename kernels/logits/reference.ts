/** Statistics of logits and their gradient in plain f64 loops, over whole rows. */

type Numbers = ArrayLike<number>;
interface Shape {
  readonly N: number;
  readonly V: number;
  readonly temperature: number;
}

/** Log-probability of the target, log-sum-exp and entropy of every row of Z (N,V). */
export function logitStatisticsReference(
  { Z, targets }: Readonly<Record<"Z" | "targets", Numbers>>,
  { N, V, temperature }: Shape,
): Record<"logprob" | "lse" | "entropy", Float64Array> {
  const [logprob, lse, entropy] = [new Float64Array(N), new Float64Array(N), new Float64Array(N)];
  for (let n = 0; n < N; n++) {
    const logits = Float64Array.from({ length: V }, (_, v) => Z[n * V + v] / temperature);
    const largest = logits.reduce((a, b) => Math.max(a, b));
    const logTotal = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
    const logps = logits.map((logit) => logit - largest - logTotal);
    lse[n] = largest + logTotal;
    logprob[n] = logps[targets[n]];
    entropy[n] = -logps.reduce((sum, logp) => sum + (logp === -Infinity ? 0 : Math.exp(logp) * logp), 0);
  }
  return { logprob, lse, entropy };
}

/** dZ (N,V). */
export function logitGradientReference(
  { Z, targets, dLogprob, dEntropy }:
    & Readonly<Record<"Z" | "targets" | "dLogprob", Numbers>>
    & { readonly dEntropy?: Numbers },
  shape: Shape,
): Float64Array {
  const { N, V, temperature } = shape;
  const { lse, entropy } = logitStatisticsReference({ Z, targets }, shape);
  const dZ = new Float64Array(N * V);
  for (let n = 0; n < N; n++) {
    for (let v = 0; v < V; v++) {
      const logp = Z[n * V + v] / temperature - lse[n];
      const p = Math.exp(logp);
      const ofEntropy = dEntropy === undefined ? 0 : dEntropy[n] * p * (logp + entropy[n]);
      dZ[n * V + v] = (dLogprob[n] * ((v === targets[n] ? 1 : 0) - p) - ofEntropy) / temperature;
    }
  }
  return dZ;
}
