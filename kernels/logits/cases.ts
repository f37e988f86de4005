/** Shapes that test and time what follows from logits; the rows come in two pieces, so that they are merged. */
import { caseValues, type KernelCase } from "../case.ts";
import { logitGradient, logitStatistics, placeLogits } from "./mod.ts";
import { logitGradientReference, logitStatisticsReference } from "./reference.ts";

/** Rows of `pieces[0] + pieces[1]` columns as their two pieces. */
function split(Z: ArrayLike<number>, N: number, [first, second]: readonly [number, number]) {
  const V = first + second;
  const part = (column0: number, columns: number) =>
    Float32Array.from(
      { length: N * columns },
      (_, i) => Z[Math.floor(i / columns) * V + column0 + i % columns],
    );
  return { Z1: part(0, first), Z2: part(first, second) };
}

const variantsOf = (pieces: readonly [number, number]) =>
  pieces.every((columns) => columns % 4 === 0) ? ["naive", "vec4", "workgroup"] : ["naive", "workgroup"];

const targetsOf = (N: number, V: number) => Uint32Array.from({ length: N }, (_, n) => (n * 7 + V - 1) % V);

function statistics(N: number, pieces: readonly [number, number], temperature: number): KernelCase {
  const V = pieces[0] + pieces[1];
  const logits = caseValues(N * V, 1, 9);
  return {
    kernel: "logits",
    name: `statistics ${N}x(${pieces.join("+")}) temperature ${temperature}`,
    variants: variantsOf(pieces),
    inputs: () => ({ ...split(logits, N, pieces), targets: targetsOf(N, V) }),
    outputs: { state: 4 * N, logprob: N, lse: N, entropy: N },
    launch: (gpu, { Z1, Z2, ...rest }, variant) => {
      const { targets, state, logprob, lse, entropy } = rest;
      const operands = { targets, state, logprob, lse, entropy };
      const shared = { N, temperature, variant };
      logitStatistics(gpu, { Z: Z1, ...operands }, {
        ...shared,
        columns: pieces[0],
        column0: 0,
        first: true,
        last: false,
      });
      logitStatistics(gpu, { Z: Z2, ...operands }, {
        ...shared,
        columns: pieces[1],
        column0: pieces[0],
        first: false,
        last: true,
      });
    },
    reference: ({ targets }) => {
      const results = logitStatisticsReference({ Z: logits, targets }, { N, V, temperature });
      // What is left in the state: the maximum, the sums about it, the target's logit.
      const state = new Float64Array(4 * N);
      for (let n = 0; n < N; n++) {
        const row = logits.subarray(n * V, (n + 1) * V);
        const most = row.reduce((a, b) => Math.max(a, b)) / temperature;
        const shifts = Array.from(row, (logit) => logit / temperature - most);
        state.set([
          most,
          shifts.reduce((sum, shift) => sum + Math.exp(shift), 0),
          shifts.reduce((sum, shift) => sum + shift * Math.exp(shift), 0),
          row[targets[n]] / temperature,
        ], 4 * n);
      }
      return { state, ...results };
    },
    tolerance: 5e-6,
    flops: 8 * N * V,
    bytes: 4 * N * V + 28 * N,
  };
}

function gradient(N: number, pieces: readonly [number, number], temperature: number): KernelCase {
  const V = pieces[0] + pieces[1];
  const logits = caseValues(N * V, 1, 9);
  const shape = { N, V, temperature };
  return {
    kernel: "logits",
    name: `gradient ${N}x(${pieces.join("+")}) temperature ${temperature}`,
    variants: variantsOf(pieces).filter((variant) => variant !== "workgroup"),
    inputs: () => {
      const targets = targetsOf(N, V);
      const { lse, entropy } = logitStatisticsReference({ Z: logits, targets }, shape);
      return {
        ...split(logits, N, pieces),
        targets,
        lse: Float32Array.from(lse),
        entropy: Float32Array.from(entropy),
        dLogprob: caseValues(N, 2),
        dEntropy: caseValues(N, 3),
      };
    },
    outputs: { dZ1: N * pieces[0], dZ2: N * pieces[1] },
    launch: (gpu, { Z1, Z2, dZ1, dZ2, targets, lse, entropy, dLogprob, dEntropy }, variant) => {
      const operands = { targets, lse, entropy, dLogprob, dEntropy };
      const shared = { N, temperature, variant };
      logitGradient(gpu, { Z: Z1, dZ: dZ1, ...operands }, { ...shared, columns: pieces[0], column0: 0 });
      logitGradient(gpu, { Z: Z2, dZ: dZ2, ...operands }, {
        ...shared,
        columns: pieces[1],
        column0: pieces[0],
      });
    },
    reference: ({ targets, dLogprob, dEntropy }) => {
      const { Z1, Z2 } = split(
        logitGradientReference({ Z: logits, targets, dLogprob, dEntropy }, shape),
        N,
        pieces,
      );
      return { dZ1: Z1, dZ2: Z2 };
    },
    tolerance: 5e-6,
    flops: 10 * N * V,
    bytes: 8 * N * V + 20 * N,
  };
}

function place(N: number, columns: number, column0: number, V: number): KernelCase {
  return {
    kernel: "logits",
    name: `place ${N}x${columns} at ${column0} of ${V}`,
    variants: ["naive"],
    inputs: () => ({ Z: caseValues(N * columns, 1), Y: caseValues(N * V, 2) }),
    outputs: { Y: N * V },
    launch: (gpu, { Z, Y }) => placeLogits(gpu, { Z, Y }, { N, columns, column0, V }),
    reference: ({ Z, Y }) => ({
      Y: Float64Array.from(Y, (y, i) => {
        const c = i % V - column0;
        return c >= 0 && c < columns ? Z[Math.floor(i / V) * columns + c] : y;
      }),
    }),
    tolerance: 0,
    flops: 0,
    bytes: 8 * N * columns,
  };
}

/** Statistics, gradients and placing. */
export const cases: KernelCase[] = [
  statistics(1, [1, 1], 1),
  statistics(9, [96, 1], 0.7),
  statistics(70, [64, 36], 1.3),
  statistics(3, [1028, 12], 1),
  gradient(9, [96, 1], 0.7),
  gradient(70, [64, 36], 1.3),
  place(7, 5, 96, 101),
  place(3, 64, 0, 65),
];
