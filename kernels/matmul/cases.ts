/**
 * Shapes of matrix products, for tests and benchmark.
 *
 * @module
 */
import { type CaseArray, caseValues, type KernelCase } from "../case.ts";
import {
  describeMatmul,
  matmul,
  type MatmulShape,
  matmulSupportsQuads,
  matmulSupportsTexture,
} from "./mod.ts";
import { matmulReference } from "./reference.ts";

interface Options extends MatmulShape {
  readonly bias?: boolean;
  readonly residual?: boolean;
  readonly U?: boolean;
}

/** The parts of a linear layer's forward pass with GELU. */
const mlp = { bias: true, gelu: true, U: true };

const shapes: readonly Options[] = [
  // Size 1 and ragged: nothing is a multiple of a tile or of a vec4.
  { M: 1, N: 1, K: 1 },
  { M: 1, N: 1, K: 1, ...mlp, residual: true },
  { M: 17, N: 65, K: 33 },
  { M: 17, N: 65, K: 33, transposeA: true },
  { M: 17, N: 65, K: 33, transposeB: true },
  { M: 17, N: 65, K: 33, transposeA: true, transposeB: true, batch: 2 },
  { M: 9, N: 5, K: 7, ...mlp, residual: true, batch: 3 },
  { M: 9, N: 5, K: 7, accumulate: true },
  // Ragged rows and tiles, whole vec4s.
  { M: 1, N: 4, K: 4 },
  { M: 37, N: 44, K: 12, ...mlp, residual: true },
  { M: 37, N: 44, K: 12, transposeB: true, bias: true },
  { M: 36, N: 44, K: 13, transposeA: true, accumulate: true },
  { M: 19, N: 36, K: 20, batch: 3 },
  { M: 20, N: 36, K: 19, batch: 3, transposeA: true },
  { M: 19, N: 36, K: 20, batch: 3, transposeB: true },
  { M: 20, N: 36, K: 20, batch: 2, transposeA: true, transposeB: true },
  { M: 4, N: 4, K: 1, transposeA: true },
  // Decoding: 32 rows, and the value head's single column.
  { M: 32, N: 288, K: 96, bias: true },
  { M: 32, N: 384, K: 96, ...mlp },
  { M: 32, N: 96, K: 384, bias: true, residual: true },
  { M: 32, N: 96, K: 288, transposeB: true },
  { M: 130, N: 1, K: 96, bias: true },
  { M: 96, N: 1, K: 130, transposeA: true, accumulate: true },
  // One layer of the nano model: forward, then the gradients of the activation and of the weight.
  { M: 576, N: 384, K: 96, ...mlp },
  { M: 576, N: 96, K: 384, bias: true, residual: true },
  { M: 576, N: 96, K: 384, transposeB: true },
  { M: 96, N: 384, K: 576, transposeA: true, accumulate: true },
  { M: 256, N: 192, K: 256 },
  { M: 256, N: 64, K: 256, transposeB: true },
  { M: 64, N: 256, K: 1152, transposeA: true },
  // Long sums that GPUs split: ragged, with a short last part, in whole vec4s though no row is, once per batch item.
  { M: 70, N: 33, K: 1100, transposeA: true, accumulate: true },
  { M: 20, N: 36, K: 700, batch: 2 },
  { M: 36, N: 33, K: 514, transposeB: true },
  { M: 9, N: 5, K: 601, transposeA: true, transposeB: true, accumulate: true, batch: 3 },
  { M: 40, N: 64, K: 515, transposeA: true, batch: 2, accumulate: true },
  // B larger than a core's cache beside a small A, ragged: software adapters walk down the rows of C first.
  { M: 70, N: 1028, K: 260, bias: true },
  { M: 35, N: 516, K: 512, transposeB: true },
  // The larger tiles of GPUs: 64 on a side, then 128, ragged.
  { M: 767, N: 700, K: 20, bias: true },
  { M: 1500, N: 1410, K: 17 },
];

function toCase(options: Options): KernelCase {
  const { M, N, K, batch = 1, bias, residual, U, gelu, accumulate, ...rest } = options;
  const shape: MatmulShape = { M, N, K, batch, gelu, accumulate, ...rest };
  const flags = Object.entries({ bias, U, gelu, residual, accumulate }).filter(([, on]) => on).map(([name]) =>
    name
  );
  return {
    kernel: "matmul",
    name: [describeMatmul(shape), ...flags].join(" "),
    variants: matmulSupportsTexture(shape) ? ["naive", "texture", "tiled"] : ["naive", "tiled"],
    inputs: () => {
      const inputs: Record<string, CaseArray> = {
        A: caseValues(batch * M * K, 1),
        B: caseValues(batch * K * N, 2, Math.min(1, 4 / Math.sqrt(K))),
      };
      if (bias) inputs.bias = caseValues(N, 3);
      if (residual) inputs.residual = caseValues(batch * M * N, 4);
      if (accumulate) inputs.C = caseValues(batch * M * N, 5);
      return inputs;
    },
    outputs: U ? { C: batch * M * N, U: batch * M * N } : { C: batch * M * N },
    launch: (gpu, operands, variant) => {
      matmul(gpu, operands as unknown as Parameters<typeof matmul>[1], { ...shape, variant });
    },
    reference: (inputs) => ({ ...matmulReference(inputs as { A: CaseArray; B: CaseArray }, shape) }),
    tolerance: 2e-5,
    flops: 2 * batch * M * N * K,
    bytes: 4 * batch *
      (M * K + K * N + M * N * (1 + Number(residual ?? 0) + Number(U ?? 0) + Number(accumulate ?? 0))),
  };
}

/** The value as half precision has it. */
const toHalf = (value: number) => new Float16Array([value])[0];

/**
 * Products of operands that half precision represents, so that `tiled-f16` has nothing to round and must be as exact as
 * the others. Apart, as not every device has shader-f16.
 */
export const halfCases: readonly KernelCase[] = shapes.map(toCase).map((full) => ({
  ...full,
  kernel: "matmul half",
  variants: ["tiled-f16"],
  feature: "shader-f16",
  inputs: () => {
    const { A, B, ...rest } = full.inputs();
    return { A: Float32Array.from(A, toHalf), B: Float32Array.from(B, toHalf), ...rest };
  },
}));

/** Apart, as only SwiftShader takes `quads`, in browsers: no other device is asked for this feature. */
export const quadCases: readonly KernelCase[] = shapes.filter(matmulSupportsQuads).map(toCase).map((
  full,
) => ({
  ...full,
  kernel: "matmul quads",
  variants: ["quads"],
  feature: "float32-filterable",
}));

/** Every shape that tests and benchmark run. */
export const cases: readonly KernelCase[] = shapes.map(toCase);
