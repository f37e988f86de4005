/**
 * The ops as functions, so that models and losses read like formulas. Shapes are those of the op table.
 *
 * @module
 */
import { type BinaryOp, buildChain, type ChainValue, type UnaryOp } from "../../kernels/elementwise/mod.ts";
import type { ConvolutionAttributes } from "./ops_convolution.ts";
import type { SequenceAttributes } from "./ops_sequence.ts";
import type { Tape } from "./tape.ts";
import { sizeOf, type Tensor } from "./tensor.ts";

/** A weight (in, out) and its bias (out), null where there is none. */
export interface Affine {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
}

/** gelu?(X W + bias) + residual; X (..,K), W (K,N). */
export function linear(
  tape: Tape,
  X: Tensor,
  { weight, bias }: Affine,
  { gelu = false, residual = null }: { gelu?: boolean; residual?: Tensor | null } = {},
): Tensor {
  return tape.apply("linear", [X, weight, bias, residual], { gelu })[0];
}

/** Layer normalisation over the last dimension. */
export function layernorm(
  tape: Tape,
  X: Tensor,
  { weight, bias }: { weight: Tensor; bias: Tensor },
  epsilon: number,
): Tensor {
  return tape.apply("layernorm", [X, weight, bias], { epsilon })[0];
}

/** Multi-head attention of packed QKV (B,T,3C) -> (B,T,C). */
export function attention(tape: Tape, QKV: Tensor, attributes: SequenceAttributes["attention"]): Tensor {
  return tape.apply("attention", [QKV], attributes)[0];
}

/** Token or image rows plus position rows; see the op table. */
export function embed(
  tape: Tape,
  tables: { tokens: Tensor | null; positions: Tensor; images: Tensor | null },
  attributes: SequenceAttributes["embed"],
): Tensor {
  return tape.apply("embed", [tables.tokens, tables.positions, tables.images], attributes)[0];
}

/** Distinct rows of X by index, zeros for -1. */
export function gatherRows(tape: Tape, X: Tensor, index: Int32Array): Tensor {
  return tape.apply("gatherRows", [X], { index })[0];
}

/** (B,side^2,C) -> (B,(side/factor)^2,factor^2 C). */
export function pixelShuffleMerge(tape: Tape, X: Tensor, factor: number): Tensor {
  return tape.apply("pixelShuffleMerge", [X], { factor })[0];
}

/** The window at every position of NHWC images: (B,height,width,C) -> (B,outHeight,outWidth,kernelSize^2 C). */
export function unfold(tape: Tape, X: Tensor, window: ConvolutionAttributes["unfold"]): Tensor {
  return tape.apply("unfold", [X], window)[0];
}

/** gelu?(X * filters + bias) of NHWC images; weight (kernelSize^2 C, out) with rows in (ky,kx,c) order. */
export function convolution(
  tape: Tape,
  X: Tensor,
  filters: Affine,
  { gelu = false, ...window }: ConvolutionAttributes["unfold"] & { gelu?: boolean },
): Tensor {
  return linear(tape, unfold(tape, X, window), filters, { gelu });
}

/** Log-probabilities (N) of targets (N) under softmax(X W / temperature), and that distribution's entropies (N). */
export function linearLogprob(
  tape: Tape,
  X: Tensor,
  W: Tensor,
  attributes: { targets: Uint32Array; temperature: number },
): { logprob: Tensor; entropy: Tensor } {
  const [logprob, entropy] = tape.apply("linearLogprob", [X, W], attributes);
  return { logprob, entropy };
}

const unary = (op: UnaryOp) => (tape: Tape, X: Tensor, a?: number, b?: number): Tensor =>
  tape.apply("unary", [X], { op, a, b })[0];
const binary = (op: BinaryOp) => (tape: Tape, A: Tensor, B: Tensor): Tensor =>
  tape.apply("binary", [A, B], { op })[0];

/** e^X */
export const exp = unary("exp");
/** X^2 */
export const square = unary("square");
/** a X */
export const scale = unary("scale");
/** X + a */
export const shift = unary("shift");
/** X limited to [a, b] */
export const clamp = unary("clamp");
/** A + B */
export const add = binary("add");
/** A - B */
export const subtract = binary("subtract");
/** A B, elementwise */
export const multiply = binary("multiply");
/** The smaller of A and B, elementwise */
export const minimum = binary("minimum");
/** The larger of A and B, elementwise */
export const maximum = binary("maximum");

/**
 * Elementwise functions of tensors of one shape in one launch: `build` is given a value for each input and returns the
 * results, `(x, y) => [x.subtract(y).square()]`.
 */
export function chain(
  tape: Tape,
  inputs: readonly Tensor[],
  build: (...values: ChainValue[]) => readonly ChainValue[],
): Tensor[] {
  return tape.apply("chain", inputs, { chain: buildChain(inputs.length, build) });
}

/** Sums of rows: (..,C) -> (..). */
export function rowSum(tape: Tape, X: Tensor): Tensor {
  return tape.apply("rowSum", [X], {})[0];
}

/** scale * sum of all elements, a scalar. */
export function sum(tape: Tape, X: Tensor, scale = 1): Tensor {
  return tape.apply("sum", [X], { scale })[0];
}

/** The mean of all elements, a scalar. */
export function mean(tape: Tape, X: Tensor): Tensor {
  return sum(tape, X, 1 / sizeOf(X.shape));
}

/** The same data under another shape. */
export function reshape(tape: Tape, X: Tensor, shape: readonly number[]): Tensor {
  return tape.apply("reshape", [X], { shape })[0];
}
