/** PEFT's ways to name what is adapted, in both formats. */
import { assertEquals, assertRejects } from "@std/assert";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import {
  adapterEntries,
  encodeSafetensors,
  type HostTensor,
  inMemory,
  readPretrained,
  readPretrainedConfig,
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
