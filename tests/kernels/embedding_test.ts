import { assertEquals, assertThrows } from "@std/assert";
import { cases } from "../../kernels/embedding/cases.ts";
import { bucketRows, sumRows } from "../../kernels/embedding/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { testCases } from "./check_cases.ts";

testCases(cases);

Deno.test("bucketRows groups positions by row in order and skips negative entries", () => {
  const { starts, items, named } = bucketRows(Int32Array.of(2, 0, -1, 2, 3, -7, 0), 5);
  assertEquals([...starts], [0, 2, 2, 4, 5, 5]);
  assertEquals([...items], [1, 6, 0, 3, 4]);
  assertEquals([...named], [0, 2, 3]);
});

Deno.test("bucketRows refuses a row outside the table", () => {
  assertThrows(() => bucketRows(Int32Array.of(0, 5), 5), RangeError, "Cannot bucket row 5");
});

Deno.test({
  name: "sumRows names the shape that a variant cannot do and the operand that is too short",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const slice = gpu.placeholder;
    const operands = { dY: slice, starts: slice, items: slice, dTable: { ...slice, label: "dTable" } };
    const shape = { rows: 1, C: 3, accumulate: false };
    assertThrows(
      () => sumRows(gpu, operands, { ...shape, variant: "texture" }),
      RangeError,
      'Cannot sum rows of 3 into 1: for variant "texture" C is 3, it must be a multiple of 4',
    );
    assertThrows(
      () => sumRows(gpu, operands, { ...shape, C: 8 }),
      RangeError,
      "dTable has 4 words, it needs 8",
    );
    assertThrows(
      () => sumRows(gpu, { ...operands, named: slice }, { ...shape, C: 4 }),
      RangeError,
      "named rows go with accumulate",
    );
  },
});
