/**
 * The reductions' specification: plain loops in f64.
 *
 * @module
 */
type Numbers = ArrayLike<number>;
type Matrix = { readonly R: number; readonly C: number };

/** Y[r] = sum over c of X[r,c]. */
export function rowSumReference(X: Numbers, { R, C }: Matrix): Float64Array {
  const Y = new Float64Array(R);
  for (let r = 0; r < R; r++) {
    for (let c = 0; c < C; c++) Y[r] += X[r * C + c];
  }
  return Y;
}

/** Y[r,c] = X[r]. */
export function rowBroadcastReference(X: Numbers, { R, C }: Matrix): Float64Array {
  return Float64Array.from({ length: R * C }, (_, i) => X[Math.floor(i / C)]);
}

/** Y[c] (+)= sum over r of X[r,c]. */
export function columnSumReference(X: Numbers, Y: Numbers | undefined, { R, C }: Matrix): Float64Array {
  const sums = Y === undefined ? new Float64Array(C) : Float64Array.from(Y);
  for (let r = 0; r < R; r++) {
    for (let c = 0; c < C; c++) sums[c] += X[r * C + c];
  }
  return sums;
}

/** The sum of everything. */
export function sumReference(X: Numbers): number {
  let total = 0;
  for (let i = 0; i < X.length; i++) total += X[i];
  return total;
}
