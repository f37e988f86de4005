/**
 * The value head: what return the model expects after its prompt.
 *
 * Features: a two-layer MLP on the hidden state of the last prompt position. The warm start sends its gradient on into
 * the model, so that what the value depends on is there to be read; PPO detaches it, so that value errors do not
 * disturb the policy.
 *
 * @module
 */
import type { Parameters } from "./parameters.ts";
import { gatherRows, linear, reshape, type Tape, type Tensor } from "./tape/mod.ts";

/** Hidden states (rows, C) and the row of each last prompt position (B) -> values (B), in units of scaled return. */
export function valuesOf(tape: Tape, parameters: Parameters, hidden: Tensor, lastPrompt: Int32Array): Tensor {
  const features = gatherRows(tape, hidden, lastPrompt); // (B, C)
  const inner = linear(tape, features, parameters.affine("value_head.up"), { gelu: true }); // (B, valueWidth)
  const values = linear(tape, inner, parameters.affine("value_head.down")); // (B, 1)
  return reshape(tape, values, [lastPrompt.length]);
}
