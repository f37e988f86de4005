/** Root-mean-square normalization in plain f64 loops. */

type Numbers = ArrayLike<number>;

/** Y = weight * X * rstd, with the rstd of each row. */
export function rmsnormReference(
  { X, weight }: Readonly<Record<"X" | "weight", Numbers>>,
  { R, C, epsilon }: { R: number; C: number; epsilon: number },
): Record<"Y" | "rstd", Float64Array> {
  const Y = new Float64Array(R * C);
  const rstd = new Float64Array(R);
  for (let r = 0; r < R; r++) {
    let square = 0;
    for (let c = 0; c < C; c++) square += X[r * C + c] ** 2 / C;
    rstd[r] = 1 / Math.sqrt(square + epsilon);
    for (let c = 0; c < C; c++) Y[r * C + c] = weight[c] * X[r * C + c] * rstd[r];
  }
  return { Y, rstd };
}

/** dX and dWeight; each starts from the given values if there are any. */
export function rmsnormBackwardReference(
  { X, weight, rstd, dY, dX: dX0, dWeight: dWeight0 }:
    & Readonly<Record<"X" | "weight" | "rstd" | "dY", Numbers>>
    & Readonly<Partial<Record<"dX" | "dWeight", Numbers>>>,
  { R, C }: { R: number; C: number },
): Record<"dX" | "dWeight", Float64Array> {
  const dX = Float64Array.from(dX0 ?? new Float64Array(R * C));
  const dWeight = Float64Array.from(dWeight0 ?? new Float64Array(C));
  for (let r = 0; r < R; r++) {
    let product = 0;
    for (let c = 0; c < C; c++) {
      const normalized = X[r * C + c] * rstd[r];
      dWeight[c] += dY[r * C + c] * normalized;
      product += dY[r * C + c] * weight[c] * normalized / C;
    }
    for (let c = 0; c < C; c++) {
      dX[r * C + c] += rstd[r] * (dY[r * C + c] * weight[c] - X[r * C + c] * rstd[r] * product);
    }
  }
  return { dX, dWeight };
}
