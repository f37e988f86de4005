/**
 * Autograd: tensors, the tape, and the ops as functions.
 *
 * @module
 */
export * from "./functions.ts";
export { Tape } from "./tape.ts";
export { asMatrix, formatShape, sizeOf, type Tensor } from "./tensor.ts";
