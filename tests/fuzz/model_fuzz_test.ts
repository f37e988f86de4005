/** Weights, tokenizers and model configs from strangers. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { assertFinite, decodeSafetensors, encodeSafetensors } from "../../model/checkpoint.ts";
import {
  buildTokenizer,
  CNN_LAYERS,
  type CnnConfig,
  cnnParameterSpecs,
  deriveSizes,
  modelPresets,
  parameterSpecs,
  sizeOf,
  Tokenizer,
  type VlmConfig,
} from "../../model/mod.ts";
import foreign from "../model/data/foreign_tokenizers.json" with { type: "json" };
import { damaged, damagedBytes, damagedText, fuzz, oddJson, oddText } from "./fuzz.ts";

const weights = encodeSafetensors(
  new Map([
    ["language.head.weight", { shape: [2, 3], data: Float32Array.of(0, -0, 1.5, -2, 3e38, 1e-45) }],
    ["none", { shape: [0, 4], data: new Float32Array(0) }],
    ["a", { shape: [], data: Float32Array.of(7) }],
  ]),
  { format: "pt" },
);
const headerEnd = 8 + Number(new DataView(weights.buffer).getBigUint64(0, true));

function readWeights(bytes: Uint8Array): void {
  const { tensors } = decodeSafetensors(bytes);
  for (const { shape, data } of tensors.values()) assertEquals(sizeOf(shape), data.length);
  assertFinite(tensors);
}

fuzz("bytes of a weights file", damagedBytes(weights, headerEnd), readWeights, { runs: 500 });

const header = JSON.parse(new TextDecoder().decode(weights.subarray(8, headerEnd)));
const headers = fc.oneof(damaged(header), oddJson).map((json) => {
  const text = new TextEncoder().encode(JSON.stringify(json) ?? "");
  const file = new Uint8Array(8 + text.length + weights.length - headerEnd);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set(weights.subarray(headerEnd), 8 + text.length);
  return file;
});
fuzz("headers of a weights file", headers, readWeights, { runs: 500 });

fuzz(
  "names and metadata of a weights file, written and read back",
  fc.tuple(fc.array(oddText, { maxLength: 4 }), fc.dictionary(oddText, oddText, { maxKeys: 3 })),
  ([names, metadata]) => {
    const tensors = new Map(names.map((name, i) => [name, { shape: [1], data: Float32Array.of(i) }]));
    const read = decodeSafetensors(encodeSafetensors(tensors, metadata));
    assertEquals([...read.tensors.keys()], [...tensors.keys()]);
    assertEquals(Object.entries(read.metadata).sort(), Object.entries(metadata).sort());
  },
);

const nano = { ...modelPresets.nano, vocabularySize: 64 };
fuzz("a model's config", fc.oneof(damaged(nano), oddJson), (config) => {
  deriveSizes(config as VlmConfig);
  const specs = parameterSpecs(config as VlmConfig);
  assert(specs.length < 30_000 && specs.every(({ shape }) => Number.isSafeInteger(sizeOf(shape))));
}, { runs: 500 });

const cnn = { ...CNN_LAYERS, imageNormalization: "fixed", actions: 3 };
fuzz("a convolutional network's config", damaged(cnn), (config) => {
  const specs = cnnParameterSpecs(config as CnnConfig);
  assert(specs.every(({ shape }) => Number.isSafeInteger(sizeOf(shape))));
}, { runs: 500 });

const texts = [
  '{"action": "stand"}',
  "the dealer shows 10.\n",
  "naïve café 日本語 😀",
  "<|end|>after 12345   x",
];

/** What holds for every tokenizer that can be read at all. */
function useTokenizer(json: unknown, text: string): void {
  const tokenizer = Tokenizer.fromJson(json);
  const { ids, starts, ends } = tokenizer.encode(text);
  ids.forEach((id, i) => {
    assert(Number.isInteger(id) && id >= 0 && id < tokenizer.vocabularySize, `id ${id}`);
    assert(starts[i] >= (starts[i - 1] ?? 0) && ends[i] > starts[i] && ends[i] <= text.length, "offsets");
  });
  const decoding = tokenizer.decodeWithOffsets(ids);
  assertEquals(
    ids.map((_, i) => decoding.text.slice(decoding.starts[i], decoding.ends[i])).join(""),
    decoding.text,
  );
  tokenizer.covers(text);
}

const own = JSON.parse(
  JSON.stringify(buildTokenizer(["a", "ab", '"action": ', "stand", " ", "é", "1", "<"])),
);
const tokenizers = [own, ...foreign.map(({ tokenizer }) => tokenizer)];
fuzz(
  "a tokenizer with damage",
  fc.tuple(fc.constantFrom(...tokenizers).chain(damaged), damagedText(texts)),
  ([json, text]) => useTokenizer(json, text),
  { share: 0.2 },
);

const sections = fc.record({
  normalizer: fc.constantFrom(null, { type: "NFC" }, { type: "Lowercase" }),
  pre_tokenizer: fc.constantFrom(
    own.pre_tokenizer,
    ...foreign.map(({ tokenizer }) => tokenizer.pre_tokenizer),
  ),
  decoder: fc.constantFrom(own.decoder, ...foreign.map(({ tokenizer }) => tokenizer.decoder)),
  base: fc.constantFrom(...tokenizers),
});
fuzz(
  "parts of tokenizers in any combination",
  fc.tuple(sections, damagedText(texts)),
  ([{ base, ...parts }, text]) => useTokenizer({ ...base, ...parts }, text),
  { share: 0.2 },
);

const patternPart = fc.constantFrom(
  ..."ab|()[]+*?{}^$.\\-",
  "\\p{L}",
  "\\s",
  "(?:",
  "(?=",
  "{2,}",
  "a+",
  " ?",
  "\\S+",
  "[^a]",
);
fuzz(
  "patterns of a tokenizer",
  fc.tuple(fc.array(patternPart, { maxLength: 12 }), fc.nat(300)),
  ([parts, length]) => {
    const pre_tokenizer = { type: "Split", pattern: { Regex: parts.join("") }, behavior: "Isolated" };
    useTokenizer({ ...own, pre_tokenizer }, "a".repeat(length) + " ab!");
  },
);
