/**
 * Layer normalisation: formula, plain loops, and every kernel that computes it, each against the loops.
 *
 *     ./ponder run docs/tour/a_kernel.ts
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import {
  checkKernel,
  layernorm,
  layernormBackward,
  layernormPartialsWords,
  measureKernel,
  openGpu,
} from "@ponder/ponder/kernels";

const [R, C, epsilon] = [512, 96, 1e-5];
const random = (n: number, step: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * step));
const host = { X: random(R * C, 0.7), weight: random(C, 0.3), bias: random(C, 0.9), dY: random(R * C, 1.3) };

/** The definition in plain loops. JavaScript's numbers are f64: their error does not count. */
function forward(x: Float32Array): Float64Array {
  const y = new Float64Array(R * C);
  for (let r = 0; r < R; r++) {
    let mean = 0;
    for (let c = 0; c < C; c++) mean += x[r * C + c] / C;
    let variance = 0;
    for (let c = 0; c < C; c++) variance += (x[r * C + c] - mean) ** 2 / C;
    const rstd = 1 / Math.sqrt(variance + epsilon);
    for (let c = 0; c < C; c++) {
      y[r * C + c] = host.weight[c] * (x[r * C + c] - mean) * rstd + host.bias[c];
    }
  }
  return y;
}

const gpu = await openGpu();
const [X, weight, bias, dY] = Object.entries(host).map(([name, values]) => gpu.upload(values, name));
const [Y, dX] = ["Y", "dX"].map((name) => gpu.allocate(R * C, name));
const [mean, rstd] = ["mean", "rstd"].map((name) => gpu.allocate(R, name));
const partials = gpu.allocate(layernormPartialsWords(R, C), "partials");

console.log(`layernorm of (${R}, ${C}) on ${gpu.adapterName}`);
const expected = forward(host.X);
for (const variant of ["naive", "rows", "texture", "workgroup"]) {
  const run = () => layernorm(gpu, { X, weight, bias, Y, mean, rstd }, { R, C, epsilon, variant });
  run();
  const { largestError } = checkKernel((await gpu.read(Y))[0], expected, { tolerance: 1e-5, name: variant });
  const { medianUs } = await measureKernel(gpu, run, { rounds: 5, sampleMs: 10, warmUpMs: 20 });
  const time = `${medianUs.toFixed(0).padStart(5)} us`;
  console.log(`${variant.padEnd(10)} ${time}   largest error ${largestError.toExponential(1)}`);
}

// The gradient of sum(Y dY) by X, beside the slope of that very sum.
layernormBackward(gpu, { X, weight, mean, rstd, dY, dX, partials }, { R, C });
const [gradient] = await gpu.read(dX);
const step = 1e-3;
const sumAt = (i: number, change: number) => {
  const x = host.X.slice();
  x[i] += change;
  // The step that f32 took, not the one that was asked for.
  return { x: x[i], sum: forward(x).reduce((sum, y, j) => sum + y * host.dY[j], 0) };
};
for (const i of [0, 50, 1000]) {
  const [low, high] = [sumAt(i, -step), sumAt(i, step)];
  const slope = (high.sum - low.sum) / (high.x - low.x);
  console.log(
    `dX[${i}]`.padEnd(10),
    gradient[i].toFixed(4).padStart(8),
    "by the kernel,",
    slope.toFixed(4),
    "by the slope",
  );
  assertEquals(Math.abs(gradient[i] - slope) < 1e-3, true);
}
gpu.destroy();
