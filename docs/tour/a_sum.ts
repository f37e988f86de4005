/**
 * The same sum, Y = A + B, at four levels of abstraction.
 *
 *     ./ponder run docs/tour/a_sum.ts
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { binary, openGpu, params, read, write } from "@ponder/ponder/kernels";
import { add, sum, Tape, type Tensor } from "@ponder/ponder/model";

const a = Float32Array.of(1, 2, 3);
const b = Float32Array.of(10, 20, 30);
const gpu = await openGpu();

// 1. The tape: an op that runs forward, is recorded, and can be differentiated.
const parameter = (label: string, values: Float32Array): Tensor => ({
  label,
  shape: [3],
  data: gpu.upload(values, label),
  requiresGradient: true,
  gradient: gpu.upload(new Float32Array(3), `d${label}`),
});
const [tensorA, tensorB] = [parameter("A", a), parameter("B", b)];
{
  using tape = new Tape(gpu, { record: true });
  const Y = add(tape, tensorA, tensorB);
  show("1. tape", (await gpu.read(Y.data))[0]);
  tape.backward(sum(tape, Y));
}
const [dA] = await gpu.read(tensorA.gradient!);
console.log(`   dA      ${Array.from(dA).join(" ")}`);

// 2. The launch: what the op calls. Memory is ours, nothing is recorded.
const [A, B] = [tensorA.data, tensorB.data];
const Y = gpu.allocate(3, "Y");
binary(gpu, { A, B, Y }, { op: "add", n: 3 });
show("2. launch", (await gpu.read(Y))[0]);

// 3. The dispatch: what the launch says. A text in WGSL, its bindings in order, a number of workgroups.
const source = `
  struct Params { n: u32 }
  @group(0) @binding(0) var<storage, read> A: array<f32>;
  @group(0) @binding(1) var<storage, read> B: array<f32>;
  @group(0) @binding(2) var<storage, read_write> Y: array<f32>;
  @group(0) @binding(3) var<uniform> params: Params;

  @compute @workgroup_size(64)
  fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x >= params.n) { return; }
    Y[id.x] = A[id.x] + B[id.x];
  }`;
gpu.clear(Y);
gpu.dispatch({
  kernel: { name: "add", source, constants: {} },
  bindings: [read(A), read(B), write(Y), params({ n: 3 })],
  workgroups: [1],
});
show("3. dispatch", (await gpu.read(Y))[0]);

// 4. WebGPU: what the dispatch comes to. The rest of ponder keeps these objects and uses them again.
const { device } = gpu;
const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
const bufferOf = (usage: number, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>) => {
  const buffer = device.createBuffer({ size: 16, usage });
  if (usage & COPY_DST) device.queue.writeBuffer(buffer, 0, data);
  return buffer;
};
const buffers = [
  bufferOf(STORAGE | COPY_DST, a),
  bufferOf(STORAGE | COPY_DST, b),
  bufferOf(STORAGE | COPY_SRC, new Float32Array(3)),
  bufferOf(UNIFORM | COPY_DST, Uint32Array.of(3, 0, 0, 0)),
];
const readback = device.createBuffer({ size: 12, usage: COPY_DST | MAP_READ });
const pipeline = device.createComputePipeline({
  layout: "auto",
  compute: { module: device.createShaderModule({ code: source }), entryPoint: "main" },
});
const bindGroup = device.createBindGroup({
  layout: pipeline.getBindGroupLayout(0),
  entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
});
const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
pass.setPipeline(pipeline);
pass.setBindGroup(0, bindGroup);
pass.dispatchWorkgroups(1);
pass.end();
encoder.copyBufferToBuffer(buffers[2], 0, readback, 0, 12);
device.queue.submit([encoder.finish()]);
await readback.mapAsync(GPUMapMode.READ);
show("4. WebGPU", new Float32Array(readback.getMappedRange().slice(0)));
gpu.destroy();

function show(level: string, values: Float32Array): void {
  assertEquals([...values], [11, 22, 33]);
  console.log(`${level.padEnd(11)} ${Array.from(values).join(" ")}`);
}
