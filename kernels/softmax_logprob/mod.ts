/**
 * The language head's last linear layer fused with log-softmax and the gather of the taken token, forward and backward.
 * Logits exist only tile by tile (forward) or for one chunk of rows (backward), never for all tokens at once.
 *
 * @module
 */
import {
  chooseRegisterTile,
  chooseVariant,
  type Gpu,
  params,
  read,
  type RegisterTile,
  requireSizes,
  roundUp,
  type Slice,
  texels,
  write,
} from "../gpu/mod.ts";
import dLogitsNaiveSource from "./dlogits_naive.wgsl" with { type: "text" };
import dLogitsTextureSource from "./dlogits_texture.wgsl" with { type: "text" };
import dwNaiveSource from "./dw_naive.wgsl" with { type: "text" };
import dwTextureSource from "./dw_texture.wgsl" with { type: "text" };
import dxNaiveSource from "./dx_naive.wgsl" with { type: "text" };
import dxTextureSource from "./dx_texture.wgsl" with { type: "text" };
import mergeSource from "./merge.wgsl" with { type: "text" };
import naiveSource from "./naive.wgsl" with { type: "text" };
import textureSource from "./texture.wgsl" with { type: "text" };
import { tiledChunk, tiledForward, tiledParts } from "./tiled.ts";

/** N tokens of width C, scored against a vocabulary of V. There may be no tokens. */
export interface LinearLogprobSize {
  readonly N: number;
  readonly C: number;
  readonly V: number;
  /** `naive`, or `texture` or `tiled` (C and V multiples of 4); by `PONDER_VARIANT`, adapter and shape when absent. */
  readonly variant?: string;
}

/** The same, with the settings of a launch. */
export interface LinearLogprobShape extends LinearLogprobSize {
  /** Logits are divided by it; above 0. */
  readonly temperature: number;
}

/** Operands of {@linkcode linearLogprob}. */
export interface LinearLogprobOperands {
  /** (N,C). */
  readonly X: Slice;
  /** (C,V), row-major. */
  readonly W: Slice;
  /** (N) u32, each below V. */
  readonly targets: Slice;
  /** (N), written: log-probability of the target. */
  readonly logprob: Slice;
  /** (N), written: log-sum-exp of the logits, for the backward. */
  readonly lse: Slice;
  /** (N), written: entropy in nats. */
  readonly entropy: Slice;
  /** Scratch of {@linkcode linearLogprobPartialsWords} words. */
  readonly partials: Slice;
}

/** Operands of {@linkcode linearLogprobBackward}. */
export interface LinearLogprobBackwardOperands {
  /** (N,C). */
  readonly X: Slice;
  /** (C,V), row-major. */
  readonly W: Slice;
  /** (N) u32, each below V. */
  readonly targets: Slice;
  /** (N), of the forward. */
  readonly lse: Slice;
  /** (N), of the forward. */
  readonly entropy: Slice;
  /** (N), gradient of the log-probabilities. */
  readonly dLogprob: Slice;
  /** (N), gradient of the entropies; absent when they are not part of the loss. */
  readonly dEntropy?: Slice;
  /** (N,C), written. */
  readonly dX: Slice;
  /** (C,V), accumulated into; absent when the head is frozen. */
  readonly dW?: Slice;
  /** Scratch of {@linkcode linearLogprobScratchWords} words: dLogits of one chunk of rows. */
  readonly scratch: Slice;
}

/** Words of `partials` that {@linkcode linearLogprob} needs on a GPU; without one, on any and in any variant. */
export function linearLogprobPartialsWords(shape: LinearLogprobSize, gpu?: Gpu): number {
  if (shape.N === 0) return 0;
  const variants = gpu ? [choose("linearLogprob", gpu, shape)] : Object.keys(PARTS);
  return 4 * shape.N * Math.max(...variants.map((variant) => PARTS[variant](shape)));
}

/** Partial results a row has, by variant. */
const PARTS: Readonly<Record<string, (shape: LinearLogprobSize) => number>> = {
  naive: (shape) => naivePanels(shape).panels,
  texture: (shape) => 8 * texturePanels(shape).panels,
  tiled: tiledParts,
};

/** Largest C: llvmpipe silently ends all loops of an invocation after 65535 rounds in sum, and panels are one column. */
const MAX_C = 65_000;
/** Largest V of the backward, whose sums over the vocabulary take four terms a round. */
const MAX_BACKWARD_V = 262_000;

/** Columns are split into panels so that no invocation loops too long. */
function naivePanels({ C, V }: { C: number; V: number }) {
  const panelColumns = Math.max(1, Math.min(V, Math.floor(32768 / (C + 1))));
  return { panelColumns, panels: Math.ceil(V / panelColumns) };
}

/** Rows of the forward's tiles: with 32, whose statistics are unrolled, the kernel takes twice as long to compile. */
const MAX_ROWS = 16;

/** Words of W that a panel's workgroups, one for each tile of rows, read in turn from the caches of a core. */
const PANEL_WORDS = 1 << 17;

/** Tile and panels of the `texture` variant: blocks of columns are dealt to enough panels to occupy the machine. */
function texturePanels({ N, C, V }: { N: number; C: number; V: number }) {
  const { ROWS, J } = chooseRegisterTile({ rows: N, columns: V }, MAX_ROWS);
  const blocks = Math.ceil(V / (32 * J));
  const blocksPerPanel = Math.max(
    1,
    Math.min(
      Math.floor(blocks / Math.max(1, Math.ceil(32 / Math.ceil(N / ROWS)))),
      Math.floor(PANEL_WORDS / (32 * J * C)),
      // No invocation may loop too long here either.
      Math.floor(32768 / (C / 4 + 2)),
    ),
  );
  return { ROWS, J, blocksPerPanel, panels: Math.ceil(blocks / blocksPerPanel) };
}

/** At most this many words (4 MiB) of dLogits exist at a time, as long as that is 16 rows. */
const SCRATCH_LIMIT_WORDS = 1 << 20;

/** At most this many rows: what a sum over a chunk's rows may loop. */
const MAX_CHUNK_ROWS = 1 << 15;

/** Rows of a backward chunk: half of the tokens, rounded up to whole tiles of 16, or as many as the limits allow. */
function chunkRows({ N, V }: Pick<LinearLogprobShape, "N" | "V">): number {
  const limit = Math.max(16, Math.floor(SCRATCH_LIMIT_WORDS / V / 16) * 16);
  return Math.min(N, limit, MAX_CHUNK_ROWS, roundUp(Math.ceil(N / 2), 16));
}

/** Words of `scratch` that {@linkcode linearLogprobBackward} needs: half of N V or less, give or take a tile of rows. */
export function linearLogprobScratchWords(shape: Pick<LinearLogprobShape, "N" | "V">): number {
  return chunkRows(shape) * shape.V;
}

/**
 * Log-probabilities of the targets under softmax(X W / temperature), with log-sum-exp and entropy.
 *
 * @throws {RangeError} when a size is no whole number, an operand is too small, the temperature is not positive, an
 * explicit variant cannot do the shape, or a dimension is too large for a software adapter.
 */
export function linearLogprob(gpu: Gpu, operands: LinearLogprobOperands, shape: LinearLogprobShape): void {
  const { X, W, targets, logprob, lse, entropy, partials } = operands;
  const { N, C, V, temperature } = shape;
  requireSizes("run linearLogprob", { C, V }, { N });
  checkShape("linearLogprob", gpu, shape, {
    X: [X, N * C],
    W: [W, C * V],
    targets: [targets, N],
    logprob: [logprob, N],
    lse: [lse, N],
    entropy: [entropy, N],
    partials: [partials, linearLogprobPartialsWords(shape, gpu)],
  });
  if (N === 0) return;
  const variant = choose("linearLogprob", gpu, shape);
  const WORKGROUP = workgroupSize(gpu);
  if (variant === "tiled") {
    tiledForward(gpu, operands, shape);
  } else if (variant === "texture") {
    const { ROWS, J, panels, blocksPerPanel } = texturePanels(shape);
    gpu.dispatch({
      kernel: {
        name: "softmax_logprob/texture",
        source: textureSource,
        constants: { ROWS, J, BROADCAST: gpu.canBroadcast },
      },
      bindings: [
        texels(X),
        texels(W),
        read(targets),
        write(partials),
        params([N, C / 4, V / 4, X.offset / 4, W.offset / 4, blocksPerPanel], [temperature]),
      ],
      workgroups: [Math.ceil(N / ROWS), panels],
    });
  } else {
    const { panels, panelColumns } = naivePanels(shape);
    gpu.dispatch({
      kernel: { name: "softmax_logprob/naive", source: naiveSource, constants: { WORKGROUP } },
      bindings: [
        read(X),
        read(W),
        read(targets),
        write(partials),
        params([N, C, V, panelColumns], [temperature]),
      ],
      workgroups: [Math.ceil(N / WORKGROUP), panels],
    });
  }
  const parts = PARTS[variant](shape);
  gpu.dispatch({
    kernel: { name: "softmax_logprob/merge", source: mergeSource, constants: { WORKGROUP } },
    bindings: [read(partials), write(logprob), write(lse), write(entropy), params([N, parts])],
    workgroups: [Math.ceil(N / WORKGROUP)],
  });
}

/**
 * dX, and what dW gains, from the gradients of the log-probabilities and entropies.
 *
 * @throws {RangeError} as {@linkcode linearLogprob} does.
 */
export function linearLogprobBackward(
  gpu: Gpu,
  operands: LinearLogprobBackwardOperands,
  shape: LinearLogprobShape,
): void {
  const { X, W, targets, lse, entropy, dLogprob, dEntropy, dX, dW, scratch } = operands;
  const { N, C, V } = shape;
  requireSizes("run linearLogprobBackward", { C, V }, { N });
  checkShape("linearLogprobBackward", gpu, shape, {
    X: [X, N * C],
    W: [W, C * V],
    targets: [targets, N],
    lse: [lse, N],
    entropy: [entropy, N],
    dLogprob: [dLogprob, N],
    dX: [dX, N * C],
    scratch: [scratch, linearLogprobScratchWords(shape)],
    ...(dEntropy && { dEntropy: [dEntropy, N] }),
    ...(dW && { dW: [dW, C * V] }),
  });
  const variant = choose("linearLogprobBackward", gpu, shape);
  const launch = { tiled: tiledChunk, texture: textureChunk }[variant] ?? naiveChunk;
  const step = chunkRows(shape);
  for (let row0 = 0; row0 < N; row0 += step) {
    launch(gpu, operands, { ...shape, row0, rows: Math.min(step, N - row0) });
  }
}

/** Rows `row0` to `row0 + rows - 1` of the backward. */
export interface LinearLogprobChunk extends LinearLogprobShape {
  readonly row0: number;
  readonly rows: number;
}

function naiveChunk(
  gpu: Gpu,
  { X, W, targets, lse, entropy, dLogprob, dEntropy, dX, dW, scratch }: LinearLogprobBackwardOperands,
  { C, V, temperature, row0, rows }: LinearLogprobChunk,
): void {
  const WORKGROUP = workgroupSize(gpu);
  gpu.dispatch({
    kernel: { name: "softmax_logprob/dlogits_naive", source: dLogitsNaiveSource, constants: { WORKGROUP } },
    bindings: [
      read(X),
      read(W),
      read(targets),
      read(lse),
      read(entropy),
      read(dLogprob),
      read(dEntropy ?? gpu.placeholder),
      write(scratch),
      params([row0, rows, C, V, dEntropy ? 1 : 0], [temperature]),
    ],
    workgroups: [Math.ceil(V / WORKGROUP), rows],
  });
  gpu.dispatch({
    kernel: { name: "softmax_logprob/dx_naive", source: dxNaiveSource, constants: { WORKGROUP } },
    bindings: [read(scratch), read(W), write(dX), params([row0, C, V])],
    workgroups: [Math.ceil(C / WORKGROUP), rows],
  });
  if (dW === undefined) return;
  gpu.dispatch({
    kernel: { name: "softmax_logprob/dw_naive", source: dwNaiveSource, constants: { WORKGROUP } },
    bindings: [read(X), read(scratch), write(dW), params([row0, rows, C, V])],
    workgroups: [Math.ceil(V / WORKGROUP), C],
  });
}

function textureChunk(
  gpu: Gpu,
  { X, W, targets, lse, entropy, dLogprob, dEntropy, dX, dW, scratch }: LinearLogprobBackwardOperands,
  { C, V, temperature, row0, rows }: LinearLogprobChunk,
): void {
  const [C4, V4, offsetX, offsetW, offsetLogits] = [C, V, X.offset, W.offset, scratch.offset].map((words) =>
    words / 4
  );
  const BROADCAST = gpu.canBroadcast;
  const tileLogits = chooseRegisterTile({ rows, columns: V });
  const tileX = chooseRegisterTile({ rows, columns: C });
  // The lanes of a workgroup read 8 texels, 32 rows of dW.
  const tileW = chooseRegisterTile({ rows: C, columns: V }, 32);
  gpu.dispatch({
    kernel: {
      name: "softmax_logprob/dlogits_texture",
      source: dLogitsTextureSource,
      constants: { ...tileLogits, BROADCAST },
    },
    bindings: [
      texels(X),
      texels(W),
      read(targets),
      read(lse),
      read(entropy),
      read(dLogprob),
      read(dEntropy ?? gpu.placeholder),
      write(scratch),
      params([row0, rows, C4, V4, offsetX, offsetW, dEntropy ? 1 : 0], [temperature]),
    ],
    workgroups: registerTiles(rows, V, tileLogits),
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
      params([row0, rows, C4, V4, offsetLogits, offsetW]),
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
      params([row0, rows, C4, V4, offsetX, offsetLogits]),
    ],
    workgroups: registerTiles(C, V, tileW),
  });
}

/** Workgroups across and down. */
const registerTiles = (rows: number, columns: number, { ROWS, J }: RegisterTile): [number, number] => [
  Math.ceil(columns / (32 * J)),
  Math.ceil(rows / ROWS),
];

/** One SIMD group of a software adapter, a few warps of a real one. */
const workgroupSize = (gpu: Gpu) => gpu.isSoftware ? 8 : 64;

/** What the `tiled` variant's backward can add on a software adapter: five rounds for 16 terms. */
const MAX_TILED_V = 200_000;

function choose(action: string, gpu: Gpu, { C, V, variant }: LinearLogprobSize): string {
  return chooseVariant(gpu, {
    kernel: "softmax_logprob",
    action: `run ${action} with (C,V) = (${C},${V})`,
    software: ["texture", "naive"],
    hardware: ["tiled", "naive"],
    variant,
    obstacle: (name) => {
      if (name === "naive") return null;
      if (C % 4 !== 0 || V % 4 !== 0) return "both must be multiples of 4";
      const isTooMuch = name === "tiled" && gpu.isSoftware && V > MAX_TILED_V;
      return isTooMuch ? `V must be at most ${MAX_TILED_V} on a software adapter` : null;
    },
  });
}

function checkShape(
  action: string,
  gpu: Gpu,
  { N, C, V, temperature }: LinearLogprobShape,
  operands: Record<string, [slice: Slice, words: number]>,
): void {
  if (!(temperature > 0)) {
    throw new RangeError(`Cannot run ${action} at temperature ${temperature}: it must be above 0`);
  }
  const maxV = action === "linearLogprobBackward" ? MAX_BACKWARD_V : Infinity;
  if (gpu.isSoftware && (C > MAX_C || V > maxV)) {
    throw new RangeError(
      `Cannot run ${action} with (C,V) = (${C},${V}): on a software adapter C must be at most ${MAX_C} and V at most ${maxV}`,
    );
  }
  for (const [name, [slice, words]] of Object.entries(operands)) {
    if (slice.length >= words) continue;
    throw new RangeError(
      `Cannot run ${action} with (N,C,V) = (${N},${C},${V}): ${name} (${slice.label}) must hold ${words} words, got ${slice.length}`,
    );
  }
}
