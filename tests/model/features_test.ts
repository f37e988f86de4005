/** Image tokens of equal pictures, computed once while vision encoder and projector are frozen. */
import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import {
  assess,
  generate,
  type GenerateOptions,
  layOut,
  modelPresets,
  type Parameter,
  pictureOf,
  type Segment,
  sum,
  Tape,
  Vlm,
  type VlmMemory,
} from "../../model/mod.ts";
import { gpuTest } from "../gpu.ts";

const config = {
  ...modelPresets["nano-llama"],
  ...{ imageSize: 16, patchSize: 4, width: 32, heads: 2, keyValueHeads: 1, innerWidth: 64, layers: 2 },
  ...{ visionWidth: 16, visionLayers: 1, contextLength: 32, valueWidth: 16, vocabularySize: 40 },
};

const pixelsOf = (seed: number) =>
  Uint8Array.from({ length: 16 * 16 * 3 }, (_, i) => Math.imul(i + 1 + 1000 * seed, 2654435761) >>> 24);
const promptOf = (seed: number): Segment[] => [
  { kind: "image", picture: pictureOf(pixelsOf(seed)) },
  { kind: "text", ids: [3, 4, 5 + seed] },
];
const sequences = [0, 1, 0, 2].map((seed) => ({ prompt: promptOf(seed), response: [7, 8 + seed, 9] }));
const isVision = ({ part }: Parameter) => part === "vision" || part === "projector";

function modelOf(gpu: Gpu, memory?: VlmMemory): Vlm {
  const vlm = new Vlm(gpu, config, memory);
  vlm.parameters.initialize(3);
  return vlm;
}

/** Launches of some work. */
async function launches(gpu: Gpu, work: () => Promise<unknown>): Promise<number> {
  const before = gpu.dispatchCount;
  await work();
  return gpu.dispatchCount - before;
}

const options: GenerateOptions = {
  ...{ maxNewTokens: 4, temperature: 1, greedy: false, endId: 2, padId: 0 },
  random: Uint32Array.from([1, 0, 2, 0, 3, 0, 4, 0]),
};

gpuTest(
  "a picture that was seen is not encoded again, and all numbers are the same to the bit",
  async (gpu) => {
    const [plain, keeping] = [modelOf(gpu), modelOf(gpu, { keepsFeatures: true })];
    const prompts = sequences.map(({ prompt }) => prompt);
    const settings = { temperature: 0.7 };
    const want = [await generate(plain, prompts, options), await assess(plain, sequences, settings)];
    const got = [await generate(keeping, prompts, options), await assess(keeping, sequences, settings)];
    assertEquals(got, want);
    const encoding = await launches(gpu, async () => {
      using tape = new Tape(gpu, { record: false });
      await gpu.read(plain.imageTokens(tape, { pixels: pixelsOf(0), images: 1 }).data);
    });
    for (
      const call of [
        (vlm: Vlm) => generate(vlm, prompts, options),
        (vlm: Vlm) => assess(vlm, sequences, settings),
      ]
    ) {
      const [all, without] = [
        await launches(gpu, () => call(plain)),
        await launches(gpu, () => call(keeping)),
      ];
      assertEquals(all - without, encoding);
    }
    // Two pictures are new and two are known: one pass encodes the new ones.
    const mixed = [4, 1, 0, 5].map(promptOf);
    await generate(plain, mixed, options);
    const [all, once] = [
      await launches(gpu, () => generate(plain, mixed, options)),
      await launches(gpu, () => generate(keeping, mixed, options)),
    ];
    assertEquals(once, all);
    assertEquals(await generate(keeping, mixed, options), await generate(plain, mixed, options));
  },
);

gpuTest(
  "with vision frozen the gradients of all else are the same, without a launch of vision",
  async (gpu) => {
    const vlm = modelOf(gpu);
    vlm.parameters.train((parameter) => !isVision(parameter));
    const gradients = async (layout: ReturnType<typeof layOut>) => {
      vlm.parameters.train((parameter) => !isVision(parameter));
      const before = gpu.dispatchCount;
      {
        using tape = new Tape(gpu, { record: true });
        const { logprob } = vlm.responseLogprobs(tape, vlm.hidden(tape, layout), layout, 1);
        tape.backward(sum(tape, logprob));
      }
      const launched = gpu.dispatchCount - before;
      const [words] = await gpu.read(vlm.parameters.gradients!);
      return { words, launched };
    };
    const want = await gradients(layOut(sequences, config));
    await vlm.look(sequences);
    const layout = vlm.layOut(sequences);
    assertEquals([layout.images, layout.pixels.length], [3, 0]);
    const got = await gradients(layout);
    assertEquals(got.words, want.words);
    assert(want.words.some((value) => value !== 0));
    assert(got.launched < want.launched, `${got.launched} launches, ${want.launched} without`);
  },
);

gpuTest("features go when the weights that they come from may have changed", async (gpu) => {
  const vlm = modelOf(gpu);
  const known = async () => {
    await vlm.look(sequences);
    return vlm.layOut(sequences).features;
  };
  assertEquals(await known(), undefined); // Nobody has said yet what is trained.
  vlm.parameters.train((parameter) => !isVision(parameter));
  const first = await known();
  assertEquals(first?.length, 3 * 4 * config.width);
  assertEquals(await known(), first);
  vlm.parameters.train(() => true);
  assertEquals(await known(), undefined);
  vlm.parameters.initialize(4);
  vlm.parameters.train((parameter) => !isVision(parameter));
  const second = await known();
  assert(second !== undefined && second.some((value, i) => value !== first![i]));
  const values = await vlm.parameters.toHost();
  vlm.parameters.initialize(3);
  assertEquals(await known(), first);
  vlm.parameters.fromHost(values);
  assertEquals(await known(), second);
});

gpuTest("beyond the memory for features the oldest go, and what one batch needs stays", async (gpu) => {
  const each = 4 * config.width * 4;
  const vlm = modelOf(gpu, { keepsFeatures: true, featureBytes: 2 * each });
  const isKnown = (...seeds: number[]) =>
    vlm.layOut(seeds.map((seed) => ({ prompt: promptOf(seed), response: [] }))).features !== undefined;
  const look = (...seeds: number[]) => vlm.look(seeds.map((seed) => ({ prompt: promptOf(seed) })));
  await look(0, 1);
  await look(0);
  await look(2);
  assertEquals([isKnown(0, 2), isKnown(1)], [true, false]);
  await look(3, 4, 5);
  assertEquals([isKnown(3, 4, 5), isKnown(0)], [true, false]);
  await look(6);
  assertEquals([isKnown(6), isKnown(5, 6), isKnown(3)], [true, true, false]);
});
