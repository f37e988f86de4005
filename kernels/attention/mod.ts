/**
 * Multi-head attention over packed QKV with a prefix mask, its backward, and decoding against a cache.
 *
 * Dimensions: `B` sequences, `T` tokens, `H` heads of size `D`, `C = H * D`. A row of QKV is `[q | k | v]`: `C` words of q,
 * head `h` in columns `h*D` to `h*D + D`, then `E = K * D` words each of k and v. The `K` key-value heads are as many as
 * `H`, or a divisor: `H / K` neighbouring heads then share one. Key `k` is visible to query `q` when
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
import { checkRounds, checkSizes, checkWords, headsPerKey, rowWidth, vec4Obstacle } from "./checks.ts";
import blockedSource from "./blocked.wgsl" with { type: "text" };
import naiveSource from "./naive.wgsl" with { type: "text" };
import naiveDkvSource from "./naive_dkv.wgsl" with { type: "text" };
import naiveDqSource from "./naive_dq.wgsl" with { type: "text" };
import {
  BLOCK_QUERIES,
  blockTile,
  naiveUnroll,
  textureKeys,
  textureTile,
  textureWorkgroups,
  workgroupTile,
} from "./tiles.ts";
import textureSource from "./texture.wgsl" with { type: "text" };
import textureDkvSource from "./texture_dkv.wgsl" with { type: "text" };
import textureDqSource from "./texture_dq.wgsl" with { type: "text" };
import tiledSource from "./tiled.wgsl" with { type: "text" };
import tiledDkvSource from "./tiled_dkv.wgsl" with { type: "text" };
import tiledDqSource from "./tiled_dq.wgsl" with { type: "text" };

export {
  attentionDecode,
  type AttentionDecodeOperands,
  type AttentionDecodeShape,
  fillCache,
  type FillCacheShape,
} from "./decode.ts";

/** Sizes of an attention over whole sequences. */
export interface AttentionShape {
  /** Sequences. */
  readonly B: number;
  /** Tokens of a sequence, padding included. */
  readonly T: number;
  /** Heads. */
  readonly H: number;
  /** Key-value heads, a divisor of H; H when absent. */
  readonly K?: number;
  /** Size of a head, at most 128. */
  readonly D: number;
  /** `naive`; `texture` or `tiled` for D a multiple of 4; forward `blocked`, for D to 64; chosen by adapter when absent. */
  readonly variant?: string;
}

/** Operands of {@linkcode attention}. */
export interface AttentionOperands {
  /** (B,T,C+2E) rows `[q | k | v]`. */
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
  /** (B,T,C+2E), written completely; 0 in padding rows. */
  readonly dQKV: Slice;
}

const NAIVE_ROWS_PER_GROUP = 32;

/**
 * `Y = softmax(Q K^T / sqrt(D)) V` for every head, and the log-sum-exp that the backward needs.
 *
 * @throws {RangeError} when an operand is too short, a size is not positive, or the variant cannot do the shape. On
 * software adapters the naive one has a largest T, 3442 at D = 64.
 */
export function attention(gpu: Gpu, operands: AttentionOperands, shape: AttentionShape): void {
  const { QKV, prefix, length, Y, lse } = operands;
  const { B, T, H, D } = shape;
  const action = "compute attention";
  checkForward(action, operands, shape);
  const scale = 1 / Math.sqrt(D);
  const GROUP = headsPerKey(shape);
  const variant = sequenceVariant(action, gpu, shape, false);
  if (variant === "texture") {
    const tile = textureTile(shape, false);
    const constants = { D, GROUP, ...tile, KEYS: textureKeys(D) };
    gpu.dispatch({
      kernel: { name: "attention/texture", source: textureSource, constants },
      bindings: [
        texels(QKV),
        read(prefix),
        read(length),
        write(Y),
        write(lse),
        params({ base: QKV.offset / 4, BH: B * H, T, H, scale }),
      ],
      workgroups: textureWorkgroups(shape, tile),
    });
    return;
  }
  if (variant === "blocked") {
    const constants = { D, GROUP, ...blockTile(D, workgroupBytes(gpu))!, SUBGROUP: gpu.subgroupSize >= 8 };
    gpu.dispatch({
      kernel: { name: "attention/blocked", source: blockedSource, constants },
      bindings: [read(QKV), read(prefix), read(length), write(Y), write(lse), params({ T, H, scale })],
      workgroups: [Math.ceil(T / BLOCK_QUERIES), H, B],
    });
    return;
  }
  const tile = workgroupTile(T, D, false);
  const isTiled = variant === "tiled";
  gpu.dispatch({
    kernel: isTiled
      ? { name: "attention/tiled", source: tiledSource, constants: { D, GROUP, ...tile } }
      : { name: "attention/naive", source: naiveSource, constants: { D, GROUP, UNROLL: naiveUnroll(D) } },
    bindings: [read(QKV), read(prefix), read(length), write(Y), write(lse), params({ T, H, scale })],
    workgroups: [Math.ceil(T / (isTiled ? 16 * tile.ROWS : NAIVE_ROWS_PER_GROUP)), H, B],
  });
}

/** Tokens from which a GPU fills the blocks of 64 queries. */
const MANY_TOKENS = 64;

/** The variant of a launch over whole sequences, once its loops are known to finish. */
function sequenceVariant(action: string, gpu: Gpu, shape: AttentionShape, isBackward: boolean): string {
  const { T, D, variant: asked } = shape;
  const needsVec4 = vec4Obstacle("head size D", D);
  const hardware = T < MANY_TOKENS ? ["tiled", "blocked", "naive"] : ["blocked", "tiled", "naive"];
  const variant = chooseVariant(gpu, {
    kernel: "attention",
    action,
    software: ["texture", "naive"],
    hardware: hardware.filter((name) => !isBackward || name !== "blocked"),
    variant: asked,
    obstacle: (name) => needsVec4(name) ?? (name === "blocked" ? blockObstacle(gpu, D) : null),
  });
  checkRounds(action, gpu, { name: "T", rows: T, D, variant, turns: isBackward ? headsPerKey(shape) : 1 });
  return variant;
}

function blockObstacle(gpu: Gpu, D: number): string | null {
  if (D > 64) return `head size D is ${D}, it must be at most 64`;
  return blockTile(D, workgroupBytes(gpu)) === null ? "the device must have more workgroup memory" : null;
}

const workgroupBytes = (gpu: Gpu) => gpu.device.limits.maxComputeWorkgroupStorageSize;

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
  checkWords(action, "dQKV", dQKV, [B, T, rowWidth(shape)]);
  const variant = sequenceVariant(action, gpu, shape, true);
  if (variant === "texture") return textureBackward(gpu, operands, shape);
  const isTiled = variant === "tiled";
  const tile = workgroupTile(T, D, true);
  const GROUP = headsPerKey(shape);
  const constants: WgslConstants = { D, GROUP, ...isTiled ? tile : { UNROLL: naiveUnroll(D) } };
  const uniform = params({ T, H, scale: 1 / Math.sqrt(D) });
  const blocks = Math.ceil(T / (isTiled ? 16 * tile.ROWS : NAIVE_ROWS_PER_GROUP));
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
    workgroups: [blocks, H, B],
  });
  const grouped = { ...constants, GROUPED: GROUP > 1 };
  gpu.dispatch({
    kernel: isTiled
      ? { name: "attention/tiled_dkv", source: tiledDkvSource, constants: grouped }
      : { name: "attention/naive_dkv", source: naiveDkvSource, constants: grouped },
    bindings: [...[QKV, prefix, length, lse, dY, delta].map(read), write(dQKV), uniform],
    workgroups: [blocks, H / GROUP, B],
  });
}

function textureBackward(
  gpu: Gpu,
  operands: AttentionBackwardOperands,
  shape: AttentionShape,
): void {
  const { QKV, prefix, length, Y, lse, dY, delta, dQKV } = operands;
  const { B, T, H, D } = shape;
  const GROUP = headsPerKey(shape);
  const uniform = { baseQKV: QKV.offset / 4, baseDY: dY.offset / 4, T, H, scale: 1 / Math.sqrt(D) };
  const tile = textureTile(shape, true);
  gpu.dispatch({
    kernel: { name: "attention/texture_dq", source: textureDqSource, constants: { D, GROUP, ...tile } },
    bindings: [
      ...[QKV, dY].map(texels),
      ...[prefix, length, Y, lse].map(read),
      write(delta),
      write(dQKV),
      params({ ...uniform, BH: B * H }),
    ],
    workgroups: textureWorkgroups(shape, tile),
  });
  const keyShape = { B, T, H: H / GROUP, D };
  const keyTile = textureTile(keyShape, true);
  gpu.dispatch({
    kernel: {
      name: "attention/texture_dkv",
      source: textureDkvSource,
      constants: { D, GROUP, GROUPED: GROUP > 1, ...keyTile },
    },
    bindings: [
      ...[QKV, dY].map(texels),
      ...[prefix, length, lse, delta].map(read),
      write(dQKV),
      params({ ...uniform, BK: B * H / GROUP }),
    ],
    workgroups: textureWorkgroups(keyShape, keyTile),
  });
}

function checkForward(action: string, operands: AttentionOperands, shape: AttentionShape): void {
  const { B, T, H, D } = shape;
  checkSizes(action, { B, T, H, D });
  checkWords(action, "QKV", operands.QKV, [B, T, rowWidth(shape)]);
  checkWords(action, "prefix", operands.prefix, [B]);
  checkWords(action, "length", operands.length, [B]);
  checkWords(action, "Y", operands.Y, [B, T, H * D]);
  checkWords(action, "lse", operands.lse, [B, H, T]);
}
