/** SwiGLU in plain f64 loops. */

type Numbers = ArrayLike<number>;

/** Y of X (R,2I), and with a dY also dX. */
export function swigluReference(
  { X, dY }: { readonly X: Numbers; readonly dY?: Numbers },
  { R, I }: { R: number; I: number },
): Record<"Y" | "dX", Float64Array> {
  const Y = new Float64Array(R * I);
  const dX = new Float64Array(2 * R * I);
  for (let r = 0; r < R; r++) {
    for (let i = 0; i < I; i++) {
      const at = r * 2 * I + i;
      const [gate, up] = [X[at], X[at + I]];
      const sigmoid = 1 / (1 + Math.exp(-gate));
      Y[r * I + i] = gate * sigmoid * up;
      if (dY === undefined) continue;
      dX[at] = dY[r * I + i] * up * (sigmoid + gate * sigmoid * (1 - sigmoid));
      dX[at + I] = dY[r * I + i] * gate * sigmoid;
    }
  }
  return { Y, dX };
}
