/**
 * Functions of one tensor, element by element.
 *
 * @module
 */
import { unary as launchUnary, unaryBackward, type UnaryOp } from "../../../kernels/elementwise/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";

/** What {@linkcode unaryRule} needs beside its tensor. */
export interface UnaryAttributes {
  /** The function's name. */
  readonly op: UnaryOp;
  /** The factor of `scale`, the summand of `shift`, the lower bound of `clamp`. */
  readonly a?: number;
  /** The upper bound of `clamp`. */
  readonly b?: number;
}

/** Y = f(X) */
export const unaryRule: OpRule<[X: Tensor], [Y: Tensor], UnaryAttributes> = defineOp({
  name: "unary",
  arity: 1,
  forward(tape, [X], { op, a, b }) {
    const Y = tape.output(X.shape, `${op}(${X.label})`);
    launchUnary(tape.gpu, { X: X.data, Y: Y.data }, { op, a, b, n: sizeOf(X.shape) });
    return [Y];
  },
  backward(tape, { inputs: [X], attributes: { op, a, b } }, [dY]) {
    const dX = tape.gradientOf(X);
    unaryBackward(tape.gpu, { X: X.data, dY, dX }, { op, a, b, n: sizeOf(X.shape) });
    return [dX];
  },
});

/** e^X */
export function exp(tape: Tape, X: Tensor): Tensor {
  return tape.apply(unaryRule, [X], { op: "exp" })[0];
}

/** X^2 */
export function square(tape: Tape, X: Tensor): Tensor {
  return tape.apply(unaryRule, [X], { op: "square" })[0];
}

/** a X. The factor becomes part of a plan: not for one that changes every step. */
export function scale(tape: Tape, X: Tensor, a: number): Tensor {
  return tape.apply(unaryRule, [X], { op: "scale", a })[0];
}

/** X + a. The summand becomes part of a plan: not for one that changes every step. */
export function shift(tape: Tape, X: Tensor, a: number): Tensor {
  return tape.apply(unaryRule, [X], { op: "shift", a })[0];
}

/** X limited to [low, high]; no gradient flows when it is limited. */
export function clamp(tape: Tape, X: Tensor, low: number, high: number): Tensor {
  return tape.apply(unaryRule, [X], { op: "clamp", a: low, b: high })[0];
}
