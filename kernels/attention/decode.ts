/**
 * Attention against a cache of keys and values: filling it with a prompt's, and one decoding step.
 *
 * @module
 */
import { chooseVariant, type Gpu, params, read, type Slice, texels, write } from "../gpu/mod.ts";
import { checkRounds, checkSizes, checkWords, headsPerKey, rowWidth, vec4Obstacle } from "./checks.ts";
import decodeSource from "./decode.wgsl" with { type: "text" };
import decodeVec4Source from "./decode_vec4.wgsl" with { type: "text" };
import fillCacheSource from "./fill_cache.wgsl" with { type: "text" };
import fillCacheTextureSource from "./fill_cache_texture.wgsl" with { type: "text" };
import tiledDecodeSource from "./tiled_decode.wgsl" with { type: "text" };
import { naiveUnroll } from "./tiles.ts";

/** Sizes of {@linkcode fillCache}. */
export interface FillCacheShape {
  /** Sequences. */
  readonly B: number;
  /** Tokens of a sequence to copy, at most `capacity`. */
  readonly T: number;
  /** Width of q. */
  readonly C: number;
  /** Width of k and of v; C when absent. */
  readonly E?: number;
  /** Rows of the cache of a sequence. */
  readonly capacity: number;
  /** `naive`, or `texture` for C a multiple of 4; chosen by adapter when absent. */
  readonly variant?: string;
}

/**
 * Copies k and v of all `T` rows of QKV (B,T,C+2E) to the first rows of the cache (B,capacity,2E), rows `[k | v]`. Rows
 * from `T` on keep their contents.
 *
 * @throws {RangeError} when `T` exceeds the capacity, an operand is too short, or the variant cannot do the shape.
 */
export function fillCache(
  gpu: Gpu,
  { QKV, cache }: { readonly QKV: Slice; readonly cache: Slice },
  { B, T, C, E = C, capacity, variant }: FillCacheShape,
): void {
  const action = "fill the cache";
  checkSizes(action, { B, T, C, E, capacity });
  if (T > capacity) {
    throw new RangeError(`Cannot ${action}: T is ${T}, it must be at most the capacity of ${capacity}`);
  }
  checkWords(action, "QKV", QKV, [B, T, C + 2 * E]);
  checkWords(action, "cache", cache, [B, capacity, 2 * E]);
  const chosen = chooseVariant(gpu, {
    kernel: "attention",
    action,
    software: ["texture", "naive"],
    hardware: ["naive"],
    variant,
    obstacle: (name) => vec4Obstacle("C", C)(name) ?? vec4Obstacle("E", E)(name),
  });
  if (chosen === "texture") {
    gpu.dispatch({
      kernel: { name: "attention/fill_cache_texture", source: fillCacheTextureSource, constants: {} },
      bindings: [
        texels(QKV),
        write(cache),
        params({ base: QKV.offset / 4, T, C4: C / 4, E4: E / 4, capacity }),
      ],
      workgroups: [Math.ceil(T * E / 2 / 64), B],
    });
    return;
  }
  gpu.dispatch({
    kernel: { name: "attention/fill_cache", source: fillCacheSource, constants: {} },
    bindings: [read(QKV), write(cache), params({ T, C, E, capacity })],
    workgroups: [Math.ceil(2 * E / 64), T, B],
  });
}

/** Sizes of {@linkcode attentionDecode}. */
export interface AttentionDecodeShape {
  /** Sequences. */
  readonly B: number;
  /** Heads. */
  readonly H: number;
  /** Key-value heads, a divisor of H; H when absent. */
  readonly K?: number;
  /** Size of a head, at most 128. */
  readonly D: number;
  /** Rows of the cache of a sequence, at most 16384. */
  readonly capacity: number;
  /** `naive`, or `vec4` or `tiled` for D a multiple of 4; chosen by adapter when absent. */
  readonly variant?: string;
}

/** Operands of {@linkcode attentionDecode}. */
export interface AttentionDecodeOperands {
  /** (B,C+2E): `[q | k | v]` of the one new token of each sequence. */
  readonly QKV: Slice;
  /** (B,capacity,2E) rows `[k | v]`: read, and written at each sequence's position. */
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
  shape: AttentionDecodeShape,
): void {
  const { B, H, D, capacity, variant } = shape;
  const GROUP = headsPerKey(shape);
  const action = "decode attention";
  checkSizes(action, { B, H, D, capacity });
  if (capacity > MAX_CAPACITY) {
    throw new RangeError(`Cannot ${action}: capacity is ${capacity}, use at most ${MAX_CAPACITY}`);
  }
  checkWords(action, "QKV", QKV, [B, rowWidth(shape)]);
  checkWords(action, "cache", cache, [B, capacity, 2 * H / GROUP * D]);
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
      kernel: { name: "attention/tiled_decode", source: tiledDecodeSource, constants: { D, GROUP } },
      bindings: [read(QKV), read(position), write(cache), write(Y), params({ H, capacity, scale })],
      workgroups: [H, B],
    });
    return;
  }
  const isVec4 = chosen === "vec4";
  gpu.dispatch({
    kernel: isVec4
      ? { name: "attention/decode_vec4", source: decodeVec4Source, constants: { D, GROUP } }
      : { name: "attention/decode", source: decodeSource, constants: { D, GROUP, UNROLL: naiveUnroll(D) } },
    bindings: [read(QKV), read(position), write(cache), write(Y), params({ B, H, capacity, scale })],
    workgroups: [Math.ceil(B * H / (isVec4 ? 8 : 32))],
  });
}
