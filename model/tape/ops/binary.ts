/**
 * Functions of two tensors, element by element.
 *
 * @module
 */
import { binary as launchBinary, binaryBackward, type BinaryOp } from "../../../kernels/elementwise/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { formatShape, sizeOf, type Tensor } from "../tensor.ts";

/** What {@linkcode binaryRule} needs beside its tensors. */
export interface BinaryAttributes {
  /** The function's name. */
  readonly op: BinaryOp;
}

/** Y = f(A, B), same shapes */
export const binaryRule: OpRule<[A: Tensor, B: Tensor], [Y: Tensor], BinaryAttributes> = defineOp({
  name: "binary",
  arity: 2,
  forward(tape, [A, B], { op }) {
    if (sizeOf(A.shape) !== sizeOf(B.shape)) {
      throw new RangeError(
        `Cannot ${op} ${A.label} ${formatShape(A.shape)} and ${B.label} ${
          formatShape(B.shape)
        }: shapes must match`,
      );
    }
    const Y = tape.output(A.shape, `${op}(${A.label},${B.label})`);
    launchBinary(tape.gpu, { A: A.data, B: B.data, Y: Y.data }, { op, n: sizeOf(A.shape) });
    return [Y];
  },
  backward(tape, { inputs: [A, B], attributes: { op } }, [dY]) {
    const dA = A.requiresGradient ? tape.gradientOf(A) : null;
    const dB = B.requiresGradient ? tape.gradientOf(B) : null;
    binaryBackward(
      tape.gpu,
      { A: A.data, B: B.data, dY, dA: dA ?? undefined, dB: dB ?? undefined },
      { op, n: sizeOf(A.shape) },
    );
    return [dA, dB];
  },
});

/** A + B, elementwise; throws a `RangeError` when the shapes differ, as all functions of two tensors do. */
export function add(tape: Tape, A: Tensor, B: Tensor): Tensor {
  return tape.apply(binaryRule, [A, B], { op: "add" })[0];
}

/** A - B, elementwise */
export function subtract(tape: Tape, A: Tensor, B: Tensor): Tensor {
  return tape.apply(binaryRule, [A, B], { op: "subtract" })[0];
}

/** A B, elementwise */
export function multiply(tape: Tape, A: Tensor, B: Tensor): Tensor {
  return tape.apply(binaryRule, [A, B], { op: "multiply" })[0];
}

/** The smaller of A and B, elementwise; the gradient goes to it, to A when they are equal. */
export function minimum(tape: Tape, A: Tensor, B: Tensor): Tensor {
  return tape.apply(binaryRule, [A, B], { op: "minimum" })[0];
}

/** The larger of A and B, elementwise; the gradient goes to it, to A when they are equal. */
export function maximum(tape: Tape, A: Tensor, B: Tensor): Tensor {
  return tape.apply(binaryRule, [A, B], { op: "maximum" })[0];
}
