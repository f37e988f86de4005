/** Values at every response token, and assessments of given responses. */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { caseValues } from "../../kernels/case.ts";
import { subslice } from "../../kernels/gpu/mod.ts";
import { assess, layOut, multiply, sizeOf, sum, Tape, type Vlm } from "../../model/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { goldenLayout, goldenSequences, goldenVlm } from "./goldens/model.ts";

function test(name: string, fn: (vlm: Vlm) => Promise<void>): void {
  Deno.test({
    name,
    ...onGpu,
    fn: async () => await fn(goldenVlm(await testGpu())),
  });
}

const { B, R, mask } = goldenLayout;

test("a response's first value is its prompt's, each later one that of what it follows, padding has 0", async (vlm) => {
  using tape = new Tape(vlm.gpu, { record: false });
  const hidden = vlm.hidden(tape, goldenLayout);
  const [tokens, prompts] = await vlm.gpu.read(
    vlm.tokenValues(tape, hidden, goldenLayout).data,
    vlm.values(tape, hidden, goldenLayout).data,
  );
  assertEquals(tokens.length, B * R);
  for (let b = 0; b < B; b++) assertAlmostEquals(tokens[b * R], prompts[b], 1e-6);
  tokens.forEach((value, cell) => assertEquals(value === 0, mask[cell] === 0, `cell ${cell}`));
  // The prompt and the response so far, as a prompt of its own.
  for (const [b, { prompt, response }] of goldenSequences().entries()) {
    for (let r = 1; r < response.length; r++) {
      const longer = [...prompt, { kind: "text", ids: response.slice(0, r) } as const];
      const whole = goldenLayout.prefix[b];
      // Only rows that see the prompt alone may be compared: the response is read causally there, in both directions here.
      const layout = {
        ...layOut([{ prompt: longer, response: [] }], vlm.config),
        prefix: Uint32Array.of(whole),
      };
      using alone = new Tape(vlm.gpu, { record: false });
      const [[want]] = await vlm.gpu.read(vlm.values(alone, vlm.hidden(alone, layout), layout).data);
      assertAlmostEquals(tokens[b * R + r], want, 1e-5, `value ${r} of row ${b}`);
    }
  }
});

test("gradients of token values agree with differences, in the head and in what it reads", async (vlm) => {
  const { gpu, parameters } = vlm;
  const weights = caseValues(B * R, 5);
  const lossOf = (tape: Tape) => {
    const values = vlm.tokenValues(tape, vlm.hidden(tape, goldenLayout), goldenLayout);
    return sum(tape, multiply(tape, values, tape.constant(weights, [B, R], "weights")));
  };
  parameters.train(() => true);
  {
    using tape = new Tape(gpu, { record: true });
    tape.backward(lossOf(tape));
  }
  const [gradients] = await gpu.read(parameters.gradients!);
  const [values] = await gpu.read(parameters.values);
  const STEP = 2 ** -7;
  const named = [
    "value_head.up.weight",
    "value_head.down.bias",
    "language.norm.weight",
    "language.blocks.0.attention.qkv.weight",
    "language.position_embedding.weight",
    "vision.patch_embedding.weight",
  ];
  for (const { name, shape, offset } of parameters.list.filter(({ name }) => named.includes(name))) {
    const words = sizeOf(shape);
    const own = gradients.subarray(offset, offset + words);
    const largest = own.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    assert(largest > 0, `no gradient reached ${name}`);
    for (let i = 0; i < words; i += Math.max(1, Math.floor(words / 5)) | 1) {
      const element = subslice(parameters.values, offset + i, 1);
      const moved = async (step: number) => {
        gpu.write(element, Float32Array.of(values[offset + i] + step));
        using tape = new Tape(gpu, { record: false });
        return (await gpu.read(lossOf(tape).data))[0][0];
      };
      const want = (await moved(STEP) - await moved(-STEP)) / (2 * STEP);
      gpu.write(element, values.slice(offset + i, offset + i + 1));
      const slack = 5e-3 * largest + 1e-4;
      assert(Math.abs(own[i] - want) <= slack, `d${name}[${i}] is ${own[i]}, differences give ${want}`);
    }
  }
  gpu.free(parameters.gradients!);
});

test("a detached hidden state keeps token values from the model", async (vlm) => {
  vlm.parameters.train(() => true);
  using tape = new Tape(vlm.gpu, { record: true });
  const hidden = tape.detach(vlm.hidden(tape, goldenLayout));
  tape.backward(sum(tape, vlm.tokenValues(tape, hidden, goldenLayout)));
  const read = async (name: string) => (await vlm.gpu.read(vlm.parameters.get(name).gradient!))[0];
  assert((await read("value_head.up.weight")).some((x) => x !== 0));
  assert((await read("language.norm.weight")).every((x) => x === 0));
  vlm.gpu.free(vlm.parameters.gradients!);
});

test("assessments are those of a forward pass, whatever the batches", async (vlm) => {
  const sequences = goldenSequences();
  const temperature = 0.7;
  using tape = new Tape(vlm.gpu, { record: false });
  const hidden = vlm.hidden(tape, goldenLayout);
  const { logprob, entropy } = vlm.responseLogprobs(tape, hidden, goldenLayout, temperature);
  const values = vlm.tokenValues(tape, hidden, goldenLayout);
  const want = await vlm.gpu.read(logprob.data, entropy.data, values.data);
  for (const batchSize of [32, 2, 1]) {
    const assessments = await assess(vlm, sequences, { temperature, batchSize });
    assertEquals(assessments.length, B);
    for (const [b, { logprobs, entropies, values }] of assessments.entries()) {
      const { length } = sequences[b].response;
      for (const [i, got] of [logprobs, entropies, values].entries()) {
        assertEquals(got.length, length);
        got.forEach((x, r) => assertAlmostEquals(x, want[i][b * R + r], 2e-5, `${i} of row ${b}`));
      }
    }
  }
  assertEquals(await assess(vlm, [], { temperature }), []);
});

test("responses without tokens have nothing to assess, and no value a token", async (vlm) => {
  const [{ prompt }] = goldenSequences();
  const [{ logprobs, entropies, values }] = await assess(vlm, [{ prompt, response: [] }], { temperature: 1 });
  assertEquals([logprobs.length, entropies.length, values.length], [0, 0, 0]);
  const layout = layOut([{ prompt, response: [] }], vlm.config);
  using tape = new Tape(vlm.gpu, { record: false });
  assertThrows(
    () => vlm.tokenValues(tape, vlm.hidden(tape, layout), layout),
    RangeError,
    "Cannot value tokens: no sequence has a response",
  );
  await assertRejects(
    () => assess(vlm, [{ prompt, response: [] }], { temperature: 1, batchSize: 0 }),
    RangeError,
    "Cannot assess 0 sequences at once",
  );
});
