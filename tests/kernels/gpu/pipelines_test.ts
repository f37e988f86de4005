import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type Binding,
  type Gpu,
  type KernelSource,
  params,
  read,
  texels,
  write,
} from "../../../kernels/gpu/mod.ts";
import { PipelineCache } from "../../../kernels/gpu/pipelines.ts";
import { ownGpuTest } from "../../gpu.ts";

async function messageOf(gpu: Gpu, kernel: KernelSource): Promise<string> {
  const Y = gpu.acquire(4, "Y");
  const error = await assertRejects(async () => {
    gpu.dispatch({ kernel, bindings: [write(Y)], workgroups: [1] });
    await gpu.settle();
  }, Error);
  gpu.release(Y);
  return error.message;
}

const BROKEN = `// broken
@group(0) @binding(0) var<storage, read_write> Y: array<f32>;
//@for i in 0..2
fn f_$i() -> f32 { return 0.0; }
//@end
@compute @workgroup_size(1) fn main() {
  Y[0] = missing;
}`;

ownGpuTest("a compile error quotes the kernel's file, line and column, and the line itself", async (gpu) => {
  const message = await messageOf(gpu, { name: "test/broken", source: BROKEN, constants: { N: 1, M: 2 } });
  assertStringIncludes(message, "Cannot compile kernels/test/broken.wgsl:7:10: Y[0] = missing;");
  assertStringIncludes(message, "no definition in scope");
});

ownGpuTest("an error in an unrolled line names the line before unrolling", async (gpu) => {
  const source = BROKEN.replace("return 0.0", "return true").replace("missing", "1.0");
  const message = await messageOf(gpu, { name: "test/unrolled", source, constants: {} });
  assertStringIncludes(
    message,
    "Cannot compile kernels/test/unrolled.wgsl:4: fn f_0() -> f32 { return true; }",
  );
});

ownGpuTest("an error that a constant causes says so", async (gpu) => {
  const source = BROKEN.replace("missing", "1.0");
  const message = await messageOf(gpu, { name: "test/constant", source, constants: { "1N": 1 } });
  assertStringIncludes(message, "Cannot compile a constant in front of the file: const 1N = 1;");
});

ownGpuTest("an error in an included text names its file and line", async (gpu) => {
  const source = `//@include "part.wgsl"\n${BROKEN.replace("missing", "part()")}`;
  const includes = { "part.wgsl": "// part\nfn part() -> f32 {\n  return absent;\n}" };
  const message = await messageOf(gpu, { name: "test/including", source, includes, constants: { N: 1 } });
  assertStringIncludes(message, "Cannot compile kernels/test/part.wgsl:3:10: return absent;");
});

ownGpuTest("an error behind an included text names the line of the kernel's own file", async (gpu) => {
  const source = `//@include "gelu.wgsl"\nalias Value = f32;\n${BROKEN}`;
  const message = await messageOf(gpu, { name: "test/behind", source, constants: {} });
  assertStringIncludes(message, "Cannot compile kernels/test/behind.wgsl:9:10: Y[0] = missing;");
});

ownGpuTest("a kernel that did not compile is refused again with the same words", async (gpu) => {
  const kernel = { name: "test/broken", source: BROKEN, constants: {} };
  const message = await messageOf(gpu, kernel);
  const Y = gpu.upload(new Float32Array(4), "Y");
  const error = assertThrows(
    () => gpu.dispatch({ kernel, bindings: [write(Y)], workgroups: [1] }),
    SyntaxError,
  );
  assertEquals(error.message, message);
});

ownGpuTest("the device goes on after a compile error", async (gpu) => {
  await messageOf(gpu, { name: "test/broken", source: BROKEN, constants: {} });
  await gpu.settle();
  const Y = gpu.upload(new Float32Array(4), "Y");
  const source = BROKEN.replace("missing", "f_1() + 5.0");
  gpu.dispatch({
    kernel: { name: "test/mended", source, constants: {} },
    bindings: [write(Y)],
    workgroups: [1],
  });
  assertEquals((await gpu.read(Y))[0][0], 5);
});

ownGpuTest("a pipeline is compiled once for each kernel, entry point and set of constants", (gpu) => {
  const source = "@compute @workgroup_size(1) fn main() {}\n@compute @workgroup_size(1) fn other() {}";
  const kernel: KernelSource = { name: "test/cached", source, constants: { N: 1, M: 2 } };
  const first = gpu.pipelines.get(kernel);
  assertEquals(gpu.pipelines.get({ ...kernel, constants: { N: 1, M: 2 } }), first);
  const others = [
    { ...kernel, constants: { N: 1, M: 3 } },
    { ...kernel, name: "test/other" },
    { ...kernel, entryPoint: "other" },
  ].map((other) => gpu.pipelines.get(other));
  for (const other of others) assert(other.gpuPipeline !== first.gpuPipeline);
  assertEquals(gpu.pipelines.size, 4);
  return Promise.resolve();
});

/** A device that compiles everything and does nothing. */
const idleDevice = {
  limits: { maxComputeInvocationsPerWorkgroup: 1024 },
  createShaderModule: () => null,
  createComputePipeline: () => ({ getBindGroupLayout: () => null }),
} as unknown as GPUDevice;

Deno.test("Chromium's positions, which name no file, are restated too", () => {
  const cache = new PipelineCache(idleDevice, false, false);
  cache.get({ name: "test/broken", source: BROKEN, constants: {} });
  const error = cache.compileErrorOf(
    "Error while parsing WGSL: :6:10 error: unresolved value 'missing'\n" +
      '  Y[0] = missing;\n - While validating [ShaderModuleDescriptor "test/broken:main"]',
  );
  assert(error instanceof SyntaxError);
  assertStringIncludes(error.message, "Cannot compile kernels/test/broken.wgsl:7:10: Y[0] = missing;");
});

Deno.test("a message about no kernel is no compile error", () => {
  const cache = new PipelineCache(idleDevice, false, false);
  cache.get({ name: "test/broken", source: BROKEN, constants: {} });
  assertEquals(cache.compileErrorOf("Buffer is destroyed\n"), null);
});

const TYPED = `struct Params { n: u32 }
@group(0) @binding(0) var<storage, read> X: array<f32>;
@group(0) @binding(1) var<storage, read_write> Y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read> unused: array<f32>;
@compute @workgroup_size(1) fn main() { Y[params.n] = X[0]; }`;

ownGpuTest("bindings that differ from the shader's are refused with its file and the variable", (gpu) => {
  const kernel: KernelSource = { name: "test/typed", source: TYPED, constants: {} };
  const [X, Y] = [gpu.allocate(4, "X"), gpu.allocate(4, "Y")];
  const mistakes: [bindings: Binding[], message: string][] = [
    [
      [write(X), write(Y), params({ n: 0 })],
      "Cannot launch kernels/test/typed.wgsl: X, binding 0, is var<storage, read>, bind it as read, not write",
    ],
    [[read(X), texels(Y), params({ n: 0 })], "Y, binding 1, is var<storage, read_write>, bind it as write"],
    [[read(X), write(Y), read(Y)], "params, binding 2, is var<uniform>, bind it as params, not read"],
    [[params({ n: 0 }), write(Y), params({ n: 0 })], "X, binding 0, is var<storage, read>"],
    [
      [read(X), write(Y), params({ n: 0 }), read(X)],
      "entry point main does not use binding 3 (unused), so the device leaves it out",
    ],
    [
      [read(X), write(Y), params({ n: 0 }), read(X), read(X)],
      "entry point main does not use binding 3 (unused), so the device leaves it out",
    ],
  ];
  for (const [bindings, message] of mistakes) {
    assertThrows(() => gpu.dispatch({ kernel, bindings, workgroups: [1] }), TypeError, message);
  }
  return Promise.resolve();
});

Deno.test("where subgroups need a line, shaders that use them get it, and keep their line numbers", () => {
  const codes: string[] = [];
  const device = {
    limits: { maxComputeInvocationsPerWorkgroup: 1024 },
    createShaderModule: ({ code }: { code: string }) => codes.push(code),
    createComputePipeline: () => ({ getBindGroupLayout: () => null }),
  } as unknown as GPUDevice;
  const sources = ["// 1\nlet a = subgroupAdd(b);", "// 2\nlet a = b;"];
  for (const enablesSubgroups of [true, false]) {
    const cache = new PipelineCache(device, false, enablesSubgroups);
    for (const source of sources) cache.get({ name: source, source, constants: {} });
  }
  assertEquals(codes, [`enable subgroups; ${sources[0]}`, sources[1], ...sources]);
});
