import { assertAlmostEquals, assertEquals } from "@std/assert";
import { loadGoldens, sampleGradient } from "./load.ts";
import { goldenImages, goldenWeight } from "./weights.ts";

const { batch, config, formula, sft } = loadGoldens();

Deno.test("the formula for weights gives the numbers that the goldens were made with", () => {
  for (const [name, { shape, first, sum }] of Object.entries(formula.weights)) {
    const weight = goldenWeight(name, shape);
    assertEquals([...weight.subarray(0, 4)], [...first], name);
    assertAlmostEquals(weight.reduce((total, x) => total + x, 0), sum, 1e-6, name);
  }
});

Deno.test("the formula for images gives the numbers that the goldens were made with", () => {
  const images = goldenImages(batch.ids.length, config.imageSize);
  assertEquals([...images.subarray(0, 9)], [...formula.images.first]);
  assertEquals(images.reduce((total, x) => total + x, 0), formula.images.sum);
});

Deno.test("the batch has rows of different prefix and response lengths, padded to the longest", () => {
  assertEquals(new Set(batch.prefix).size, 3);
  assertEquals(new Set(batch.length.map((length, b) => length - batch.prefix[b])).size, 3);
  for (const row of batch.ids) assertEquals(row.length, Math.max(...batch.length));
  batch.taken.forEach((id, r) => assertEquals(id, batch.ids[batch.rows[r]][batch.positions[r]]));
});

Deno.test("sampleGradient takes the elements that the goldens store", () => {
  const golden = sft.gradients["language.head.weight"];
  const size = golden.shape.reduce((product, x) => product * x, 1);
  const { samples, norm } = sampleGradient(Float32Array.from({ length: size }, (_, i) => i % 2), golden);
  assertEquals(samples, golden.samples.map((_, i) => (i * golden.stride) % 2));
  assertEquals(samples.length, Math.ceil(size / golden.stride));
  assertAlmostEquals(norm, Math.sqrt(size / 2), 1e-9);
});
