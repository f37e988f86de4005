import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { caseValues } from "../../kernels/case.ts";
import { subslice } from "../../kernels/gpu/mod.ts";
import { cases } from "../../kernels/log_softmax/cases.ts";
import { logSoftmax, logSoftmaxBackward } from "../../kernels/log_softmax/mod.ts";
import { logSoftmaxBackwardReference, logSoftmaxReference } from "../../kernels/log_softmax/reference.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { checkCase, gpuWithoutSubgroups, testCases } from "./check_cases.ts";

testCases(cases);

Deno.test({
  name: "log_softmax (texture, workgroup) needs no subgroups",
  ...onGpu,
  fn: async () => {
    const gpu = await gpuWithoutSubgroups();
    for (const name of ["19x260 t=0.7 forward", "19x260 t=0.7 backward", "600x128 t=1 forward"]) {
      const kernelCase = cases.find((each) => each.name === name)!;
      for (const variant of ["texture", "workgroup"]) await checkCase(gpu, kernelCase, variant);
    }
    gpu.destroy();
  },
});

Deno.test({
  name: "log_softmax reads and writes slices inside a storage, whatever the variant",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const [N, V] = [5, 64];
    const shape = { N, V, temperature: 0.9 };
    const [X, dY] = [caseValues(N * V, 1, 9), caseValues(N * V, 2)];
    const { Y } = logSoftmaxReference({ X }, shape);
    const { dX } = logSoftmaxBackwardReference({ Y, dY }, shape);
    for (const variant of ["naive", "texture", "workgroup"]) {
      const whole = gpu.upload(new Float32Array(8 * 320), "whole");
      const out = gpu.upload(new Float32Array(8 * 320).fill(7), "out");
      const part = (index: number) => subslice(whole, index * 320, N * V);
      const [slotY, slotDX] = [subslice(out, 320, N * V), subslice(out, 1280, N * V)];
      gpu.write(part(2), X);
      gpu.write(part(3), Float32Array.from(Y));
      gpu.write(part(5), dY);
      logSoftmax(gpu, { X: part(2), Y: slotY }, { ...shape, variant });
      logSoftmaxBackward(gpu, { Y: part(3), dY: part(5), dX: slotDX }, { ...shape, variant });
      const [got] = await gpu.read(out);
      got.forEach((value, i) => {
        if (i >= 320 && i < 640) assertAlmostEquals(value, Y[i - 320], 1e-5, `${variant} Y[${i - 320}]`);
        else if (i >= 1280 && i < 1600) {
          assertAlmostEquals(value, dX[i - 1280], 1e-5, `${variant} dX[${i - 1280}]`);
        } else assertEquals(value, 7, `${variant} wrote outside its slice, at ${i}`);
      });
      for (const slice of [whole, out]) gpu.release(slice);
    }
  },
});

Deno.test({
  name:
    "log_softmax gives a masked logit of minus infinity probability 0 and leaves the others a distribution",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const V = 72;
    const masked = caseValues(V, 5, 3).map((value, v) => v < 40 || v % 3 === 0 ? -Infinity : value);
    const kept = masked.filter((value) => value > -Infinity);
    const want = logSoftmaxReference({ X: kept }, { N: 1, V: kept.length, temperature: 1 }).Y;
    for (const variant of ["naive", "texture", "workgroup"]) {
      const [X, Y] = [gpu.upload(masked, "X"), gpu.acquire(V, "Y")];
      logSoftmax(gpu, { X, Y }, { N: 1, V, temperature: 1, variant });
      const [got] = await gpu.read(Y);
      let next = 0;
      got.forEach((value, v) => {
        if (masked[v] === -Infinity) assertEquals(value, -Infinity, `${variant} at ${v}`);
        else assertAlmostEquals(value, want[next++], 2e-6, `${variant} at ${v}`);
      });
      for (const slice of [X, Y]) gpu.release(slice);
    }
  },
});

Deno.test({
  name:
    "log_softmax names the operand that is too small, a temperature of 0, and what a variant or adapter cannot do",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const small = gpu.acquire(6, "small");
    const run = (N: number, V: number, temperature: number, variant?: string) => () =>
      logSoftmax(gpu, { X: small, Y: small }, { N, V, temperature, variant });
    assertThrows(
      run(2, 4, 1),
      RangeError,
      "Cannot take the log-softmax of (N,V) = (2,4): X (small) must hold 8 words, got 6",
    );
    assertThrows(
      () => logSoftmaxBackward(gpu, { Y: small, dY: small, dX: small }, { N: 1, V: 7, temperature: 1 }),
      RangeError,
      "Cannot differentiate the log-softmax of (N,V) = (1,7): Y (small) must hold 7 words, got 6",
    );
    assertThrows(run(1, 6, 0), RangeError, "temperature must be above 0, got 0");
    assertThrows(run(1, 6, NaN), RangeError, "temperature must be above 0, got NaN");
    assertThrows(
      run(1, 6, 1, "texture"),
      RangeError,
      'for variant "texture" V must be a multiple of 4, use "naive"',
    );
    gpu.release(small);
  },
});

Deno.test({
  name: "log_softmax refuses rows that a software adapter's loops do not reach the end of",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    if (!gpu.isSoftware) return;
    const V = 262_001;
    const long = gpu.acquire(V, "long");
    const message = "(1,262001): on a software adapter V must be at most 262000";
    assertThrows(
      () => logSoftmax(gpu, { X: long, Y: long }, { N: 1, V, temperature: 1 }),
      RangeError,
      message,
    );
    const operands = { Y: long, dY: long, dX: long };
    assertThrows(() => logSoftmaxBackward(gpu, operands, { N: 1, V, temperature: 1 }), RangeError, message);
    gpu.release(long);
  },
});
