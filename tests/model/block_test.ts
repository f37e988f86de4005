/** Another kind of block than ours, added from outside: parameters, gradients and generation follow from its one value. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Slice, subslice } from "../../kernels/gpu/mod.ts";
import {
  type BlockKind,
  blockKindOf,
  forwardFlops,
  gatherRows,
  generate,
  layernorm,
  layOut,
  linear,
  linearSpecs,
  normSpecs,
  parameterSpecs,
  registerBlock,
  type Segment,
  sizeOf,
  sum,
  Tape,
  Vlm,
} from "../../model/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { loadGoldens } from "./goldens/load.ts";
import { goldenLayout, goldenSequences, goldenVlm } from "./goldens/model.ts";

const seenPositions: Slice[] = [];

/** Attention and MLP side by side after one norm, without learned positions: x += out(attend(qkv n)) + mlp(n), n = norm x. */
const parallel: BlockKind = {
  name: "parallel-of-tests",
  learnsPositions: false,
  specs: (name, { width: C }) => [
    ...normSpecs(`${name}.norm`, C),
    ...linearSpecs(`${name}.qkv`, C, 3 * C),
    ...linearSpecs(`${name}.out`, C, C),
    ...linearSpecs(`${name}.mlp`, C, C),
  ],
  forward(tape, parameters, name, X, { attend, epsilon, positions, rows }) {
    seenPositions.push(positions);
    const part = (layer: string) => parameters.affine(`${name}.${layer}`);
    let N = layernorm(tape, X, part("norm"), epsilon);
    let attended = attend(linear(tape, N, part("qkv")));
    if (rows !== undefined) [X, N, attended] = [X, N, attended].map((part) => gatherRows(tape, part, rows));
    X = linear(tape, attended, part("out"), { residual: X });
    return linear(tape, N, part("mlp"), { gelu: true, residual: X });
  },
  flops: ({ width: C }, { B, T, rows }) => 2 * B * T * C * 3 * C + 4 * B * T ** 2 * C + 2 * rows * 2 * C * C,
  normSpecs,
  norm: (tape, parameters, name, X, epsilon) => layernorm(tape, X, parameters.affine(name), epsilon),
};
registerBlock(parallel);

const { config: gpt } = loadGoldens();
const config = { ...gpt, block: parallel.name };

function test(name: string, fn: (vlm: Vlm) => Promise<void>): void {
  Deno.test({
    name,
    ...onGpu,
    fn: async () => {
      const vlm = new Vlm(await testGpu(), config);
      vlm.parameters.initialize(7);
      await fn(vlm);
    },
  });
}

Deno.test("a config's block decides on the language model's parameters and work, and gpt is the default", () => {
  const names = parameterSpecs(config).map(({ name }) => name);
  assert(names.includes("language.blocks.1.qkv.weight"));
  assert(names.includes("vision.blocks.0.mlp.up.weight"), "the vision encoder keeps its own");
  assert(!names.includes("language.position_embedding.weight"));
  assertEquals(parameterSpecs({ ...gpt, block: "gpt" }), parameterSpecs(gpt));
  const size = { images: 1, B: 2, T: 12, R: 4 };
  assert(forwardFlops(config, size) < forwardFlops(gpt, size));
});

Deno.test("a block that there is not is refused, and so is a second one of a name", () => {
  assertThrows(
    () => parameterSpecs({ ...gpt, block: "llama-of-tests" }),
    RangeError,
    `Cannot use this model: block must be one of gpt, llama, ${parallel.name}, got "llama-of-tests"`,
  );
  assertThrows(
    () => registerBlock({ ...parallel }),
    RangeError,
    `Cannot register block ${parallel.name}: there is one of this name`,
  );
  registerBlock(parallel);
});

test("a block gets the positions of its rows", async (vlm) => {
  seenPositions.length = 0;
  using tape = new Tape(vlm.gpu, { record: false });
  vlm.hidden(tape, goldenLayout);
  assertEquals(seenPositions.length, config.layers);
  const [words] = await vlm.gpu.read(seenPositions[0]);
  const positions = new Uint32Array(words.buffer, words.byteOffset, goldenLayout.positions.length);
  assertEquals([...positions], [...goldenLayout.positions]);
});

test("gradients reach another kind's parameters and agree with differences", async (own) => {
  const { gpu } = own;
  own.parameters.train(() => true);
  const lossOf = (tape: Tape) => {
    const { logprob } = own.responseLogprobs(tape, own.hidden(tape, goldenLayout), goldenLayout, 1);
    return sum(tape, logprob);
  };
  {
    using tape = new Tape(gpu, { record: true });
    tape.backward(lossOf(tape));
  }
  const [gradients] = await gpu.read(own.parameters.gradients!);
  const [values] = await gpu.read(own.parameters.values);
  const STEP = 2 ** -7;
  for (
    const { name, shape, offset } of own.parameters.list.filter(({ name }) =>
      /blocks\.0\.(qkv|mlp)\./.test(name)
    )
  ) {
    const words = sizeOf(shape);
    const got = gradients.subarray(offset, offset + words);
    const largest = got.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    assert(largest > 0, `no gradient reached ${name}`);
    for (let i = 0; i < words; i += Math.max(1, Math.floor(words / 4)) | 1) {
      const element = subslice(own.parameters.values, offset + i, 1);
      const moved = async (step: number) => {
        gpu.write(element, Float32Array.of(values[offset + i] + step));
        using tape = new Tape(gpu, { record: false });
        return (await gpu.read(lossOf(tape).data))[0][0];
      };
      const want = (await moved(STEP) - await moved(-STEP)) / (2 * STEP);
      await moved(0);
      assert(Math.abs(got[i] - want) <= 1e-2 * largest + 1e-3, `d${name}[${i}] is ${got[i]}, want ${want}`);
    }
  }
});

test("another kind's responses are those of step-by-step decoding without a cache", async (vlm) => {
  const prompts: Segment[][] = goldenSequences().map(({ prompt }) => [...prompt]);
  const responses = await generate(vlm, prompts, {
    maxNewTokens: 6,
    temperature: 1,
    greedy: true,
    endId: 999,
    padId: 0,
    random: new Uint32Array(6),
  });
  for (const [b, { ids }] of responses.entries()) {
    const want: number[] = [];
    while (want.length < 6) {
      using tape = new Tape(vlm.gpu, { record: false });
      const layout = layOut([{ prompt: prompts[b], response: [...want, 0] }], config);
      const last = gatherRows(tape, vlm.hidden(tape, layout), Int32Array.of(want.length));
      const head = { weight: vlm.parameters.get("language.head.weight"), bias: null };
      const [logits] = await vlm.gpu.read(linear(tape, last, head).data);
      want.push(logits.indexOf(Math.max(...logits)));
    }
    assertEquals(ids, want, `row ${b}`);
  }
});

Deno.test({
  name: "gpt's decoding op by op and in one launch give the same responses",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const prompts = goldenSequences().map(({ prompt }) => prompt);
    const options = { maxNewTokens: 8, temperature: 1, greedy: true, endId: 999, padId: 0 };
    const withoutFast: BlockKind = {
      ...blockKindOf({}),
      name: "gpt-of-tests-op-by-op",
      fastDecode: undefined,
    };
    registerBlock(withoutFast);
    const [fast, slow] = [
      await generate(goldenVlm(gpu), prompts, { ...options, random: new Uint32Array(6) }),
      await generate(goldenVlm(gpu, { block: withoutFast.name }), prompts, {
        ...options,
        random: new Uint32Array(6),
      }),
    ];
    assertEquals(slow.map(({ ids }) => ids), fast.map(({ ids }) => ids));
  },
});
