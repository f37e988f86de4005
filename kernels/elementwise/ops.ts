/** The elementwise ops: their names here, what they compute in `ops.wgsl`. */

import functions from "./ops.wgsl" with { type: "text" };

/** Functions of one value, in the order of their numbers in the shaders. GELU is the tanh form. */
export const unaryOps = [
  "exp",
  "log",
  "negate",
  "square",
  "gelu",
  "relu",
  "scale",
  "shift",
  "clamp",
  "copy",
] as const;
/** One of {@linkcode unaryOps}. */
export type UnaryOp = typeof unaryOps[number];

/** Functions of two values, in the order of their numbers in the shaders. */
export const binaryOps = ["add", "subtract", "multiply", "minimum", "maximum"] as const;
/** One of {@linkcode binaryOps}. */
export type BinaryOp = typeof binaryOps[number];

/** The number that an op has in `ops.wgsl`. */
export const opNumber = (op: UnaryOp | BinaryOp): number => ops.indexOf(op);
const ops: readonly string[] = [...unaryOps, ...binaryOps];

/** What the kernels of this folder include: the functions of the ops. */
export const includes: Readonly<Record<string, string>> = { "ops.wgsl": functions };
