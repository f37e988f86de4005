/** Files of pretrained models from strangers: configs, adapters, shards, halves of floats, chat templates, golden files. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  adapterEntries,
  encodeSafetensors,
  inMemory,
  pretrainedEntries,
  readLoraConfig,
  readPretrainedConfig,
  sizeOf,
  Tokenizer,
  Weights,
} from "../../model/mod.ts";
import { decodeFloats, encodeFloats, type FloatDtype } from "../../model/floats.ts";
import { requireIndexed, weightFiles } from "../../model/weights.ts";
import { findTemplate, readChatForm } from "../../rl/pretrained/chat.ts";
import { readImageProcessor, tilesOf } from "../../rl/pretrained/image_processor.ts";
import { readPretrainedTokenizer } from "../../rl/pretrained/tokenizer.ts";
import { readGolden } from "../../rl/pretrained/verify.ts";
import foreign from "../model/data/foreign_tokenizers.json" with { type: "json" };
import adapter from "../model/data/pretrained/lora-tiny/adapter_config.json" with { type: "json" };
import golden from "../model/data/pretrained/lora-tiny/golden.json" with { type: "json" };
import idefics3 from "../model/data/pretrained/idefics3-tiny/config.json" with { type: "json" };
import nanovlm from "../model/data/pretrained/nanovlm-tiny/config.json" with { type: "json" };
import processor from "../model/data/pretrained/idefics3-tiny/preprocessor_config.json" with { type: "json" };
import { damaged, damagedBytes, damagedText, fuzz, oddJson, oddText } from "./fuzz.ts";

const configs = fc.oneof(damaged(idefics3), damaged(nanovlm), oddJson);
fuzz("a pretrained model's config", configs, (config) => {
  const { format, model } = readPretrainedConfig(config);
  assert(pretrainedEntries(format, model).length < 100_000);
}, { runs: 500 });

const { model } = readPretrainedConfig(idefics3);
fuzz("an adapter's config", fc.oneof(damaged(adapter), oddJson), (config) => {
  const lora = readLoraConfig(config);
  assert(Number.isFinite(lora.alpha));
  for (const { shape } of adapterEntries({ ...model, lora })) assert(Number.isSafeInteger(sizeOf(shape)));
}, { runs: 500 });

const side = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(1, 300));
fuzz(
  "an image processor's config, and frames of odd sizes",
  fc.tuple(fc.oneof(damaged(processor), oddJson), side, side, fc.boolean()),
  ([config, width, height, splits]) => {
    const read = readImageProcessor(config, model.imageSize, splits);
    if ((read.longestEdge ?? 0) > 512) return; // large, as it may be
    const frame = { width, height, data: new Uint8Array(width * height * 3).fill(200) };
    const { rows, columns, pictures } = tilesOf(frame, read);
    assertEquals(pictures.length, rows * columns + 1);
    for (const { pixels } of pictures) assertEquals(pixels.length, 3 * model.imageSize ** 2);
  },
  { share: 0.2 },
);

const templates = damagedText([
  "{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}",
  "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}",
  "{{ bos_token }}{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}",
  "{% if add_generation_prompt %}assistant:{% endif %}",
  "{% set ns = namespace(x=[1]) %}{% for i in range(8) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
  "{% set ns = namespace(x=[1]) %}{% for i in range(30) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
  "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
  "{% for i in range(10000) %}x{% endfor %}",
]);
fuzz("a chat template", templates, async (template) => {
  const form = await readChatForm(template, { image: "<image>", bos: "<s>", eos: "</s>" }, 60_000);
  assert(Object.values(form).every((text) => typeof text === "string"));
}, { runs: 6, share: 0.005 });

const template = { name: "default", template: "{{ messages }}" };
const templateFiles = {
  "chat_template.json": { chat_template: [template] },
  "tokenizer_config.json": { chat_template: "x" },
};
fuzz("where a chat template stands", fc.oneof(damaged(templateFiles), oddJson), (files) => {
  const found = findTemplate((files ?? {}) as Record<string, unknown>);
  assert(found === null || typeof found === "string");
}, { runs: 500 });

const tensor = (values: number[]) => ({ shape: [values.length], data: Float32Array.from(values) });
const shards = [["a", "b"], ["c"]].map((names, i) =>
  encodeSafetensors(
    new Map(names.map((name) => [name, tensor([i, -1.5, 3e38])])),
    {},
    i === 0 ? "BF16" : "F32",
  )
);
const names = [1, 2].map((i) => `model-0000${i}-of-00002.safetensors`);
const index = { metadata: {}, weight_map: { a: names[0], b: names[0], c: names[1] } };
fuzz(
  "an index and shards",
  fc.tuple(
    fc.array(fc.constantFrom(...names, "model.safetensors", "model-00001-of-99999.safetensors", "x.bin")),
    fc.oneof(damaged(index), fc.constant(index), fc.constant(undefined), oddJson),
    fc.tuple(...shards.map((shard) => fc.oneof(damagedBytes(shard, 200), fc.constant(shard)))),
  ),
  async ([inFolder, json, bytes]) => {
    const files = weightFiles(inFolder, json);
    using weights = await Weights.open(files.names.map((name, i) => inMemory(name, bytes[i % 2])));
    requireIndexed(weights, files);
    for (const [name, { shape }] of weights.tensors) {
      assertEquals((await weights.read(name)).data.length, sizeOf(shape));
    }
  },
  { runs: 500 },
);

fuzz(
  "floats of any bits, as halves and back",
  fc.tuple(fc.constantFrom<FloatDtype>("BF16", "F16", "F32", "F64"), fc.uint8Array({ maxLength: 64 })),
  ([dtype, bytes]) => {
    const size = { BF16: 2, F16: 2, F32: 4, F64: 8 }[dtype];
    const whole = new Uint8Array(bytes.slice(0, bytes.length - bytes.length % size));
    const values = decodeFloats(whole, dtype);
    assertEquals(values.length, whole.length / size);
    // What a file holds is held exactly, but for a double's further digits.
    assertEquals(decodeFloats(encodeFloats(values, dtype), dtype), values);
  },
  { runs: 500 },
);

const textFiles = foreign.map(({ tokenizer }) => ({
  tokenizer,
  tokenizerConfig: { eos_token: "</s>", bos_token: { content: "<s>" }, pad_token: null, chat_template: "x" },
  generationConfig: { eos_token_id: [1, 2] },
  config: { text_config: { eos_token_id: 1 }, image_token_id: 3 },
}));
fuzz(
  "a pretrained tokenizer with the files beside it",
  fc.tuple(fc.constantFrom(...textFiles).chain(damaged), fc.nat(3000), fc.option(fc.nat(300)), oddText),
  ([files, rows, imageTokenId, afterAnswer]) => {
    const read = readPretrainedTokenizer((files ?? {}) as typeof textFiles[0], {
      ...{ rows, imageTokenId, afterAnswer },
    });
    assert(read instanceof Tokenizer && read.vocabularySize <= rows);
    for (const id of read.encode("a <image> b").ids) assert(id >= 0 && id < read.vocabularySize);
  },
  { runs: 60, share: 0.05 },
);

fuzz("a golden file", fc.oneof(damaged(golden), oddJson), (json) => void readGolden(json), {
  share: 0.05,
  // The command says of which file.
  refusal: /^(it|input_ids|pixels_u8|prompt_length|labels) must /,
});
