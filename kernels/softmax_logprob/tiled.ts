/**
 * Launches of the `tiled` variant, for GPUs.
 *
 * @module
 */
import {
  chooseTile,
  countTiles,
  type Gpu,
  type KernelSource,
  params,
  type ProductShape,
  read,
  type Slice,
  stagedBlocks,
  subslice,
  type Tile,
  write,
} from "../gpu/mod.ts";
import { type LinearLogprobChunk, rowOperands } from "./chunks.ts";
import type { LinearLogprobBackwardOperands, LinearLogprobOperands, LinearLogprobShape } from "./mod.ts";
import source from "./tiled.wgsl" with { type: "text" };

/** Workgroups that occupy a GPU: two for each of about 128 cores. */
const ENOUGH_WORKGROUPS = 256;

/** Rounds of the forward's loops, as {@linkcode tiledPanels} deals them out. */
const MAX_PANEL_ROUNDS = 32_768;

/** The forward's tile, the tiles of columns that a workgroup walks, and the workgroups side by side. */
export function tiledPanels({ N, C, V }: Pick<LinearLogprobShape, "N" | "C" | "V">): {
  readonly tile: Tile;
  readonly tilesPerPanel: number;
  readonly panels: number;
} {
  const product = { rows: N, columns: V, terms: C };
  const tile = chooseTile(product, false);
  const [down, across] = countTiles(product, tile);
  const tilesPerPanel = Math.min(
    Math.ceil(across / Math.ceil(ENOUGH_WORKGROUPS / down)),
    Math.max(1, Math.floor(MAX_PANEL_ROUNDS / (Math.ceil(C / tile.DEPTH) + 2))),
  );
  return { tile, tilesPerPanel, panels: Math.ceil(across / tilesPerPanel) };
}

/** Parts of each row that {@linkcode tiledForward} leaves in `partials`. */
export function tiledParts(shape: Pick<LinearLogprobShape, "N" | "C" | "V">): number {
  const { tile, panels } = tiledPanels(shape);
  return panels * tile.X;
}

/** Writes `partials`, {@linkcode tiledParts} a row. */
export function tiledForward(
  gpu: Gpu,
  { X, W, targets, partials }: LinearLogprobOperands,
  shape: LinearLogprobShape,
): void {
  const { N, C, V, temperature } = shape;
  const { tile, tilesPerPanel, panels } = tiledPanels(shape);
  const [down] = countTiles({ rows: N, columns: V, terms: C }, tile);
  gpu.dispatch({
    kernel: kernel("forward", tile, {}),
    bindings: [
      read(X),
      read(W),
      write(partials),
      params({ ...NO_CHUNK, rows: N, columns: V, terms: C, bStride: V, tilesPerPanel, temperature }),
      read(targets),
    ],
    workgroups: [panels, down],
  });
}

/** One chunk of the backward: its dLogits, their dX, and what dW gains. */
export function tiledChunk(
  gpu: Gpu,
  operands: LinearLogprobBackwardOperands,
  { C, V, temperature, row0, rows, column0, columns }: LinearLogprobChunk,
): void {
  const { X, W, dEntropy, dX, dW, scratch } = operands;
  const X_rows = subslice(X, row0 * C, rows * C);
  const dLogits = subslice(scratch, 0, rows * columns);
  const logits = { rows, columns, terms: C };
  const tile = chooseTile(logits, false);
  const [down, across] = countTiles(logits, tile);
  gpu.dispatch({
    kernel: kernel("dlogits", tile, {}),
    bindings: [
      read(X_rows),
      read(W),
      write(dLogits),
      params({
        rows,
        columns,
        terms: C,
        bStride: V,
        resultStride: columns,
        row0,
        column0,
        tilesPerPanel: 1,
        hasEntropy: dEntropy !== undefined,
        temperature,
      }),
      ...rowOperands(gpu, operands),
    ],
    workgroups: [across, down],
  });
  const dX_rows = subslice(dX, row0 * C, rows * C);
  multiply(
    gpu,
    [dLogits, W, dX_rows],
    { rows, columns: C, terms: columns },
    { bStride: V, resultStride: C },
    {
      TRANSPOSE_B: true,
      ACCUMULATE: column0 > 0,
    },
  );
  if (dW === undefined) return;
  multiply(gpu, [X_rows, dLogits, dW], { rows: C, columns, terms: rows }, {
    bStride: columns,
    resultStride: V,
  }, {
    TRANSPOSE_A: true,
    ACCUMULATE: true,
  });
}

/** Parameters that an entry point does not read. */
const NO_CHUNK = { resultStride: 0, row0: 0, column0: 0, hasEntropy: false } as const;

type Flags = Partial<Record<"TRANSPOSE_A" | "TRANSPOSE_B" | "ACCUMULATE", boolean>>;

/** The strides are those of B and of the result, in words. */
function multiply(
  gpu: Gpu,
  [A, B, result]: readonly [A: Slice, B: Slice, result: Slice],
  shape: ProductShape,
  strides: { readonly bStride: number; readonly resultStride: number },
  flags: Flags,
): void {
  const { rows, columns, terms } = shape;
  const tile = chooseTile(shape, true);
  const [down, across] = countTiles(shape, tile);
  gpu.dispatch({
    kernel: kernel("product", tile, flags),
    bindings: [
      read(A),
      read(B),
      write(result),
      params({ ...NO_CHUNK, rows, columns, terms, ...strides, tilesPerPanel: 1, temperature: 1 }),
    ],
    workgroups: [across, down],
  });
}

function kernel(entryPoint: "forward" | "dlogits" | "product", tile: Tile, flags: Flags): KernelSource {
  return {
    name: "softmax_logprob/tiled",
    source,
    entryPoint,
    constants: {
      ...tile,
      STAGES: stagedBlocks(tile),
      GROUPS: tile.DEPTH / 4 / tile.SLICES,
      SUMS: 4 * tile.I * tile.J,
      FORWARD: entryPoint === "forward",
      DLOGITS: entryPoint === "dlogits",
      PRODUCT: entryPoint === "product",
      TRANSPOSE_A: false,
      TRANSPOSE_B: false,
      ACCUMULATE: false,
      ...flags,
    },
  };
}
