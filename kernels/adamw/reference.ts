/**
 * AdamW's specification: plain loops in f64.
 *
 * @module
 */
type Numbers = ArrayLike<number>;

/**
 * [norm of clip group 0, of clip group 1, 1 when both are finite else 0, 0]; frozen groups do not count. Squares that
 * add up to more than an f32 holds count as not finite.
 */
export function gradientNormsReference(
  { gradients, blockGroups, groups }: Record<string, Numbers>,
): [number, number, number, number] {
  const squares = [0, 0];
  for (let i = 0; i < gradients.length; i++) {
    const group = blockGroups[Math.floor(i / 64)];
    if (groups[4 * group] !== 0) squares[groups[4 * group + 2]] += gradients[i] ** 2;
  }
  const [norm0, norm1] = squares.map((square) =>
    Math.fround(square) === Infinity ? Infinity : Math.sqrt(square)
  );
  return [norm0, norm1, Number.isFinite(norm0 + norm1) ? 1 : 0, 0];
}

/** Parameters, gradients (zero) and moments after one step. */
export function adamwReference(
  { parameters, gradients, m, v, blockGroups, groups, settings, norms }: Record<string, Numbers>,
): Record<"parameters" | "gradients" | "m" | "v", Float64Array> {
  const [lr, beta1, beta2, epsilon, correction1, correction2, clip0, clip1] = Array.from(settings);
  const after = {
    parameters: new Float64Array(parameters),
    gradients: new Float64Array(gradients.length),
    m: new Float64Array(m),
    v: new Float64Array(v),
  };
  for (let i = 0; i < parameters.length; i++) {
    const group = 4 * blockGroups[Math.floor(i / 64)];
    const lrScale = groups[group];
    const weightDecay = groups[group + 1];
    const clipIndex = groups[group + 2];
    if (lrScale === 0 || norms[2] === 0) continue;
    const clip = clipIndex === 0 ? clip0 : clip1;
    const g = gradients[i] * (clip > 0 ? Math.min(1, clip / (norms[clipIndex] + 1e-6)) : 1);
    after.m[i] = beta1 * m[i] + (1 - beta1) * g;
    after.v[i] = beta2 * v[i] + (1 - beta2) * g * g;
    const step = after.m[i] / correction1 / (Math.sqrt(after.v[i] / correction2) + epsilon);
    after.parameters[i] -= lr * lrScale * (step + weightDecay * parameters[i]);
  }
  return after;
}
