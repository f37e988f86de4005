/** Pretrained folders against the exact answers of an independent model. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  encodeSafetensors,
  inMemory,
  pretrainedEntries,
  readLoraConfig,
  readPretrained,
  readPretrainedConfig,
  toOurs,
  toPretrained,
  Weights,
} from "../../model/mod.ts";
import { openWeights } from "../../model/weights_folder.ts";
import { onGpu, testGpu } from "../gpu.ts";

const folderOf = (name: string) => new URL(`data/pretrained/${name}`, import.meta.url).pathname;
const configOf = async (name: string) => JSON.parse(await Deno.readTextFile(`${folderOf(name)}/config.json`));

for (const name of ["idefics3-tiny", "nanovlm-tiny"]) {
  Deno.test(`${name}: tensors become our parameters and the same tensors again`, async () => {
    const { format, model } = readPretrainedConfig(await configOf(name));
    using weights = await openWeights(folderOf(name));
    const ours = new Map<string, { data: Float32Array }>();
    for (const entry of pretrainedEntries(format, model)) {
      const theirs = await Promise.all(entry.theirs.map(({ name }) => weights.read(name)));
      ours.set(entry.ours, { data: toOurs(entry, theirs.map(({ data }) => data)) });
    }
    const again = toPretrained(format, model, ours);
    assertEquals(again.size, weights.tensors.size);
    for (const [name, tensor] of again) assertEquals(tensor, await weights.read(name), name);
  });
}

Deno.test("an adapter that our model cannot have is named", () => {
  const config = { peft_type: "LORA", r: 4, lora_alpha: 8, target_modules: ["q_proj"] };
  const { rank, alpha, rslora, targets } = readLoraConfig(config);
  assertEquals({ rank, alpha, rslora, targets }, { rank: 4, alpha: 8, rslora: false, targets: ["q_proj"] });
  const silent = { use_dora: false, modules_to_save: null, layers_to_transform: null, rank_pattern: {} };
  assertEquals(readLoraConfig({ ...config, ...silent }), readLoraConfig(config));
  const bad: [Record<string, unknown>, string][] = [
    [{ peft_type: "IA3" }, 'its peft_type is "IA3"'],
    [{ r: 0 }, "r must be a whole number from 1 to 65536, got 0"],
    [{ lora_alpha: JSON.parse("1e999") }, "lora_alpha must be a finite number, got Infinity"],
    [{ use_dora: true }, "it has use_dora (true)"],
    [{ modules_to_save: ["lm_head"] }, "it has modules_to_save"],
    [{ layers_to_transform: 0 }, "it has layers_to_transform (0)"],
    [{ exclude_modules: ".*vision.*" }, "it has exclude_modules"],
    [{ rank_pattern: { "(.*)+k_proj": 2 } }, 'rank_pattern has "(.*)+k_proj", only layers and ends'],
    [{ rank_pattern: { k_proj: 0 } }, 'rank_pattern gives "k_proj" 0'],
    [{ alpha_pattern: { k_proj: "8" } }, 'alpha_pattern gives "k_proj" "8"'],
    [{ alpha_pattern: [8] }, "alpha_pattern must be an object"],
    [{ target_modules: "all-linear" }, "target_modules must be a list of names"],
  ];
  for (const [change, message] of bad) {
    assertThrows(() => readLoraConfig({ ...config, ...change }), RangeError, message);
  }
});

Deno.test("an architecture or a field that our model cannot be is named", async () => {
  const config = await configOf("idefics3-tiny");
  assertThrows(
    () => readPretrainedConfig({ model_type: "llava" }),
    RangeError,
    'its architecture is "llava", known are idefics3 (SmolVLM) and nanoVLM',
  );
  assertThrows(
    () => readPretrainedConfig({ ...config, text_config: { ...config.text_config, hidden_act: "gelu" } }),
    RangeError,
    'text_config.hidden_act is "gelu", it must be "silu"',
  );
  assertThrows(
    () => readPretrainedConfig({ ...config, text_config: { ...config.text_config, hidden_size: null } }),
    RangeError,
    "text_config.hidden_size must be a number",
  );
  const scaled = { ...config.text_config, rope_parameters: { rope_type: "yarn" } };
  assertThrows(
    () => readPretrainedConfig({ ...config, text_config: scaled }),
    RangeError,
    'rope_parameters.rope_type is "yarn", it must be "default"',
  );
});

Deno.test("the base of rotary positions is read where either version of transformers writes it", async () => {
  const config = await configOf("idefics3-tiny");
  const { rope_theta: _, rope_parameters: __, ...text } = config.text_config;
  const baseOf = (fields: Record<string, unknown>) =>
    readPretrainedConfig({ ...config, text_config: { ...text, ...fields } }).model.ropeTheta;
  assertEquals(baseOf({ rope_theta: 5e4 }), 5e4);
  assertEquals(baseOf({ rope_parameters: { rope_type: "default", rope_theta: 7e4 } }), 7e4);
  assertEquals(baseOf({}), 1e4);
});

Deno.test({
  name: "missing, unknown and misshapen tensors are named, buffers of whole numbers are passed over",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const config = await configOf("idefics3-tiny");
    using whole = await openWeights(folderOf("idefics3-tiny"));
    const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
    for (const name of whole.tensors.keys()) tensors.set(name, await whole.read(name));
    const load = async (
      change: (tensors: Map<string, { shape: readonly number[]; data: Float32Array }>) => void,
    ) => {
      const changed = new Map(tensors);
      change(changed);
      using weights = await Weights.open([inMemory("m.safetensors", encodeSafetensors(changed))]);
      return await readPretrained(gpu, config, weights);
    };
    await load((all) =>
      all.set("model.vision_model.embeddings.position_ids", { shape: [2], data: new Float32Array(2) })
    );
    await assertRejects(
      () => load((all) => all.delete("lm_head.weight")),
      RangeError,
      "the folder lacks lm_head.weight",
    );
    await assertRejects(
      () => load((all) => all.set("surplus.weight", { shape: [1], data: new Float32Array(1) })),
      RangeError,
      "its config.json has no place for surplus.weight",
    );
    await assertRejects(
      () => load((all) => all.set("lm_head.weight", { shape: [1, 48], data: new Float32Array(48) })),
      RangeError,
      "the folder has it as (1,48), its config.json says (160,48)",
    );
  },
});
