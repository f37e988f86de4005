/** What launches do with sizes that are none, and with none of the rows they take any number of. */
import { assertEquals, assertThrows } from "@std/assert";
import { attention } from "../../kernels/attention/mod.ts";
import { convolutionOutput } from "../../kernels/convolution/mod.ts";
import { decodeStep } from "../../kernels/decode/mod.ts";
import { addInPlace, binary, unary, unaryBackward } from "../../kernels/elementwise/mod.ts";
import type { Gpu, Slice } from "../../kernels/gpu/mod.ts";
import { layernorm, layernormBackward, layernormPartialsWords } from "../../kernels/layernorm/mod.ts";
import { logSoftmax, logSoftmaxBackward } from "../../kernels/log_softmax/mod.ts";
import { matmul } from "../../kernels/matmul/mod.ts";
import { columnSum, rowBroadcast, rowSum, sum } from "../../kernels/reduce/mod.ts";
import {
  linearLogprob,
  linearLogprobBackward,
  linearLogprobPartialsWords,
  linearLogprobScratchWords,
} from "../../kernels/softmax_logprob/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";

interface Launch {
  readonly name: string;
  /** Sizes that are whole numbers of at least 1. */
  readonly sizes: readonly string[];
  /** Sizes that may be 0 too: then nothing is launched. */
  readonly orNone: readonly string[];
  /** What to launch over no rows, undefined for the usual variant. */
  readonly variants?: readonly (string | undefined)[];
  // deno-lint-ignore no-explicit-any
  readonly launch: (gpu: Gpu, operands: any, sizes: any) => unknown;
}

const temperature = 1;
const launches: readonly Launch[] = [
  {
    name: "matmul",
    sizes: ["N", "K"],
    orNone: ["M", "batch"],
    variants: [undefined, "naive", "texture", "tiled"],
    launch: matmul,
  },
  {
    name: "logSoftmax",
    sizes: ["V"],
    orNone: ["N"],
    variants: [undefined, "naive", "texture", "workgroup"],
    launch: logSoftmax,
  },
  {
    name: "logSoftmaxBackward",
    sizes: ["V"],
    orNone: ["N"],
    variants: [undefined, "naive", "texture", "workgroup"],
    launch: logSoftmaxBackward,
  },
  {
    name: "layernorm",
    sizes: ["C"],
    orNone: ["R"],
    variants: [undefined, "naive", "rows", "workgroup", "texture"],
    launch: layernorm,
  },
  {
    name: "layernormBackward",
    sizes: ["C"],
    orNone: ["R"],
    variants: [undefined, "naive", "rows", "workgroup"],
    launch: layernormBackward,
  },
  {
    name: "linearLogprob",
    sizes: ["C", "V"],
    orNone: ["N"],
    variants: [undefined, "naive", "texture", "tiled"],
    launch: linearLogprob,
  },
  {
    name: "linearLogprobBackward",
    sizes: ["C", "V"],
    orNone: ["N"],
    variants: [undefined, "naive", "texture", "tiled"],
    launch: linearLogprobBackward,
  },
  { name: "rowSum", sizes: ["C"], orNone: ["R"], variants: [undefined], launch: rowSum },
  { name: "rowBroadcast", sizes: ["C"], orNone: ["R"], variants: [undefined], launch: rowBroadcast },
  { name: "columnSum", sizes: ["R", "C"], orNone: [], launch: columnSum },
  { name: "sum", sizes: ["n"], orNone: [], launch: sum },
  {
    name: "unary",
    sizes: [],
    orNone: ["n"],
    variants: [undefined],
    launch: (gpu, operands, { n }) => unary(gpu, operands, { op: "exp", n }),
  },
  {
    name: "unaryBackward",
    sizes: [],
    orNone: ["n"],
    variants: [undefined],
    launch: (gpu, operands, { n }) => unaryBackward(gpu, operands, { op: "exp", n }),
  },
  {
    name: "binary",
    sizes: [],
    orNone: ["n"],
    variants: [undefined],
    launch: (gpu, operands, { n }) => binary(gpu, operands, { op: "add", n }),
  },
  { name: "addInPlace", sizes: [], orNone: ["n"], variants: [undefined], launch: addInPlace },
  {
    name: "decodeStep",
    sizes: ["B", "C", "H", "layers", "capacity", "positions", "V"],
    orNone: [],
    launch: decodeStep,
  },
  { name: "attention", sizes: ["B", "T", "H", "D"], orNone: [], launch: attention },
  {
    name: "convolutionOutput",
    sizes: ["height", "width", "kernelSize", "stride"],
    orNone: ["padding"],
    launch: (_gpu, _operands, sizes) => convolutionOutput(sizes),
  },
];

/** An object that has every operand. */
const operandsOf = (slice: Slice) => new Proxy({}, { get: () => slice });

for (const { name, sizes, orNone, launch } of launches) {
  Deno.test({
    name: `${name} refuses sizes that are no whole numbers, and names them`,
    ...onGpu,
    fn: async () => {
      const gpu = await testGpu();
      const operands = operandsOf({ ...gpu.placeholder, length: Infinity });
      const fine = Object.fromEntries([...sizes, ...orNone].map((size) => [size, 8]));
      const check = (size: string, value: number, least: number) =>
        assertThrows(
          () => launch(gpu, operands, { ...fine, temperature, [size]: value }),
          RangeError,
          `${size} is ${value}, use a whole number of at least ${least}`,
        );
      for (const value of [NaN, 2.5, -4, 0]) for (const size of sizes) check(size, value, 1);
      for (const value of [NaN, 2.5, -4]) for (const size of orNone) check(size, value, 0);
    },
  });
}

Deno.test({
  name: "a launch over no rows does nothing, whatever the variant",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const dispatches = gpu.dispatchCount;
    // Room for weights of 8 by 8, which are there without rows too.
    const slice = gpu.acquire(64, "any");
    for (const { sizes, orNone, variants = [], launch } of launches) {
      const shape = Object.fromEntries([
        ...sizes.map((size) => [size, 8]),
        ...orNone.map((size) => [size, 0]),
      ]);
      for (const variant of variants) {
        launch(gpu, operandsOf(slice), { ...shape, temperature, epsilon: 1e-5, variant });
      }
    }
    await gpu.settle();
    gpu.release(slice);
    assertEquals(gpu.dispatchCount, dispatches);
    assertEquals(layernormPartialsWords(0, 8), 0);
    const shape = { N: 0, C: 8, V: 8 };
    assertEquals([linearLogprobPartialsWords(shape), linearLogprobScratchWords(shape)], [0, 0]);
  },
});
