/**
 * Multi-head attention with a prefix that every query sees.
 *
 * @module
 */
import { attention as launchAttention, attentionBackward } from "../../../kernels/attention/mod.ts";
import { defineOp, type OpRule } from "../op.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";

/** What {@linkcode attention} needs beside tensors. */
export interface AttentionAttributes {
  /** (B) keys below it are visible to all queries, later ones causally. */
  readonly prefix: Uint32Array;
  /** (B) no key from here on is visible. */
  readonly length: Uint32Array;
  /** H; a head's size D is C/H. */
  readonly heads: number;
  /** K, heads of keys and values, which divide H; H when absent. */
  readonly keyValueHeads?: number;
}

/** Multi-head attention of packed QKV (B,T,C+2KD) -> (B,T,C). */
export function attention(tape: Tape, QKV: Tensor, attributes: AttentionAttributes): Tensor {
  return tape.apply(attentionRule, [QKV], attributes)[0];
}

/** QKV (B,T,C+2KD) with rows [q | k | v] -> Y (B,T,C) = softmax(q k^T / sqrt(D)) v per head */
export const attentionRule: OpRule<[QKV: Tensor], [Y: Tensor], AttentionAttributes> = defineOp({
  name: "attention",
  arity: 1,
  forward(tape, [QKV], { prefix, length, heads: H, keyValueHeads: K = H }) {
    const [B, T, width] = QKV.shape;
    const D = width / (H + 2 * K);
    const Y = tape.output([B, T, H * D], "attention");
    const lse = tape.save(B * H * T, "attention.lse");
    launchAttention(tape.gpu, {
      QKV: QKV.data,
      prefix: tape.indices(prefix, "prefix"),
      length: tape.indices(length, "length"),
      Y: Y.data,
      lse,
    }, { B, T, H, K, D });
    return [Y];
  },
  backward(tape, { inputs: [QKV], outputs: [Y], saved: [lse], attributes }, [dY]) {
    const { prefix, length, heads: H, keyValueHeads: K = H } = attributes;
    const [B, T, width] = QKV.shape;
    const dQKV = tape.gradientOf(QKV);
    attentionBackward(tape.gpu, {
      QKV: QKV.data,
      prefix: tape.indices(prefix, "prefix"),
      length: tape.indices(length, "length"),
      Y: Y.data,
      lse,
      dY,
      delta: tape.scratch(B * H * T, "attention.delta"),
      dQKV,
    }, { B, T, H, K, D: width / (H + 2 * K) });
    return [dQKV];
  },
});
