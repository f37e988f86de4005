import { assertThrows } from "@std/assert";
import { cases } from "../../kernels/layernorm/cases.ts";
import { layernorm, layernormBackward } from "../../kernels/layernorm/mod.ts";
import { testCases, testGpu } from "./check_cases.ts";

testCases(cases);

Deno.test({
  name: "layernorm names the operand that is too small and the variant that cannot do a shape",
  sanitizeResources: false,
  sanitizeOps: false,
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
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    const gpu = await testGpu();
    const names = ["X", "weight", "mean", "rstd", "dY", "dX", "dWeight", "partials"] as const;
    const entries = names.map((name) => [name, gpu.acquire(8, name)] as const);
    const operands = Object.fromEntries(entries) as Record<typeof names[number], typeof gpu.placeholder>;
    assertThrows(() => layernormBackward(gpu, operands, { R: 1, C: 4 }), TypeError, "together");
    for (const [, slice] of entries) gpu.release(slice);
  },
});
