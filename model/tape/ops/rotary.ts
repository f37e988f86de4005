/**
 * Rotary position embedding.
 *
 * @module
 */
import type { Slice } from "../../../kernels/gpu/mod.ts";
import { rotary as launchRotary } from "../../../kernels/rotary/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { asMatrix, type Tensor } from "../tensor.ts";

/** What {@linkcode rotary} needs beside its tensor. */
export interface RotaryAttributes {
  /** u32, the position of each row. */
  readonly positions: Slice;
  /** (positions, D) of `rotaryTable`. */
  readonly table: Slice;
  /** D, size of a head. */
  readonly headSize: number;
  /** The first heads of a row, which turn; others are copied. */
  readonly rotated: number;
}

/** Turns pairs of the first heads of X (.., heads D) by the angles of their rows' positions. */
export function rotary(tape: Tape, X: Tensor, attributes: RotaryAttributes): Tensor {
  return tape.apply(rotaryRule, [X], attributes)[0];
}

/** X (.., heads D) -> Y, pairs (d, d + D/2) of the first heads turned */
export const rotaryRule: OpRule<[X: Tensor], [Y: Tensor], RotaryAttributes> = defineOp({
  name: "rotary",
  arity: 1,
  forward(tape, [X], attributes) {
    const Y = tape.output(X.shape, `${X.label}.rotated`);
    launchRotary(tape.gpu, { X: X.data, Y: Y.data, ...attributes }, shapeOf(X, attributes));
    return [Y];
  },
  // A turn's inverse is its transpose.
  backward(tape, { inputs: [X], attributes }, [dY]) {
    const dX = tape.gradientOf(X);
    launchRotary(tape.gpu, { X: dY, Y: dX, ...attributes }, { ...shapeOf(X, attributes), inverse: true });
    return [dX];
  },
});

function shapeOf(X: Tensor, { headSize: D, rotated }: RotaryAttributes) {
  const { rows: R, columns } = asMatrix(X);
  return { R, heads: columns / D, rotated, D };
}
