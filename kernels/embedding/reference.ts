/**
 * The embedding kernels' specification: plain loops in f64.
 *
 * @module
 */
type Numbers = ArrayLike<number>;

/** Y[n] = source row + positionTable[positions[n]]. */
export function embedReference(
  { sources, positions, tokenTable, positionTable, imageTokens }: Record<string, Numbers>,
  { N, C }: { N: number; C: number },
): Float64Array {
  const Y = new Float64Array(N * C);
  for (let n = 0; n < N; n++) {
    const source = sources[n];
    for (let c = 0; c < C; c++) {
      const value = source >= 0 ? tokenTable[source * C + c] : imageTokens[(-source - 1) * C + c];
      Y[n * C + c] = value + positionTable[positions[n] * C + c];
    }
  }
  return Y;
}

/** Y with the rows whose source is in the piece of the table, or an image row if there are any; others as they were. */
export function embedRowsReference(
  { sources, table, imageTokens, Y: before }: Record<string, Numbers>,
  { N, C, row0, rows, hasImages }: { N: number; C: number; row0: number; rows: number; hasImages: boolean },
): Float64Array {
  const Y = Float64Array.from(before);
  for (let n = 0; n < N; n++) {
    const source = sources[n];
    for (let c = 0; c < C; c++) {
      if (source < 0 && hasImages) Y[n * C + c] = imageTokens[(-source - 1) * C + c];
      if (source >= row0 && source < row0 + rows) Y[n * C + c] = table[(source - row0) * C + c];
    }
  }
  return Y;
}

/** Y[r] = X[index[r]], zeros for -1. */
export function gatherRowsReference(
  { X, index }: Record<string, Numbers>,
  { rows, C }: { rows: number; C: number },
): Float64Array {
  const Y = new Float64Array(rows * C);
  for (let r = 0; r < rows; r++) {
    if (index[r] < 0) continue;
    for (let c = 0; c < C; c++) Y[r * C + c] = X[index[r] * C + c];
  }
  return Y;
}

/** dTable[v] (+)= sum of dY[n] over the n whose index is v: straight from the index, without buckets. */
export function sumRowsReference(
  { dY, index, dTable }: Record<string, Numbers>,
  { rows, C, accumulate }: { rows: number; C: number; accumulate: boolean },
): Float64Array {
  const sums = accumulate ? Float64Array.from(dTable) : new Float64Array(rows * C);
  for (let n = 0; n < index.length; n++) {
    if (index[n] < 0) continue;
    for (let c = 0; c < C; c++) sums[index[n] * C + c] += dY[n * C + c];
  }
  return sums;
}
