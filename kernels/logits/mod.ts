/**
 * What follows from logits that come in pieces of columns: log-probabilities and entropies, and their gradient. For
 * vocabularies of any size, whose head is (V,C) and may lie in several pieces of memory; products make the logits.
 *
 * @module
 */
import {
  chooseVariant,
  flatGrid,
  type Gpu,
  params,
  read,
  requireSizes,
  requireWords,
  type Slice,
  write,
} from "../gpu/mod.ts";
import gradientSource from "./gradient.wgsl" with { type: "text" };
import placeSource from "./place.wgsl" with { type: "text" };
import statisticsSource from "./statistics.wgsl" with { type: "text" };

/** A piece of each row's logits. */
export interface LogitsPiece {
  /** Rows. */
  readonly N: number;
  /** Columns of the piece. */
  readonly columns: number;
  /** Class of its first column. */
  readonly column0: number;
  /** Logits are divided by it; above 0. */
  readonly temperature: number;
  /** `naive`; `vec4` for columns a multiple of 4, or `workgroup`; by adapter and shape when absent. */
  readonly variant?: string;
}

/** Operands of {@linkcode logitStatistics}. */
export interface LogitStatisticsOperands {
  /** (N,columns), not yet divided by the temperature. */
  readonly Z: Slice;
  /** (N) u32, a class of each row. */
  readonly targets: Slice;
  /** (N,4): what the pieces so far add up to. Written by the first one, else read and written. */
  readonly state: Slice;
  /** (N), written with the last piece: log-probability of the target. */
  readonly logprob: Slice;
  /** (N), written with the last piece: log-sum-exp of the logits, for the backward. */
  readonly lse: Slice;
  /** (N), written with the last piece: entropy in nats. */
  readonly entropy: Slice;
}

/** Columns of a piece for all rows: what is made of it at a time stays within a few MiB. */
export function logitsPieceColumns(N: number): number {
  return Math.max(1024, Math.floor((1 << 21) / Math.max(1, N) / 64) * 64);
}

/** llvmpipe silently ends all loops of an invocation after 65535 rounds in sum; there are two walks of a piece. */
const MAX_SOFTWARE_COLUMNS = 32_000;

/**
 * Adds a piece to the statistics of its rows. After the `last` one they are log-probability, log-sum-exp and entropy.
 *
 * @throws {RangeError} when an operand is too short, the temperature is not positive, or the variant cannot do the shape.
 */
export function logitStatistics(
  gpu: Gpu,
  { Z, targets, state, logprob, lse, entropy }: LogitStatisticsOperands,
  piece: LogitsPiece & { readonly first: boolean; readonly last: boolean },
): void {
  const { N, columns, column0, temperature, first, last } = piece;
  const action = `take statistics of ${N} x ${columns} logits`;
  check(action, piece, [[Z, N * columns], [targets, N], [state, 4 * N], [logprob, N], [lse, N], [
    entropy,
    N,
  ]]);
  if (N === 0) return;
  const variant = chooseVariant(gpu, {
    kernel: "logits",
    action,
    software: ["vec4", "naive"],
    hardware: ["workgroup", "vec4", "naive"],
    variant: piece.variant,
    obstacle: (name) => name !== "vec4" || columns % 4 === 0 ? null : "columns must be a multiple of 4",
  });
  const VECTOR = variant !== "naive" && columns % 4 === 0;
  const width = VECTOR ? columns / 4 : columns;
  if (gpu.isSoftware && width > MAX_SOFTWARE_COLUMNS) {
    throw new RangeError(
      `Cannot ${action}: a software adapter takes ${MAX_SOFTWARE_COLUMNS} columns at once`,
    );
  }
  const isShared = variant === "workgroup";
  const WORKGROUP = isShared || !gpu.isSoftware ? 64 : 8;
  gpu.dispatch({
    kernel: {
      name: "logits/statistics",
      source: statisticsSource,
      constants: { VECTOR, LANES: isShared ? WORKGROUP : 0, WORKGROUP, FIRST: first, LAST: last },
    },
    bindings: [
      read(Z),
      read(targets),
      ...[state, logprob, lse, entropy].map(write),
      params({ N, columns: width, column0, temperature }),
    ],
    workgroups: isShared ? [N] : [Math.ceil(N / WORKGROUP)],
  });
}

/** Operands of {@linkcode logitGradient}. */
export interface LogitGradientOperands {
  /** (N,columns), as in the forward. */
  readonly Z: Slice;
  /** (N) u32, as in the forward. */
  readonly targets: Slice;
  /** (N), of the forward. */
  readonly lse: Slice;
  /** (N), of the forward. */
  readonly entropy: Slice;
  /** (N), gradient of the log-probabilities. */
  readonly dLogprob: Slice;
  /** (N), gradient of the entropies; absent when they are not part of the loss. */
  readonly dEntropy?: Slice;
  /** (N,columns), written: the gradient of Z. */
  readonly dZ: Slice;
}

/**
 * The gradient of a piece of logits from those of log-probabilities and entropies.
 *
 * @throws {RangeError} when an operand is too short, or the temperature is not positive.
 */
export function logitGradient(gpu: Gpu, operands: LogitGradientOperands, piece: LogitsPiece): void {
  const { Z, targets, lse, entropy, dLogprob, dEntropy = gpu.placeholder, dZ } = operands;
  const { N, columns, column0, temperature, variant } = piece;
  check(`take the gradient of ${N} x ${columns} logits`, piece, [
    [Z, N * columns],
    ...[targets, lse, entropy, dLogprob].map((slice) => [slice, N] as const),
    [dZ, N * columns],
  ]);
  const VECTOR = variant !== "naive" && columns % 4 === 0;
  const width = VECTOR ? columns / 4 : columns;
  gpu.dispatch({
    kernel: { name: "logits/gradient", source: gradientSource, constants: { VECTOR } },
    bindings: [
      ...[Z, targets, lse, entropy, dLogprob, dEntropy].map(read),
      write(dZ),
      params({
        n: N * width,
        columns: width,
        column0,
        hasEntropy: operands.dEntropy !== undefined,
        temperature,
      }),
    ],
    workgroups: N === 0 ? [0] : flatGrid(Math.ceil(N * width / 64)),
  });
}

/**
 * Y[n, column0 + c] = Z[n, c]: puts a piece of logits where it belongs in rows of V.
 *
 * @throws {RangeError} when an operand is too short.
 */
export function placeLogits(
  gpu: Gpu,
  { Z, Y }: { readonly Z: Slice; readonly Y: Slice },
  { N, columns, column0, V }: { N: number; columns: number; column0: number; V: number },
): void {
  requireWords(`place ${N} x ${columns} logits`, [[Z, N * columns], [Y, N * V]]);
  gpu.dispatch({
    kernel: { name: "logits/place", source: placeSource, constants: {} },
    bindings: [read(Z), write(Y), params({ n: N * columns, columns, column0, V })],
    workgroups: N === 0 ? [0] : flatGrid(Math.ceil(N * columns / 64)),
  });
}

function check(
  action: string,
  { N, columns, temperature }: LogitsPiece,
  words: readonly (readonly [Slice, number])[],
): void {
  requireSizes(action, { columns }, { N });
  requireWords(action, words);
  if (!(temperature > 0)) {
    throw new RangeError(`Cannot ${action}: the temperature is ${temperature}, it must be above 0`);
  }
}
