/**
 * What the op table holds for each op: its rule, forward beside backward.
 *
 * @module
 */
import type { Slice } from "../../kernels/gpu/mod.ts";
import type { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

/** An operand of an op; null where an optional one is absent. */
export type Operand = Tensor | null;

/** One recorded op. `saved` are slices that only its backward needs. */
export interface Call<Attributes> {
  readonly attributes: Attributes;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Tensor[];
  readonly saved: readonly Slice[];
}

/** What an op's rule is: forward beside backward. */
export interface Op<Attributes> {
  /** Launches the op; memory comes from `tape.output`, `tape.save` and `tape.scratch`. */
  forward(tape: Tape, inputs: readonly Operand[], attributes: Attributes): Tensor[];
  /**
   * Given the gradients of the outputs (null where none arrived), sums parameter gradients in place and returns the
   * gradient of every other input, null where none flows.
   */
  backward(tape: Tape, call: Call<Attributes>, dOutputs: readonly (Slice | null)[]): (Slice | null)[];
}
