/** Compares a pretrained folder with exact answers of an independent model, kept beside it in `golden.json`. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import {
  AdamW,
  generate,
  layOut,
  mergeAdapters,
  type Parameter,
  pictureOf,
  scale,
  sum,
  Tape,
  toAdapter,
  toPretrained,
  Vlm,
} from "../../model/mod.ts";
import { loadPretrained } from "../../model/pretrained/folder.ts";
import { segmentsOf } from "../../rl/pretrained/verify.ts";

interface Golden {
  readonly image_token_id: number;
  readonly pixels_u8: number[][][][];
  readonly input_ids: number[][];
  readonly labels: number[][];
  readonly image_features_first_image: number[];
  readonly logits_last_7_positions: number[][];
  readonly loss: number;
  readonly gradients: Record<string, { norm: number; first: number[] }>;
  readonly "adamw_lr1e-3_wd0.01_losses": number[];
  readonly greedy_8_after_prompt: number[][];
  readonly prompt_length: number;
  readonly rope_far: { readonly logits: number[] };
}

function assertClose(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number, what: string): void {
  assertEquals(got.length, want.length, what);
  for (let i = 0; i < got.length; i++) {
    assert(Math.abs(got[i] - want[i]) <= tolerance, `${what}[${i}] is ${got[i]}, want ${want[i]}`);
  }
}

/** The rows of a golden as sequences. */
function sequencesOf({ pixels_u8: pixels, input_ids: rows, prompt_length: start, image_token_id }: Golden) {
  return rows.map((ids, b) => ({
    prompt: segmentsOf(
      ids.slice(0, start),
      image_token_id,
      () => pictureOf(Uint8Array.from(pixels[b].flat(2))),
    ),
    response: ids.slice(start),
  }));
}

/** Logits of the last seven positions of each row. */
async function lastLogits(vlm: Vlm, golden: Golden): Promise<Float32Array> {
  using tape = new Tape(vlm.gpu, { record: false });
  const layout = layOut(sequencesOf(golden), vlm.config);
  const last = golden.input_ids.flatMap((ids, b) =>
    Array.from({ length: 7 }, (_, i) => b * layout.T + ids.length - 7 + i)
  );
  const hidden = vlm.hidden(tape, { ...layout, readouts: Int32Array.from(last) });
  return (await vlm.gpu.read(vlm.logits(tape, hidden).data))[0];
}

/** Requires the loss, logits and gradients of a PEFT adapter to be those of its `golden.json`, and merging to change none. */
export async function checkAdapterGolden(gpu: Gpu, folder: string, adapter: string): Promise<void> {
  const base: Golden = JSON.parse(await Deno.readTextFile(`${folder}/golden.json`));
  const own: Pick<Golden, "loss" | "logits_last_7_positions" | "gradients"> = JSON.parse(
    await Deno.readTextFile(`${adapter}/golden.json`),
  );
  const { vlm } = await loadPretrained(folder, gpu, { adapter });
  const { config, parameters } = vlm;
  assertClose(await lastLogits(vlm, base), own.logits_last_7_positions.flat(), 2e-5, "logits");

  parameters.train(({ kind }) => kind === "adapter");
  const layout = layOut(sequencesOf(base), config);
  {
    using tape = new Tape(gpu, { record: true });
    const { logprob } = vlm.responseLogprobs(tape, vlm.hidden(tape, layout), layout, 1);
    const loss = tape.keep(scale(tape, sum(tape, logprob), -1 / layout.mask.reduce((a, b) => a + b)));
    tape.backward(loss);
    const [[got], gradients] = await gpu.read(loss.data, parameters.gradients!);
    assertClose([got], [own.loss], 2e-5, "loss");
    const theirs = toAdapter(config, parameters.split(gradients));
    assertEquals(theirs.size, Object.keys(own.gradients).length);
    for (const [name, { norm, first }] of Object.entries(own.gradients)) {
      const [path, which] = [name.slice(0, -2), name.slice(-1)];
      const { data } = theirs.get(`base_model.model.${path}.lora_${which}.weight`)!;
      const length = Math.sqrt(data.reduce((sum, value) => sum + value ** 2, 0));
      assert(Math.abs(length - norm) <= 1e-4 * norm, `the norm of d${name} is ${length}, want ${norm}`);
      assertClose(data.slice(0, 4), first, 1e-4 * norm, `d${name}`);
    }
  }

  const merged = new Vlm(gpu, { ...config, lora: undefined });
  merged.parameters.fromHost(mergeAdapters(config, await parameters.toHost()));
  assertClose(await lastLogits(merged, base), own.logits_last_7_positions.flat(), 2e-5, "merged logits");

  // The same in pieces of memory, as where a model is larger than an adapter can bind.
  const apart = new Vlm(gpu, config, { pieceWords: 12_000 });
  apart.parameters.fromHost(await parameters.toHost());
  assertEquals(await apart.parameters.toHost(), await parameters.toHost());
  assertEquals(await lastLogits(apart, base), await lastLogits(vlm, base));
  assertThrows(() => apart.parameters.train(() => true), RangeError, "train adapters (LoRA)");
  const rule = (parameter: Parameter) => ({
    learningRateScale: parameter.kind === "adapter" ? 1 : 0,
    weightDecay: 0,
    clipGroup: "policy" as const,
  });
  const after: number[] = [];
  for (const each of [vlm, apart]) {
    const optimizer = new AdamW(gpu, each.parameters, rule);
    using tape = new Tape(gpu, { record: true });
    const { logprob } = each.responseLogprobs(tape, each.hidden(tape, layout), layout, 1);
    tape.backward(sum(tape, logprob));
    optimizer.update({
      learningRate: 0.1,
      beta1: 0.9,
      beta2: 0.9,
      epsilon: 1e-8,
      policyClip: 0,
      valueClip: 0,
    });
    after.push((await lastLogits(each, base))[0]);
    optimizer.dispose();
  }
  assertEquals(after[0], after[1]);
}

/** Requires a folder's logits, loss, gradients, training losses and greedy tokens to be those of its `golden.json`. */
export async function checkGolden(gpu: Gpu, folder: string): Promise<void> {
  const golden: Golden = JSON.parse(await Deno.readTextFile(`${folder}/golden.json`));
  const { vlm } = await loadPretrained(folder, gpu);
  const { config, parameters } = vlm;
  const sequences = sequencesOf(golden);
  const layout = layOut(sequences, config);

  {
    using tape = new Tape(gpu, { record: false });
    const pixels = Uint8Array.from(golden.pixels_u8[0].flat(2));
    const features = vlm.imageTokens(tape, { pixels, images: 1 });
    const [got] = await gpu.read(features.data);
    assertClose(got, golden.image_features_first_image, 2e-5, "image features");
  }
  assertClose(await lastLogits(vlm, golden), golden.logits_last_7_positions.flat(), 2e-5, "logits");

  {
    using tape = new Tape(gpu, { record: false });
    const ids = golden.input_ids[0].slice(-5);
    const far = layOut([{ prompt: [{ kind: "text", ids }], response: [] }], config);
    const positions = far.positions.map((position) => position + 4096);
    const logits = vlm.logits(tape, vlm.hidden(tape, { ...far, positions }));
    assertClose((await gpu.read(logits.data))[0], golden.rope_far.logits, 2e-5, "logits far out");
  }

  const greedy = await generate(vlm, sequences.map(({ prompt }) => prompt), {
    maxNewTokens: 8,
    temperature: 1,
    greedy: true,
    endId: 1e6,
    padId: 0,
    random: new Uint32Array(4),
  });
  assertEquals(greedy.map(({ ids }) => ids), golden.greedy_8_after_prompt);

  const optimizer = new AdamW(gpu, parameters, () => ({
    learningRateScale: 1,
    weightDecay: 0.01,
    clipGroup: "policy",
  }));
  const tokens = layout.mask.reduce((a, b) => a + b);
  for (const [step, want] of golden["adamw_lr1e-3_wd0.01_losses"].entries()) {
    using tape = new Tape(gpu, { record: true });
    const { logprob } = vlm.responseLogprobs(tape, vlm.hidden(tape, layout), layout, 1);
    const loss = tape.keep(scale(tape, sum(tape, logprob), -1 / tokens));
    tape.backward(loss);
    const [[got], gradients] = await gpu.read(loss.data, parameters.gradients!);
    assertClose([got], [want], step === 0 ? 2e-5 : 1e-4, `loss ${step}`);
    if (step === 0) {
      // Gradients have the names of Idefics3, whatever the folder.
      const theirs = toPretrained("idefics3", config, parameters.split(gradients));
      for (const [name, { norm, first }] of Object.entries(golden.gradients)) {
        const { data } = theirs.get(name)!;
        const length = Math.sqrt(data.reduce((sum, value) => sum + value ** 2, 0));
        assert(
          Math.abs(length - norm) <= 1e-4 * norm + 1e-7,
          `the norm of d${name} is ${length}, want ${norm}`,
        );
        assertClose(data.slice(0, 4), first, 1e-4 * norm + 1e-7, `d${name}`);
      }
      assertEquals(theirs.size, Object.keys(golden.gradients).length);
    }
    optimizer.update({
      learningRate: 1e-3,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      policyClip: 0,
      valueClip: 0,
    });
  }
  optimizer.dispose();
}
