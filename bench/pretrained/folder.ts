/**
 * Folders of real sizes with seeded weights: as large and as slow as what people download, and no download.
 *
 * @module
 */
import {
  pretrainedEntries,
  type PretrainedEntry,
  readPretrainedConfig,
  safetensorsPieces,
  type TensorToWrite,
} from "../../model/mod.ts";

/** `config.json` of SmolVLM-256M-Instruct, as far as it matters. */
export const SMOLVLM_256M = {
  model_type: "idefics3",
  architectures: ["Idefics3ForConditionalGeneration"],
  image_token_id: 49_190,
  scale_factor: 4,
  tie_word_embeddings: false,
  torch_dtype: "bfloat16",
  vocab_size: 49_280,
  text_config: {
    model_type: "llama",
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    head_dim: 64,
    vocab_size: 49_280,
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-5,
    rope_theta: 100_000,
    hidden_act: "silu",
  },
  vision_config: {
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    image_size: 512,
    patch_size: 16,
    layer_norm_eps: 1e-6,
    hidden_act: "gelu_pytorch_tanh",
    num_channels: 3,
  },
} as const;

/** SmolLM2-135M as the text model of a nanoVLM folder whose vision is as small as can be. */
export const SMOLLM2_135M = {
  ...{ vit_hidden_dim: 32, vit_inter_dim: 64, vit_patch_size: 8, vit_img_size: 16, vit_n_heads: 4 },
  ...{ vit_n_blocks: 1, vit_ln_eps: 1e-6, vit_cls_flag: false, mp_pixel_shuffle_factor: 2 },
  ...{ lm_hidden_dim: 576, lm_inter_dim: 1536, lm_n_heads: 9, lm_n_kv_heads: 3, lm_n_blocks: 30 },
  ...{ lm_rms_eps: 1e-5, lm_re_base: 100_000, lm_max_position_embeddings: 8192 },
  ...{ lm_vocab_size: 49_152, lm_tie_weights: true },
} as const;

/** A config of the same form. */
export type FolderConfig = Readonly<Record<string, unknown>>;

/** Distinct values of a tensor. */
const VALUES = 1 << 12;

/** Writes a folder: `config.json` and `model.safetensors` in bfloat16, the weights normal with the spread of a fresh model. */
export async function writeSeededFolder(folder: string, config: FolderConfig): Promise<void> {
  const { format, model } = readPretrainedConfig(config);
  await Deno.mkdir(folder, { recursive: true });
  const normals = Float32Array.from({ length: VALUES }, (_, i) => normal((i + 0.5) / VALUES));
  const tensors = pretrainedEntries(format, model).flatMap((entry, e) =>
    entry.theirs.map(({ name, shape }, t): TensorToWrite => {
      const count = shape.reduce((product, extent) => product * extent, 1);
      const bytes = () => seededBytes(count, e * 8 + t, normals, entry);
      return { name, dtype: "BF16", shape, byteLength: 2 * count, bytes };
    })
  );
  using file = await Deno.open(`${folder}/model.safetensors`, { write: true, create: true, truncate: true });
  for await (const piece of safetensorsPieces(tensors)) {
    for (let written = 0; written < piece.length;) written += await file.write(piece.subarray(written));
  }
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config, null, 2) + "\n");
}

function seededBytes(count: number, seed: number, normals: Float32Array, { ours, theirs }: PretrainedEntry) {
  const halves = new Uint16Array(count);
  const isScale = /norm[^.]*\.weight$/.test(ours);
  const fanIn = theirs[0].shape.slice(1).reduce((product, extent) => product * extent, 1);
  const isTable = /embedding|head/.test(ours);
  const std = isTable ? 0.1 : ours.endsWith(".bias") || isScale ? 0.02 : Math.sqrt(1 / (3 * fanIn));
  const bits = new Uint32Array(normals.map((value) => (isScale ? 1 : 0) + std * value).buffer);
  const values = Uint16Array.from(bits, (word) => word >>> 16);
  let state = seed + 1;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    halves[i] = values[state >>> 20];
  }
  return new Uint8Array(halves.buffer);
}

/** The inverse of the normal distribution's tail, Abramowitz and Stegun 26.2.23: within 5e-4, and these need no more. */
function normal(probability: number): number {
  const tail = Math.min(probability, 1 - probability);
  const t = Math.sqrt(-2 * Math.log(tail));
  const value = t - (2.515517 + 0.802853 * t + 0.010328 * t ** 2) /
      (1 + 1.432788 * t + 0.189269 * t ** 2 + 0.001308 * t ** 3);
  return probability < 0.5 ? -value : value;
}
