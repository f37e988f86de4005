/**
 * Decoding with a key-value cache: from a token of each sequence to the logits of the next.
 *
 * @module
 */
import { attentionDecode } from "../kernels/attention/mod.ts";
import { embed, embedRows } from "../kernels/embedding/mod.ts";
import { type Slice, subslice } from "../kernels/gpu/mod.ts";
import { blockKindOf } from "./block.ts";
import type { VlmConfig } from "./config.ts";
import { languageBlocks } from "./language.ts";
import { partsOf, type Tape, type Tensor } from "./tape/mod.ts";
import type { Vlm } from "./vlm.ts";

/** What one decoding step starts from: a token of each sequence and all that came before it. */
export interface DecodingState {
  /** Sequences. */
  readonly B: number;
  /** Positions that the cache has room for. */
  readonly capacity: number;
  /** (layers, B, capacity, 2E) rows `[k | v]` */
  readonly cache: Tensor;
  /** (B) u32 */
  readonly current: Slice;
  /** (B) u32 */
  readonly position: Slice;
}

/** Heads and widths of the language model's attention. */
export interface AttentionSizes {
  /** Heads of queries. */
  readonly H: number;
  /** Heads of keys and values. */
  readonly K: number;
  /** Size of a head. */
  readonly D: number;
  /** Width of the queries, H * D. */
  readonly C: number;
  /** Width of the keys and of the values, K * D. */
  readonly E: number;
}

/** Derives the sizes of the language model's attention. */
export function attentionSizes(config: VlmConfig): AttentionSizes {
  const { width, heads: H, keyValueHeads: K = H } = config;
  const D = config.headSize ?? width / H;
  return { H, K, D, C: H * D, E: K * D };
}

/** A layer's part of the cache, (B, capacity, 2E). */
export function cacheOf({ cache: { shape, data } }: DecodingState, layer: number): Slice {
  const words = data.length / shape[0];
  return subslice(data, layer * words, words, `cache.${layer}`);
}

/** A decoding step, to logits (B, V): the fast one of the model's blocks if it has one here, or op by op. */
export function chooseDecode(vlm: Vlm, decoding: DecodingState): (step: Tape) => Tensor {
  return blockKindOf(vlm.config).fastDecode?.(vlm, decoding) ?? ((step) => decodeByOps(vlm, step, decoding));
}

/** Appends each sequence's token to the cache and computes the logits (B, V) of the next, whatever the blocks are. */
function decodeByOps(vlm: Vlm, step: Tape, decoding: DecodingState): Tensor {
  const { gpu, config, parameters } = vlm;
  const { B, capacity, current, position } = decoding;
  const { H, K, D, C } = attentionSizes(config);
  const X = step.output([B, config.width], "decode.embedding");
  const table = parameters.get("language.token_embedding.weight");
  if (blockKindOf(config).learnsPositions) {
    embed(gpu, {
      sources: current,
      positions: position,
      tokenTable: table.data,
      positionTable: parameters.get("language.position_embedding.weight").data,
      imageTokens: gpu.placeholder,
      Y: X.data,
    }, { N: B, C: config.width });
  } else {
    for (const { row0, rows, data } of partsOf(table)) {
      embedRows(gpu, { sources: current, table: data, Y: X.data }, { N: B, C: config.width, row0, rows });
    }
  }
  const attendIn = (layer: number) => (QKV: Tensor) => {
    const Y = step.output([B, C], "decode.attention");
    const cache = cacheOf(decoding, layer);
    attentionDecode(gpu, { QKV: QKV.data, cache, position, Y: Y.data }, { B, H, K, D, capacity });
    return Y;
  };
  const hidden = languageBlocks(step, parameters, config, X, { attendIn, positions: position }); // (B, C)
  return vlm.logits(step, hidden);
}
