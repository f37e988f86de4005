/**
 * From `config.json` of a pretrained folder to the config of our model.
 *
 * Sources: `configuration_idefics3.py` and `configuration_llama.py` of https://github.com/huggingface/transformers,
 * `models/config.py` of https://github.com/huggingface/nanoVLM
 *
 * @module
 */
import { deriveSizes, type VlmConfig } from "../config.ts";
import { quote } from "../quote.ts";

/** Formats of pretrained folders that can be read. */
export type PretrainedFormat = "idefics3" | "nanovlm";

/** What a pretrained `config.json` says. */
export interface PretrainedConfig {
  /** Whose names its weights have. */
  readonly format: PretrainedFormat;
  /** Our model of these sizes. */
  readonly model: VlmConfig;
  /** The token id at an image's positions; null if the config does not say. */
  readonly imageTokenId: number | null;
}

type Fields = Readonly<Record<string, unknown>>;

/** Hidden width of the value head, which pretrained models lack. */
const VALUE_WIDTH = 256;

/**
 * Reads a parsed `config.json`.
 *
 * @throws {RangeError} naming the architecture or the field that our model cannot be.
 */
export function readPretrainedConfig(config: unknown): PretrainedConfig {
  if (!isFields(config)) throw refuse(`config.json holds ${quote(config)}, not an object`);
  if (config.model_type === "idefics3") return idefics3(config);
  if ("lm_hidden_dim" in config && "vit_hidden_dim" in config) return nanovlm(config);
  const architecture = config.model_type ?? config.architectures;
  throw refuse(
    `its architecture is ${quote(architecture)}, known are idefics3 (SmolVLM) and nanoVLM's config`,
  );
}

function idefics3(config: Fields): PretrainedConfig {
  const text = isFields(config.text_config) ? config.text_config : {};
  const vision = isFields(config.vision_config) ? config.vision_config : {};
  requireEqual(text, "text_config.hidden_act", ["silu"]);
  requireEqual(vision, "vision_config.hidden_act", ["gelu_pytorch_tanh"]);
  requireEqual(vision, "vision_config.num_channels", [3]);
  for (const name of ["attention_bias", "mlp_bias", "rope_interleaved"]) {
    requireEqual(text, `text_config.${name}`, [false]);
  }
  requireEqual(text, "text_config.rope_scaling", [null]);
  // Folders of transformers 5 keep the base of the rotary positions here.
  const rope = isFields(text.rope_parameters) ? text.rope_parameters : {};
  requireEqual(rope, "rope_parameters.rope_type", ["default"]);
  const heads = number(text, "text_config.num_attention_heads");
  const width = number(text, "text_config.hidden_size");
  const model: VlmConfig = {
    imageSize: number(vision, "vision_config.image_size", 224),
    patchSize: number(vision, "vision_config.patch_size", 32),
    imageNormalization: "fixed",
    visionWidth: number(vision, "vision_config.hidden_size", 1152),
    visionLayers: number(vision, "vision_config.num_hidden_layers", 12),
    visionHeads: number(vision, "vision_config.num_attention_heads", 16),
    visionInnerWidth: number(vision, "vision_config.intermediate_size", 3072),
    visionNormEpsilon: number(vision, "vision_config.layer_norm_eps", 1e-6),
    mergeFactor: number(config, "scale_factor", 2),
    projector: "linear",
    vocabularySize: number(text, "text_config.vocab_size", number(config, "vocab_size", 128_256)),
    contextLength: number(text, "text_config.max_position_embeddings", 2048),
    width,
    layers: number(text, "text_config.num_hidden_layers"),
    heads,
    keyValueHeads: number(text, "text_config.num_key_value_heads", heads),
    headSize: number(text, "text_config.head_dim", width / heads),
    innerWidth: number(text, "text_config.intermediate_size"),
    ropeTheta: number(text, "text_config.rope_theta", number(rope, "rope_parameters.rope_theta", 10_000)),
    normEpsilon: number(text, "text_config.rms_norm_eps", 1e-6),
    valueWidth: VALUE_WIDTH,
    block: "llama",
    head: config.tie_word_embeddings === true ? "tied" : "table",
    promptAttention: "causal",
  };
  deriveSizes(model);
  return { format: "idefics3", model, imageTokenId: number(config, "image_token_id", 128_257) };
}

function nanovlm(config: Fields): PretrainedConfig {
  requireEqual(config, "vit_cls_flag", [false]);
  requireEqual(config, "lm_attn_scaling", [1]);
  const model: VlmConfig = {
    imageSize: number(config, "vit_img_size"),
    patchSize: number(config, "vit_patch_size"),
    imageNormalization: "fixed",
    visionWidth: number(config, "vit_hidden_dim"),
    visionLayers: number(config, "vit_n_blocks"),
    visionHeads: number(config, "vit_n_heads"),
    visionInnerWidth: number(config, "vit_inter_dim"),
    visionNormEpsilon: number(config, "vit_ln_eps", 1e-6),
    mergeFactor: number(config, "mp_pixel_shuffle_factor"),
    projector: "linear",
    vocabularySize: number(config, "lm_vocab_size"),
    contextLength: number(config, "lm_max_position_embeddings"),
    width: number(config, "lm_hidden_dim"),
    layers: number(config, "lm_n_blocks"),
    heads: number(config, "lm_n_heads"),
    keyValueHeads: number(config, "lm_n_kv_heads"),
    innerWidth: number(config, "lm_inter_dim"),
    ropeTheta: number(config, "lm_re_base"),
    normEpsilon: number(config, "lm_rms_eps", 1e-5),
    valueWidth: VALUE_WIDTH,
    block: "llama",
    head: config.lm_tie_weights === false ? "table" : "tied",
    promptAttention: "causal",
  };
  deriveSizes(model);
  return { format: "nanovlm", model, imageTokenId: null };
}

/** The last word of a field's path names it in `fields`. */
const valueOf = (fields: Fields, path: string) => fields[path.split(".").at(-1)!];

function number(fields: Fields, path: string, byDefault?: number): number {
  const value = valueOf(fields, path) ?? byDefault;
  if (typeof value === "number") return value;
  throw refuse(`${path} must be a number, got ${quote(value)}`);
}

/** Requires a field to be absent or one of these values. */
function requireEqual(fields: Fields, path: string, allowed: readonly unknown[]): void {
  const value = valueOf(fields, path);
  if (value === undefined || value === null || allowed.includes(value)) return;
  throw refuse(`${path} is ${quote(value)}, it must be ${allowed.map(quote).join(" or ")}`);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const refuse = (state: string) => new RangeError(`Cannot use this pretrained model: ${state}`);
