import { assertEquals, assertThrows } from "@std/assert";
import { type Gpu, type KernelSource, params, type ParamValues, write } from "../../../kernels/gpu/mod.ts";
import { ownGpuTest } from "../../gpu.ts";

/** Writes the bits of its parameters. */
const kernel: KernelSource = {
  name: "test/bits",
  source: `struct Params { n: u32, flag: u32, shift: i32, factor: f32 }
@group(0) @binding(0) var<storage, read_write> Y: array<u32>;
@group(0) @binding(1) var<uniform> params: Params;
@compute @workgroup_size(1) fn main() {
  Y[0] = params.n;
  Y[1] = params.flag;
  Y[2] = bitcast<u32>(params.shift);
  Y[3] = bitcast<u32>(params.factor);
}`,
  constants: {},
};

function launch(gpu: Gpu, values: ParamValues) {
  const Y = gpu.allocate(4, "Y");
  gpu.dispatch({ kernel, bindings: [write(Y), params(values)], workgroups: [1] });
  return Y;
}

ownGpuTest("parameters arrive in their fields, in the fields' types, whatever their order", async (gpu) => {
  const want = Uint32Array.of(4_294_967_295, 1, -7 >>> 0, new Uint32Array(Float32Array.of(0.1).buffer)[0]);
  const n = 4_294_967_295;
  for (const values of [{ n, flag: true, shift: -7, factor: 0.1 }, { factor: 0.1, shift: -7, flag: 1, n }]) {
    assertEquals(await gpu.readWords(launch(gpu, values)), want);
  }
});

ownGpuTest("launches with other values get their own", async (gpu) => {
  const slices = [1, 2, 3].map((n) => launch(gpu, { n, flag: false, shift: n, factor: n }));
  const words = await Promise.all(slices.map((slice) => gpu.readWords(slice)));
  assertEquals(words.map(([n]) => n), [1, 2, 3]);
});

const whole = { n: 1, flag: 0, shift: 0, factor: 0 };
const { factor: _, ...incomplete } = whole;
const mistakes: [
  name: string,
  values: ParamValues,
  kind: typeof TypeError | typeof RangeError,
  says: string,
][] = [
  [
    "a missing parameter",
    incomplete,
    TypeError,
    "Cannot launch kernels/test/bits.wgsl: parameter factor is missing, pass { n: u32, flag: u32, shift: i32, factor: f32 }",
  ],
  [
    "a parameter that the struct lacks",
    { ...whole, epsilon: 1 },
    TypeError,
    "Cannot launch kernels/test/bits.wgsl: it has no parameter epsilon, pass { n: u32,",
  ],
  ["a misspelt parameter", { ...incomplete, facter: 1 }, TypeError, "parameter factor is missing"],
  ["a fraction for a u32", { ...whole, n: 1.5 }, RangeError, "parameter n is 1.5, use a whole number from 0"],
  ["a negative u32", { ...whole, n: -1 }, RangeError, "parameter n is -1, use a whole number from 0"],
  ["a u32 too large", { ...whole, n: 2 ** 32 }, RangeError, "parameter n is 4294967296, use a whole number"],
  ["NaN for a u32", { ...whole, n: NaN }, RangeError, "parameter n is NaN, use a whole number"],
  ["an i32 too small", { ...whole, shift: -(2 ** 31) - 1 }, RangeError, "from -2147483648 to 2147483647"],
];
ownGpuTest(
  "parameters that are not the struct's are refused, with the kernel's file and the field",
  (gpu) => {
    for (const [, values, kind, says] of mistakes) assertThrows(() => launch(gpu, values), kind, says);
    return Promise.resolve();
  },
);
