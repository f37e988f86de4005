import { assertEquals, assertThrows } from "@std/assert";
import { cases } from "../../kernels/convolution/cases.ts";
import { convolutionOutput, fold, unfold } from "../../kernels/convolution/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { testCases } from "./check_cases.ts";

testCases(cases);

Deno.test({
  name: "unfold lays 2x2 windows of a 3x3 image out as rows",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const X = gpu.upload(Float32Array.from({ length: 9 }, (_, i) => i), "X");
    const columns = gpu.acquire(16, "columns");
    const shape = { B: 1, height: 3, width: 3, C: 1, kernelSize: 2, stride: 1, padding: 0 };
    unfold(gpu, { X, columns }, shape);
    const [got] = await gpu.read(columns);
    for (const slice of [X, columns]) gpu.release(slice);
    assertEquals([...got], [0, 1, 3, 4, 1, 2, 4, 5, 3, 4, 6, 7, 4, 5, 7, 8]);
  },
});

Deno.test({
  name: "fold counts the windows each pixel lies in",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const dcolumns = gpu.upload(new Float32Array(16).fill(1), "dcolumns");
    const dX = gpu.acquire(9, "dX");
    const shape = { B: 1, height: 3, width: 3, C: 1, kernelSize: 2, stride: 1, padding: 0 };
    fold(gpu, { dcolumns, dX }, shape);
    const [got] = await gpu.read(dX);
    for (const slice of [dcolumns, dX]) gpu.release(slice);
    assertEquals([...got], [1, 2, 1, 2, 4, 2, 1, 2, 1]);
  },
});

Deno.test("a convolution's output sizes leave out what no whole window covers", () => {
  const sizes = { height: 64, width: 63, kernelSize: 8, stride: 4, padding: 0 };
  assertEquals(convolutionOutput(sizes), { outHeight: 15, outWidth: 14 });
  assertEquals(convolutionOutput({ ...sizes, padding: 2 }), { outHeight: 16, outWidth: 15 });
});

Deno.test({
  name:
    "convolution launches name the window that does not fit, the operand that is too short, and the variant",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const X = { ...gpu.placeholder, label: "X" };
    const operands = { X, columns: gpu.placeholder };
    const shape = { B: 1, height: 3, width: 5, C: 2, kernelSize: 3, stride: 1, padding: 0 };
    assertThrows(
      () => unfold(gpu, operands, { ...shape, kernelSize: 4 }),
      RangeError,
      "Cannot convolve 3x5 pixels: a window of 4 does not fit with padding 0",
    );
    assertThrows(() => unfold(gpu, operands, { ...shape, stride: 0 }), RangeError, "stride is 0");
    assertThrows(() => unfold(gpu, operands, shape), RangeError, "X has 4 words, it needs 30");
    const long = { ...X, length: 1000 };
    assertThrows(
      () => unfold(gpu, { X: long, columns: long }, { ...shape, variant: "texture" }),
      RangeError,
      'for variant "texture" width, kernel size, stride and padding times C must be multiples of 4',
    );
    const software = Object.create(gpu, { isSoftware: { value: true } });
    assertThrows(
      () =>
        fold(software, { dcolumns: { ...X, length: 2 ** 26 }, dX: { ...X, length: 2 ** 26 } }, {
          ...shape,
          height: 256,
          width: 256,
          kernelSize: 256,
        }),
      RangeError,
      "on a software adapter a pixel may lie in at most 255 windows a direction, got 256",
    );
  },
});
