import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { cases } from "../../kernels/adamw/cases.ts";
import { adamw, gradientNorms, gradientNormsPartialsWords } from "../../kernels/adamw/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { testCases } from "./check_cases.ts";

testCases(cases);

Deno.test({
  name:
    "clip and AdamW take the textbook step: gradient (3, 4) with clip 1 moves both parameters by the rate",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const shape = { words: 64, G: 1 };
    const block = (...values: number[]) => {
      const data = new Float32Array(64);
      data.set(values);
      return data;
    };
    const operands = {
      parameters: gpu.upload(block(1, -1), "parameters"),
      gradients: gpu.upload(block(3, 4), "gradients"),
      m: gpu.upload(block(), "m"),
      v: gpu.upload(block(), "v"),
      blockGroups: gpu.upload(Uint32Array.of(0), "blockGroups"),
      groups: gpu.upload(Float32Array.of(1, 0, 0, 0), "groups"),
      settings: gpu.upload(
        Float32Array.of(0.125, 0.9, 0.999, 1e-12, 0.1, 0.001, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0),
        "settings",
      ),
      norms: gpu.acquire(4, "norms"),
      partials: gpu.acquire(gradientNormsPartialsWords(64), "partials"),
    };
    gradientNorms(gpu, operands, shape);
    adamw(gpu, operands, shape);
    const [norms, parameters, m] = await gpu.read(operands.norms, operands.parameters, operands.m);
    for (const slice of Object.values(operands)) gpu.release(slice);
    assertEquals([...norms], [5, 0, 1, 0]);
    // The first step is lr * sign(g), and m holds a tenth of the clipped gradient (0.6, 0.8).
    assertAlmostEquals(parameters[0], 0.875, 1e-5);
    assertAlmostEquals(parameters[1], -1.125, 1e-5);
    assertAlmostEquals(m[0], 0.06, 1e-6);
    assertAlmostEquals(m[1], 0.08, 1e-6);
    assertEquals(parameters[2], 0);
  },
});

Deno.test({
  name: "AdamW refuses a word count that is not whole blocks, and names a short operand",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const slice = { ...gpu.placeholder, label: "gradients" };
    const operands = { gradients: slice, blockGroups: slice, groups: slice, partials: slice, norms: slice };
    assertThrows(() => gradientNorms(gpu, operands, { words: 65, G: 1 }), RangeError, "not whole blocks");
    assertThrows(
      () => gradientNorms(gpu, operands, { words: 64, G: 1 }),
      RangeError,
      "gradients has 4 words, it needs 64",
    );
  },
});
