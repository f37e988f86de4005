/**
 * Your own op on the tape: its kernel, its gradient, and a check of that gradient by differences.
 *
 *     deno run -A op.ts
 */
import { binary, defineKernel, flatGrid } from "@ponder/ponder/kernels";
import { checkGradients, defineOp, openGpu, sizeOf, sum, Tape, type Tensor } from "@ponder/ponder/model";

/** Y = log(1 + e^X) and S = 1 / (1 + e^-X), the derivative. One invocation takes one element. */
const softplusKernel = defineKernel<"X" | "Y" | "S", "n">({
  name: "softplus",
  wgsl: `
    struct Params { n: u32 }
    @group(0) @binding(0) var<storage, read> X: array<f32>;
    @group(0) @binding(1) var<storage, read_write> Y: array<f32>;
    @group(0) @binding(2) var<storage, read_write> S: array<f32>;
    @group(0) @binding(3) var<uniform> params: Params;
    //@include "flat_index.wgsl"

    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
      let i = flatIndex(id, groups);
      if (i >= params.n) { return; }
      Y[i] = max(X[i], 0.0) + log(1.0 + exp(-abs(X[i])));
      S[i] = 1.0 / (1.0 + exp(-X[i]));
    }`,
  words: ({ n }) => ({ X: n, Y: n, S: n }),
  workgroups: ({ n }) => flatGrid(Math.ceil(n / 64)),
});

const softplus = defineOp({
  name: "softplus",
  arity: 1,
  forward(tape: Tape, [X]: [X: Tensor]) {
    const n = sizeOf(X.shape);
    const Y = tape.output(X.shape, "softplus");
    softplusKernel(tape.gpu, { X: X.data, Y: Y.data, S: tape.save(n, "softplus.S") }, { n });
    return [Y];
  },
  // Y = log(1 + e^X):  dX = S dY
  backward(tape, { inputs: [X], saved: [S] }, [dY]) {
    const dX = tape.gradientOf(X);
    binary(tape.gpu, { A: dY, B: S, Y: dX }, { op: "multiply", n: sizeOf(X.shape) });
    return [dX];
  },
});

const gpu = await openGpu();
const [{ error }] = await checkGradients(gpu, softplus, { inputs: [{ shape: [50, 7] }] });
console.log(`largest error of the gradient: ${error.toExponential(1)} of its largest element`);

const [data, gradient] = [gpu.upload(Float32Array.of(-1, 0, 1), "x"), gpu.upload(new Float32Array(3), "dx")];
const x: Tensor = { label: "x", shape: [3], data, requiresGradient: true, gradient };
using tape = new Tape(gpu, { record: true });
const [y] = tape.apply(softplus, [x]);
tape.backward(sum(tape, y));
const [slopes] = await gpu.read(gradient);
console.log("slopes at -1, 0 and 1:", Array.from(slopes, (slope) => slope.toFixed(4)).join(", "));
