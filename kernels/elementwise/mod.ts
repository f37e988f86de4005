/**
 * Functions applied element by element, and their gradients. An output never shares a storage with an input, since WebGPU forbids
 * that within one dispatch. {@linkcode addInPlace} is the exception: it binds Y once, to read and write.
 *
 * @module
 */
import {
  type Binding,
  flatGrid,
  type Gpu,
  params,
  read,
  requireSizes,
  requireWords,
  type Slice,
  type WgslConstants,
  write,
} from "../gpu/mod.ts";
import addInPlaceSource from "./add_in_place.wgsl" with { type: "text" };
import binarySource from "./binary.wgsl" with { type: "text" };
import choiceSource from "./choice_backward.wgsl" with { type: "text" };
import { type BinaryOp, binaryOps, includes, opNumber, type UnaryOp, unaryOps } from "./ops.ts";
import unarySource from "./unary.wgsl" with { type: "text" };

export {
  applyChain,
  buildChain,
  type Chain,
  chainBackward,
  type ChainBackwardOperands,
  type ChainShape,
  type ChainStep,
  ChainValue,
} from "./chain.ts";
export { type BinaryOp, binaryOps, type UnaryOp, unaryOps } from "./ops.ts";

/** Sizes and options of {@linkcode unary} and {@linkcode unaryBackward}. */
export interface UnaryShape {
  /** What it computes. */
  readonly op: UnaryOp;
  /** Elements. */
  readonly n: number;
  /** The factor of `scale`, the summand of `shift`, the lower bound of `clamp`; 0 by default. */
  readonly a?: number;
  /** The upper bound of `clamp`; 0 by default. */
  readonly b?: number;
}

/** Y = f(X). The scalars `a` and `b` are interned: not for values that change every step. */
export function unary(gpu: Gpu, { X, Y }: { X: Slice; Y: Slice }, shape: UnaryShape): void {
  const { op, n, a = 0, b = 0 } = shape;
  launch(gpu, `take ${op}`, n, [X, Y], {
    name: "elementwise/unary",
    source: unarySource,
    constants: { OP: numberOf(op, unaryOps), BACKWARD: false },
    bindings: [read(X), write(Y), params({ n, a, b })],
  });
}

/** dX = dY * f'(X). The derivative of `clamp` is 1 strictly inside its bounds, else 0. That of `relu` is 0 at 0. */
export function unaryBackward(
  gpu: Gpu,
  { X, dY, dX }: { X: Slice; dY: Slice; dX: Slice },
  { op, n, a = 0, b = 0 }: UnaryShape,
): void {
  launch(gpu, `take the gradient of ${op}`, n, [X, dY, dX], {
    name: "elementwise/unary",
    source: unarySource,
    constants: { OP: numberOf(op, unaryOps), BACKWARD: true },
    bindings: [read(X), write(dX), params({ n, a, b }), read(dY)],
  });
}

/** Sizes and options of {@linkcode binary} and {@linkcode binaryBackward}. */
export interface BinaryShape {
  /** What it computes. */
  readonly op: BinaryOp;
  /** Elements. */
  readonly n: number;
}

/** Y = f(A, B). */
export function binary(
  gpu: Gpu,
  { A, B, Y }: { A: Slice; B: Slice; Y: Slice },
  { op, n }: BinaryShape,
): void {
  launch(gpu, op, n, [A, B, Y], {
    name: "elementwise/binary",
    source: binarySource,
    constants: { OP: numberOf(op, binaryOps) },
    bindings: [read(A), read(B), write(Y), params({ n })],
  });
}

/** What {@linkcode binaryBackward} reads and writes: `dA` and `dB` are each written when given. */
export interface BinaryBackwardOperands {
  /** (n), the first operand of the forward. */
  readonly A: Slice;
  /** (n), the second operand of the forward. */
  readonly B: Slice;
  /** (n), gradient of the result. */
  readonly dY: Slice;
  /** (n), written. */
  readonly dA?: Slice;
  /** (n), written. */
  readonly dB?: Slice;
}

/** dA = dY * df/dA, dB = dY * df/dB, one launch each; minimum and maximum give the gradient to the chosen one, ties to A. */
export function binaryBackward(gpu: Gpu, operands: BinaryBackwardOperands, { op, n }: BinaryShape): void {
  const { A, B, dY, dA, dB } = operands;
  numberOf(op, binaryOps);
  switch (op) {
    case "add":
    case "subtract":
      if (dA !== undefined) unary(gpu, { X: dY, Y: dA }, { op: "copy", n });
      if (dB !== undefined) unary(gpu, { X: dY, Y: dB }, { op: op === "add" ? "copy" : "negate", n });
      break;
    case "multiply":
      if (dA !== undefined) binary(gpu, { A: dY, B, Y: dA }, { op: "multiply", n });
      if (dB !== undefined) binary(gpu, { A: dY, B: A, Y: dB }, { op: "multiply", n });
      break;
    case "minimum":
    case "maximum":
      for (const [dX, FOR_B] of [[dA, false], [dB, true]] as const) {
        if (dX === undefined) continue;
        launch(gpu, `take the gradient of ${op}`, n, [A, B, dY, dX], {
          name: "elementwise/choice_backward",
          source: choiceSource,
          constants: { OP: opNumber(op), FOR_B },
          bindings: [read(A), read(B), read(dY), write(dX), params({ n })],
        });
      }
  }
}

/** Y += X. */
export function addInPlace(gpu: Gpu, { Y, X }: { Y: Slice; X: Slice }, { n }: { n: number }): void {
  launch(gpu, "add in place", n, [Y, X], {
    name: "elementwise/add_in_place",
    source: addInPlaceSource,
    constants: {},
    bindings: [read(X), write(Y), params({ n })],
  });
}

interface Launch {
  readonly name: string;
  readonly source: string;
  readonly constants: WgslConstants;
  readonly bindings: readonly Binding[];
}

/** Invocations of a workgroup. */
const WORKGROUP = 64;

/** The number of an op in the shaders. It is checked, since types do not keep JavaScript from naming an unknown op. */
function numberOf<Op extends UnaryOp | BinaryOp>(op: Op, ops: readonly Op[]): number {
  if (ops.includes(op)) return opNumber(op);
  throw new RangeError(`Cannot apply "${op}": there is no such op, use one of ${ops.join(", ")}`);
}

function launch(gpu: Gpu, action: string, n: number, slices: readonly Slice[], kernel: Launch): void {
  requireSizes(action, {}, { n });
  requireWords(action, slices.map((slice) => [slice, n] as const));
  // On llvmpipe a load or store is a loop over lanes, and every invocation begins with some: 1.1 to 1.4x with four vec4s.
  const PER_LANE = gpu.isSoftware ? 4 : 1;
  const constants = { ...kernel.constants, PER_LANE, RAGGED: n % 4 !== 0 };
  gpu.dispatch({
    kernel: { ...kernel, includes, constants },
    bindings: kernel.bindings,
    workgroups: flatGrid(Math.ceil(n / (4 * WORKGROUP * PER_LANE))),
  });
}
