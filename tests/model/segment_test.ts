/** Segments of a tape: the same numbers in less memory, by running a part again in backward. */
import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { add, linear, modelPresets, multiply, square, sum, Tape, type Tensor, Vlm } from "../../model/mod.ts";
import { activationWords, blockKindOf, runBlock } from "../../model/block.ts";
import { gpuTest } from "../gpu.ts";

const leaf = (gpu: Gpu, label: string, shape: readonly number[], seed: number, trains = true): Tensor => {
  const words = shape.reduce((product, extent) => product * extent, 1);
  const values = Float32Array.from({ length: words }, (_, i) => Math.sin(seed + 1.7 * i));
  return {
    label,
    shape,
    data: gpu.upload(values, label),
    requiresGradient: trains,
    gradient: trains ? gpu.upload(new Float32Array(words), `d${label}`) : null,
  };
};

/** What runs a part of the model: as it is, or as a segment. */
type Runs = (tape: Tape, X: Tensor, run: (tape: Tape, X: Tensor) => Tensor) => Tensor;
const asItIs: Runs = (tape, X, run) => run(tape, X);
const asSegment: Runs = (tape, X, run) => tape.segment(X, run);

/** Loss and gradients of three layers with a residual connection each, and the most memory of the pool that was in use. */
async function threeLayers(gpu: Gpu, runs: Runs, { frozenInput }: { frozenInput: boolean }) {
  const X = leaf(gpu, "X", [64, 32], 1, !frozenInput);
  const weights = [2, 3, 4].map((seed) => leaf(gpu, `W${seed}`, [32, 32], seed, seed !== 3));
  const before = gpu.pool.inUse;
  let most = 0;
  let loss: number;
  {
    using tape = new Tape(gpu, { record: true });
    let Y = X;
    for (const weight of weights) {
      Y = runs(tape, Y, (tape, X) => {
        const Z = linear(tape, square(tape, linear(tape, X, { weight, bias: null })), { weight, bias: null });
        const sum = add(tape, multiply(tape, Z, X), X);
        most = Math.max(most, gpu.pool.inUse - before);
        return sum;
      });
    }
    const root = tape.keep(sum(tape, Y, 1e-3));
    tape.backward(root);
    [[loss]] = await gpu.read(root.data);
  }
  const leaves = [X, ...weights].filter(({ gradient }) => gradient !== null);
  const gradients = await gpu.read(...leaves.map(({ gradient }) => gradient!));
  assertEquals(gpu.pool.inUse, before, "everything that the tape took is given back");
  for (const { data, gradient } of [X, ...weights]) {
    gpu.release(data);
    if (gradient !== null) gpu.release(gradient);
  }
  return { loss, gradients, most };
}

for (const frozenInput of [false, true]) {
  const of = frozenInput ? "whose input is frozen" : "whose input has a gradient too";
  gpuTest(`segments ${of} have the same loss and gradients to the bit, in less memory`, async (gpu) => {
    const plain = await threeLayers(gpu, asItIs, { frozenInput });
    const segmented = await threeLayers(gpu, asSegment, { frozenInput });
    assertEquals(segmented.loss, plain.loss);
    assertEquals(segmented.gradients, plain.gradients);
    assert(plain.gradients.every((words) => words.some((value) => value !== 0)));
    assert(segmented.most < plain.most, `${segmented.most} slices, ${plain.most} without segments`);
  });
}

gpuTest(
  "a segment without gradients keeps nothing but its result and what it was told to keep",
  async (gpu) => {
    const X = leaf(gpu, "X", [8, 4], 1, false);
    const before = gpu.pool.inUse;
    {
      using tape = new Tape(gpu, { record: false });
      let kept: Tensor | undefined;
      const Y = tape.segment(X, (part, X) => {
        kept = part.keep(square(part, X));
        return square(part, square(part, kept));
      });
      assertEquals(gpu.pool.inUse - before, 2);
      const [x, k, y] = await gpu.read(X.data, kept!.data, Y.data);
      assertEquals(k, x.map((value) => Math.fround(value) * value));
      assertEquals(y.length, 32);
    }
    assertEquals(gpu.pool.inUse, before);
    gpu.release(X.data);
  },
);

gpuTest("blocks become segments when a stack's activations are large, and only then", (gpu) => {
  const config = { ...modelPresets.nano, vocabularySize: 64 };
  const vlm = new Vlm(gpu, config);
  const words = activationWords(blockKindOf(vlm.config), { width: 96, heads: 4, layers: 3 });
  // Widths of qkv, out, up and down, twice in three layers.
  assertEquals(words, 2 * 3 * (3 * 96 + 96 + 4 * 96 + 96));
  const X = vlm.parameters.get("language.token_embedding.weight");
  const ranIn = (record: boolean, rows: number) => {
    using tape = new Tape(gpu, { record });
    let ran: Tape | null = null;
    runBlock(tape, X, { rows, words }, (part, X) => {
      ran = part;
      return X;
    });
    return ran === tape ? "as it is" : "segment";
  };
  assertEquals(ranIn(true, 2600), "as it is");
  assertEquals(ranIn(false, 2600), "as it is");
  assertEquals([ranIn(true, 10_000), ranIn(false, 10_000)], ["as it is", "segment"]);
  assertEquals(ranIn(true, 1_000_000), "segment");
});
