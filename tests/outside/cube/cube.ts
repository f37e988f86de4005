/** An op with its kernel in a folder of their own, as somebody writes them who has ponder as a dependency. */
import { binary, defineKernel, flatGrid } from "@ponder/ponder/kernels";
import { checkGradients, defineOp, openGpu, sizeOf, type Tape, type Tensor } from "@ponder/ponder/model";

const kernel = defineKernel<"X" | "Y" | "S", "n">({
  name: "cube/cube.wgsl",
  wgsl: Deno.readTextFileSync(new URL("cube.wgsl", import.meta.url)),
  words: ({ n }) => ({ X: n, Y: n, S: n }),
  workgroups: ({ n }) => flatGrid(Math.ceil(n / 64)),
});

const cube = defineOp({
  name: "cube",
  arity: 1,
  forward(tape: Tape, [X]: [X: Tensor]) {
    const n = sizeOf(X.shape);
    const Y = tape.output(X.shape, "cube");
    kernel(tape.gpu, { X: X.data, Y: Y.data, S: tape.save(n, "cube.S") }, { n });
    return [Y];
  },
  // Y = X^3:  dX = 3 X^2 dY = S dY
  backward(tape, { inputs: [X], saved: [S] }, [dY]) {
    const dX = tape.gradientOf(X);
    binary(tape.gpu, { A: dY, B: S, Y: dX }, { op: "multiply", n: sizeOf(X.shape) });
    return [dX];
  },
});

const gpu = await openGpu();
const [X, Y, S] = [gpu.upload(Float32Array.of(-1, 2, 3), "X"), gpu.allocate(3, "Y"), gpu.allocate(3, "S")];
kernel(gpu, { X, Y, S }, { n: 3 });
const [cubes] = await gpu.read(Y);
console.log(`cubes ${cubes.slice(0, 3).join(" ")}`);
const [{ error }] = await checkGradients(gpu, cube, { inputs: [{ shape: [50, 7] }] });
console.log(`error of the gradient ${error}`);
gpu.destroy();
