/**
 * Shapes that fill a GPU. They are far too large for a software adapter.
 *
 * Rows of products and heads of attention repeat, with a period that divides no tile. The f64 references therefore take only
 * about a second. The tests check every word at smaller shapes.
 *
 * @module
 */
import { attentionBackwardReference, attentionReference } from "../kernels/attention/reference.ts";
import { caseValues, type KernelCase } from "../kernels/case.ts";
import { binaryCase, unaryCase } from "../kernels/elementwise/cases.ts";
import type { MatmulShape } from "../kernels/matmul/mod.ts";
import { matmulReference } from "../kernels/matmul/reference.ts";
import { linearLogprobPartialsWords } from "../kernels/softmax_logprob/mod.ts";
import { linearLogprobReference } from "../kernels/softmax_logprob/reference.ts";
import {
  adamwCase,
  attentionCase,
  layernormCase,
  logprobCase,
  logSoftmaxCase,
  matmulCase,
} from "./headline.ts";
import type { HeadlineCase } from "./peers/common.ts";

/** Number of distinct rows of a product. */
const ROWS = 13;

/** Makes `rows` rows of `width` values by repeating the rows of one period. */
function repeat<Values extends Float32Array | Float64Array | Uint32Array>(
  one: Values,
  { rows, width, period }: { rows: number; width: number; period: number },
): Values {
  const all = new (one.constructor as { new (length: number): Values })(rows * width);
  for (let row = 0; row < rows; row++) {
    const first = (row % period) * width;
    all.set(one.subarray(first, first + width), row * width);
  }
  return all;
}

/** Transposes (rows,columns) to (columns,rows). */
function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      turned[column * rows + row] = values[row * columns + column];
    }
  }
  return turned;
}

/** Makes a case of a product whose rows repeat. */
export function largeMatmul(shape: MatmulShape): HeadlineCase {
  const { M, N, K, transposeA } = shape;
  const one = () => caseValues(ROWS * K, 1);
  return {
    ...matmulCase(shape),
    inputs: () => {
      const A = repeat(one(), { rows: M, width: K, period: ROWS });
      return {
        A: transposeA ? transpose(A, M, K) : A,
        B: caseValues(K * N, 2, 4 / Math.sqrt(K)),
      };
    },
    reference: ({ B }) => {
      const { C } = matmulReference({ A: one(), B }, { ...shape, M: ROWS, transposeA: false });
      return { C: repeat(Float64Array.from(C), { rows: M, width: N, period: ROWS }) };
    },
  };
}

/** Makes a case of attention whose heads repeat. */
export function largeAttention(
  B: number,
  T: number,
  H: number,
  D: number,
  hasGradients: boolean,
): HeadlineCase {
  const kernelCase = attentionCase(B, T, H, D, hasGradients);
  const one = { B: 1, T, H: 3, D };
  const mask = { prefix: new Uint32Array(1), length: Uint32Array.of(T) };
  /** (1,T,parts*3*D) -> (B,T,parts*H*D): head h of sequence b is head (b H + h) % 3 of X. */
  const spread = (few: ArrayLike<number>, parts: number) => {
    const all = new Float32Array(B * T * parts * H * D);
    for (let row = 0; row < B * T; row++) {
      for (let part = 0; part < parts; part++) {
        for (let h = 0; h < H; h++) {
          const from = (((row % T) * parts + part) * 3 + (Math.floor(row / T) * H + h) % 3) * D;
          const to = ((row * parts + part) * H + h) * D;
          for (let d = 0; d < D; d++) all[to + d] = few[from + d];
        }
      }
    }
    return all;
  };
  const spreadRows = (few: ArrayLike<number>) =>
    Float64Array.from({ length: B * H * T }, (_, i) => few[(Math.floor(i / T) % 3) * T + i % T]);
  const values = () => ({ QKV: caseValues(T * 9 * D, 1, 2), dY: caseValues(T * 3 * D, 2) });
  return {
    ...kernelCase,
    inputs: () => ({
      QKV: spread(values().QKV, 3),
      prefix: new Uint32Array(B),
      length: new Uint32Array(B).fill(T),
      ...(hasGradients ? { dY: spread(values().dY, 1) } : {}),
    }),
    reference: () => {
      const few = values();
      const { Y, lse } = attentionReference({ ...few, ...mask }, one);
      const outputs = { Y: spread(Y, 1), lse: spreadRows(lse) };
      if (!hasGradients) return outputs;
      const forward = { Y: Float32Array.from(Y), lse: Float32Array.from(lse) };
      const { delta, dQKV } = attentionBackwardReference({ ...few, ...mask, ...forward }, one);
      return { ...outputs, delta: spreadRows(delta), dQKV: spread(dQKV, 3) };
    },
  };
}

/** Makes a case of the fused linear layer and log-probability with rows that repeat. */
export function largeLogprob(N: number, C: number, V: number): HeadlineCase {
  const shape = { N: ROWS, C, V, temperature: 1 };
  const one = () => caseValues(ROWS * C, 1, 2);
  const targets = Uint32Array.from({ length: ROWS }, (_, n) => n * 7919 % V);
  return {
    ...logprobCase(N, C, V),
    inputs: () => ({
      X: repeat(one(), { rows: N, width: C, period: ROWS }),
      W: caseValues(C * V, 2, 0.1),
      targets: repeat(targets, { rows: N, width: 1, period: ROWS }),
      partials: new Float32Array(linearLogprobPartialsWords({ ...shape, N })),
    }),
    reference: ({ W }) => {
      const few = linearLogprobReference({ X: one(), W, targets }, shape);
      return Object.fromEntries(
        Object.entries(few).map((
          [name, values],
        ) => [name, repeat(Float64Array.from(values), { rows: N, width: 1, period: ROWS })]),
      );
    },
  };
}

/** More words than a card's caches hold. */
const WORDS = 1 << 25;

/** Leaves out the variants for software adapters, which would take minutes. */
const forGpus = <Case extends KernelCase>(kernelCase: Case): Case => ({
  ...kernelCase,
  variants: kernelCase.variants.filter((variant) => variant !== "texture" && variant !== "rows"),
});

/** Shapes that fill a GPU. */
export const largeCases: readonly (KernelCase | HeadlineCase)[] = [
  largeMatmul({ M: 2048, N: 2048, K: 2048 }),
  largeMatmul({ M: 4096, N: 4096, K: 4096 }),
  largeMatmul({ M: 4096, N: 4096, K: 4096, transposeA: true }),
  largeMatmul({ M: 4096, N: 4096, K: 4096, transposeB: true }),
  largeAttention(4, 2048, 16, 64, false),
  largeAttention(8, 1024, 16, 64, true),
  largeLogprob(4096, 1024, 32_768),
  unaryCase("gelu", WORDS),
  binaryCase("add", WORDS),
  layernormCase(WORDS / 1024, 1024),
  logSoftmaxCase(WORDS / 4096, 4096),
  adamwCase(WORDS),
].map(forGpus);
