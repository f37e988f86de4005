/**
 * What an op is: a value with a forward rule and the backward rule beside it. The tape knows no op by name, so one that
 * is defined outside of this repository works like ours.
 *
 * @module
 */
import type { Slice } from "../../kernels/gpu/mod.ts";
import type { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

/** An operand of an op; null if an optional one is absent. */
export type Operand = Tensor | null;

/** How many operands an op takes; "any" for one that takes a list. */
export type Arity<Inputs extends readonly Operand[]> = number extends Inputs["length"] ? "any"
  : Inputs["length"];

/** A gradient for each operand, of the operand's shape; null if none flows. */
export type InputGradients<Inputs extends readonly Operand[]> = {
  readonly [Index in keyof Inputs]: Slice | null;
};

/** The gradient of each output. If there are several, one that has none is null. */
export type OutputGradients<Outputs extends readonly Tensor[]> = Outputs extends readonly [Tensor]
  ? readonly [dY: Slice]
  : { readonly [Index in keyof Outputs]: Slice | null };

/** One recorded op. */
export interface Call<Inputs extends readonly Operand[], Outputs extends readonly Tensor[], Attributes> {
  /** What the op was given beside tensors. */
  readonly attributes: Attributes;
  /** The operands. */
  readonly inputs: Inputs;
  /** What forward returned. */
  readonly outputs: Outputs;
  /** What `tape.save` gave the forward rule, in the same order. */
  readonly saved: readonly Slice[];
}

/** An op: its name in error messages, the number of its operands, forward beside backward. */
export interface OpRule<
  Inputs extends readonly Operand[],
  Outputs extends readonly Tensor[],
  Attributes = unknown,
> {
  /** As error messages have it. */
  readonly name: string;
  /** Number of operands, or "any". */
  readonly arity: Arity<Inputs>;
  /** Launches the op; memory comes from `tape.output`, `tape.save` and `tape.scratch`. */
  forward(tape: Tape, inputs: Inputs, attributes: Attributes): Outputs;
  /**
   * Computes gradients, given those of the outputs. It adds the gradients of parameters in place (`input.gradient`). It returns the
   * gradient of every other operand, in memory of `tape.gradientOf`, or null if none flows.
   */
  backward(
    tape: Tape,
    call: Call<Inputs, Outputs, Attributes>,
    dOutputs: OutputGradients<Outputs>,
  ): InputGradients<Inputs>;
}

/** The last argument of `tape.apply`: the op's attributes, nothing if its forward takes none. */
export type AttributeArguments<Attributes> = unknown extends Attributes ? [] : [attributes: Attributes];

/** Any op, as the tape records it. */
export interface AnyOpRule {
  /** See {@linkcode OpRule}. */
  readonly name: string;
  /** See {@linkcode OpRule}. */
  readonly arity: number | "any";
  /** See {@linkcode OpRule}. */
  forward(tape: Tape, inputs: readonly Operand[], attributes: unknown): readonly Tensor[];
  /** See {@linkcode OpRule}. */
  backward(
    tape: Tape,
    call: Call<readonly Operand[], readonly Tensor[], unknown>,
    dOutputs: readonly (Slice | null)[],
  ): readonly (Slice | null)[];
}

/**
 * Defines an op. `forward` says the types of operands, outputs and attributes, if it declares all its parameters' types;
 * otherwise an annotation `OpRule<…>` does. A backward rule that returns another number of gradients does not compile.
 *
 * @example An op of one operand, Y = 2 X
 * ```ts
 * import { unary } from "../../kernels/elementwise/mod.ts";
 * import { defineOp, sizeOf, type Tape, type Tensor } from "./mod.ts";
 *
 * const double = defineOp({
 *   name: "double",
 *   arity: 1,
 *   forward(tape: Tape, [X]: readonly [X: Tensor]) {
 *     const Y = tape.output(X.shape, "double");
 *     unary(tape.gpu, { X: X.data, Y: Y.data }, { op: "scale", a: 2, n: sizeOf(X.shape) });
 *     return [Y];
 *   },
 *   // Y = 2 X:  dX = 2 dY
 *   backward(tape, { inputs: [X] }, [dY]) {
 *     const dX = tape.gradientOf(X);
 *     unary(tape.gpu, { X: dY, Y: dX }, { op: "scale", a: 2, n: sizeOf(X.shape) });
 *     return [dX];
 *   },
 * });
 * double.name; // "double"; const [Y] = tape.apply(double, [X])
 * ```
 */
export function defineOp<
  Inputs extends readonly Operand[],
  const Outputs extends readonly Tensor[],
  Attributes,
>(rule: OpRule<Inputs, Outputs, Attributes>): OpRule<Inputs, Outputs, Attributes> {
  return rule;
}
