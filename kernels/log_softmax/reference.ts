/** Log-softmax in plain f64 loops. */
import type { LogSoftmaxShape } from "./mod.ts";

type Numbers = ArrayLike<number>;

/** Y = X / temperature - log sum_v e^(X / temperature), row by row. */
export function logSoftmaxReference(
  { X }: { readonly X: Numbers },
  { N, V, temperature }: LogSoftmaxShape,
): { Y: Float64Array } {
  const Y = new Float64Array(N * V);
  for (let n = 0; n < N; n++) {
    let largest = -Infinity;
    for (let v = 0; v < V; v++) largest = Math.max(largest, X[n * V + v]);
    let total = 0;
    for (let v = 0; v < V; v++) total += Math.exp((X[n * V + v] - largest) / temperature);
    for (let v = 0; v < V; v++) Y[n * V + v] = (X[n * V + v] - largest) / temperature - Math.log(total);
  }
  return { Y };
}

/** dX = (dY - e^Y * sum_v dY) / temperature, row by row. */
export function logSoftmaxBackwardReference(
  { Y, dY }: Readonly<Record<"Y" | "dY", Numbers>>,
  { N, V, temperature }: LogSoftmaxShape,
): { dX: Float64Array } {
  const dX = new Float64Array(N * V);
  for (let n = 0; n < N; n++) {
    let sum = 0;
    for (let v = 0; v < V; v++) sum += dY[n * V + v];
    for (let v = 0; v < V; v++) {
      const index = n * V + v;
      dX[index] = (dY[index] - Math.exp(Y[index]) * sum) / temperature;
    }
  }
  return { dX };
}
