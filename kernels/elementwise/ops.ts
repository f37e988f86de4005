/** Names of the elementwise ops. */

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
