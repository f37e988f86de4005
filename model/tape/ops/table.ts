/**
 * A table (V,C) that reads words in and words out: embedding by row, and the output head of the same orientation, so that
 * one tensor can be both. V may be any number.
 *
 * @module
 */
import { bucketRows, embedRows as launchEmbedRows, sumRows } from "../../../kernels/embedding/mod.ts";
import { roundUp, type Slice, SLICE_ALIGNMENT_WORDS, subslice } from "../../../kernels/gpu/mod.ts";
import {
  logitGradient,
  logitsPieceColumns,
  logitStatistics,
  placeLogits,
} from "../../../kernels/logits/mod.ts";
import { matmul } from "../../../kernels/matmul/mod.ts";
import { defineOp, type Operand, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { asMatrix, formatShape, type Tensor } from "../tensor.ts";
import type { LinearLogprobAttributes } from "./linear_logprob.ts";

/** What {@linkcode embedRows} needs beside tensors. */
export interface EmbedRowsAttributes {
  /** (N) token id, or -row-1 of the image tokens. */
  readonly sources: Int32Array;
  /** The result's shape without C. */
  readonly shape: readonly number[];
}

/** Rows of `tokens` (V,C) or of `images` (rows,C) by index -> (..shape,C). No positions are added. */
export function embedRows(
  tape: Tape,
  { tokens, images }: { tokens: Tensor; images: Tensor | null },
  attributes: EmbedRowsAttributes,
): Tensor {
  return tape.apply(embedRowsRule, [tokens, images], attributes)[0];
}

/** table (V,C), imageTokens (rows,C)? -> Y[n] = row named by source[n] */
export const embedRowsRule: OpRule<[table: Tensor, images: Operand], [Y: Tensor], EmbedRowsAttributes> =
  defineOp({
    name: "embedRows",
    arity: 2,
    forward(tape, [table, images], { sources, shape }) {
      const [V, C] = table.shape;
      const Y = tape.output([...shape, C], "embedding");
      launchEmbedRows(tape.gpu, {
        sources: tape.indices(sources, "sources"),
        table: table.data,
        imageTokens: images?.data,
        Y: Y.data,
      }, { N: sources.length, C, row0: 0, rows: V });
      return [Y];
    },
    backward(tape, { inputs: [table, images], attributes: { sources } }, [dY]) {
      if (table.gradient) addRows(tape, table, { dTable: table.gradient, dY, sources, isImages: false });
      if (!images?.requiresGradient) return [null, null];
      const dImages = tape.gradientOf(images);
      addRows(tape, images, { dTable: dImages, dY, sources, isImages: true });
      return [null, dImages];
    },
  });

function addRows(
  tape: Tape,
  { shape: [rows, C], label }: Tensor,
  { dTable, dY, sources, isImages }: { dTable: Slice; dY: Slice; sources: Int32Array; isImages: boolean },
): void {
  const itemsAt = roundUp(rows + 1, SLICE_ALIGNMENT_WORDS);
  const buckets = tape.derived(sources, `d${label}.buckets`, (sources) => {
    const { starts, items } = bucketRows(isImages ? sources.map((source) => -source - 1) : sources, rows);
    const words = new Uint32Array(itemsAt + sources.length);
    words.set(starts);
    words.set(items, itemsAt);
    return words;
  });
  sumRows(tape.gpu, {
    dY,
    starts: subslice(buckets, 0, rows + 1),
    items: subslice(buckets, itemsAt, sources.length),
    dTable,
  }, { rows, C, accumulate: !isImages });
}

/** Some neighbouring rows of a table: the classes `row0` to `row0 + rows - 1`. */
interface Piece {
  readonly row0: number;
  readonly rows: number;
}

/** Pieces of at most `most` rows that start where slices may; the last ones by themselves if V is no multiple of 4. */
function piecesOf([V, C]: readonly number[], most: number): Piece[] {
  let unit = 4;
  while (unit * C % SLICE_ALIGNMENT_WORDS !== 0) unit *= 2;
  const even = V % 4 === 0 ? V : Math.floor(V / unit) * unit;
  const step = Math.max(unit, Math.floor(most / unit) * unit);
  const pieces: Piece[] = [];
  for (let row0 = 0; row0 < even; row0 += step) pieces.push({ row0, rows: Math.min(step, even - row0) });
  if (even < V) pieces.push({ row0: even, rows: V - even });
  return pieces;
}

const rowsOf = (slice: Slice, { row0, rows }: Piece, C: number) => subslice(slice, row0 * C, rows * C);

/** Logits (..,V) of X (..,C) under a table (V,C); no gradient flows. */
export function tableLogits(tape: Tape, X: Tensor, table: Tensor): Tensor {
  const { rows: N, columns: C } = asMatrix(X);
  const [V] = table.shape;
  const Y = tape.output([...X.shape.slice(0, -1), V], "logits");
  const pieces = piecesOf(table.shape, V);
  for (const piece of pieces) {
    const Z = pieces.length === 1 ? Y : tape.output([N, piece.rows], "logits.piece");
    matmul(tape.gpu, { A: X.data, B: rowsOf(table.data, piece, C), C: Z.data }, {
      M: N,
      N: piece.rows,
      K: C,
      transposeB: true,
    });
    if (Z === Y) continue;
    placeLogits(tape.gpu, { Z: Z.data, Y: Y.data }, { N, columns: piece.rows, column0: piece.row0, V });
  }
  return Y;
}

/** Log-probabilities (N) of targets (N) under softmax(X table^T / temperature), and entropies (N); X (N,C), table (V,C). */
export function tableLogprob(
  tape: Tape,
  X: Tensor,
  table: Tensor,
  attributes: LinearLogprobAttributes,
): { logprob: Tensor; entropy: Tensor } {
  const [logprob, entropy] = tape.apply(tableLogprobRule, [X, table], attributes);
  return { logprob, entropy };
}

/** X (N,C), table (V,C) -> logprob (N) = log softmax(X table^T / temperature)[target], entropy (N) */
export const tableLogprobRule: OpRule<
  [X: Tensor, table: Tensor],
  [logprob: Tensor, entropy: Tensor],
  LinearLogprobAttributes
> = defineOp({
  name: "tableLogprob",
  arity: 2,
  forward(tape, [X, table], { targets, temperature }) {
    const { rows: N, columns: C } = asMatrix(X);
    const [V, width] = table.shape;
    if (width !== C || targets.some((target) => !(target < V))) {
      throw new RangeError(
        `Cannot score ${X.label} ${formatShape(X.shape)} by ${table.label} ${formatShape(table.shape)}: ` +
          `widths must be equal, and targets 0 to ${V - 1}`,
      );
    }
    const [logprob, entropy] = [tape.output([N], "logprob"), tape.output([N], "entropy")];
    const lse = tape.save(N, "lse");
    const state = tape.scratch(4 * N, "logits.state");
    const pieces = piecesOf(table.shape, logitsPieceColumns(N));
    const Z = tape.scratch(N * Math.max(...pieces.map(({ rows }) => rows)), "logits.piece");
    pieces.forEach((piece, index) => {
      matmul(tape.gpu, { A: X.data, B: rowsOf(table.data, piece, C), C: Z }, {
        M: N,
        N: piece.rows,
        K: C,
        transposeB: true,
      });
      logitStatistics(tape.gpu, {
        Z,
        targets: tape.indices(targets, "targets"),
        state,
        logprob: logprob.data,
        lse,
        entropy: entropy.data,
      }, {
        N,
        columns: piece.rows,
        column0: piece.row0,
        temperature,
        first: index === 0,
        last: index === pieces.length - 1,
      });
    });
    return [logprob, entropy];
  },
  // Z = X table^T:  dX = dZ table, dtable += dZ^T X, piece by piece
  backward(
    tape,
    { inputs: [X, table], outputs: [, entropy], saved: [lse], attributes: { targets, temperature } },
    [dLogprob, dEntropy],
  ) {
    const { rows: N, columns: C } = asMatrix(X);
    const dX = tape.gradientOf(X);
    const pieces = piecesOf(table.shape, logitsPieceColumns(N));
    const most = N * Math.max(...pieces.map(({ rows }) => rows));
    const [Z, dZ] = [tape.scratch(most, "logits.piece"), tape.scratch(most, "dlogits.piece")];
    pieces.forEach((piece, index) => {
      const B = rowsOf(table.data, piece, C);
      const { rows, row0 } = piece;
      matmul(tape.gpu, { A: X.data, B, C: Z }, { M: N, N: rows, K: C, transposeB: true });
      logitGradient(tape.gpu, {
        Z,
        targets: tape.indices(targets, "targets"),
        lse,
        entropy: entropy.data,
        dLogprob: dLogprob ?? tape.zeros(N),
        dEntropy: dEntropy ?? undefined,
        dZ,
      }, { N, columns: rows, column0: row0, temperature });
      matmul(tape.gpu, { A: dZ, B, C: dX }, { M: N, N: C, K: rows, accumulate: index > 0 });
      if (!table.gradient) return;
      matmul(tape.gpu, { A: dZ, B: X.data, C: rowsOf(table.gradient, piece, C) }, {
        M: rows,
        N: C,
        K: N,
        transposeA: true,
        accumulate: true,
      });
    });
    return [dX, null];
  },
});
