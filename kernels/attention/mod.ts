/**
 * Multi-head attention over packed QKV with a prefix mask, its backward, and decoding against a cache.
 *
 * Dimensions: `B` sequences, `T` tokens, `H` heads of size `D`, `C = H * D`. A row of QKV is `[q | k | v]`, `C` words
 * each, head `h` in columns `h*D` to `h*D + D`. Key `k` is visible to query `q` when
 * `k < length[b] && (k <= q || k < prefix[b])`: prefix 0 is causal, prefix `T` bidirectional. Scores are scaled by
 * `1 / sqrt(D)`. All arithmetic is f32.
 *
 * @module
 */
import {
  chooseVariant,
  type Gpu,
  params,
  read,
  type Slice,
  texels,
  type WgslConstants,
  write,
} from "../gpu/mod.ts";
import { checkRounds, checkSizes, checkWords, vec4Obstacle } from "./checks.ts";
import decodeSource from "./decode.wgsl" with { type: "text" };
import decodeVec4Source from "./decode_vec4.wgsl" with { type: "text" };
import fillCacheSource from "./fill_cache.wgsl" with { type: "text" };
import fillCacheTextureSource from "./fill_cache_texture.wgsl" with { type: "text" };
import naiveSource from "./naive.wgsl" with { type: "text" };
import naiveDkvSource from "./naive_dkv.wgsl" with { type: "text" };
import naiveDqSource from "./naive_dq.wgsl" with { type: "text" };
import { naiveUnroll, textureKeys, textureTile, textureWorkgroups, workgroupTile } from "./tiles.ts";
import textureSource from "./texture.wgsl" with { type: "text" };
import textureDkvSource from "./texture_dkv.wgsl" with { type: "text" };
import textureDqSource from "./texture_dq.wgsl" with { type: "text" };
import tiledSource from "./tiled.wgsl" with { type: "text" };
import tiledDecodeSource from "./tiled_decode.wgsl" with { type: "text" };
import tiledDkvSource from "./tiled_dkv.wgsl" with { type: "text" };
import tiledDqSource from "./tiled_dq.wgsl" with { type: "text" };

/** Sizes of an attention over whole sequences. */
export interface AttentionShape {
  /** Sequences. */
  readonly B: number;
  /** Tokens of a sequence, padding included. */
  readonly T: number;
  /** Heads. */
  readonly H: number;
  /** Size of a head, at most 128. */
  readonly D: number;
  /** `naive`, or `texture` or `tiled` for D a multiple of 4; chosen by adapter when absent. */
  readonly variant?: string;
}

/** Operands of {@linkcode attention}. */
export interface AttentionOperands {
  /** (B,T,3C) rows `[q | k | v]`. */
  readonly QKV: Slice;
  /** (B) u32: keys before it are visible to every query of the sequence. */
  readonly prefix: Slice;
  /** (B) u32: tokens that are not padding. */
  readonly length: Slice;
  /** (B,T,C), written; 0 in padding rows. */
  readonly Y: Slice;
  /** (B,H,T), written: log of the sum of exponentials of the scaled scores; 0 in padding rows. */
  readonly lse: Slice;
}

/** Operands of {@linkcode attentionBackward}; Y and lse are read as {@linkcode attention} left them. */
export interface AttentionBackwardOperands extends AttentionOperands {
  /** (B,T,C) gradient of Y. */
  readonly dY: Slice;
  /** (B,H,T) scratch: becomes `rowsum(dY * Y)`. */
  readonly delta: Slice;
  /** (B,T,3C), written completely; 0 in padding rows. */
  readonly dQKV: Slice;
}

const NAIVE_ROWS_PER_GROUP = 32;

/**
 * `Y = softmax(Q K^T / sqrt(D)) V` for every head, and the log-sum-exp that the backward needs.
 *
 * @throws {RangeError} when an operand is too short, a size is not positive, or the variant cannot do the shape (on
 * software adapters the naive one has a largest T, 3442 at D = 64).
 */
export function attention(gpu: Gpu, operands: AttentionOperands, shape: AttentionShape): void {
  const { QKV, prefix, length, Y, lse } = operands;
  const { B, T, H, D } = shape;
  const action = "compute attention";
  checkForward(action, operands, shape);
  const scale = 1 / Math.sqrt(D);
  const variant = sequenceVariant(action, gpu, shape);
  if (variant === "texture") {
    const tile = textureTile(shape, false);
    const constants = { D, ...tile, KEYS: textureKeys(D) };
    gpu.dispatch({
      kernel: { name: "attention/texture", source: textureSource, constants },
      bindings: [
        texels(QKV),
        read(prefix),
        read(length),
        write(Y),
        write(lse),
        params([QKV.offset / 4, B * H, T, H], [scale]),
      ],
      workgroups: textureWorkgroups(shape, tile),
    });
    return;
  }
  const tile = workgroupTile(T, D, false);
  const isTiled = variant === "tiled";
  gpu.dispatch({
    kernel: isTiled
      ? { name: "attention/tiled", source: tiledSource, constants: { D, ...tile } }
      : { name: "attention/naive", source: naiveSource, constants: { D, UNROLL: naiveUnroll(D) } },
    bindings: [read(QKV), read(prefix), read(length), write(Y), write(lse), params([T, H], [scale])],
    workgroups: [Math.ceil(T / (isTiled ? 16 * tile.ROWS : NAIVE_ROWS_PER_GROUP)), H, B],
  });
}

/** The variant of a launch over whole sequences, once its loops are known to finish. */
function sequenceVariant(action: string, gpu: Gpu, { T, D, variant: asked }: AttentionShape): string {
  const variant = chooseVariant(gpu, {
    kernel: "attention",
    action,
    software: ["texture", "naive"],
    hardware: ["tiled", "naive"],
    variant: asked,
    obstacle: vec4Obstacle("head size D", D),
  });
  checkRounds(action, gpu, { name: "T", rows: T, D, variant });
  return variant;
}

/**
 * The gradient of QKV from the gradient of Y, with what {@linkcode attention} left in Y and lse.
 *
 * @throws {RangeError} as {@linkcode attention} does.
 */
export function attentionBackward(
  gpu: Gpu,
  operands: AttentionBackwardOperands,
  shape: AttentionShape,
): void {
  const { QKV, prefix, length, Y, lse, dY, delta, dQKV } = operands;
  const { B, T, H, D } = shape;
  const action = "compute attention's gradient";
  checkForward(action, operands, shape);
  checkWords(action, "dY", dY, [B, T, H * D]);
  checkWords(action, "delta", delta, [B, H, T]);
  checkWords(action, "dQKV", dQKV, [B, T, 3 * H * D]);
  const variant = sequenceVariant(action, gpu, shape);
  if (variant === "texture") {
    textureBackward(gpu, operands, shape);
    return;
  }
  const isTiled = variant === "tiled";
  const tile = workgroupTile(T, D, true);
  const constants: WgslConstants = isTiled ? { D, ...tile } : { D, UNROLL: naiveUnroll(D) };
  const uniform = params([T, H], [1 / Math.sqrt(D)]);
  const workgroups = [Math.ceil(T / (isTiled ? 16 * tile.ROWS : NAIVE_ROWS_PER_GROUP)), H, B] as const;
  gpu.dispatch({
    kernel: isTiled
      ? { name: "attention/tiled_dq", source: tiledDqSource, constants }
      : { name: "attention/naive_dq", source: naiveDqSource, constants },
    bindings: [
      ...[QKV, prefix, length, Y, lse, dY].map(read),
      write(delta),
      write(dQKV),
      uniform,
    ],
    workgroups,
  });
  gpu.dispatch({
    kernel: isTiled
      ? { name: "attention/tiled_dkv", source: tiledDkvSource, constants }
      : { name: "attention/naive_dkv", source: naiveDkvSource, constants },
    bindings: [...[QKV, prefix, length, lse, dY, delta].map(read), write(dQKV), uniform],
    workgroups,
  });
}

function textureBackward(
  gpu: Gpu,
  operands: AttentionBackwardOperands,
  shape: AttentionShape,
): void {
  const { QKV, prefix, length, Y, lse, dY, delta, dQKV } = operands;
  const { B, T, H, D } = shape;
  const uniform = params([QKV.offset / 4, dY.offset / 4, B * H, T, H], [1 / Math.sqrt(D)]);
  const tile = textureTile(shape, true);
  const constants = { D, ...tile };
  const workgroups = textureWorkgroups(shape, tile);
  gpu.dispatch({
    kernel: { name: "attention/texture_dq", source: textureDqSource, constants },
    bindings: [
      ...[QKV, dY].map(texels),
      ...[prefix, length, Y, lse].map(read),
      write(delta),
      write(dQKV),
      uniform,
    ],
    workgroups,
  });
  gpu.dispatch({
    kernel: { name: "attention/texture_dkv", source: textureDkvSource, constants },
    bindings: [
      ...[QKV, dY].map(texels),
      ...[prefix, length, lse, delta].map(read),
      write(dQKV),
      uniform,
    ],
    workgroups,
  });
}

function checkForward(action: string, operands: AttentionOperands, { B, T, H, D }: AttentionShape): void {
  checkSizes(action, { B, T, H, D });
  checkWords(action, "QKV", operands.QKV, [B, T, 3 * H * D]);
  checkWords(action, "prefix", operands.prefix, [B]);
  checkWords(action, "length", operands.length, [B]);
  checkWords(action, "Y", operands.Y, [B, T, H * D]);
  checkWords(action, "lse", operands.lse, [B, H, T]);
}

/** Sizes of {@linkcode fillCache}. */
export interface FillCacheShape {
  /** Sequences. */
  readonly B: number;
  /** Tokens of a sequence to copy, at most `capacity`. */
  readonly T: number;
  /** Width of a key or value row. */
  readonly C: number;
  /** Rows of the cache of a sequence. */
  readonly capacity: number;
  /** `naive`, or `texture` for C a multiple of 4; chosen by adapter when absent. */
  readonly variant?: string;
}

/**
 * Copies k and v of all `T` rows of QKV (B,T,3C) to the first rows of the cache (B,capacity,2C), rows `[k | v]`. Rows
 * from `T` on keep their contents.
 *
 * @throws {RangeError} when `T` exceeds the capacity, an operand is too short, or the variant cannot do the shape.
 */
export function fillCache(
  gpu: Gpu,
  { QKV, cache }: { readonly QKV: Slice; readonly cache: Slice },
  { B, T, C, capacity, variant }: FillCacheShape,
): void {
  const action = "fill the cache";
  checkSizes(action, { B, T, C, capacity });
  if (T > capacity) {
    throw new RangeError(`Cannot ${action}: T is ${T}, it must be at most the capacity of ${capacity}`);
  }
  checkWords(action, "QKV", QKV, [B, T, 3 * C]);
  checkWords(action, "cache", cache, [B, capacity, 2 * C]);
  const chosen = chooseVariant(gpu, {
    kernel: "attention",
    action,
    software: ["texture", "naive"],
    hardware: ["naive"],
    variant,
    obstacle: vec4Obstacle("C", C),
  });
  if (chosen === "texture") {
    gpu.dispatch({
      kernel: { name: "attention/fill_cache_texture", source: fillCacheTextureSource, constants: {} },
      bindings: [texels(QKV), write(cache), params([QKV.offset / 4, T, C / 4, capacity])],
      workgroups: [Math.ceil(T * C / 2 / 64), B],
    });
    return;
  }
  gpu.dispatch({
    kernel: { name: "attention/fill_cache", source: fillCacheSource, constants: {} },
    bindings: [read(QKV), write(cache), params([T, C, capacity])],
    workgroups: [Math.ceil(2 * C / 64), T, B],
  });
}

/** Sizes of {@linkcode attentionDecode}. */
export interface AttentionDecodeShape {
  /** Sequences. */
  readonly B: number;
  /** Heads. */
  readonly H: number;
  /** Size of a head, at most 128. */
  readonly D: number;
  /** Rows of the cache of a sequence, at most 16384. */
  readonly capacity: number;
  /** `naive`, or `vec4` or `tiled` for D a multiple of 4; chosen by adapter when absent. */
  readonly variant?: string;
}

/** Operands of {@linkcode attentionDecode}. */
export interface AttentionDecodeOperands {
  /** (B,3C): `[q | k | v]` of the one new token of each sequence. */
  readonly QKV: Slice;
  /** (B,capacity,2C) rows `[k | v]`: read, and written at each sequence's position. */
  readonly cache: Slice;
  /** (B) u32: row of the new token. A sequence at or beyond the capacity writes nothing and gets Y = 0. */
  readonly position: Slice;
  /** (B,C), written. */
  readonly Y: Slice;
}

/** Largest capacity: keeps word indices of a sequence's cache far from 32 bits. */
const MAX_CAPACITY = 16384;

/**
 * One decoding step: appends the new token's k and v to the cache and attends from its q to rows 0 to `position`.
 *
 * @throws {RangeError} when an operand is too short, the capacity too large, or the variant cannot do the shape.
 */
export function attentionDecode(
  gpu: Gpu,
  { QKV, cache, position, Y }: AttentionDecodeOperands,
  { B, H, D, capacity, variant }: AttentionDecodeShape,
): void {
  const action = "decode attention";
  checkSizes(action, { B, H, D, capacity });
  if (capacity > MAX_CAPACITY) {
    throw new RangeError(`Cannot ${action}: capacity is ${capacity}, use at most ${MAX_CAPACITY}`);
  }
  checkWords(action, "QKV", QKV, [B, 3 * H * D]);
  checkWords(action, "cache", cache, [B, capacity, 2 * H * D]);
  checkWords(action, "position", position, [B]);
  checkWords(action, "Y", Y, [B, H * D]);
  const chosen = chooseVariant(gpu, {
    kernel: "attention",
    action,
    software: ["vec4", "naive"],
    hardware: ["tiled", "naive"],
    variant,
    obstacle: vec4Obstacle("head size D", D),
  });
  checkRounds(action, gpu, { name: "capacity", rows: capacity, D, variant: chosen });
  const scale = 1 / Math.sqrt(D);
  if (chosen === "tiled") {
    gpu.dispatch({
      kernel: { name: "attention/tiled_decode", source: tiledDecodeSource, constants: { D } },
      bindings: [read(QKV), read(position), write(cache), write(Y), params([H, capacity], [scale])],
      workgroups: [H, B],
    });
    return;
  }
  const isVec4 = chosen === "vec4";
  gpu.dispatch({
    kernel: isVec4
      ? { name: "attention/decode_vec4", source: decodeVec4Source, constants: { D } }
      : { name: "attention/decode", source: decodeSource, constants: { D, UNROLL: naiveUnroll(D) } },
    bindings: [read(QKV), read(position), write(cache), write(Y), params([B, H, capacity], [scale])],
    workgroups: [Math.ceil(B * H / (isVec4 ? 8 : 32))],
  });
}
