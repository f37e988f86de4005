/**
 * The value head: the return that the model expects after what it read.
 *
 * Features: a two-layer MLP on hidden states, of the last prompt position or before every response token. In the warm start its
 * gradient reaches the model, so that hidden states hold what the value depends on. RL detaches it, so that value errors do not
 * disturb the policy.
 *
 * @module
 */
import type { VlmConfig } from "./config.ts";
import { linearSpecs, type Parameters, type ParameterSpec } from "./parameters.ts";
import { gatherRows, linear, multiply, reshape, type Tape, type Tensor } from "./tape/mod.ts";

/** Parameters of the value head, in data-flow order. */
export function valueHeadSpecs({ width: C, valueWidth }: VlmConfig): ParameterSpec[] {
  return [...linearSpecs("value_head.up", C, valueWidth), ...linearSpecs("value_head.down", valueWidth, 1)];
}

/** Hidden states (rows, C) and the row of each last prompt position (B) -> values (B), in units of scaled return. */
export function valuesOf(tape: Tape, parameters: Parameters, hidden: Tensor, lastPrompt: Int32Array): Tensor {
  const features = gatherRows(tape, hidden, lastPrompt); // (B, C)
  return reshape(tape, readValues(tape, parameters, features), [lastPrompt.length]);
}

/** Hidden states (B R, C) before each response token, and 1 or 0 for padding -> values (B, R), 0 for padding. */
export function tokenValuesOf(
  tape: Tape,
  parameters: Parameters,
  hidden: Tensor,
  { B, R, mask }: { B: number; R: number; mask: Float32Array },
): Tensor {
  const values = reshape(tape, readValues(tape, parameters, hidden), [B, R]);
  return multiply(tape, values, tape.constant(mask, [B, R], "mask"));
}

/** (rows, C) -> (rows, 1) */
function readValues(tape: Tape, parameters: Parameters, features: Tensor): Tensor {
  const inner = linear(tape, features, parameters.affine("value_head.up"), { gelu: true }); // (rows, valueWidth)
  return linear(tape, inner, parameters.affine("value_head.down")); // (rows, 1)
}

/** Floating-point operations of that many values. */
export function valueHeadFlops({ width: C, valueWidth }: VlmConfig, rows: number): number {
  return 2 * rows * (C * valueWidth + valueWidth);
}
