/**
 * Decoding with a key-value cache: from a token of each sequence to the logits of the next.
 *
 * @module
 */
import { attentionDecode } from "../kernels/attention/mod.ts";
import { embed } from "../kernels/embedding/mod.ts";
import { type Slice, subslice } from "../kernels/gpu/mod.ts";
import { blockKindOf } from "./block.ts";
import { headOf, languageBlocks, positionTableOf } from "./language.ts";
import { linear, type Tape, type Tensor } from "./tape/mod.ts";
import type { Vlm } from "./vlm.ts";

/** What one decoding step starts from: a token of each sequence and all that came before it. */
export interface DecodingState {
  /** Sequences. */
  readonly B: number;
  /** Positions that the cache has room for. */
  readonly capacity: number;
  /** (layers, B, capacity, 2C) rows `[k | v]` */
  readonly cache: Tensor;
  /** (B) u32 */
  readonly current: Slice;
  /** (B) u32 */
  readonly position: Slice;
}

/** A layer's part of the cache, (B, capacity, 2C). */
export function cacheOf({ cache: { shape, data } }: DecodingState, layer: number): Slice {
  const words = data.length / shape[0];
  return subslice(data, layer * words, words, `cache.${layer}`);
}

/** A decoding step, to logits (B, V): the fast one of the model's blocks if it has one here, or op by op. */
export function chooseDecode(vlm: Vlm, decoding: DecodingState): (step: Tape) => Tensor {
  return blockKindOf(vlm.config).fastDecode?.(vlm, decoding) ?? ((step) => decodeByOps(vlm, step, decoding));
}

/** Appends each sequence's token to the cache and computes the logits (B, V) of the next, whatever the blocks are. */
function decodeByOps({ gpu, config, parameters }: Vlm, step: Tape, decoding: DecodingState): Tensor {
  const { B, capacity, current, position } = decoding;
  const { width: C, heads: H } = config;
  const X = step.output([B, C], "decode.embedding");
  embed(gpu, {
    sources: current,
    positions: position,
    tokenTable: parameters.get("language.token_embedding.weight").data,
    positionTable: positionTableOf(step, parameters, config).data,
    imageTokens: gpu.placeholder,
    Y: X.data,
  }, { N: B, C });
  const attendIn = (layer: number) => (QKV: Tensor) => {
    const Y = step.output([B, C], "decode.attention");
    const cache = cacheOf(decoding, layer);
    attentionDecode(gpu, { QKV: QKV.data, cache, position, Y: Y.data }, { B, H, D: C / H, capacity });
    return Y;
  };
  const hidden = languageBlocks(step, parameters, config, X, { attendIn, positions: position }); // (B, C)
  return linear(step, hidden, headOf(parameters));
}
