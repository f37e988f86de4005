/**
 * The backward's chunks of logits: their size, and the launches of the `naive` and the `texture` variant.
 *
 * @module
 */
import {
  type Binding,
  chooseRegisterTile,
  type Gpu,
  params,
  read,
  type RegisterTile,
  roundUp,
  SLICE_ALIGNMENT_WORDS,
  texels,
  write,
} from "../gpu/mod.ts";
import dLogitsNaiveSource from "./dlogits_naive.wgsl" with { type: "text" };
import dLogitsTextureSource from "./dlogits_texture.wgsl" with { type: "text" };
import dwNaiveSource from "./dw_naive.wgsl" with { type: "text" };
import dwTextureSource from "./dw_texture.wgsl" with { type: "text" };
import dxNaiveSource from "./dx_naive.wgsl" with { type: "text" };
import dxTextureSource from "./dx_texture.wgsl" with { type: "text" };
import type { LinearLogprobBackwardOperands, LinearLogprobShape } from "./mod.ts";

/** At most this many words (4 MiB) of dLogits exist at a time. */
const SCRATCH_LIMIT_WORDS = 1 << 20;

/** At most this many rows: what a sum over a chunk's rows may loop. */
const MAX_CHUNK_ROWS = 1 << 15;

/** At most this many columns, so that what a chunk reads of W stays in a core's cache. */
const MAX_CHUNK_COLUMNS = 2048;

/**
 * Rows and columns of a backward chunk: at most half of all logits. Columns are split first, since each part of W and dW
 * is then gone over once. They are equal parts, whole slices' alignments wide.
 */
export function chunkSize({ N, V }: Pick<LinearLogprobShape, "N" | "V">): { rows: number; columns: number } {
  const parts = Math.ceil(V / MAX_CHUNK_COLUMNS);
  const columns = parts === 1 ? V : roundUp(Math.ceil(V / parts), SLICE_ALIGNMENT_WORDS);
  const half = parts === 1 ? roundUp(Math.ceil(N / 2), 16) : N;
  return {
    rows: Math.min(half, N, MAX_CHUNK_ROWS, Math.floor(SCRATCH_LIMIT_WORDS / columns / 16) * 16),
    columns,
  };
}

/** Words of `scratch` that {@linkcode linearLogprobBackward} needs: half of N V or less, give or take a tile of rows. */
export function linearLogprobScratchWords(shape: Pick<LinearLogprobShape, "N" | "V">): number {
  const { rows, columns } = chunkSize(shape);
  return rows * columns;
}

/**
 * Some rows and columns of the logits in the backward. The operands' W and dW begin at `column0`, their rows still V apart.
 * The chunk of the first columns writes dX, all others add to it.
 */
export interface LinearLogprobChunk extends LinearLogprobShape {
  readonly row0: number;
  readonly rows: number;
  readonly column0: number;
  readonly columns: number;
}

/** The bindings of what a row has one word of, in the order of every `dlogits` kernel. */
export function rowOperands(
  gpu: Gpu,
  { targets, lse, entropy, dLogprob, dEntropy }: LinearLogprobBackwardOperands,
): Binding[] {
  return [targets, lse, entropy, dLogprob, dEntropy ?? gpu.placeholder].map(read);
}

/** Launches a chunk in the `naive` variant. */
export function naiveChunk(
  gpu: Gpu,
  operands: LinearLogprobBackwardOperands,
  { C, V, temperature, row0, rows, column0, columns }: LinearLogprobChunk,
): void {
  const { X, W, dEntropy, dX, dW, scratch } = operands;
  const WORKGROUP = workgroupSize(gpu);
  gpu.dispatch({
    kernel: { name: "softmax_logprob/dlogits_naive", source: dLogitsNaiveSource, constants: { WORKGROUP } },
    bindings: [
      read(X),
      read(W),
      ...rowOperands(gpu, operands),
      write(scratch),
      params({ row0, column0, columns, C, V, hasEntropy: dEntropy !== undefined, temperature }),
    ],
    workgroups: [Math.ceil(columns / WORKGROUP), rows],
  });
  gpu.dispatch({
    kernel: { name: "softmax_logprob/dx_naive", source: dxNaiveSource, constants: { WORKGROUP } },
    bindings: [read(scratch), read(W), write(dX), params({ row0, column0, columns, C, V })],
    workgroups: [Math.ceil(C / WORKGROUP), rows],
  });
  if (dW === undefined) return;
  gpu.dispatch({
    kernel: { name: "softmax_logprob/dw_naive", source: dwNaiveSource, constants: { WORKGROUP } },
    bindings: [read(X), read(scratch), write(dW), params({ row0, rows, columns, C, V })],
    workgroups: [Math.ceil(columns / WORKGROUP), C],
  });
}

/** Launches a chunk in the `texture` variant. */
export function textureChunk(
  gpu: Gpu,
  operands: LinearLogprobBackwardOperands,
  { C, V, temperature, row0, rows, column0, columns }: LinearLogprobChunk,
): void {
  const { X, W, dEntropy, dX, dW, scratch } = operands;
  // In texels.
  const [C4, V4, first, columns4] = [C, V, column0, columns].map((words) => words / 4);
  const [baseX, baseW, baseLogits] = [X, W, scratch].map(({ offset }) => offset / 4);
  const BROADCAST = gpu.canBroadcast;
  const tileLogits = chooseRegisterTile({ rows, columns }, gpu.maxTileRows);
  const tileX = chooseRegisterTile({ rows, columns: C }, gpu.maxTileRows);
  // The lanes of a workgroup read 8 texels, 32 rows of dW.
  const tileW = chooseRegisterTile({ rows: C, columns }, Math.min(32, gpu.maxTileRows));
  gpu.dispatch({
    kernel: {
      name: "softmax_logprob/dlogits_texture",
      source: dLogitsTextureSource,
      constants: { ...tileLogits, BROADCAST },
    },
    bindings: [
      texels(X),
      texels(W),
      ...rowOperands(gpu, operands),
      write(scratch),
      params({
        row0,
        rows,
        column0: first,
        columns4,
        C4,
        V4,
        baseX,
        baseW,
        hasEntropy: dEntropy !== undefined,
        temperature,
      }),
    ],
    workgroups: registerTiles(rows, columns, tileLogits),
  });
  gpu.dispatch({
    kernel: {
      name: "softmax_logprob/dx_texture",
      source: dxTextureSource,
      constants: { ...tileX, BROADCAST },
    },
    bindings: [
      texels(scratch),
      texels(W),
      write(dX),
      params({ row0, rows, column0: first, columns4, C4, V4, baseLogits, baseW }),
    ],
    workgroups: registerTiles(rows, C, tileX),
  });
  if (dW === undefined) return;
  gpu.dispatch({
    kernel: {
      name: "softmax_logprob/dw_texture",
      source: dwTextureSource,
      constants: { ...tileW, BROADCAST },
    },
    bindings: [
      texels(X),
      texels(scratch),
      write(dW),
      params({ row0, rows, columns4, C4, V4, baseX, baseLogits }),
    ],
    workgroups: registerTiles(C, columns, tileW),
  });
}

/** Workgroups across and down. */
const registerTiles = (rows: number, columns: number, { ROWS, J }: RegisterTile): [number, number] => [
  Math.ceil(columns / (32 * J)),
  Math.ceil(rows / ROWS),
];

/** One SIMD group of a software adapter, a few warps of a real one. */
export const workgroupSize = (gpu: Gpu) => gpu.isSoftware ? 8 : 64;
