/**
 * Ops over positions: embedding, attention, row gathering, pixel-shuffle merge.
 *
 * @module
 */
import { attention, attentionBackward } from "../../kernels/attention/mod.ts";
import { bucketRows, embed, gatherRows, sumRows } from "../../kernels/embedding/mod.ts";
import { pixelShuffleMerge } from "../../kernels/image/mod.ts";
import type { Op, Tape } from "./tape.ts";
import { asMatrix, sizeOf, type Tensor } from "./tensor.ts";
import { roundUp, type Slice, SLICE_ALIGNMENT_WORDS, subslice } from "../../kernels/gpu/mod.ts";

export interface SequenceAttributes {
  /** `sources` (N): token id, or -row-1 of the image tokens; `positions` (N); `shape` of the result without C. */
  embed: { readonly sources: Int32Array; readonly positions: Int32Array; readonly shape: readonly number[] };
  /** `prefix`, `length` (B): keys below `prefix` are visible to all queries, later ones causally, none from `length`. */
  attention: { readonly prefix: Uint32Array; readonly length: Uint32Array; readonly heads: number };
  /** `index` (rows): distinct rows of X, or -1 for a row of zeros. */
  gatherRows: { readonly index: Int32Array };
  pixelShuffleMerge: { readonly factor: number };
}

export const sequenceOps: { readonly [Name in keyof SequenceAttributes]: Op<SequenceAttributes[Name]> } = {
  /** inputs tokenTable (V,C)?, positionTable (positions,C), imageTokens (rows,C)?;  Y[n] = source[n] + positionTable[position[n]] */
  embed: {
    forward(tape, [tokenTable, positionTable, imageTokens], { sources, positions, shape }) {
      const C = positionTable!.shape[1];
      const Y = tape.output([...shape, C], "embedding");
      embed(tape.gpu, {
        sources: tape.indices(sources, "sources"),
        positions: tape.indices(positions, "positions"),
        // Without tokens every source is an image row; any table of the right width stands in.
        tokenTable: tokenTable?.data ?? positionTable!.data,
        positionTable: positionTable!.data,
        imageTokens: imageTokens?.data ?? tape.gpu.placeholder,
        Y: Y.data,
      }, { N: sources.length, C });
      return [Y];
    },
    // Y[n] = table[index[n]]:  dtable[r] += sum of dY[n] over the n with index[n] = r
    backward(tape, { inputs: [tokenTable, positionTable, imageTokens], attributes }, [dY]) {
      const { sources, positions } = attributes;
      if (tokenTable?.gradient) sumInto(tape, tokenTable, tokenTable.gradient, dY!, sources, true);
      if (positionTable!.gradient) {
        sumInto(tape, positionTable!, positionTable!.gradient, dY!, positions, true);
      }
      if (!imageTokens?.requiresGradient) return [null, null, null];
      const dImageTokens = tape.gradientOf(imageTokens);
      sumInto(tape, imageTokens, dImageTokens, dY!, sources, false, imageRow);
      return [null, null, dImageTokens];
    },
  },

  /** inputs QKV (B,T,3C) with rows [q | k | v];  Y (B,T,C) = softmax(q k^T / sqrt(D)) v per head */
  attention: {
    forward(tape, [QKV], { prefix, length, heads: H }) {
      const [B, T, width] = QKV!.shape;
      const D = width / 3 / H;
      const Y = tape.output([B, T, H * D], "attention");
      const lse = tape.save(B * H * T, "attention.lse");
      attention(tape.gpu, {
        QKV: QKV!.data,
        prefix: tape.indices(prefix, "prefix"),
        length: tape.indices(length, "length"),
        Y: Y.data,
        lse,
      }, { B, T, H, D });
      return [Y];
    },
    backward(tape, { inputs: [QKV], outputs: [Y], saved: [lse], attributes }, [dY]) {
      const { prefix, length, heads: H } = attributes;
      const [B, T, width] = QKV!.shape;
      const dQKV = tape.gradientOf(QKV!);
      attentionBackward(tape.gpu, {
        QKV: QKV!.data,
        prefix: tape.indices(prefix, "prefix"),
        length: tape.indices(length, "length"),
        Y: Y.data,
        lse,
        dY: dY!,
        delta: tape.scratch(B * H * T, "attention.delta"),
        dQKV,
      }, { B, T, H, D: width / 3 / H });
      return [dQKV];
    },
  },

  /** inputs X (..,C);  Y (rows,C) = X[index], a gather of distinct rows, so that its backward is a gather too */
  gatherRows: {
    forward(tape, [X], { index }) {
      const { rows, columns: C } = asMatrix(X!);
      const beyond = index.find((row) => row >= rows);
      if (beyond !== undefined) {
        throw new RangeError(`Cannot gather row ${beyond} of ${X!.label}: it has ${rows} rows`);
      }
      const Y = tape.output([index.length, C], `${X!.label}.rows`);
      gatherRows(tape.gpu, { X: X!.data, index: tape.indices(index, "index"), Y: Y.data }, {
        rows: index.length,
        C,
      });
      return [Y];
    },
    backward(tape, { inputs: [X], attributes: { index } }, [dY]) {
      const { rows, columns: C } = asMatrix(X!);
      const inverse = tape.derived(index, "inverse", (index) => inverseOf(index, rows, X!.label));
      const dX = tape.gradientOf(X!);
      gatherRows(tape.gpu, { X: dY!, index: inverse, Y: dX }, { rows, C });
      return [dX];
    },
  },

  /** inputs X (B,side^2,C);  Y (B,(side/factor)^2,factor^2 C): each token concatenates a factor x factor square */
  pixelShuffleMerge: {
    forward(tape, [X], { factor }) {
      const [B, tokens, C] = X!.shape;
      const Y = tape.output([B, tokens / factor ** 2, C * factor ** 2], "merged");
      pixelShuffleMerge(tape.gpu, { X: X!.data, Y: Y.data }, {
        B,
        side: Math.sqrt(tokens),
        C,
        factor,
        inverse: false,
      });
      return [Y];
    },
    backward(tape, { inputs: [X], attributes: { factor } }, [dY]) {
      const [B, tokens, C] = X!.shape;
      const dX = tape.gradientOf(X!);
      pixelShuffleMerge(tape.gpu, { X: dY!, Y: dX }, {
        B,
        side: Math.sqrt(tokens),
        C,
        factor,
        inverse: true,
      });
      return [dX];
    },
  },
};

function sumInto(
  tape: Tape,
  table: Tensor,
  dTable: Slice,
  dY: Slice,
  index: Int32Array,
  accumulate: boolean,
  rowOf = (index: number) => index,
) {
  const [rows, C] = [sizeOf(table.shape.slice(0, -1)), table.shape[table.shape.length - 1]];
  // starts, then, from where a slice may begin, items: room for all indices, of which those of other tables take none.
  const itemsAt = roundUp(rows + 1, SLICE_ALIGNMENT_WORDS);
  const buckets = tape.derived(index, `d${table.label}.buckets`, (index) => {
    const { starts, items } = bucketRows(index.map(rowOf), rows);
    const words = new Uint32Array(itemsAt + index.length);
    words.set(starts);
    words.set(items, itemsAt);
    return words;
  });
  const starts = subslice(buckets, 0, rows + 1);
  const items = subslice(buckets, itemsAt, index.length);
  sumRows(tape.gpu, { dY, starts, items, dTable }, { rows, C, accumulate });
}

/** The row of image tokens that a source is, negative for those of a table. */
const imageRow = (source: number) => -source - 1;

/** Of each of `rows` rows, where `index` gathers it, or -1. */
function inverseOf(index: Int32Array, rows: number, label: string): Int32Array {
  const inverse = new Int32Array(rows).fill(-1);
  index.forEach((row, position) => {
    if (row < 0) return;
    if (inverse[row] !== -1) {
      throw new RangeError(`Cannot differentiate ${label}: row ${row} is gathered twice, gather it once`);
    }
    inverse[row] = position;
  });
  return inverse;
}
