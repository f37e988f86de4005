/**
 * Gathering of distinct rows.
 *
 * @module
 */
import { gatherRows as launchGatherRows } from "../../../kernels/embedding/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { asMatrix, type Tensor } from "../tensor.ts";

/**
 * Distinct rows of X (..,C) by index (rows), zeros for -1 -> (rows,C).
 *
 * @throws {RangeError} when X lacks a row; in the backward, when a row is gathered twice.
 */
export function gatherRows(tape: Tape, X: Tensor, index: Int32Array): Tensor {
  return tape.apply(gatherRowsRule, [X], { index })[0];
}

/** X (..,C) -> Y (rows,C) = X[index]; the rows are distinct, so that the backward is a gather too */
export const gatherRowsRule: OpRule<[X: Tensor], [Y: Tensor], { readonly index: Int32Array }> = defineOp({
  name: "gatherRows",
  arity: 1,
  forward(tape, [X], { index }) {
    const { rows, columns: C } = asMatrix(X);
    const beyond = index.find((row) => row >= rows);
    if (beyond !== undefined) {
      throw new RangeError(`Cannot gather row ${beyond} of ${X.label}: it has ${rows} rows`);
    }
    const Y = tape.output([index.length, C], `${X.label}.rows`);
    launchGatherRows(tape.gpu, { X: X.data, index: tape.indices(index, "index"), Y: Y.data }, {
      rows: index.length,
      C,
    });
    return [Y];
  },
  backward(tape, { inputs: [X], attributes: { index } }, [dY]) {
    const { rows, columns: C } = asMatrix(X);
    const inverse = tape.derived(index, "inverse", (index) => inverseOf(index, rows, X.label));
    const dX = tape.gradientOf(X);
    launchGatherRows(tape.gpu, { X: dY, index: inverse, Y: dX }, { rows, C });
    return [dX];
  },
});

/** For each of `rows` rows its place in `index`, or -1. */
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
