/**
 * The decoder-only language model over image and text positions.
 *
 * Features: learned positions, pre-LN blocks, prefix attention (all queries see the prompt and its images, responses
 * see what came before), untied output head without bias.
 *
 * @module
 */
import { type Attend, block } from "./block.ts";
import type { VlmConfig } from "./config.ts";
import type { Parameters } from "./parameters.ts";
import type { Layout } from "./sequence.ts";
import { attention, embed, layernorm, reshape, type Tape, type Tensor } from "./tape/mod.ts";

/** Image tokens (images, P, C) and a layout -> hidden states (B max(R,1), C) at the layout's readouts. */
export function readSequences(
  tape: Tape,
  parameters: Parameters,
  config: VlmConfig,
  { layout, imageTokens, onQkv }: {
    layout: Layout;
    imageTokens: Tensor | null;
    /** Sees each layer's packed QKV (B, T, 3C), from which generation fills its cache. */
    onQkv?: (layer: number, QKV: Tensor) => void;
  },
): Tensor {
  const { B, T, sources, positions, prefix, length, readouts } = layout;
  const images = imageTokens &&
    reshape(tape, imageTokens, [imageTokens.shape[0] * imageTokens.shape[1], config.width]);
  const X = embed(
    tape,
    {
      tokens: parameters.get("language.token_embedding.weight"),
      positions: parameters.get("language.position_embedding.weight"),
      images,
    },
    { sources, positions, shape: [B, T] },
  ); // (B, T, C)
  const attendIn = (layer: number) => (QKV: Tensor) => {
    onQkv?.(layer, QKV);
    return attention(tape, QKV, { prefix, length, heads: config.heads });
  };
  return languageBlocks(tape, parameters, config, X, { attendIn, rows: readouts });
}

/** All blocks and the final norm. X and result (..,C); with `rows` the last block goes on with these rows of X alone. */
export function languageBlocks(
  tape: Tape,
  parameters: Parameters,
  config: VlmConfig,
  X: Tensor,
  { attendIn, rows }: { attendIn: (layer: number) => Attend; rows?: Int32Array },
): Tensor {
  const { normEpsilon: epsilon, layers } = config;
  for (let layer = 0; layer < layers; layer++) {
    X = block(tape, parameters, `language.blocks.${layer}`, X, {
      attend: attendIn(layer),
      epsilon,
      rows: layer === layers - 1 ? rows : undefined,
    });
  }
  return layernorm(tape, X, parameters.affine("language.norm"), epsilon);
}
