/** Generation with a key-value cache against forward passes over the whole sequence. */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import {
  gatherRows,
  generate,
  type GenerateOptions,
  layOut,
  linear,
  modelPresets,
  type Segment,
  Tape,
  Vlm,
} from "../../model/mod.ts";
import type { Slice } from "../../kernels/gpu/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { goldenSequences, goldenVlm } from "./goldens/model.ts";

function test(name: string, fn: (vlm: Vlm) => Promise<void>): void {
  Deno.test({
    name,
    ...onGpu,
    fn: async () => await fn(goldenVlm(await testGpu())),
  });
}

/** The goldens' prompts: 7, 10 and 9 positions of a context of 32. */
const prompts: Segment[][] = goldenSequences().map(({ prompt }) => [...prompt]);
const LENGTHS = [7, 10, 9];
/** No token has this id, so that responses run to their limit. */
const NEVER = 999;

const randomOf = (...rows: [seed: number, counter: number][]) => Uint32Array.from(rows.flat());
const greedy: GenerateOptions = {
  maxNewTokens: 9,
  temperature: 1,
  greedy: true,
  endId: NEVER,
  padId: 0,
  random: randomOf([0, 0], [0, 0], [0, 0]),
};
const sampled: GenerateOptions = {
  ...greedy,
  temperature: 1.5,
  greedy: false,
  random: randomOf([11, 0], [12, 0], [13, 500]),
};

/** Log-probabilities and entropies of responses, and values of prompts, by one forward pass without a cache. */
async function rescore(vlm: Vlm, responses: readonly (readonly number[])[], temperature: number) {
  using tape = new Tape(vlm.gpu, { record: false });
  const layout = layOut(responses.map((response, b) => ({ prompt: prompts[b], response })), vlm.config);
  const hidden = vlm.hidden(tape, layout);
  const { logprob, entropy } = vlm.responseLogprobs(tape, hidden, layout, temperature);
  const values = vlm.values(tape, hidden, layout);
  const read = await vlm.gpu.read(logprob.data, entropy.data, values.data);
  const rows = (words: Float32Array) =>
    responses.map((_, b) => words.subarray(b * layout.R, (b + 1) * layout.R));
  return { logprobs: rows(read[0]), entropies: rows(read[1]), values: read[2] };
}

/** The most probable next token of a sequence, by a forward pass over all of it. */
async function mostProbable(vlm: Vlm, prompt: Segment[], response: number[]): Promise<number> {
  using tape = new Tape(vlm.gpu, { record: false });
  // The hidden states read are those before a response token: any token stands in for the one to come.
  const layout = layOut([{ prompt, response: [...response, 0] }], vlm.config);
  const last = gatherRows(tape, vlm.hidden(tape, layout), Int32Array.of(response.length));
  const head = { weight: vlm.parameters.get("language.head.weight"), bias: null };
  const [logits] = await vlm.gpu.read(linear(tape, last, head).data);
  return logits.indexOf(Math.max(...logits));
}

test("greedy responses are those of step-by-step decoding without a cache", async (vlm) => {
  const responses = await generate(vlm, prompts, greedy);
  for (const [b, { ids }] of responses.entries()) {
    const want: number[] = [];
    while (want.length < greedy.maxNewTokens) want.push(await mostProbable(vlm, prompts[b], want));
    assertEquals(ids, want, `row ${b}`);
  }
});

for (const options of [greedy, sampled]) {
  const kind = options.greedy ? "greedy" : "sampled";
  test(`a forward pass gives ${kind} responses the same log-probabilities, entropies and values`, async (vlm) => {
    const responses = await generate(vlm, prompts, options);
    const want = await rescore(vlm, responses.map(({ ids }) => ids), options.temperature);
    for (const [b, { ids, logprobs, entropies, value }] of responses.entries()) {
      assertEquals([ids.length, logprobs.length, entropies.length], [9, 9, 9]);
      assertAlmostEquals(value, want.values[b], 1e-5);
      for (let i = 0; i < ids.length; i++) {
        assertAlmostEquals(logprobs[i], want.logprobs[b][i], 2e-5, `log-probability ${i} of row ${b}`);
        assertAlmostEquals(entropies[i], want.entropies[b][i], 2e-5, `entropy ${i} of row ${b}`);
      }
    }
  });
}

test("the same seeds and counters give the same responses, others do not", async (vlm) => {
  const first = await generate(vlm, prompts, sampled);
  assertEquals(await generate(vlm, prompts, sampled), first);
  const seeds = await generate(vlm, prompts, { ...sampled, random: randomOf([21, 0], [22, 0], [23, 500]) });
  const counters = await generate(vlm, prompts, {
    ...sampled,
    random: randomOf([11, 9], [12, 9], [13, 509]),
  });
  for (const [b, { ids }] of first.entries()) {
    assert(ids.join() !== seeds[b].ids.join(), `row ${b} with another seed`);
    assert(ids.join() !== counters[b].ids.join(), `row ${b} with another counter`);
  }
});

test("a row's response does not depend on the other rows or its place in the batch", async (vlm) => {
  const together = await generate(vlm, prompts, sampled);
  const reversed = await generate(vlm, prompts.toReversed(), {
    ...sampled,
    random: randomOf([13, 500], [12, 0], [11, 0]),
  });
  for (const [b, response] of together.entries()) {
    const random = sampled.random.slice(2 * b, 2 * b + 2);
    const [alone] = await generate(vlm, [prompts[b]], { ...sampled, random });
    for (const other of [alone, reversed[2 - b]]) {
      assertEquals(other.ids, response.ids);
      other.logprobs.forEach((logprob, i) => assertAlmostEquals(logprob, response.logprobs[i], 1e-5));
      assertAlmostEquals(other.value, response.value, 1e-5);
    }
  }
});

test("a response ends with the end token and leaves the other rows as they are", async (vlm) => {
  const open = await generate(vlm, prompts, sampled);
  const endId = open[1].ids[3];
  const ended = await generate(vlm, prompts, { ...sampled, endId });
  assertEquals(ended[1].ids, open[1].ids.slice(0, open[1].ids.indexOf(endId) + 1));
  for (const [b, { ids, logprobs, entropies }] of ended.entries()) {
    const end = open[b].ids.indexOf(endId);
    const count = end < 0 ? open[b].ids.length : end + 1;
    assertEquals(ids, open[b].ids.slice(0, count), `row ${b}`);
    assertEquals(logprobs, open[b].logprobs.slice(0, count));
    assertEquals(entropies, open[b].entropies.slice(0, count));
  }
});

test("a response has at most maxNewTokens tokens, and a longer one begins the same", async (vlm) => {
  const long = await generate(vlm, prompts, sampled);
  const one = await generate(vlm, prompts, { ...sampled, maxNewTokens: 1 });
  assertEquals(one.map(({ ids }) => ids), long.map(({ ids }) => ids.slice(0, 1)));
  await assertRejects(
    () => generate(vlm, prompts, { ...sampled, maxNewTokens: 0 }),
    RangeError,
    "Cannot generate 0 tokens",
  );
});

test("each row stops where prompt and response fill the context, and can then be laid out", async (vlm) => {
  const responses = await generate(vlm, prompts, { ...sampled, maxNewTokens: 100 });
  assertEquals(responses.map(({ ids }) => ids.length), LENGTHS.map((length) => 32 - length));
  const want = await rescore(vlm, responses.map(({ ids }) => ids), sampled.temperature);
  for (const [b, { logprobs }] of responses.entries()) {
    logprobs.forEach((logprob, i) =>
      assertAlmostEquals(logprob, want.logprobs[b][i], 2e-5, `log-probability ${i} of row ${b}`)
    );
  }
});

test("a prompt that fills the context is refused", async (vlm) => {
  const full: Segment[] = [{ kind: "text", ids: new Array(32).fill(5) }];
  await assertRejects(
    () => generate(vlm, [prompts[0], full, prompts[2]], greedy),
    RangeError,
    "Cannot answer prompt 1: it takes all 32 positions of the context",
  );
});

test("a prompt without an image is answered like one with images", async (vlm) => {
  const prompt: Segment[] = [{ kind: "text", ids: [4, 9, 16, 25] }];
  const [{ ids }] = await generate(vlm, [prompt], { ...greedy, random: randomOf([0, 0]) });
  const want: number[] = [];
  while (want.length < 4) want.push(await mostProbable(vlm, prompt, want));
  assertEquals(ids.slice(0, 4), want);
});

Deno.test({
  name: "a long response is the short one's, and decoding stops soon after all have ended",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const vlm = new Vlm(gpu, {
      ...modelPresets["nano-llama"],
      layers: 1,
      visionLayers: 1,
      vocabularySize: 32,
    });
    vlm.parameters.initialize(3);
    const prompts: Segment[][] = [[{ kind: "text", ids: [5, 6] }], [{ kind: "text", ids: [7] }]];
    const options = { ...sampled, random: randomOf([1, 0], [2, 0]) };
    // Up to 64 tokens are decoded whole.
    const [short, long] = [
      await generate(vlm, prompts, { ...options, maxNewTokens: 64 }),
      await generate(vlm, prompts, { ...options, maxNewTokens: 90 }),
    ];
    short.forEach(({ ids, logprobs }, b) => {
      assertEquals(long[b].ids.slice(0, 64), ids);
      assertEquals(long[b].logprobs.slice(0, 64), logprobs);
      assertEquals(long[b].ids.length, 90);
    });
    const endId = short[0].ids[5];
    const one = { ...options, random: randomOf([1, 0]), endId };
    let reads = 0;
    const { read } = gpu;
    gpu.read = ((...slices: Slice[]) => {
      reads++;
      return read.apply(gpu, slices);
    }) as typeof read;
    try {
      const [ended] = await generate(vlm, prompts.slice(0, 1), { ...one, maxNewTokens: 90 });
      assertEquals(ended.ids, short[0].ids.slice(0, short[0].ids.indexOf(endId) + 1));
    } finally {
      gpu.read = read;
    }
    // One look after sixteen tokens, and the response.
    assertEquals(reads, 2);
  },
});
