/**
 * Autograd: tensors, the tape, what an op is, and our ops.
 *
 * @module
 */
export {
  type AnyOpRule,
  type Arity,
  type AttributeArguments,
  type Call,
  defineOp,
  type InputGradients,
  type Operand,
  type OpRule,
  type OutputGradients,
} from "./op.ts";
// Each name is a row of the table.
export * from "./ops.ts";
export { type CheckedOperand, type CheckedOperands, checkGradients, type GradientError } from "./check.ts";
export { Tape } from "./tape.ts";
export { asMatrix, formatShape, partsOf, sizeOf, type Tensor, type TensorPart } from "./tensor.ts";
