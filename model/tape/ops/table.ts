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
import { asMatrix, formatShape, partsOf, type Tensor } from "../tensor.ts";
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
      const [, C] = table.shape;
      const Y = tape.output([...shape, C], "embedding");
      for (const { row0, rows, data } of partsOf(table)) {
        launchEmbedRows(tape.gpu, {
          sources: tape.indices(sources, "sources"),
          table: data,
          imageTokens: row0 === 0 ? images?.data : undefined,
          Y: Y.data,
        }, { N: sources.length, C, row0, rows });
      }
      return [Y];
    },
    backward(tape, { inputs: [table, images], attributes: { sources } }, [dY]) {
      for (const { row0, rows, gradient: dTable } of partsOf(table)) {
        if (dTable === null) continue;
        const part = table.parts === undefined
          ? table
          : { ...table, shape: [rows, table.shape[1]], label: `${table.label}.${row0}` };
        const inPart = (source: number) => source < row0 + rows ? source - row0 : -1;
        addRows(tape, part, { dTable, dY, sources, rowOf: table.parts && inPart, accumulate: true });
      }
      if (!images?.requiresGradient) return [null, null];
      const dImages = tape.gradientOf(images);
      const imageRow = (source: number) => -source - 1;
      addRows(tape, images, { dTable: dImages, dY, sources, rowOf: imageRow, accumulate: false });
      return [null, dImages];
    },
  });

function addRows(
  tape: Tape,
  { shape: [rows, C], label }: Tensor,
  { dTable, dY, sources, rowOf, accumulate }: {
    dTable: Slice;
    dY: Slice;
    sources: Int32Array;
    /** The row that a source names, negative for none of these; the source itself when absent. */
    rowOf?: (source: number) => number;
    accumulate: boolean;
  },
): void {
  // The starts, the items and the named rows, each from an offset at which a slice may begin.
  const itemsAt = roundUp(rows + 1, SLICE_ALIGNMENT_WORDS);
  const namedAt = itemsAt + roundUp(sources.length, SLICE_ALIGNMENT_WORDS);
  const buckets = tape.derived(sources, `d${label}.buckets`, (sources) => {
    const { starts, items, named } = bucketRows(rowOf === undefined ? sources : sources.map(rowOf), rows);
    const words = new Uint32Array(namedAt + sources.length).fill(rows, namedAt);
    words.set(starts);
    words.set(items, itemsAt);
    words.set(named, namedAt);
    return words;
  });
  sumRows(tape.gpu, {
    dY,
    starts: subslice(buckets, 0, rows + 1),
    items: subslice(buckets, itemsAt, sources.length),
    dTable,
    named: accumulate && sources.length < rows ? subslice(buckets, namedAt, sources.length) : undefined,
  }, { rows, C, accumulate });
}

/** Some neighbouring rows of a table: the classes `row0` to `row0 + rows - 1`. */
interface Piece {
  readonly row0: number;
  readonly rows: number;
  /** Their elements (rows,C). */
  readonly data: Slice;
  /** The gradient's, if the table is trained. */
  readonly gradient: Slice | null;
}

/** Pieces of at most `most` rows that start where slices may; the last ones by themselves if V is no multiple of 4. */
function piecesOf(table: Tensor, most: number): Piece[] {
  const [, C] = table.shape;
  let unit = 4;
  while (unit * C % SLICE_ALIGNMENT_WORDS !== 0) unit *= 2;
  const step = Math.max(unit, Math.floor(most / unit) * unit);
  return partsOf(table).flatMap(({ row0, rows: V, data, gradient }) => {
    const even = V % 4 === 0 ? V : Math.floor(V / unit) * unit;
    const pieces: Piece[] = [];
    const add = (first: number, rows: number) =>
      pieces.push({
        row0: row0 + first,
        rows,
        data: subslice(data, first * C, rows * C),
        gradient: gradient && subslice(gradient, first * C, rows * C),
      });
    for (let first = 0; first < even; first += step) add(first, Math.min(step, even - first));
    if (even < V) add(even, V - even);
    return pieces;
  });
}

/** Words of logits that are kept for the backward, 32 MiB; more are computed again there. */
const KEPT_LOGITS = 1 << 23;

/** Logits (..,V) of X (..,C) under a table (V,C); no gradient flows. */
export function tableLogits(tape: Tape, X: Tensor, table: Tensor): Tensor {
  const { rows: N, columns: C } = asMatrix(X);
  const [V] = table.shape;
  const Y = tape.output([...X.shape.slice(0, -1), V], "logits");
  const pieces = piecesOf(table, V);
  for (const { row0, rows, data } of pieces) {
    const Z = pieces.length === 1 ? Y : tape.output([N, rows], "logits.piece");
    matmul(tape.gpu, { A: X.data, B: data, C: Z.data }, { M: N, N: rows, K: C, transposeB: true });
    if (Z === Y) continue;
    placeLogits(tape.gpu, { Z: Z.data, Y: Y.data }, { N, columns: rows, column0: row0, V });
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
    const pieces = piecesOf(table, logitsPieceColumns(N));
    const most = N * Math.max(...pieces.map(({ rows }) => rows));
    const keeps = tape.records && N * V <= KEPT_LOGITS;
    const scratch = keeps ? null : tape.scratch(most, "logits.piece");
    pieces.forEach((piece, index) => {
      const Z = scratch ?? tape.save(N * piece.rows, "logits.piece");
      matmul(tape.gpu, { A: X.data, B: piece.data, C: Z }, {
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
  // Z = X table^T, again if it is large:  dX = dZ table, dtable += dZ^T X, piece by piece
  backward(
    tape,
    {
      inputs: [X, table],
      outputs: [, entropy],
      saved: [lse, ...logits],
      attributes: { targets, temperature },
    },
    [dLogprob, dEntropy],
  ) {
    const { rows: N, columns: C } = asMatrix(X);
    const dX = tape.gradientOf(X);
    const pieces = piecesOf(table, logitsPieceColumns(N));
    const most = N * Math.max(...pieces.map(({ rows }) => rows));
    const scratch = logits.length > 0 ? null : tape.scratch(most, "logits.piece");
    const dZ = tape.scratch(most, "dlogits.piece");
    pieces.forEach((piece, index) => {
      const { rows, row0, data: B, gradient } = piece;
      const Z = scratch ?? logits[index];
      if (scratch !== null) {
        matmul(tape.gpu, { A: X.data, B, C: Z }, { M: N, N: rows, K: C, transposeB: true });
      }
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
      if (gradient === null) return;
      matmul(tape.gpu, { A: dZ, B: X.data, C: gradient }, {
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
