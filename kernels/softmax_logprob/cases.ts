/** Shapes that test and time the fused linear layer, log-softmax and gather. */
import { caseValues, type KernelCase } from "../case.ts";
import {
  linearLogprob,
  linearLogprobBackward,
  linearLogprobPartialsWords,
  linearLogprobScratchWords,
} from "./mod.ts";
import { linearLogprobBackwardReference, linearLogprobReference } from "./reference.ts";

interface Shape {
  readonly N: number;
  readonly C: number;
  readonly V: number;
  readonly temperature: number;
}

const variantsFor = ({ C, V }: Shape) =>
  C % 4 === 0 && V % 4 === 0 ? ["naive", "texture", "tiled"] : ["naive"];
const nameOf = ({ N, C, V, temperature }: Shape) => `${N}x${C}x${V} t=${temperature}`;

function operands({ N, C, V }: Shape) {
  return {
    X: caseValues(N * C, 1, 2),
    W: caseValues(C * V, 2, 0.5),
    targets: Uint32Array.from({ length: N }, (_, n) => n * 7919 % V),
  };
}

function forward(shape: Shape, { suffix = "", inputs = operands }: {
  suffix?: string;
  inputs?: typeof operands;
} = {}): KernelCase {
  const { N, C, V } = shape;
  return {
    kernel: "softmax_logprob",
    name: `${nameOf(shape)} forward${suffix}`,
    variants: variantsFor(shape),
    inputs: () => ({
      ...inputs(shape),
      partials: new Float32Array(linearLogprobPartialsWords(shape)).fill(NaN),
    }),
    outputs: { logprob: N, lse: N, entropy: N },
    launch: (gpu, { X, W, targets, logprob, lse, entropy, partials }, variant) =>
      linearLogprob(gpu, { X, W, targets, logprob, lse, entropy, partials }, { ...shape, variant }),
    reference: ({ X, W, targets }) => linearLogprobReference({ X, W, targets }, shape),
    tolerance: 1e-5,
    flops: 2 * N * C * V + 6 * N * V,
    bytes: 4 * (N * C + C * V + 4 * N),
  };
}

/** Logits, exact in f32, that are all the lowest there is, half of it, or such with one of -1e31 in seven. */
function lowest({ N, C, V }: Shape) {
  const X = new Float32Array(N * C), W = new Float32Array(C * V);
  for (let n = 0; n < N; n++) X[n * C + n % C] = n % 3 === 0 ? 1 : 0.5;
  for (let i = 0; i < C * V; i++) W[i] = i >= V && i % 7 === 3 ? -1e31 : -3.4028234663852886e38;
  return { X, W, targets: Uint32Array.from({ length: N }, (_, n) => n * 7919 % V) };
}

function backward(shape: Shape, parts: { hasEntropy: boolean; isFrozen: boolean }): KernelCase {
  const { N, C, V } = shape;
  const weightOutputs: Record<string, number> = parts.isFrozen ? {} : { dW: C * V };
  const name = `${nameOf(shape)} backward${parts.hasEntropy ? " entropy" : ""}${
    parts.isFrozen ? " frozen" : ""
  }`;
  return {
    kernel: "softmax_logprob",
    name,
    variants: variantsFor(shape),
    inputs: () => {
      const { X, W, targets } = operands(shape);
      const { lse, entropy } = linearLogprobReference({ X, W, targets }, shape);
      return {
        X,
        W,
        targets,
        lse: Float32Array.from(lse),
        entropy: Float32Array.from(entropy),
        dLogprob: caseValues(N, 3),
        scratch: new Float32Array(linearLogprobScratchWords(shape)).fill(NaN),
        ...(parts.hasEntropy ? { dEntropy: caseValues(N, 4) } : {}),
        ...(parts.isFrozen ? {} : { dW: caseValues(C * V, 5) }),
      };
    },
    outputs: { dX: N * C, ...weightOutputs },
    launch: (gpu, { X, W, targets, lse, entropy, dLogprob, dEntropy, dX, dW, scratch }, variant) =>
      linearLogprobBackward(
        gpu,
        { X, W, targets, lse, entropy, dLogprob, dEntropy, dX, dW, scratch },
        { ...shape, variant },
      ),
    reference: ({ X, W, targets, dLogprob, dEntropy, dW }) =>
      linearLogprobBackwardReference({ X, W, targets, dLogprob, dEntropy, dW }, shape),
    // A word of dW is a sum of N products of either sign: its rounding grows with the square root of N.
    tolerance: 1e-5 * Math.max(1, Math.sqrt(N / 16)),
    flops: (parts.isFrozen ? 4 : 6) * N * C * V,
    bytes: 4 * (2 * N * C + (parts.isFrozen ? 1 : 3) * C * V + 5 * N),
  };
}

const TYPICAL: Shape = { N: 896, C: 96, V: 96, temperature: 0.4 };

const SHAPES: readonly Shape[] = [
  { N: 1, C: 1, V: 1, temperature: 1 },
  { N: 1, C: 4, V: 4, temperature: 1 },
  { N: 37, C: 20, V: 97, temperature: 0.5 },
  { N: 50, C: 7, V: 95, temperature: 1 },
  { N: 131, C: 36, V: 100, temperature: 0.4 },
  { N: 100, C: 64, V: 64, temperature: 2 },
  { N: 33, C: 32, V: 4100, temperature: 1 },
  // The tiles of 64 on a side of GPUs, ragged.
  { N: 515, C: 12, V: 1100, temperature: 1 },
];

export const cases: KernelCase[] = [
  ...[...SHAPES, TYPICAL].map((shape) => forward(shape)),
  ...[{ N: 5, C: 3, V: 97 }, { N: 21, C: 4, V: 100 }, { N: 37, C: 8, V: 1412 }].map((size) =>
    forward({ ...size, temperature: 1 }, { suffix: ", logits down to the lowest f32", inputs: lowest })
  ),
  // The tiles of 128.
  forward({ N: 1500, C: 8, V: 1412, temperature: 1 }),
  ...SHAPES.map((shape) => backward(shape, { hasEntropy: true, isFrozen: false })),
  // Several chunks of columns, the last one ragged.
  backward({ N: 21, C: 12, V: 4196, temperature: 0.7 }, { hasEntropy: true, isFrozen: false }),
  // Sums over the vocabulary, then over the rows of a chunk, that would pass llvmpipe's 65535 rounds an invocation.
  backward({ N: 2, C: 3, V: 65_601, temperature: 1 }, { hasEntropy: false, isFrozen: false }),
  backward({ N: 2, C: 4, V: 262_404, temperature: 1 }, { hasEntropy: true, isFrozen: false }),
  backward({ N: 131_200, C: 4, V: 4, temperature: 1 }, { hasEntropy: false, isFrozen: false }),
  backward({ N: 61, C: 12, V: 33, temperature: 0.7 }, { hasEntropy: false, isFrozen: true }),
  backward({ N: 61, C: 24, V: 128, temperature: 0.7 }, { hasEntropy: true, isFrozen: true }),
  backward(TYPICAL, { hasEntropy: false, isFrozen: true }),
  backward(TYPICAL, { hasEntropy: false, isFrozen: false }),
];
