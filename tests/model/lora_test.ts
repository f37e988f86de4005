/** PEFT's ways to name what is adapted, in both formats. */
import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import {
  adapterEntries,
  encodeSafetensors,
  type HostTensor,
  inMemory,
  layOut,
  readLoraConfig,
  readPretrained,
  readPretrainedConfig,
  Tape,
  toAdapter,
  Weights,
} from "../../model/mod.ts";
import { openWeights } from "../../model/weights_folder.ts";
import { gpuTest } from "../gpu.ts";

const folderOf = (name: string) => new URL(`data/pretrained/${name}`, import.meta.url).pathname;
const jsonOf = async (path: string) => JSON.parse(await Deno.readTextFile(path));
const weightsOf = (tensors: ReadonlyMap<string, HostTensor>) =>
  Weights.open([inMemory("adapter_model.safetensors", encodeSafetensors(tensors))]);

/** A folder's adapter for these targets, with made-up values, by our names and by PEFT's. */
async function madeUp(folder: string, targets: readonly string[]) {
  const { format, model } = readPretrainedConfig(await jsonOf(`${folderOf(folder)}/config.json`));
  const config = { ...model, lora: { rank: 2, alpha: 4, targets } };
  const ours = new Map(
    adapterEntries(config, format).map(({ ours, shape }, e) => [
      ours,
      { data: Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(e + i)) },
    ]),
  );
  return { ours, theirs: toAdapter(config, ours, format) };
}

/** Our parameters after loading the folder with an adapter of that config and these tensors. */
async function loaded(gpu: Gpu, folder: string, target_modules: unknown, tensors: Map<string, HostTensor>) {
  using weights = await openWeights(folderOf(folder));
  using own = await weightsOf(tensors);
  const config = { peft_type: "LORA", r: 2, lora_alpha: 4, target_modules };
  const { vlm } = await readPretrained(gpu, await jsonOf(`${folderOf(folder)}/config.json`), weights, {
    adapter: { config, weights: own },
  });
  const values = await vlm.parameters.toHost();
  return { targets: vlm.config.lora!.targets, values };
}

gpuTest(
  "lists, ends of paths and patterns name the same layers; a pattern means what the tensors are of",
  async (gpu) => {
    const { ours, theirs } = await madeUp("idefics3-tiny", ["q_proj", "down_proj"]);
    for (
      const named of [
        ["q_proj", "down_proj"],
        ["self_attn.q_proj", "mlp.down_proj"],
        String.raw`.*text_model.*\.(q_proj|down_proj)`,
        // Evaluated, it would take longer than the age of the universe.
        "(.+)+(.+)+(.+)+$^",
      ]
    ) {
      const { targets, values } = await loaded(gpu, "idefics3-tiny", named, theirs);
      assertEquals(targets, ["q_proj", "down_proj"]);
      for (const [name, { data }] of ours) assertEquals(values.get(name)!.data, data, name);
    }
    await assertRejects(
      () => loaded(gpu, "idefics3-tiny", ["q_proj", "down_proj", "v_proj"], theirs),
      RangeError,
      "v_proj.lora_A.weight",
    );
  },
);

gpuTest("an adapter of nanoVLM has nanoVLM's names", async (gpu) => {
  const { ours, theirs } = await madeUp("nanovlm-tiny", ["v_proj", "o_proj", "gate_proj"]);
  assertEquals([...theirs.keys()].slice(0, 6).map((name) => name.replace("base_model.model.", "")), [
    ...["A", "B"].map((which) => `decoder.blocks.0.attn.v_proj.lora_${which}.weight`),
    ...["A", "B"].map((which) => `decoder.blocks.0.attn.out_proj.lora_${which}.weight`),
    ...["A", "B"].map((which) => `decoder.blocks.0.mlp.gate_proj.lora_${which}.weight`),
  ]);
  const { targets, values } = await loaded(gpu, "nanovlm-tiny", ["v_proj", "out_proj", "gate_proj"], theirs);
  assertEquals(targets, ["v_proj", "o_proj", "gate_proj"]);
  for (const [name, { data }] of ours) assertEquals(values.get(name)!.data, data, name);
});

gpuTest(
  "an adapter that adapts the vision encoder too is refused, with what may have adapters",
  async (gpu) => {
    const { theirs } = await madeUp("idefics3-tiny", ["q_proj"]);
    const vision = "model.vision_model.encoder.layers.0.self_attn.q_proj";
    for (const which of ["A", "B"]) {
      const name = `base_model.model.${vision}.lora_${which}.weight`;
      theirs.set(name, { shape: [2, 32], data: new Float32Array(64) });
    }
    await assertRejects(
      () => loaded(gpu, "idefics3-tiny", ["q_proj"], theirs),
      RangeError,
      `Cannot use this adapter: it adapts ${vision}; only linear layers in model.text_model.layers.* can have adapters`,
    );
  },
);

gpuTest("a rank and an alpha by layer are those of a plain adapter of that rank and alpha", async (gpu) => {
  const folder = folderOf("idefics3-tiny");
  const json = await jsonOf(`${folder}/config.json`);
  const { model } = readPretrainedConfig(json);
  const logitsOf = async (change: Record<string, unknown>) => {
    const config = {
      peft_type: "LORA",
      r: 2,
      lora_alpha: 4,
      target_modules: ["q_proj", "v_proj"],
      ...change,
    };
    const lora = readLoraConfig(config);
    const entries = adapterEntries({ ...model, lora });
    const ours = new Map(
      entries.map(({ ours, shape: [rows, columns] }) => [
        ours,
        { data: Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i)) },
      ]),
    );
    using weights = await openWeights(folder);
    using own = await weightsOf(toAdapter({ ...model, lora }, ours));
    const { vlm } = await readPretrained(gpu, json, weights, { adapter: { config, weights: own } });
    const layout = layOut([{ prompt: [{ kind: "text", ids: [5, 9, 70, 3] }], response: [] }], vlm.config);
    using tape = new Tape(gpu, { record: false });
    const [logits] = await gpu.read(vlm.logits(tape, vlm.hidden(tape, layout)).data);
    vlm.parameters.dispose();
    return { logits, ranks: entries.map(({ shape }) => Math.min(...shape)) };
  };
  const plain = await logitsOf({ r: 3, lora_alpha: 12 });
  const byEnd = { q_proj: 3, "self_attn.v_proj": 3 };
  const patterned = await logitsOf({ rank_pattern: byEnd, alpha_pattern: { q_proj: 12, v_proj: 12 } });
  assertEquals(patterned.logits, plain.logits);
  assertNotEquals((await logitsOf({ rank_pattern: byEnd })).logits, plain.logits);
  // The first key that fits counts; the end of a name is no end of a path.
  const { ranks } = await logitsOf({
    rank_pattern: {
      "^model.text_model.layers.1.self_attn.q_proj": 1,
      "^layers.0.self_attn.q_proj": 7,
      [String.raw`layers\.2\.self_attn\.v_proj`]: 4,
      roj: 8,
      v_proj: 5,
    },
  });
  assertEquals(ranks, [2, 2, 5, 5, 1, 1, 5, 5, 2, 2, 4, 4]);
});
