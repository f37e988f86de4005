/**
 * Matrix multiplication in plain loops with f64 sums: the specification of every variant.
 *
 * @module
 */
import type { MatmulShape } from "./mod.ts";

type Values = ArrayLike<number>;

/** Host operands of {@linkcode matmulReference}; shapes as in `MatmulOperands`. `C` is read with `accumulate`. */
export interface MatmulReferenceInputs {
  readonly A: Values;
  readonly B: Values;
  readonly C?: Values;
  readonly bias?: Values;
  readonly residual?: Values;
}

/** 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). */
export function geluReference(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

/** C, and U = the sum before GELU and residual, both (batch,M,N). */
export function matmulReference(
  { A, B, C: start, bias, residual }: MatmulReferenceInputs,
  shape: MatmulShape,
): { C: Float64Array; U: Float64Array } {
  const { M, N, K, batch = 1, transposeA, transposeB, gelu, accumulate } = shape;
  const C = new Float64Array(batch * M * N);
  const U = new Float64Array(batch * M * N);
  const sums = new Float64Array(N);
  for (let item = 0; item < batch; item++) {
    for (let m = 0; m < M; m++) {
      sums.fill(0);
      // Along stored rows, which a large B needs to stay in the cache. Each sum adds its terms in order either way.
      const [outer, inner] = transposeB ? [N, K] : [K, N];
      for (let i = 0; i < outer; i++) {
        for (let j = 0; j < inner; j++) {
          const k = transposeB ? j : i;
          const n = transposeB ? i : j;
          sums[n] += A[item * M * K + (transposeA ? k * M + m : m * K + k)] * B[item * K * N + i * inner + j];
        }
      }
      for (let n = 0; n < N; n++) {
        const at = (item * M + m) * N + n;
        U[at] = sums[n] + (bias?.[n] ?? 0);
        C[at] = (gelu ? geluReference(U[at]) : U[at]) + (residual?.[at] ?? 0) + (accumulate ? start![at] : 0);
      }
    }
  }
  return { C, U };
}
