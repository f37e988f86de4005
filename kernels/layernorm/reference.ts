/** Layer normalization in plain f64 loops. */

type Numbers = ArrayLike<number>;

/** Y = weight * (X - mean) * rstd + bias, with the statistics of each row. */
export function layernormReference(
  { X, weight, bias }: Readonly<Record<"X" | "weight" | "bias", Numbers>>,
  { R, C, epsilon }: { R: number; C: number; epsilon: number },
): Record<"Y" | "mean" | "rstd", Float64Array> {
  const Y = new Float64Array(R * C);
  const mean = new Float64Array(R);
  const rstd = new Float64Array(R);
  for (let r = 0; r < R; r++) {
    for (let c = 0; c < C; c++) mean[r] += X[r * C + c] / C;
    let variance = 0;
    for (let c = 0; c < C; c++) variance += (X[r * C + c] - mean[r]) ** 2 / C;
    rstd[r] = 1 / Math.sqrt(variance + epsilon);
    for (let c = 0; c < C; c++) Y[r * C + c] = weight[c] * (X[r * C + c] - mean[r]) * rstd[r] + bias[c];
  }
  return { Y, mean, rstd };
}

/** dX, dWeight and dBias; each starts from the given values if there are any. */
export function layernormBackwardReference(
  { X, weight, mean, rstd, dY, dX: dX0, dWeight: dWeight0, dBias: dBias0 }:
    & Readonly<Record<"X" | "weight" | "mean" | "rstd" | "dY", Numbers>>
    & Readonly<Partial<Record<"dX" | "dWeight" | "dBias", Numbers>>>,
  { R, C }: { R: number; C: number },
): Record<"dX" | "dWeight" | "dBias", Float64Array> {
  const dX = Float64Array.from(dX0 ?? new Float64Array(R * C));
  const dWeight = Float64Array.from(dWeight0 ?? new Float64Array(C));
  const dBias = Float64Array.from(dBias0 ?? new Float64Array(C));
  for (let r = 0; r < R; r++) {
    const normalized = (c: number) => (X[r * C + c] - mean[r]) * rstd[r];
    let sum = 0;
    let product = 0;
    for (let c = 0; c < C; c++) {
      const gradient = dY[r * C + c];
      dWeight[c] += gradient * normalized(c);
      dBias[c] += gradient;
      sum += gradient * weight[c] / C;
      product += gradient * weight[c] * normalized(c) / C;
    }
    for (let c = 0; c < C; c++) {
      dX[r * C + c] += rstd[r] * (dY[r * C + c] * weight[c] - sum - normalized(c) * product);
    }
  }
  return { dX, dWeight, dBias };
}
