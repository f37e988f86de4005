/**
 * The Hugging Face form of a model that was made here: what its folder says beside its weights.
 *
 * @module
 */
import { parameterSpecs, pretrainedEntries, type Tokenizer, type VlmConfig } from "../../model/mod.ts";
import { UsageError } from "../cli/mod.ts";

/** Why a model cannot be an Idefics3 folder; null if it can. */
function reasonAgainst(config: VlmConfig): string | null {
  if ((config.block ?? "gpt") !== "llama") return "its blocks are of GPT's kind";
  if (config.projector !== "linear") return "its projector has two layers";
  if (config.head !== "table" && config.head !== "tied") return "its head is a matrix of another form";
  if (config.promptAttention !== "causal") return "its prompts see all of themselves";
  if (config.imageNormalization !== "fixed") return "it standardises each picture by itself";
  return null;
}

/**
 * Requires that a model can be written as an Idefics3 folder.
 *
 * @param run What messages call its run.
 * @throws {UsageError} saying why it cannot, and which can.
 */
export function requireOwnForm(run: string, config: VlmConfig): void {
  const reason = reasonAgainst(config);
  if (reason !== null) {
    throw new UsageError(
      `Cannot export ${run} in Hugging Face form: ${reason}, which no format there has; train one that can with ` +
        "--preset nano-llama or micro-llama and --image-normalization fixed",
    );
  }
  const named = new Set(pretrainedEntries("idefics3", config).map(({ ours }) => ours));
  const left = parameterSpecs(config).find(({ name, part }) => part !== "value_head" && !named.has(name));
  if (left !== undefined) {
    throw new UsageError(`Cannot export ${run} in Hugging Face form: that has no place for ${left.name}`);
  }
}

/** The text files of the folder, by name. */
export function ownForm(config: VlmConfig, tokenizer: Tokenizer): Record<string, string> {
  const { vocabularySize, width, heads, visionWidth } = config;
  const { endId, padId, imageId } = tokenizer;
  const [end, pad, image] = [endId, padId, imageId!].map((id) => tokenizer.tokenOf(id)!);
  const isTied = config.head === "tied";
  const ids = { bos_token_id: endId, eos_token_id: endId, pad_token_id: padId };
  const files = {
    "config.json": {
      architectures: ["Idefics3ForConditionalGeneration"],
      model_type: "idefics3",
      image_token_id: imageId,
      scale_factor: config.mergeFactor,
      tie_word_embeddings: isTied,
      torch_dtype: "float32",
      pad_token_id: padId,
      vocab_size: vocabularySize,
      text_config: {
        model_type: "llama",
        hidden_size: width,
        intermediate_size: config.innerWidth ?? 4 * width,
        num_hidden_layers: config.layers,
        num_attention_heads: heads,
        num_key_value_heads: config.keyValueHeads ?? heads,
        head_dim: config.headSize ?? width / heads,
        vocab_size: vocabularySize,
        max_position_embeddings: config.contextLength,
        rms_norm_eps: config.normEpsilon,
        rope_theta: config.ropeTheta ?? 10_000,
        hidden_act: "silu",
        attention_bias: false,
        mlp_bias: false,
        ...ids,
        tie_word_embeddings: isTied,
      },
      vision_config: {
        model_type: "idefics3",
        hidden_size: visionWidth,
        intermediate_size: config.visionInnerWidth ?? 4 * visionWidth,
        num_hidden_layers: config.visionLayers,
        num_attention_heads: config.visionHeads,
        image_size: config.imageSize,
        patch_size: config.patchSize,
        layer_norm_eps: config.visionNormEpsilon ?? config.normEpsilon,
        hidden_act: "gelu_pytorch_tanh",
        num_channels: 3,
      },
    },
    "generation_config.json": ids,
    // Boxes of whole pixels, the nearest there is to the model's own pictures, whose boxes end within pixels. A byte
    // differs by 3 to 4 (root mean square).
    "preprocessor_config.json": {
      image_processor_type: "Idefics3ImageProcessor",
      do_convert_rgb: true,
      do_image_splitting: false,
      do_normalize: true,
      do_rescale: true,
      do_resize: true,
      image_mean: [0.5, 0.5, 0.5],
      image_std: [0.5, 0.5, 0.5],
      max_image_size: { longest_edge: config.imageSize },
      resample: 4,
      rescale_factor: 1 / 255,
      size: { longest_edge: config.imageSize },
    },
    "tokenizer.json": tokenizer.toJson(),
    "tokenizer_config.json": {
      tokenizer_class: "PreTrainedTokenizerFast",
      eos_token: end,
      pad_token: pad,
      model_max_length: config.contextLength,
      chat_template: chatTemplate(image, end),
    },
  };
  return Object.fromEntries(
    Object.entries(files).map(([name, json]) => [name, JSON.stringify(json, null, 2) + "\n"]),
  );
}

/** Picture and prompt as they were trained: nothing around them, and an end behind an answer. */
function chatTemplate(image: string, end: string): string {
  return "{% for message in messages %}{% for part in message['content'] %}" +
    `{% if part['type'] == 'image' %}${image}{% else %}{{ part['text'] }}{% endif %}{% endfor %}` +
    `{% if message['role'] == 'assistant' %}${end}{% endif %}{% endfor %}`;
}
