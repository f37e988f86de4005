import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { defineKernel, type Gpu } from "../../../kernels/mod.ts";
import { ownGpuTest } from "../../gpu.ts";

const WGSL = `struct Params { n: u32, factor: f32 }
@group(0) @binding(2) var<storage, read_write> Y: array<f32>;
@group(0) @binding(0) var<storage, read> X: array<f32>;
@group(0) @binding(1) var<uniform> params: Params;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < params.n) { Y[id.x] = params.factor * X[id.x] + SUMMAND; }
}`;
const scale = defineKernel<"X" | "Y", "n" | "factor">({
  name: "scale.wgsl",
  wgsl: WGSL,
  constants: { SUMMAND: 0.5 },
  words: ({ n }) => ({ X: n, Y: n }),
  workgroups: ({ n }) => [Math.ceil(n / 64)],
});

ownGpuTest("operands and parameters reach the shader by name", async (gpu) => {
  const x = Float32Array.from({ length: 100 }, (_, i) => i);
  const [X, Y] = [gpu.upload(x, "X"), gpu.allocate(100, "Y")];
  scale(gpu, { Y, X }, { factor: 2, n: 99 });
  const [y] = await gpu.read(Y);
  assertEquals([...y], [...x.slice(0, 99).map((value) => 2 * value + 0.5), 0]);
});

ownGpuTest("workgroups may follow from the operands, and none are no launch", async (gpu) => {
  const fill = defineKernel({
    name: "fill",
    wgsl: `@group(0) @binding(0) var<storage, read_write> Y: array<f32>;
      @compute @workgroup_size(1) fn fill(@builtin(global_invocation_id) id: vec3u) { Y[id.x] = 7.0; }`,
    entryPoint: "fill",
    workgroups: (_, { Y }) => [Y.length - 3],
  });
  for (const [length, want] of [[5, [7, 7, 0, 0, 0]], [3, [0, 0, 0]]] as const) {
    const Y = gpu.allocate(length, "Y");
    fill(gpu, { Y });
    assertEquals([...(await gpu.read(Y))[0]], [...want]);
  }
});

ownGpuTest("a texture of an operand is read as texels, and snippets are included", async (gpu) => {
  const copy = defineKernel<"X" | "Y", "base">({
    name: "copy",
    wgsl: `//@include "texel.wgsl"
      //@include "mine.wgsl"
      struct Params { base: u32 }
      @group(0) @binding(0) var X: texture_storage_2d<rgba32float, read>;
      @group(0) @binding(1) var<storage, read_write> Y: array<vec4f>;
      @group(0) @binding(2) var<uniform> params: Params;
      @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3u) {
        Y[id.x] = twice(textureLoad(X, texel(params.base + id.x)));
      }`,
    includes: { "mine.wgsl": "fn twice(x: vec4f) -> vec4f { return 2.0 * x; }" },
    workgroups: (_, { Y }) => [Y.length / 4],
  });
  const X = gpu.upload(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), "X");
  const Y = gpu.allocate(8, "Y");
  copy(gpu, { X, Y }, { base: X.offset / 4 });
  assertEquals([...(await gpu.read(Y))[0]], [2, 4, 6, 8, 10, 12, 14, 16]);
});

ownGpuTest("operands and parameters that are not the shader's are refused by name", (gpu) => {
  const [X, Y] = [gpu.allocate(8, "X"), gpu.allocate(8, "Y")];
  const loose = scale as unknown as (gpu: Gpu, operands: object, params?: object) => void;
  const mistakes: [operands: object, params: object, message: string][] = [
    [{ X }, { n: 8, factor: 1 }, "Cannot launch scale.wgsl: operand Y is missing, pass { X, Y }"],
    [{ X, Y, Z: Y }, { n: 8, factor: 1 }, "Cannot launch scale.wgsl: it has no operand Z, pass { X, Y }"],
    [
      { X, Y },
      { n: 8 },
      "Cannot launch scale.wgsl: parameter factor is missing, pass { n: u32, factor: f32 }",
    ],
    [{ X, Y }, { n: 8, factor: 1, m: 1 }, "Cannot launch scale.wgsl: it has no parameter m, pass { n: u32"],
  ];
  for (const [operands, params, message] of mistakes) {
    assertThrows(() => loose(gpu, operands, params), TypeError, message);
  }
  return Promise.resolve();
});

ownGpuTest("parameters for a shader without a uniform are refused", (gpu) => {
  const none = defineKernel<"Y">({
    name: "none",
    wgsl: `@group(0) @binding(0) var<storage, read_write> Y: array<f32>;
      @compute @workgroup_size(1) fn main() { Y[0] = 1.0; }`,
    workgroups: () => [1],
  });
  assertThrows(
    () => none(gpu, { Y: gpu.allocate(4, "Y") }, { n: 1 }),
    TypeError,
    "Cannot launch none: it has no parameter n, declare a uniform for it",
  );
  return Promise.resolve();
});

ownGpuTest("an operand that is too short is refused with what it needs", (gpu) => {
  const [X, Y] = [gpu.allocate(8, "X"), gpu.allocate(6, "Y")];
  assertThrows(
    () => scale(gpu, { X, Y }, { n: 8, factor: 1 }),
    RangeError,
    "Cannot launch scale.wgsl: Y has 6 words, it needs 8",
  );
  return Promise.resolve();
});

ownGpuTest("gaps between binding numbers are refused", (gpu) => {
  const gap = defineKernel<"Y">({
    name: "gap",
    wgsl: `@group(0) @binding(1) var<storage, read_write> Y: array<f32>;
      @compute @workgroup_size(1) fn main() { Y[0] = 1.0; }`,
    workgroups: () => [1],
  });
  assertThrows(
    () => gap(gpu, { Y: gpu.allocate(4, "Y") }),
    TypeError,
    "Cannot launch gap: its bindings are 1, number them from 0, each once",
  );
  return Promise.resolve();
});

ownGpuTest(
  "WGSL that does not compile is named with line, column and text at the next read, and at every later launch",
  async (gpu) => {
    const broken = defineKernel<"X" | "Y", "n" | "factor">({
      name: "broken.wgsl",
      wgsl: WGSL,
      workgroups: () => [1],
    });
    const [X, Y] = [gpu.allocate(8, "X"), gpu.allocate(8, "Y")];
    const says = "Cannot compile broken.wgsl:6:62: if (id.x < params.n) { Y[id.x] =";
    broken(gpu, { X, Y }, { n: 8, factor: 1 });
    await assertRejects(() => gpu.read(Y), SyntaxError, says);
    await gpu.settle();
    assertThrows(() => broken(gpu, { X, Y }, { n: 8, factor: 1 }), SyntaxError, says);
  },
);

ownGpuTest("two kernels of one name and other texts are two kernels", async (gpu) => {
  const make = (value: number) =>
    defineKernel<"Y">({
      name: "same",
      wgsl: `@group(0) @binding(0) var<storage, read_write> Y: array<f32>;
        @compute @workgroup_size(1) fn main() { Y[0] = ${value}.0; }`,
      workgroups: () => [1],
    });
  for (const value of [3, 4]) {
    const Y = gpu.allocate(1, "Y");
    make(value)(gpu, { Y });
    assertEquals((await gpu.read(Y))[0][0], value);
  }
});
