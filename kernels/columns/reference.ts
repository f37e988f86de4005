/** Columns of a matrix in plain loops. */

type Numbers = ArrayLike<number>;
type Shape = Readonly<Record<"R" | "C" | "N" | "column" | "scale", number>>;

/** Y = X + scale Z from a column on. */
export function addColumnsReference(
  { X, Z }: Readonly<Record<"X" | "Z", Numbers>>,
  { R, C, N, column, scale }: Shape,
): { Y: Float64Array } {
  const Y = Float64Array.from(X);
  for (let r = 0; r < R; r++) {
    for (let c = 0; c < N; c++) Y[r * C + column + c] += scale * Z[r * N + c];
  }
  return { Y };
}

/** Z = scale * some columns of Y. */
export function cutColumnsReference(
  { Y }: { readonly Y: Numbers },
  { R, C, N, column, scale }: Shape,
): { Z: Float64Array } {
  const at = (i: number) => Math.floor(i / N) * C + column + i % N;
  return { Z: Float64Array.from({ length: R * N }, (_, i) => scale * Y[at(i)]) };
}
