/** Models larger than a kernel can bind: parameters in several pieces of memory, tables split by rows. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import {
  AdamW,
  generate,
  layOut,
  mean,
  modelPresets,
  type Parameter,
  pictureOf,
  type Segment,
  sum,
  Tape,
  Vlm,
  type VlmConfig,
} from "../../model/mod.ts";
import { gpuTest } from "../gpu.ts";

/** A table of 515 rows takes 16,480 words, the largest other tensor 4,096. */
const config = {
  ...modelPresets["nano-llama"],
  ...{ imageSize: 16, patchSize: 4, width: 32, heads: 2, keyValueHeads: 1, innerWidth: 64, layers: 2 },
  ...{ visionWidth: 16, visionLayers: 1, contextLength: 32, valueWidth: 16, vocabularySize: 515 },
};
const PIECE_WORDS = 4500;

const picture = pictureOf(Uint8Array.from({ length: 16 * 16 * 3 }, (_, i) => (i * 37) % 256));
const prompt: Segment[] = [{ kind: "image", picture }, { kind: "text", ids: [3, 139, 140] }];
const sequences = [
  { prompt, response: [141, 280, 514, 0, 420] },
  { prompt: prompt.slice(1), response: [512, 139] },
];

const farFrom = (got: Float32Array, want: Float32Array): number => {
  const norm = Math.sqrt(want.reduce((sum, value) => sum + value ** 2, 0));
  return got.reduce((worst, value, i) => Math.max(worst, Math.abs(value - want[i])), 0) / (norm + 1e-6);
};

async function answers(gpu: Gpu, vlm: Vlm) {
  const layout = layOut(sequences, config);
  vlm.parameters.train(() => true);
  let numbers: Float32Array[];
  {
    using tape = new Tape(gpu, { record: true });
    const hidden = vlm.hidden(tape, layout);
    const logits = vlm.logits(tape, hidden);
    const { logprob, entropy } = vlm.responseLogprobs(tape, hidden, layout, 0.7);
    const read = [logits, logprob, entropy].map((tensor) => tape.keep(tensor));
    tape.backward(sum(tape, logprob), mean(tape, entropy));
    numbers = await gpu.read(...read.map(({ data }) => data));
  }
  const [{ ids }] = await generate(vlm, [prompt], {
    ...{ maxNewTokens: 6, temperature: 1, greedy: true, endId: 1 << 20, padId: 0 },
    random: new Uint32Array(2),
  });
  return { numbers, ids, gradients: await vlm.parameters.gradientsToHost() };
}

for (const head of ["table", "tied"] as const) {
  gpuTest(`a ${head} head in pieces gives the answers and gradients of a whole one`, async (gpu) => {
    const whole = new Vlm(gpu, { ...config, head });
    whole.parameters.initialize(5);
    const apart = new Vlm(gpu, { ...config, head }, { pieceWords: PIECE_WORDS });
    apart.parameters.initialize(5);
    const tables = ({ kind, name }: Parameter) => kind === "head" || name.includes("token_embedding");
    for (const parameter of apart.parameters.list) {
      const parts = apart.parameters.get(parameter.name).parts?.map(({ row0, rows }) => [row0, rows]);
      const want = tables(parameter) ? [[0, 140], [140, 140], [280, 140], [420, 95]] : undefined;
      assertEquals(parts, want, parameter.name);
    }
    assertEquals(await apart.parameters.toHost(), await whole.parameters.toHost());
    const [got, want] = [await answers(gpu, apart), await answers(gpu, whole)];
    assertEquals(got.ids, want.ids);
    got.numbers.forEach((numbers, i) => assert(farFrom(numbers, want.numbers[i]) < 1e-6, `output ${i}`));
    assertEquals([...got.gradients.keys()], [...want.gradients.keys()]);
    for (const [name, { data }] of got.gradients) {
      const far = farFrom(data, want.gradients.get(name)!.data);
      assert(far < 2e-6, `d${name} is ${far} of its norm away`);
    }
    const values = await whole.parameters.toHost();
    values.get("language.token_embedding.weight")!.data.reverse();
    apart.parameters.fromHost(values);
    assertEquals(await apart.parameters.toHost(), values);
    const table = values.get("language.token_embedding.weight")!.data.toReversed();
    apart.parameters.write("language.token_embedding.weight", table);
    values.get("language.token_embedding.weight")!.data.reverse();
    assertEquals(await apart.parameters.toHost(), values);
  });
}

gpuTest("what cannot be split or trained in pieces is refused by name", (gpu) => {
  assertThrows(
    () => new Vlm(gpu, config, { pieceWords: 4000 }),
    RangeError,
    "Cannot allocate language.blocks.0.mlp.gate_up.weight: 16384 bytes exceed the adapter's limit of 16000",
  );
  // A matrix is read whole, whatever its kind.
  const matrix: VlmConfig = { ...config, vocabularySize: 512, head: "matrix" };
  assertThrows(() => new Vlm(gpu, matrix, { pieceWords: PIECE_WORDS }), RangeError, "language.head.weight");
  const ruleOf = ({ kind, part }: Parameter) => ({
    ...{ learningRateScale: kind === "adapter" || part === "value_head" ? 1 : 0, weightDecay: 0 },
    clipGroup: "policy" as const,
  });
  const all = () => ({ learningRateScale: 1, weightDecay: 0, clipGroup: "policy" as const });
  const apart = new Vlm(gpu, config, { pieceWords: PIECE_WORDS });
  assertThrows(() => new AdamW(gpu, apart.parameters, all), RangeError, "train adapters (LoRA)");
  const lora = { rank: 2, alpha: 4, targets: ["q_proj"] };
  const adapted = new Vlm(gpu, { ...config, lora });
  assertThrows(() => new AdamW(gpu, adapted.parameters, all), RangeError, "the model has adapters");
  const optimizer = new AdamW(gpu, adapted.parameters, ruleOf);
  // Gradients and moments are of adapters and value head alone.
  const trained = adapted.parameters.list.filter((parameter) => ruleOf(parameter).learningRateScale > 0);
  const words = trained.reduce(
    (sum, { shape }) => sum + Math.ceil(shape.reduce((a, b) => a * b) / 64) * 64,
    0,
  );
  assertEquals([adapted.parameters.values.length, adapted.parameters.gradients!.length], [words, words]);
  optimizer.dispose();
  adapted.parameters.dispose();
  apart.parameters.dispose();
});
