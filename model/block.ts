/**
 * The transformer block shared by the vision encoder and the language model.
 *
 * Features: pre-LN, packed qkv, GELU (tanh form), MLP of width 4C, no dropout.
 *
 * @module
 */
import type { Parameters } from "./parameters.ts";
import { gatherRows, layernorm, linear, type Tape, type Tensor } from "./tape/mod.ts";

/** How a block's positions exchange information: packed QKV (..,3C) -> (..,C). */
export type Attend = (QKV: Tensor) => Tensor;

/**
 * x += out(attend(norm_1 x)); x += down(gelu(up(norm_2 x))). X and result (..,C); with `rows`, positions of X that
 * nothing reads any more (all but these) end with the attention, and the result is (rows,C).
 */
export function block(
  tape: Tape,
  parameters: Parameters,
  name: string,
  X: Tensor,
  { attend, epsilon, rows }: { attend: Attend; epsilon: number; rows?: Int32Array },
): Tensor {
  const part = (layer: string) => parameters.affine(`${name}.${layer}`);
  const QKV = linear(tape, layernorm(tape, X, part("norm_1"), epsilon), part("attention.qkv")); // (..,3C)
  let attended = attend(QKV); // (..,C)
  if (rows !== undefined) [X, attended] = [gatherRows(tape, X, rows), gatherRows(tape, attended, rows)];
  X = linear(tape, attended, part("attention.out"), { residual: X }); // (..,C)
  const hidden = linear(tape, layernorm(tape, X, part("norm_2"), epsilon), part("mlp.up"), { gelu: true }); // (..,4C)
  return linear(tape, hidden, part("mlp.down"), { residual: X }); // (..,C)
}
