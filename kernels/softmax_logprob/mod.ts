/**
 * The language head's last linear layer fused with log-softmax and the gather of the taken token, forward and backward.
 * Logits exist only tile by tile (forward) or for one chunk (backward), never all at once.
 *
 * @module
 */
import {
  chooseRegisterTile,
  chooseVariant,
  type Gpu,
  params,
  read,
  requireSizes,
  type Slice,
  subslice,
  texels,
  write,
} from "../gpu/mod.ts";
import mergeSource from "./merge.wgsl" with { type: "text" };
import naiveSource from "./naive.wgsl" with { type: "text" };
import textureSource from "./texture.wgsl" with { type: "text" };
import { chunkSize, linearLogprobScratchWords, naiveChunk, textureChunk, workgroupSize } from "./chunks.ts";
import { tiledChunk, tiledForward, tiledParts } from "./tiled.ts";

export { linearLogprobScratchWords };

/** N tokens of width C, scored against a vocabulary of V. There may be no tokens. */
export interface LinearLogprobSize {
  /** Tokens. */
  readonly N: number;
  /** Width of a token. */
  readonly C: number;
  /** Size of the vocabulary. */
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
  /** Scratch of {@linkcode linearLogprobScratchWords} words: dLogits of one chunk. */
  readonly scratch: Slice;
}

/** Words of `partials` that {@linkcode linearLogprob} needs on a GPU. Without `gpu`: on any GPU, in any variant. */
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

/**
 * Log-probabilities of the targets under softmax(X W / temperature), with log-sum-exp and entropy.
 *
 * @throws {RangeError} when a size is no whole number, an operand is too small, or the temperature is not positive; when
 * an explicit variant cannot do the shape, or a dimension is too large for a software adapter.
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
        params({
          N,
          C4: C / 4,
          V4: V / 4,
          baseX: X.offset / 4,
          baseW: W.offset / 4,
          blocksPerPanel,
          temperature,
        }),
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
        params({ N, C, V, panelColumns, temperature }),
      ],
      workgroups: [Math.ceil(N / WORKGROUP), panels],
    });
  }
  const parts = PARTS[variant](shape);
  gpu.dispatch({
    kernel: { name: "softmax_logprob/merge", source: mergeSource, constants: { WORKGROUP } },
    bindings: [read(partials), write(logprob), write(lse), write(entropy), params({ N, parts })],
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
  const size = chunkSize(shape);
  for (let column0 = 0; column0 < V; column0 += size.columns) {
    const columns = Math.min(size.columns, V - column0);
    const rest = C * V - column0;
    const part = { ...operands, W: subslice(W, column0, rest), dW: dW && subslice(dW, column0, rest) };
    for (let row0 = 0; row0 < N; row0 += size.rows) {
      launch(gpu, part, { ...shape, row0, rows: Math.min(size.rows, N - row0), column0, columns });
    }
  }
}

function choose(action: string, gpu: Gpu, { C, V, variant }: LinearLogprobSize): string {
  return chooseVariant(gpu, {
    kernel: "softmax_logprob",
    action: `run ${action} with (C,V) = (${C},${V})`,
    software: ["texture", "naive"],
    hardware: ["tiled", "naive"],
    variant,
    obstacle: (name) => name === "naive" || C % 4 + V % 4 === 0 ? null : "both must be multiples of 4",
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
  if (gpu.isSoftware && C > MAX_C) {
    throw new RangeError(
      `Cannot run ${action} with (C,V) = (${C},${V}): on a software adapter C must be at most ${MAX_C}`,
    );
  }
  for (const [name, [slice, words]] of Object.entries(operands)) {
    if (slice.length >= words) continue;
    throw new RangeError(
      `Cannot run ${action} with (N,C,V) = (${N},${C},${V}): ${name} (${slice.label}) must hold ${words} words, got ${slice.length}`,
    );
  }
}
