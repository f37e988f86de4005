/**
 * The decoder-only language model over image and text positions.
 *
 * Features: learned positions if its blocks need them, prefix attention (all queries see the prompt and its images,
 * responses see what came before) or causal attention, output head without bias. Its blocks are of the config's kind.
 *
 * @module
 */
import { fixed, type Slice } from "../kernels/gpu/mod.ts";
import { rotaryTable } from "../kernels/rotary/mod.ts";
import { activationWords, type Attend, blockKindOf, type BlockSizes, runBlock } from "./block.ts";
import type { VlmConfig } from "./config.ts";
import { linearStd, type Parameters, type ParameterSpec, specOf } from "./parameters.ts";
import type { Layout } from "./sequence.ts";
import {
  asMatrix,
  attention,
  embed,
  embedRows,
  linear,
  linearLogprob,
  reshape,
  tableLogits,
  tableLogprob,
  type Tape,
  type Tensor,
} from "./tape/mod.ts";

/** Parameters of the language model, in data-flow order. */
export function languageSpecs(config: VlmConfig): ParameterSpec[] {
  const { width: C, vocabularySize: V, contextLength, layers } = config;
  const kind = blockKindOf(config);
  const { head = "matrix" } = config;
  const isTable = !kind.learnsPositions;
  const specs: ParameterSpec[] = [
    { ...specOf("language.token_embedding.weight", "embedding", [V, C], 0.1), ...isTable && { isTable } },
  ];
  if (kind.learnsPositions) {
    specs.push(specOf("language.position_embedding.weight", "position", [contextLength, C], 0.1));
  }
  for (let layer = 0; layer < layers; layer++) {
    specs.push(...kind.specs(`language.blocks.${layer}`, blockSizes(config)));
  }
  specs.push(...kind.normSpecs("language.norm", C));
  if (head === "matrix") specs.push(specOf("language.head.weight", "head", [C, V], linearStd(C)));
  else if (head === "table") {
    specs.push({ ...specOf("language.head.weight", "head", [V, C], linearStd(C)), isTable: true });
  }
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
    /** Sees each layer's packed QKV (B, T, 3C), from which generation fills its cache; `part` can keep it beyond the layer. */
    onQkv?: (layer: number, QKV: Tensor, part: Tape) => void;
  },
): Tensor {
  const { B, T, sources, positions, prefix, length, readouts } = layout;
  const images = imageTokens &&
    reshape(tape, imageTokens, [imageTokens.shape[0] * imageTokens.shape[1], config.width]);
  const tokens = parameters.get("language.token_embedding.weight");
  const X = blockKindOf(config).learnsPositions
    ? embed(
      tape,
      { tokens, positions: parameters.get("language.position_embedding.weight"), images },
      { sources, positions, shape: [B, T] },
    )
    : embedRows(tape, { tokens, images }, { sources, shape: [B, T] }); // (B, T, C)
  const { heads, keyValueHeads, promptAttention } = config;
  const seen = promptAttention === "causal" ? fixed(new Uint32Array(B)) : prefix;
  const attendIn = (layer: number, tape: Tape) => (QKV: Tensor) => {
    onQkv?.(layer, QKV, tape);
    return attention(tape, QKV, { prefix: seen, length, heads, keyValueHeads });
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
    attendIn: (layer: number, tape: Tape) => Attend;
    /** u32, the position of each row of X. */
    positions: Slice;
    rows?: Int32Array;
  },
): Tensor {
  const { normEpsilon: epsilon, layers } = config;
  const kind = blockKindOf(config);
  const sizes = blockSizes(config);
  const size = { rows: asMatrix(X).rows, words: activationWords(kind, sizes) };
  for (let layer = 0; layer < layers; layer++) {
    X = runBlock(tape, X, size, (tape, X) =>
      kind.forward(tape, parameters, `language.blocks.${layer}`, X, {
        sizes,
        attend: attendIn(layer, tape),
        positions,
        rotaryTable: parameters.constants.get(ROTARY),
        epsilon,
        rows: layer === layers - 1 ? rows : undefined,
      }));
  }
  return kind.norm(tape, parameters, "language.norm", X, epsilon);
}

/** Name of the table of sines and cosines among a model's constants. */
const ROTARY = "language.rotary";

/** What the language model reads beside its parameters: angles of all positions, for blocks that do not learn positions. */
export function languageConstants(config: VlmConfig): Record<string, Float32Array> {
  const { width, heads, contextLength: positions, ropeTheta = 10_000 } = config;
  const D = config.headSize ?? width / heads;
  if (blockKindOf(config).learnsPositions || D % 2 !== 0) return {};
  return { [ROTARY]: rotaryTable({ positions, D, theta: ropeTheta }) };
}

/** Hidden states (N, C) -> log-probabilities (N) of targets (N) at a temperature, entropies (N) of the distributions. */
export function targetLogprobs(
  tape: Tape,
  parameters: Parameters,
  config: VlmConfig,
  hidden: Tensor,
  attributes: { targets: Uint32Array; temperature: number },
): { logprob: Tensor; entropy: Tensor } {
  const head = headOf(parameters, config);
  return (config.head ?? "matrix") === "matrix"
    ? linearLogprob(tape, hidden, head, attributes)
    : tableLogprob(tape, hidden, head, attributes);
}

/** The output head: hidden states (..,C) -> logits (..,V). No gradient flows through a head that is a table. */
export function logitsOf(tape: Tape, parameters: Parameters, config: VlmConfig, hidden: Tensor): Tensor {
  const weight = headOf(parameters, config);
  return (config.head ?? "matrix") === "matrix"
    ? linear(tape, hidden, { weight, bias: null })
    : tableLogits(tape, hidden, weight);
}

function headOf(parameters: Parameters, { head }: VlmConfig): Tensor {
  return parameters.get(head === "tied" ? "language.token_embedding.weight" : "language.head.weight");
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

function blockSizes(config: VlmConfig): BlockSizes {
  const { width, heads, layers, keyValueHeads, headSize, innerWidth, lora } = config;
  return { width, heads, layers, keyValueHeads, headSize, inner: innerWidth, lora };
}
