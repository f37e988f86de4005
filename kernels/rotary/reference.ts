/** Rotary position embedding in plain f64 loops; angles are computed here, not read from a table. */

type Numbers = ArrayLike<number>;

/** Y, or with `inverse` the gradient of X from that of Y. */
export function rotaryReference(
  { X, positions }: Readonly<Record<"X" | "positions", Numbers>>,
  { R, heads, rotated, D, theta, inverse }: {
    R: number;
    heads: number;
    rotated: number;
    D: number;
    theta: number;
    inverse: boolean;
  },
): { Y: Float64Array } {
  const Y = Float64Array.from(X);
  for (let r = 0; r < R; r++) {
    for (let head = 0; head < rotated; head++) {
      for (let d = 0; d < D / 2; d++) {
        const angle = positions[r] / theta ** (2 * d / D) * (inverse ? -1 : 1);
        const first = (r * heads + head) * D + d;
        const [x1, x2] = [X[first], X[first + D / 2]];
        Y[first] = x1 * Math.cos(angle) - x2 * Math.sin(angle);
        Y[first + D / 2] = x2 * Math.cos(angle) + x1 * Math.sin(angle);
      }
    }
  }
  return { Y };
}
