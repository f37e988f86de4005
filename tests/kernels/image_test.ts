import { assertEquals, assertThrows } from "@std/assert";
import { cases } from "../../kernels/image/cases.ts";
import { extractPatches, pixelShuffleMerge } from "../../kernels/image/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { testCases } from "./check_cases.ts";

testCases(cases);

Deno.test({
  name: "pixel shuffle puts the four neighbours of a 2x2 square into one token, row by row",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const X = gpu.upload(Float32Array.from({ length: 16 }, (_, i) => i), "X");
    const Y = gpu.acquire(16, "Y");
    pixelShuffleMerge(gpu, { X, Y }, { B: 1, side: 4, C: 1, factor: 2, inverse: false });
    const [got] = await gpu.read(Y);
    for (const slice of [X, Y]) gpu.release(slice);
    assertEquals([...got], [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]);
  },
});

Deno.test({
  name: "image launches name the size that does not divide and the operand that is too short",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const slice = { ...gpu.placeholder, label: "pixels" };
    const operands = { pixels: slice, statistics: slice, patches: slice };
    assertThrows(
      () => extractPatches(gpu, operands, { B: 1, S: 10, patchSize: 4 }),
      RangeError,
      "Cannot cut 1 images of 10x10 into patches of 4: 4 does not divide 10",
    );
    assertThrows(
      () => extractPatches(gpu, operands, { B: 1, S: 8, patchSize: 4 }),
      RangeError,
      "pixels has 4 words, it needs 48",
    );
    assertThrows(
      () =>
        pixelShuffleMerge(gpu, { X: slice, Y: slice }, { B: 1, side: 3, C: 1, factor: 2, inverse: false }),
      RangeError,
      "2 does not divide 3",
    );
  },
});
