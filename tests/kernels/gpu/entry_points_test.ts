import { assertEquals, assertThrows } from "@std/assert";
import {
  bindingFault,
  bindingsOf,
  entryPointFault,
  namesReached,
} from "../../../kernels/gpu/entry_points.ts";
import { type Gpu, type KernelSource, params, read, write } from "../../../kernels/gpu/mod.ts";
import { gpuTest } from "../../gpu.ts";

const SOURCE = `struct Shape { n: u32 }
@group(0) @binding(0) var<storage, read> X: array<f32>;
@group(0) @binding(1) var<storage, read_write> Y: array<f32>; // bias is not here
@group(0) @binding(2) var<uniform> shape: Shape;
@group(0) @binding(3) var texels: texture_storage_2d<rgba32float, read>;
fn load(i: u32) -> f32 { return inner(i); }
fn inner(i: u32) -> f32 { if (i < shape.n) { return X[i]; } return 0.0; }
fn unused() -> vec4f { return textureLoad(texels, vec2u()); }
@compute @workgroup_size(1) fn main() { Y[0] = load(0u); }
@compute @workgroup_size(1) fn constant() { Y[0] = 1.0; /* no more */ }`;

Deno.test("the bindings of an entry point are those that it mentions, itself or through functions", () => {
  const indices = (entryPoint: string) => bindingsOf(SOURCE, entryPoint).used.map(({ binding }) => binding);
  assertEquals(indices("main"), [0, 1, 2]);
  assertEquals(indices("constant"), [1]);
  assertEquals(bindingsOf(SOURCE, "main").declared.map(({ name }) => name), ["X", "Y", "shape", "texels"]);
  assertEquals(namesReached(SOURCE, "main").has("bias"), false, "comments do not count");
});

Deno.test("an entry point that is not there, or whose workgroups are too large, is named; other texts are the compiler's", () => {
  const limits = { maxComputeInvocationsPerWorkgroup: 1024 };
  const code =
    "@compute @workgroup_size(64, 2)\nfn mian() {} @compute @workgroup_size(64, 32u) fn large() {}";
  assertEquals(entryPointFault(code, "mian", limits), null);
  assertEquals(entryPointFault(code, "main", limits), "it has no entry point main, known: mian, large");
  assertEquals(
    entryPointFault(code, "large", limits),
    "a workgroup of large has 2048 invocations, this device allows 1024",
  );
  assertEquals(entryPointFault("@compute @workgroup_size(SIZE) fn main() {}", "main", limits), null);
  assertEquals(entryPointFault("fn main( {", "main", limits), null);
});

Deno.test("a launch of what the entry point uses has no fault, nor has a text without the entry point", () => {
  assertEquals(bindingFault(bindingsOf(SOURCE, "main"), "main", 3), null);
  assertEquals(bindingFault(bindingsOf("fun main() {}", "main"), "main", 3), null);
});

function launch(gpu: Gpu, entryPoint: string, count: number): void {
  const kernel: KernelSource = { name: "test/parts", source: SOURCE, constants: {}, entryPoint };
  const [X, Y] = [gpu.acquire(4, "X"), gpu.acquire(4, "Y")];
  try {
    gpu.dispatch({
      kernel,
      bindings: [read(X), write(Y), params({ n: 4 })].slice(0, count),
      workgroups: [1],
    });
  } finally {
    gpu.release(X);
    gpu.release(Y);
  }
}

gpuTest(
  "a binding that an entry point does not use is refused with kernel, entry point and binding",
  (gpu) => {
    assertThrows(
      () => launch(gpu, "constant", 3),
      TypeError,
      "Cannot launch kernels/test/parts.wgsl: entry point constant does not use binding 0 (X), so the device leaves it out",
    );
  },
);

gpuTest("a launch with too few bindings is refused with those that there must be", (gpu) => {
  assertThrows(
    () => launch(gpu, "main", 2),
    TypeError,
    "Cannot launch kernels/test/parts.wgsl: entry point main uses 3 bindings, 0 (X), 1 (Y), 2 (shape), and the launch passes 2",
  );
});

gpuTest("a uniform that only a function mentions has its values, on software adapters too", async (gpu) => {
  const kernel: KernelSource = { name: "test/parts", source: SOURCE, constants: {} };
  const [X, Y] = [gpu.upload(Float32Array.of(5), "X"), gpu.acquire(1, "Y")];
  gpu.dispatch({ kernel, bindings: [read(X), write(Y), params({ n: 1 })], workgroups: [1] });
  assertEquals((await gpu.read(Y))[0], Float32Array.of(5));
  [X, Y].forEach((slice) => gpu.release(slice));
});
