/**
 * Adding to some neighbouring columns.
 *
 * @module
 */
import { addColumns as launchAdd, cutColumns } from "../../../kernels/columns/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { asMatrix, type Tensor } from "../tensor.ts";

/** What {@linkcode addColumns} needs beside tensors. */
export interface AddColumnsAttributes {
  /** The first column that is added to. */
  readonly column: number;
  /** Multiplies what is added. */
  readonly scale: number;
  /** Whether X's memory becomes the result's: X may then not be read any more. False when absent. */
  readonly inPlace?: boolean;
}

/** X (..,C) + scale Z (..,N), Z added from a column on. */
export function addColumns(tape: Tape, X: Tensor, Z: Tensor, attributes: AddColumnsAttributes): Tensor {
  return tape.apply(addColumnsRule, [X, Z], attributes)[0];
}

/** X (..,C), Z (..,N) -> Y = X, + scale Z from a column on */
export const addColumnsRule: OpRule<[X: Tensor, Z: Tensor], [Y: Tensor], AddColumnsAttributes> = defineOp({
  name: "addColumns",
  arity: 2,
  forward(tape, [X, Z], attributes) {
    const { inPlace = false } = attributes;
    const Y = inPlace ? tape.view(X, X.shape) : tape.output(X.shape, X.label);
    launchAdd(tape.gpu, { X: inPlace ? undefined : X.data, Z: Z.data, Y: Y.data }, shapeOf(X, Z, attributes));
    return [Y];
  },
  backward(tape, { inputs: [X, Z], attributes }, [dY]) {
    const dZ = Z.requiresGradient ? tape.gradientOf(Z) : null;
    if (dZ !== null) cutColumns(tape.gpu, { Y: dY, Z: dZ }, shapeOf(X, Z, attributes));
    return [X.requiresGradient ? dY : null, dZ];
  },
});

function shapeOf(X: Tensor, Z: Tensor, { column, scale }: AddColumnsAttributes) {
  const { rows: R, columns: C } = asMatrix(X);
  return { R, C, N: asMatrix(Z).columns, column, scale };
}
