/**
 * Embedding of tokens, image rows and positions.
 *
 * @module
 */
import { roundUp, type Slice, SLICE_ALIGNMENT_WORDS, subslice } from "../../../kernels/gpu/mod.ts";
import { bucketRows, embed as launchEmbed, sumRows } from "../../../kernels/embedding/mod.ts";
import { defineOp, type Operand, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";

/** What {@linkcode embed} needs beside tensors. */
export interface EmbedAttributes {
  /** (N) token id, or -row-1 of the image tokens. */
  readonly sources: Int32Array;
  /** (N) row of the position table. */
  readonly positions: Int32Array;
  /** The result's shape without C. */
  readonly shape: readonly number[];
}

/**
 * Y[n] = source[n] + positions[position[n]], (..shape,C): token rows of `tokens` (V,C) or rows of `images` (rows,C), plus
 * rows of `positions` (positions,C). A table that no source names may be null.
 */
export function embed(
  tape: Tape,
  tables: { tokens: Tensor | null; positions: Tensor; images: Tensor | null },
  attributes: EmbedAttributes,
): Tensor {
  return tape.apply(embedRule, [tables.tokens, tables.positions, tables.images], attributes)[0];
}

/** tokenTable (V,C)?, positionTable (positions,C), imageTokens (rows,C)? -> Y[n] = source[n] + positionTable[position[n]] */
export const embedRule: OpRule<
  [tokens: Operand, positions: Tensor, images: Operand],
  [Y: Tensor],
  EmbedAttributes
> = defineOp({
  name: "embed",
  arity: 3,
  forward(tape, [tokenTable, positionTable, imageTokens], { sources, positions, shape }) {
    const C = positionTable.shape[1];
    const Y = tape.output([...shape, C], "embedding");
    launchEmbed(tape.gpu, {
      sources: tape.indices(sources, "sources"),
      positions: tape.indices(positions, "positions"),
      // Without tokens every source is an image row; any table of the right width stands in.
      tokenTable: tokenTable?.data ?? positionTable.data,
      positionTable: positionTable.data,
      imageTokens: imageTokens?.data ?? tape.gpu.placeholder,
      Y: Y.data,
    }, { N: sources.length, C });
    return [Y];
  },
  // Y[n] = table[index[n]]:  dtable[r] += sum of dY[n] over the n with index[n] = r
  backward(tape, { inputs: [tokenTable, positionTable, imageTokens], attributes }, [dY]) {
    const { sources, positions } = attributes;
    if (tokenTable?.gradient) {
      sumInto(tape, tokenTable, tokenTable.gradient, { dY, index: sources, accumulate: true });
    }
    if (positionTable.gradient) {
      sumInto(tape, positionTable, positionTable.gradient, { dY, index: positions, accumulate: true });
    }
    if (!imageTokens?.requiresGradient) return [null, null, null];
    const dImageTokens = tape.gradientOf(imageTokens);
    sumInto(tape, imageTokens, dImageTokens, { dY, index: sources, accumulate: false, rowOf: imageRow });
    return [null, null, dImageTokens];
  },
});

/** Sums rows of dY into the rows of a table's gradient that `index` names; `rowOf` makes rows of what it holds. */
function sumInto(
  tape: Tape,
  table: Tensor,
  dTable: Slice,
  { dY, index, accumulate, rowOf = (row) => row }: {
    readonly dY: Slice;
    readonly index: Int32Array;
    readonly accumulate: boolean;
    readonly rowOf?: (index: number) => number;
  },
): void {
  const [rows, C] = [sizeOf(table.shape.slice(0, -1)), table.shape[table.shape.length - 1]];
  // First the starts, then the items, from an offset at which a slice may begin. There is room for all indices.
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
