/** Long sums: software adapters end the loops of an invocation early, so launches refuse what would pass the limit. */
import { assertEquals, assertThrows } from "@std/assert";
import { attention, attentionBackward, attentionDecode } from "../../kernels/attention/mod.ts";
import { sumRows, type SumRowsOperands } from "../../kernels/embedding/mod.ts";
import type { Gpu, Slice } from "../../kernels/gpu/mod.ts";
import { imageStatistics } from "../../kernels/image/mod.ts";
import { layernorm, layernormBackward } from "../../kernels/layernorm/mod.ts";
import { matmul } from "../../kernels/matmul/mod.ts";
import { columnSum, rowSum } from "../../kernels/reduce/mod.ts";
import { sampleTokens } from "../../kernels/sampling/mod.ts";
import { linearLogprob } from "../../kernels/softmax_logprob/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";

// deno-lint-ignore no-explicit-any
type Launch = (gpu: Gpu, operands: any) => void;

/** Launches one past the largest size, and what the refusal says. */
const refused: Record<string, [launch: Launch, message: string]> = {
  "attention": [
    (gpu, operands) => attention(gpu, operands, { B: 1, T: 3443, H: 1, D: 64, variant: "naive" }),
    "Cannot compute attention with the naive variant: T is 3443, use at most 3442 at head size 64",
  ],
  "attention backward": [
    (gpu, operands) => attentionBackward(gpu, operands, { B: 1, T: 3443, H: 1, D: 64, variant: "naive" }),
    "Cannot compute attention's gradient with the naive variant: T is 3443, use at most 3442 at head size 64",
  ],
  "attention decode": [
    (gpu, operands) =>
      attentionDecode(gpu, operands, { B: 1, H: 1, D: 64, capacity: 3443, variant: "naive" }),
    "Cannot decode attention with the naive variant: capacity is 3443, use at most 3442 at head size 64",
  ],
  "matmul (naive)": [
    (gpu, operands) => matmul(gpu, operands, { M: 1, N: 1, K: 65_501 }),
    "Cannot multiply 1x1x65501: on a software adapter K must be at most 65500",
  ],
  "matmul (texture)": [
    (gpu, operands) => matmul(gpu, operands, { M: 1, N: 4, K: 262_004, variant: "texture" }),
    "Cannot multiply 1x4x262004: on a software adapter K must be at most 262000",
  ],
  "matmul (tiled)": [
    (gpu, operands) => matmul(gpu, operands, { M: 1, N: 1, K: 196_501, variant: "tiled" }),
    "Cannot multiply 1x1x196501: on a software adapter K must be at most 196500 for variant tiled",
  ],
  "layernorm": [
    (gpu, operands) => layernorm(gpu, operands, { R: 1, C: 21_801, epsilon: 1e-5 }),
    "Cannot run layernorm with (R,C) = (1,21801): on a software adapter C must be at most 21800",
  ],
  "layernorm backward": [
    (gpu, operands) => layernormBackward(gpu, operands, { R: 1, C: 21_801 }),
    "Cannot run layernormBackward with (R,C) = (1,21801): on a software adapter C must be at most 21800",
  ],
  "rowSum": [
    (gpu, operands) => rowSum(gpu, operands, { R: 1, C: 65_501 }),
    "Cannot sum the rows of (1,65501): on a software adapter C must be at most 65500",
  ],
  "columnSum": [
    (gpu, { X, Y }) => columnSum(gpu, { X, Y }, { R: 262_001, C: 1, accumulate: false }),
    "Cannot sum the columns of (262001,1) without scratch: on a software adapter R must be at most 262000",
  ],
  "sumRows": [
    (gpu, operands) =>
      sumRows(gpu, { ...operands, items: { ...operands.items, length: 262_001 } }, {
        rows: 1,
        C: 1,
        accumulate: false,
      }),
    "Cannot sum rows of 1 into 1: items has 262001 words",
  ],
  "imageStatistics": [
    (gpu, operands) => imageStatistics(gpu, operands, { B: 1, S: 1448, perImage: true }),
    "Cannot measure 1 images of 1448x1448: on a software adapter S must be at most 1447",
  ],
  "sampleTokens": [
    (gpu, operands) =>
      sampleTokens(gpu, operands, {
        B: 1,
        V: 174_001,
        step: 0,
        maxSteps: 1,
        temperature: 1,
        greedy: true,
        endId: 2,
        padId: 0,
      }),
    "Cannot sample tokens from V = 174001: on a software adapter V must be at most 174000",
  ],
  "linearLogprob": [
    (gpu, operands) => linearLogprob(gpu, operands, { N: 1, C: 65_001, V: 1, temperature: 1 }),
    "Cannot run linearLogprob with (C,V) = (65001,1): on a software adapter C must be at most 65000",
  ],
};

const NAMES = (
  "A B C QKV prefix length Y lse dY delta dQKV cache position X weight bias mean rstd dX partials starts items dTable " +
  "pixels statistics logits random done tokens logprobs entropies current W targets logprob entropy dLogprob scratch"
).split(" ");

for (const [name, [launch, message]] of Object.entries(refused)) {
  Deno.test({
    name: `${name} refuses sums that a software adapter would end early`,
    ...onGpu,
    fn: async () => {
      const gpu = await testGpu();
      const software = Object.create(gpu, { isSoftware: { value: true } });
      // Slices only claim their length: nothing is launched.
      const slice = (label: string): Slice => ({ ...gpu.placeholder, length: 2 ** 26, label });
      const operands = Object.fromEntries(NAMES.map((label) => [label, slice(label)]));
      assertThrows(() => launch(software, operands), RangeError, message);
    },
  });
}

const ones = (length: number) => new Float32Array(length).fill(1);
const upTo = (length: number) => Uint32Array.from({ length }, (_, i) => i);

interface Largest {
  /** Operands with contents; the output `Y` starts as garbage. */
  readonly inputs: () => Record<string, Float32Array | Uint32Array>;
  readonly outputWords: number;
  readonly launch: Launch;
  /** What every word of Y must be. */
  readonly want: number;
}

/** Sums of ones at the largest size; f32 adds them exactly. */
const largest: Record<string, Largest> = {
  "attention decode": {
    inputs: () => ({ QKV: ones(192), cache: ones(3442 * 128), position: Uint32Array.of(3441) }),
    outputWords: 64,
    launch: (gpu, operands) =>
      attentionDecode(gpu, operands, { B: 1, H: 1, D: 64, capacity: 3442, variant: "naive" }),
    want: 1,
  },
  "matmul (naive)": {
    inputs: () => ({ A: ones(65_500), B: ones(65_500) }),
    outputWords: 1,
    launch: (gpu, { A, B, Y }) => matmul(gpu, { A, B, C: Y }, { M: 1, N: 1, K: 65_500, variant: "naive" }),
    want: 65_500,
  },
  "matmul (texture)": {
    inputs: () => ({ A: ones(262_000), B: ones(4 * 262_000) }),
    outputWords: 4,
    launch: (gpu, { A, B, Y }) => matmul(gpu, { A, B, C: Y }, { M: 1, N: 4, K: 262_000, variant: "texture" }),
    want: 262_000,
  },
  "matmul (tiled)": {
    inputs: () => ({ A: ones(196_500), B: ones(196_500) }),
    outputWords: 1,
    launch: (gpu, { A, B, Y }) => matmul(gpu, { A, B, C: Y }, { M: 1, N: 1, K: 196_500, variant: "tiled" }),
    want: 196_500,
  },
  "layernorm": {
    inputs: () => ({
      X: ones(21_800),
      weight: ones(21_800),
      bias: ones(21_800),
      mean: ones(1),
      rstd: ones(1),
    }),
    outputWords: 21_800,
    launch: (gpu, operands) => layernorm(gpu, operands, { R: 1, C: 21_800, epsilon: 1e-5 }),
    want: 1,
  },
  "rowSum": {
    inputs: () => ({ X: ones(65_499) }),
    outputWords: 1,
    launch: (gpu, operands) => rowSum(gpu, operands, { R: 1, C: 65_499 }),
    want: 65_499,
  },
  "rowSum of vec4s": {
    inputs: () => ({ X: ones(262_000) }),
    outputWords: 1,
    launch: (gpu, operands) => rowSum(gpu, operands, { R: 1, C: 262_000 }),
    want: 262_000,
  },
  "columnSum without scratch": {
    inputs: () => ({ X: ones(262_000) }),
    outputWords: 1,
    launch: (gpu, operands) => columnSum(gpu, operands, { R: 262_000, C: 1, accumulate: false }),
    want: 262_000,
  },
  "sumRows": {
    inputs: () => ({ dY: ones(262_000), starts: Uint32Array.of(0, 262_000), items: upTo(262_000) }),
    outputWords: 1,
    launch: (gpu, { Y, ...operands }) =>
      sumRows(gpu, { ...operands, dTable: Y } as SumRowsOperands, { rows: 1, C: 1, accumulate: false }),
    want: 262_000,
  },
};

for (const [name, { inputs, outputWords, launch, want }] of Object.entries(largest)) {
  Deno.test({
    name: `${name} adds every term at the largest size that a software adapter takes`,
    ...onGpu,
    fn: async () => {
      const gpu = await testGpu();
      const operands: Record<string, Slice> = {};
      for (const [label, data] of Object.entries(inputs())) operands[label] = gpu.upload(data, label);
      operands.Y = gpu.upload(new Float32Array(outputWords).fill(NaN), "Y");
      launch(gpu, operands);
      const [got] = await gpu.read(operands.Y);
      Object.values(operands).forEach((slice) => gpu.release(slice));
      assertEquals([...new Set(got)], [want]);
    },
  });
}
