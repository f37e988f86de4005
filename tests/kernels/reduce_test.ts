import { assertEquals, assertThrows } from "@std/assert";
import { cases } from "../../kernels/reduce/cases.ts";
import { columnSum, columnSumPartialWords, rowSum, sum, sumPartialWords } from "../../kernels/reduce/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { testCases } from "./check_cases.ts";

testCases(cases);

Deno.test({
  name: "sum keeps small terms beside many others: 2^24 + 1 ones add up",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    // One running f32 sum would stop at 2^24.
    const n = 2 ** 24 + 4;
    const X = gpu.upload(new Float32Array(n).fill(1), "X");
    const partials = gpu.acquire(sumPartialWords({ n }), "partials");
    const Y = gpu.acquire(1, "Y");
    sum(gpu, { X, Y, partials }, { n, scale: 1 });
    const [got] = await gpu.read(Y);
    for (const slice of [X, partials, Y]) gpu.release(slice);
    gpu.trim();
    assertEquals(got[0], n);
  },
});

Deno.test("columnSum needs scratch only for more rows than one chunk", () => {
  assertEquals(columnSumPartialWords({ R: 32, C: 7 }, { isSoftware: false }), 0);
  assertEquals(columnSumPartialWords({ R: 33, C: 7 }, { isSoftware: false }), 14);
  assertEquals(columnSumPartialWords({ R: 33, C: 7 }, { isSoftware: true }), 0);
  assertEquals(columnSumPartialWords({ R: 10_000, C: 7 }, { isSoftware: true }), 100 * 7);
});

Deno.test({
  name: "reductions name the operand that is too short and the variant that cannot do the shape",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const X = { ...gpu.placeholder, label: "X" };
    assertThrows(
      () => rowSum(gpu, { X, Y: X }, { R: 2, C: 3 }),
      RangeError,
      "Cannot sum the rows of (2,3): X has 4 words, it needs 6",
    );
    assertThrows(
      () => columnSum(gpu, { X, Y: X }, { R: 1, C: 3, accumulate: false, variant: "texture" }),
      RangeError,
      'Cannot sum the columns of (1,3): for variant "texture" C is 3, it must be a multiple of 4',
    );
  },
});
