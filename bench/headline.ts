/**
 * Shapes by which people compare libraries. Peers run most of them too.
 *
 * @module
 */
import { adamw } from "../kernels/adamw/mod.ts";
import { adamwReference } from "../kernels/adamw/reference.ts";
import { attention, attentionBackward } from "../kernels/attention/mod.ts";
import {
  attentionBackwardReference,
  attentionReference,
  visiblePairs,
} from "../kernels/attention/reference.ts";
import { caseValues, type KernelCase } from "../kernels/case.ts";
import { layernorm } from "../kernels/layernorm/mod.ts";
import { layernormReference } from "../kernels/layernorm/reference.ts";
import { logSoftmax } from "../kernels/log_softmax/mod.ts";
import { logSoftmaxReference } from "../kernels/log_softmax/reference.ts";
import { describeMatmul, matmul, type MatmulShape } from "../kernels/matmul/mod.ts";
import { matmulReference } from "../kernels/matmul/reference.ts";
import {
  linearLogprob,
  linearLogprobBackward,
  linearLogprobPartialsWords,
  linearLogprobScratchWords,
} from "../kernels/softmax_logprob/mod.ts";
import {
  linearLogprobBackwardReference,
  linearLogprobReference,
} from "../kernels/softmax_logprob/reference.ts";
import { variantsOf } from "./folders.ts";
import type { HeadlineCase } from "./peers/common.ts";

/** Makes a case of a matrix product. `copiesA` makes A new at each launch, as activations are. */
export function matmulCase(shape: MatmulShape, copiesA = false): HeadlineCase {
  const { M, N, K, transposeA, transposeB } = shape;
  return {
    kernel: "matmul",
    name: `${describeMatmul(shape)}${copiesA ? ", A new each launch" : ""}`,
    variants: variantsOf("matmul"),
    inputs: () => ({ A: caseValues(M * K, 1), B: caseValues(K * N, 2, 4 / Math.sqrt(K)) }),
    outputs: { C: M * N },
    launch: (gpu, { A, B, C }, variant) => {
      // Activations are new at every step, so their texture has to be copied again; weights keep theirs.
      if (copiesA) A.storage.mirrorIsStale = true;
      matmul(gpu, { A, B, C }, { ...shape, variant });
    },
    reference: ({ A, B }) => ({ C: matmulReference({ A, B }, shape).C }),
    tolerance: 1e-4,
    flops: 2 * M * N * K,
    bytes: 4 * (M * K + K * N + M * N),
    peerWork: { op: "matmul", M, N, K, transposeA, transposeB },
    peerOutputs: ["C"],
  };
}

/** Makes a case of causal attention over whole sequences. With gradients it also runs the forward pass, as peers must. */
export function attentionCase(
  B: number,
  T: number,
  H: number,
  D: number,
  hasGradients: boolean,
): HeadlineCase {
  const shape = { B, T, H, D };
  const prefix = new Uint32Array(B);
  const length = new Uint32Array(B).fill(T);
  const forwardFlops = 4 * D * H * visiblePairs(T, prefix, length);
  return {
    kernel: "attention",
    name: `causal B${B} T${T} H${H} D${D}${hasGradients ? " forward and backward" : ""}`,
    variants: variantsOf(hasGradients ? "attention backward" : "attention"),
    inputs: () => ({
      QKV: caseValues(B * T * 3 * H * D, 1, 2),
      prefix,
      length,
      ...(hasGradients ? { dY: caseValues(B * T * H * D, 2) } : {}),
    }),
    outputs: {
      Y: B * T * H * D,
      lse: B * H * T,
      ...(hasGradients ? { delta: B * H * T, dQKV: B * T * 3 * H * D } : {}),
    },
    launch: (gpu, { QKV, prefix, length, Y, lse, dY, delta, dQKV }, variant) => {
      // The activations are new at every step.
      QKV.storage.mirrorIsStale = true;
      attention(gpu, { QKV, prefix, length, Y, lse }, { ...shape, variant });
      if (!hasGradients) return;
      dY.storage.mirrorIsStale = true;
      attentionBackward(gpu, { QKV, prefix, length, Y, lse, dY, delta, dQKV }, { ...shape, variant });
    },
    reference: (inputs) => {
      const { Y, lse } = attentionReference(inputs, shape);
      if (!hasGradients) return { Y, lse };
      const forward = { Y: Float32Array.from(Y), lse: Float32Array.from(lse) };
      return { Y, lse, ...attentionBackwardReference({ ...inputs, ...forward }, shape) };
    },
    tolerance: 1e-4,
    // The usual count: backward has 5 products, forward 2. Products that backward computes again do not count.
    flops: (hasGradients ? 3.5 : 1) * forwardFlops,
    bytes: (hasGradients ? 48 : 16) * B * T * H * D,
    peerWork: { op: hasGradients ? "attention with gradients" : "attention", ...shape },
    peerOutputs: [hasGradients ? "dQKV" : "Y"],
  };
}

/** Makes a case of the fused linear layer and log-probability, forward: N rows of width C, V classes. */
export function logprobCase(N: number, C: number, V: number): HeadlineCase {
  const shape = { N, C, V, temperature: 1 };
  return {
    kernel: "softmax_logprob",
    name: `${N}x${C}x${V} forward`,
    variants: variantsOf("softmax_logprob"),
    inputs: () => ({
      X: caseValues(N * C, 1, 2),
      W: caseValues(C * V, 2, 0.5),
      targets: Uint32Array.from({ length: N }, (_, n) => n * 7919 % V),
      partials: new Float32Array(linearLogprobPartialsWords(shape)),
    }),
    outputs: { logprob: N, lse: N, entropy: N },
    launch: (gpu, { X, W, targets, logprob, lse, entropy, partials }, variant) => {
      X.storage.mirrorIsStale = true;
      linearLogprob(gpu, { X, W, targets, logprob, lse, entropy, partials }, { ...shape, variant });
    },
    reference: ({ X, W, targets }) => linearLogprobReference({ X, W, targets }, shape),
    tolerance: 1e-4,
    flops: 2 * N * C * V + 6 * N * V,
    bytes: 4 * (N * C + C * V + 4 * N),
    peerWork: { op: "linear logprob", N, C, V },
    peerOutputs: ["logprob"],
  };
}

/** The gradients dX and dW; peers have no such op. */
function logprobBackwardCase(N: number, C: number, V: number): KernelCase {
  const shape = { N, C, V, temperature: 1 };
  const { inputs } = logprobCase(N, C, V);
  return {
    kernel: "softmax_logprob",
    name: `${N}x${C}x${V} backward`,
    variants: variantsOf("softmax_logprob"),
    inputs: () => {
      const { X, W, targets } = inputs();
      const { lse, entropy } = linearLogprobReference({ X, W, targets }, shape);
      return {
        ...{ X, W, targets, lse: Float32Array.from(lse), entropy: Float32Array.from(entropy) },
        dLogprob: caseValues(N, 3),
        dW: caseValues(C * V, 4),
        scratch: new Float32Array(linearLogprobScratchWords(shape)),
      };
    },
    outputs: { dX: N * C, dW: C * V },
    launch: (gpu, { X, W, targets, lse, entropy, dLogprob, dX, dW, scratch }, variant) => {
      X.storage.mirrorIsStale = true;
      const operands = { X, W, targets, lse, entropy, dLogprob, dX, dW, scratch };
      linearLogprobBackward(gpu, operands, { ...shape, variant });
    },
    reference: ({ X, W, targets, dLogprob, dW }) =>
      linearLogprobBackwardReference({ X, W, targets, dLogprob, dW }, shape),
    tolerance: 1e-4,
    // Three products: the logits again, dX and dW.
    flops: 6 * N * C * V,
    bytes: 4 * (2 * N * C + 3 * C * V + 5 * N),
  };
}

/** Makes a case of log-softmax, forward: N rows of V classes. */
export function logSoftmaxCase(N: number, V: number): HeadlineCase {
  const shape = { N, V, temperature: 1 };
  return {
    kernel: "log_softmax",
    name: `${N}x${V} forward`,
    variants: variantsOf("log_softmax"),
    inputs: () => ({ X: caseValues(N * V, 1, 8) }),
    outputs: { Y: N * V },
    launch: (gpu, { X, Y }, variant) => {
      X.storage.mirrorIsStale = true;
      logSoftmax(gpu, { X, Y }, { ...shape, variant });
    },
    reference: ({ X }) => logSoftmaxReference({ X }, shape),
    tolerance: 1e-5,
    flops: 6 * N * V,
    bytes: 8 * N * V,
    peerWork: { op: "log-softmax", N, V },
    peerOutputs: ["Y"],
  };
}

/** Makes a case of layer normalisation, forward: R rows of width C. */
export function layernormCase(R: number, C: number): HeadlineCase {
  const shape = { R, C, epsilon: 1e-5 };
  return {
    kernel: "layernorm",
    name: `${R}x${C} forward`,
    variants: variantsOf("layernorm"),
    inputs: () => ({ X: caseValues(R * C, 1, 2), weight: caseValues(C, 2), bias: caseValues(C, 3) }),
    outputs: { Y: R * C, mean: R, rstd: R },
    launch: (gpu, { X, weight, bias, Y, mean, rstd }, variant) => {
      X.storage.mirrorIsStale = true;
      layernorm(gpu, { X, weight, bias, Y, mean, rstd }, { ...shape, variant });
    },
    reference: ({ X, weight, bias }) => layernormReference({ X, weight, bias }, shape),
    tolerance: 1e-5,
    flops: 8 * R * C,
    bytes: 8 * R * C + 8 * R + 8 * C,
    peerWork: { op: "layernorm", ...shape },
    peerOutputs: ["Y"],
  };
}

/** Makes a case of one AdamW update of `words` parameters. */
export function adamwCase(words: number): HeadlineCase {
  const step = 3;
  return {
    kernel: "adamw",
    name: `update of ${words} words in 1 group`,
    variants: variantsOf("adamw"),
    inputs: () => ({
      parameters: caseValues(words, 2),
      gradients: caseValues(words, 1),
      m: caseValues(words, 3, 0.1),
      v: caseValues(words, 4, 0.1).map((x) => x * x),
      blockGroups: new Uint32Array(words / 64),
      groups: Float32Array.of(1, 0, 0, 0),
      settings: Float32Array.of(
        ...[1e-3, 0.9, 0.95, 1e-8, 1 - 0.9 ** step, 1 - 0.95 ** step],
        ...new Array(10).fill(0),
      ),
      norms: Float32Array.of(1, 1, 1, 0),
    }),
    outputs: { parameters: words, gradients: words, m: words, v: words },
    launch: (gpu, { parameters, gradients, m, v, blockGroups, groups, settings, norms }) =>
      adamw(gpu, { parameters, gradients, m, v, blockGroups, groups, settings, norms }, { words, G: 1 }),
    reference: (inputs) => adamwReference(inputs),
    tolerance: 1e-6,
    flops: 14 * words,
    bytes: 32 * words,
    peerWork: { op: "adamw", words },
    peerOutputs: ["parameters", "m", "v"],
  };
}

/** A product without transposes, and with each of those that its gradients have. */
const allTransposes = (shape: MatmulShape): HeadlineCase[] =>
  [{}, { transposeA: true }, { transposeB: true }].map((transposes) =>
    matmulCase({ ...shape, ...transposes })
  );

/**
 * All headline cases. Like the cases of the tests, each is checked before it is timed.
 */
export const headlineCases: readonly (KernelCase | HeadlineCase)[] = [
  ...allTransposes({ M: 256, N: 256, K: 256 }),
  ...allTransposes({ M: 512, N: 512, K: 512 }),
  ...allTransposes({ M: 1024, N: 1024, K: 1024 }),
  ...allTransposes({ M: 16, N: 1024, K: 1024 }),
  ...allTransposes({ M: 64, N: 1024, K: 1024 }),
  matmulCase({ M: 512, N: 512, K: 512 }, true),
  matmulCase({ M: 16, N: 1024, K: 1024 }, true),
  matmulCase({ M: 64, N: 1024, K: 1024 }, true),
  attentionCase(4, 256, 4, 32, false),
  attentionCase(2, 512, 4, 64, false),
  attentionCase(64, 36, 4, 24, true),
  attentionCase(2, 512, 4, 64, true),
  logprobCase(512, 256, 512),
  logprobCase(512, 256, 4096),
  logprobCase(128, 256, 32_768),
  logprobBackwardCase(512, 256, 512),
  logprobBackwardCase(512, 256, 4096),
  logprobBackwardCase(128, 256, 32_768),
  logSoftmaxCase(2048, 512),
  logSoftmaxCase(512, 4096),
  logSoftmaxCase(128, 32_768),
  layernormCase(4096, 96),
  layernormCase(4096, 256),
  adamwCase(1 << 20),
  adamwCase(15 << 20),
];
