/**
 * The decoder-only language model over image and text positions.
 *
 * Features: learned positions if its blocks need them, prefix attention (all queries see the prompt and its images,
 * responses see what came before), untied output head without bias. Its blocks are of the config's kind.
 *
 * @module
 */
import { fixed, type Slice } from "../kernels/gpu/mod.ts";
import { type Attend, blockKindOf, type BlockSizes } from "./block.ts";
import type { VlmConfig } from "./config.ts";
import { linearStd, type Parameters, type ParameterSpec, specOf } from "./parameters.ts";
import type { Layout } from "./sequence.ts";
import { type Affine, attention, embed, linearLogprob, reshape, type Tape, type Tensor } from "./tape/mod.ts";

/** Parameters of the language model, in data-flow order. */
export function languageSpecs(config: VlmConfig): ParameterSpec[] {
  const { width: C, vocabularySize: V, contextLength, layers } = config;
  const kind = blockKindOf(config);
  const specs = [specOf("language.token_embedding.weight", "embedding", [V, C], 0.1)];
  if (kind.learnsPositions) {
    specs.push(specOf("language.position_embedding.weight", "position", [contextLength, C], 0.1));
  }
  for (let layer = 0; layer < layers; layer++) {
    specs.push(...kind.specs(`language.blocks.${layer}`, blockSizes(config)));
  }
  specs.push(...kind.normSpecs("language.norm", C));
  specs.push(specOf("language.head.weight", "head", [C, V], linearStd(C)));
  return specs;
}

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
      positions: positionTableOf(tape, parameters, config),
      images,
    },
    { sources, positions, shape: [B, T] },
  ); // (B, T, C)
  const attendIn = (layer: number) => (QKV: Tensor) => {
    onQkv?.(layer, QKV);
    return attention(tape, QKV, { prefix, length, heads: config.heads });
  };
  return languageBlocks(tape, parameters, config, X, {
    attendIn,
    positions: tape.indices(positions, "positions"),
    rows: readouts,
  });
}

/** All blocks and the final norm. X and result (..,C); with `rows` the last block goes on with these rows of X alone. */
export function languageBlocks(
  tape: Tape,
  parameters: Parameters,
  config: VlmConfig,
  X: Tensor,
  { attendIn, positions, rows }: {
    attendIn: (layer: number) => Attend;
    /** u32, the position of each row of X. */
    positions: Slice;
    rows?: Int32Array;
  },
): Tensor {
  const { normEpsilon: epsilon, layers } = config;
  const kind = blockKindOf(config);
  const sizes = blockSizes(config);
  for (let layer = 0; layer < layers; layer++) {
    X = kind.forward(tape, parameters, `language.blocks.${layer}`, X, {
      sizes,
      attend: attendIn(layer),
      positions,
      epsilon,
      rows: layer === layers - 1 ? rows : undefined,
    });
  }
  return kind.norm(tape, parameters, "language.norm", X, epsilon);
}

/** Hidden states (N, C) -> log-probabilities (N) of targets (N) at a temperature, entropies (N) of the distributions. */
export function targetLogprobs(
  tape: Tape,
  parameters: Parameters,
  hidden: Tensor,
  attributes: { targets: Uint32Array; temperature: number },
): { logprob: Tensor; entropy: Tensor } {
  return linearLogprob(tape, hidden, headOf(parameters).weight, attributes);
}

/** The output head: hidden states (..,C) -> logits (..,V). */
export function headOf(parameters: Parameters): Affine {
  return { weight: parameters.get("language.head.weight"), bias: null };
}

/** Rows (positions, C) that embeddings add; one row of zeros, which stands for all, if blocks know positions by themselves. */
export function positionTableOf(tape: Tape, parameters: Parameters, config: VlmConfig): Tensor {
  if (blockKindOf(config).learnsPositions) return parameters.get("language.position_embedding.weight");
  return tape.constant(fixed(new Float32Array(config.width)), [1, config.width], "no positions");
}

/** Floating-point operations of a forward pass over B sequences of T positions, with R response tokens of each read. */
export function languageFlops(config: VlmConfig, { B, T, R }: { B: number; T: number; R: number }): number {
  const { width: C, vocabularySize: V, layers } = config;
  const kind = blockKindOf(config);
  const sizes = blockSizes(config);
  const rows = B * Math.max(R, 1);
  return (layers - 1) * kind.flops(sizes, { B, T, rows: B * T }) + kind.flops(sizes, { B, T, rows }) +
    2 * rows * C * V;
}

function blockSizes({ width, heads, layers }: VlmConfig): BlockSizes {
  return { width, heads, layers };
}
