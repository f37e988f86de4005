/**
 * Your own WGSL kernel: run, checked against plain loops, and timed.
 *
 *     deno run -A kernel.ts
 */
import { checkKernel, defineKernel, flatGrid, measureKernel, openGpu } from "@ponder/ponder/kernels";

/** Y[r,c] = W[c] * X[r,c] / sqrt(mean_c X[r,c]^2 + epsilon), arXiv:1910.07467; one invocation takes one row. */
const rmsnorm = defineKernel<"X" | "W" | "Y", "R" | "C" | "epsilon">({
  name: "rmsnorm",
  wgsl: `
    struct Params { R: u32, C: u32, epsilon: f32 }
    @group(0) @binding(0) var<storage, read> X: array<f32>;
    @group(0) @binding(1) var<storage, read> W: array<f32>;
    @group(0) @binding(2) var<storage, read_write> Y: array<f32>;
    @group(0) @binding(3) var<uniform> params: Params;
    //@include "flat_index.wgsl"

    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
      let row = flatIndex(id, groups);
      if (row >= params.R) { return; }
      let start = row * params.C;
      var squares = 0.0;
      for (var c = 0u; c < params.C; c++) { squares += X[start + c] * X[start + c]; }
      let scale = inverseSqrt(squares / f32(params.C) + params.epsilon);
      for (var c = 0u; c < params.C; c++) { Y[start + c] = W[c] * X[start + c] * scale; }
    }`,
  words: ({ R, C }) => ({ X: R * C, W: C, Y: R * C }),
  workgroups: ({ R }) => flatGrid(Math.ceil(R / 64)),
});

/** The same in plain loops: JavaScript's numbers are f64. */
function reference(x: Float32Array, w: Float32Array, R: number, C: number, epsilon: number): Float64Array {
  const y = new Float64Array(R * C);
  for (let r = 0; r < R; r++) {
    let squares = 0;
    for (let c = 0; c < C; c++) squares += x[r * C + c] ** 2;
    for (let c = 0; c < C; c++) y[r * C + c] = w[c] * x[r * C + c] / Math.sqrt(squares / C + epsilon);
  }
  return y;
}

const params = { R: 1000, C: 96, epsilon: 1e-5 };
const { R, C, epsilon } = params;
const x = Float32Array.from({ length: R * C }, (_, i) => Math.sin(i) * 3);
const w = Float32Array.from({ length: C }, (_, c) => 1 + c / C);

const gpu = await openGpu();
const [X, W, Y] = [gpu.upload(x, "X"), gpu.upload(w, "W"), gpu.allocate(R * C, "Y")];
rmsnorm(gpu, { X, W, Y }, params);
const [y] = await gpu.read(Y);
const { largestError, index } = checkKernel(y, reference(x, w, R, C, epsilon), { tolerance: 1e-5 });
console.log(`largest error ${largestError.toExponential(1)}, at word ${index}`);

const { medianUs, lowUs, highUs } = await measureKernel(gpu, () => rmsnorm(gpu, { X, W, Y }, params));
console.log(`${medianUs.toFixed(0)} us (${lowUs.toFixed(0)} to ${highUs.toFixed(0)}) on ${gpu.adapterName}`);
console.log(`${((2 * R * C + C) * 4 / 1e3 / medianUs).toFixed(1)} GB/s`);
gpu.destroy();
