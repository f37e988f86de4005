import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  assertFits,
  decodeSafetensors,
  encodeSafetensors,
  parameterSpecs,
  sizeOf,
  Vlm,
} from "../../model/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { loadGoldens } from "./goldens/load.ts";

const { config, formula } = loadGoldens();

function test(name: string, fn: (vlm: Vlm) => Promise<void> | void): void {
  Deno.test({
    name,
    ...onGpu,
    fn: async () => await fn(new Vlm(await testGpu(), config)),
  });
}

Deno.test("names, shapes and their order are those of the PyTorch model", () => {
  const specs = parameterSpecs(config).map(({ name, shape }) => [name, shape]);
  assertEquals(specs, Object.entries(formula.weights).map(([name, { shape }]) => [name, [...shape]]));
});

Deno.test("kinds and parts sort parameters as weight decay and freezing need", () => {
  const byName = new Map(parameterSpecs(config).map((spec) => [spec.name, spec]));
  const wanted = {
    "vision.patch_embedding.weight": ["matrix", "vision"],
    "vision.position_embedding.weight": ["position", "vision"],
    "vision.blocks.0.norm_1.weight": ["norm", "vision"],
    "vision.norm.bias": ["norm", "vision"],
    "projector.up.bias": ["bias", "projector"],
    "language.token_embedding.weight": ["embedding", "language"],
    "language.blocks.1.attention.qkv.weight": ["matrix", "language"],
    "language.head.weight": ["head", "language"],
    "value_head.down.weight": ["matrix", "value_head"],
  };
  for (const [name, [kind, part]] of Object.entries(wanted)) {
    assertEquals([byName.get(name)!.kind, byName.get(name)!.part], [kind, part], name);
  }
});

test("parameters lie apart in one slice, each at a multiple of 64 words", ({ parameters }) => {
  let end = 0;
  for (const { offset, shape, name } of parameters.list) {
    assert(offset >= end && offset % 64 === 0, name);
    end = offset + sizeOf(shape);
    assertEquals(parameters.get(name).data.offset, offset);
    assertEquals(parameters.get(name).data.length, sizeOf(shape));
  }
  assert(end <= parameters.values.length);
  assertEquals(
    parameters.count,
    Object.values(formula.weights).reduce((n, { shape }) => n + sizeOf(shape), 0),
  );
});

test("initial values follow from the seed alone", async (vlm) => {
  vlm.parameters.initialize(3);
  const first = await vlm.parameters.toHost();
  vlm.parameters.initialize(4);
  const other = await vlm.parameters.toHost();
  const again = new Vlm(vlm.gpu, config);
  again.parameters.initialize(3);
  assertEquals(await again.parameters.toHost(), first);
  for (const { name, std } of vlm.parameters.list) {
    const isSame = first.get(name)!.data.every((x, i) => x === other.get(name)!.data[i]);
    assertEquals(isSame, std === 0, name);
  }
});

test("initial values have their spec's spread; scales are 1 and biases 0", async (vlm) => {
  vlm.parameters.initialize(0);
  const tensors = await vlm.parameters.toHost();
  for (const { name, kind, std } of vlm.parameters.list) {
    const { data } = tensors.get(name)!;
    if (std === 0) {
      const want = kind === "norm" && name.endsWith(".weight") ? 1 : 0;
      assert(data.every((x) => x === want), name);
      continue;
    }
    if (data.length < 500) continue;
    const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
    const spread = Math.sqrt(data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length);
    // Five standard errors of mean and spread.
    assertAlmostEquals(mean, 0, 5 * std / Math.sqrt(data.length), name);
    assertAlmostEquals(spread, std, 5 * std / Math.sqrt(2 * data.length), name);
  }
  const [a, b] = ["language.blocks.0", "language.blocks.1"].map((block) =>
    tensors.get(`${block}.attention.qkv.weight`)!
  );
  assert(a.data.some((x, i) => x !== b.data[i]), "layers start differently");
});

test("a checkpoint of the whole model gives back every bit", async (vlm) => {
  vlm.parameters.initialize(5);
  const saved = await vlm.parameters.toHost();
  const { tensors } = decodeSafetensors(encodeSafetensors(saved));
  assertFits(tensors, vlm.parameters.list);
  assertEquals([...tensors.keys()], vlm.parameters.list.map(({ name }) => name));
  const loaded = new Vlm(vlm.gpu, config);
  loaded.parameters.fromHost(tensors);
  const restored = await loaded.parameters.toHost();
  for (const [name, { shape, data }] of saved) {
    assertEquals(restored.get(name)!.shape, shape);
    assertEquals(new Uint32Array(restored.get(name)!.data.buffer), new Uint32Array(data.buffer), name);
  }
  const [before, after] = await vlm.gpu.read(vlm.parameters.values, loaded.parameters.values);
  assertEquals(after, before);
});

test("train gives a gradient of zeros to the parameters it names, and to no other", async ({ gpu, parameters }) => {
  assertEquals(parameters.get("language.head.weight").requiresGradient, false);
  parameters.train(({ kind }) => kind === "matrix");
  gpu.write(parameters.gradients!, new Float32Array(parameters.gradients!.length).fill(1));
  parameters.train(({ kind }) => kind === "head");
  for (const { name, kind, offset } of parameters.list) {
    const { requiresGradient, gradient } = parameters.get(name);
    assertEquals(requiresGradient, kind === "head", name);
    assertEquals(gradient?.offset, kind === "head" ? offset : undefined, name);
  }
  const [gradients] = await gpu.read(parameters.gradients!);
  assert(gradients.every((x) => x === 0));
});

test("an unknown name is refused", ({ parameters }) => {
  assertThrows(() => parameters.get("vision.cls"), RangeError, "Cannot find parameter vision.cls");
  assertThrows(() => parameters.affine("language.head"), RangeError, "language.head.bias");
});
