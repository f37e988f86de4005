import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import { caseValues } from "../../kernels/case.ts";
import { subslice } from "../../kernels/gpu/mod.ts";
import { cases } from "../../kernels/layernorm/cases.ts";
import { layernorm, layernormBackward, layernormPartialsWords } from "../../kernels/layernorm/mod.ts";
import { layernormBackwardReference, layernormReference } from "../../kernels/layernorm/reference.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { checkCase, gpuWithoutSubgroups, testCases } from "./check_cases.ts";

testCases(cases);

Deno.test({
  name: "layernorm (workgroup) needs no subgroups",
  ...onGpu,
  fn: async () => {
    const gpu = await gpuWithoutSubgroups();
    const narrow = cases.filter(({ name, variants }) =>
      variants.includes("workgroup") && /x(96|64) /.test(name)
    );
    assert(narrow.length > 1);
    for (const kernelCase of narrow) await checkCase(gpu, kernelCase, "workgroup");
    gpu.destroy();
  },
});

Deno.test({
  name:
    "texture layernorm is exact to float error when rows start far from their mean, in slices inside a storage",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const shape = { R: 9, C: 160, epsilon: 1e-5 };
    const inputs = {
      X: caseValues(9 * 160, 1, 2).map((value, i) => value + 5 + (i % 160 < 20 ? 300 : 0)),
      weight: caseValues(160, 2),
      bias: caseValues(160, 3),
    };
    const whole = gpu.acquire(64 + 9 * 160, "whole");
    const X = subslice(whole, 64, 9 * 160);
    gpu.write(X, inputs.X);
    const [weight, bias] = [gpu.upload(inputs.weight, "weight"), gpu.upload(inputs.bias, "bias")];
    const [Y, mean, rstd] = [gpu.acquire(9 * 160, "Y"), gpu.acquire(9, "mean"), gpu.acquire(9, "rstd")];
    layernorm(gpu, { X, weight, bias, Y, mean, rstd }, { ...shape, variant: "texture" });
    const [gotY, gotRstd] = await gpu.read(Y, rstd);
    const want = layernormReference(inputs, shape);
    gotRstd.forEach((got, r) => assertAlmostEquals(got / want.rstd[r], 1, 2e-6, `rstd[${r}]`));
    gotY.forEach((got, i) => assertAlmostEquals(got, want.Y[i], 1e-5, `Y[${i}]`));
    for (const slice of [whole, weight, bias, Y, mean, rstd]) gpu.release(slice);
  },
});

Deno.test({
  name: "workgroup layernorm's backward takes more blocks of rows than a dimension has workgroups",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const shape = { R: 16 * 65535 + 37, C: 4 };
    const { R, C } = shape;
    const inputs = {
      X: caseValues(R * C, 1, 2),
      weight: caseValues(C, 2),
      mean: caseValues(R, 3),
      rstd: caseValues(R, 4),
      dY: caseValues(R * C, 5),
    };
    const want = layernormBackwardReference(inputs, shape);
    const [X, weight, mean, rstd, dY] = Object.entries(inputs).map(([name, data]) => gpu.upload(data, name));
    const [dWeight, dBias] = ["dWeight", "dBias"].map((name) => gpu.upload(new Float32Array(C), name));
    const dX = gpu.acquire(R * C, "dX"), partials = gpu.acquire(layernormPartialsWords(R, C), "partials");
    const operands = { X, weight, mean, rstd, dY, dX, dWeight, dBias, partials };
    layernormBackward(gpu, operands, { ...shape, variant: "workgroup" });
    const [gotX, gotWeight, gotBias] = await gpu.read(dX, dWeight, dBias);
    const furthest = (got: Float32Array, wanted: Float64Array) =>
      got.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i])), 0);
    assert(furthest(gotX, want.dX) < 1e-5);
    // Sums of R terms of up to 2.
    assert(furthest(gotWeight, want.dWeight) < 1e-6 * R && furthest(gotBias, want.dBias) < 1e-6 * R);
    for (const slice of Object.values(operands)) gpu.release(slice);
    gpu.trim();
  },
});

Deno.test({
  name: "layernorm names the operand that is too small and the variant that cannot do a shape",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const small = gpu.acquire(5, "small");
    const slices = { X: small, weight: small, bias: small, Y: small, mean: small, rstd: small };
    assertThrows(
      () => layernorm(gpu, slices, { R: 2, C: 3, epsilon: 1e-5 }),
      RangeError,
      "X (small) must hold 6",
    );
    assertThrows(
      () => layernorm(gpu, slices, { R: 1, C: 5, epsilon: 1e-5, variant: "rows" }),
      RangeError,
      "C must be a multiple of 4",
    );
    assertThrows(
      () => layernorm(gpu, slices, { R: 1, C: 5, epsilon: 1e-5, variant: "workgroup" }),
      RangeError,
      'for variant "workgroup" C must be a multiple of 4, at most 8192, use "naive"',
    );
    assertThrows(
      () => layernorm(gpu, slices, { R: 1, C: 5, epsilon: 1e-5, variant: "fastest" }),
      RangeError,
      'unknown variant "fastest"',
    );
    gpu.release(small);
  },
});

Deno.test({
  name: "layernormBackward refuses a weight gradient without a bias gradient",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const names = ["X", "weight", "mean", "rstd", "dY", "dX", "dWeight", "partials"] as const;
    const entries = names.map((name) => [name, gpu.acquire(8, name)] as const);
    const operands = Object.fromEntries(entries) as Record<typeof names[number], typeof gpu.placeholder>;
    assertThrows(() => layernormBackward(gpu, operands, { R: 1, C: 4 }), TypeError, "together");
    for (const [, slice] of entries) gpu.release(slice);
  },
});
