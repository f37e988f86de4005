/**
 * The block of Llama, for language models: those of our own presets, SmolVLM (Idefics3) and nanoVLM.
 *
 * Features: pre-norm by RMS, packed qkv with fewer heads of keys and values than of queries, rotary positions by halves,
 * SwiGLU with packed gate and up, no biases.
 *
 * @module
 */
import type { BlockContext, BlockKind, BlockSizes, BlockWork } from "../block.ts";
import { adapterSpecs, addAdapters } from "../lora.ts";
import { linearStd, type Parameters, type ParameterSpec, specOf } from "../parameters.ts";
import { gatherRows, linear, rmsnorm, rotary, swiglu, type Tape, type Tensor } from "../tape/mod.ts";

const matrix = (name: string, rows: number, columns: number, gain = 1) =>
  specOf(`${name}.weight`, "matrix", [rows, columns], gain * linearStd(rows));
const norm = (name: string, width: number) => specOf(`${name}.weight`, "norm", [width]);

/** Widths of q, of k and of v, of the MLP, and the size of a head. */
function widthsOf({ width: C, heads: H, keyValueHeads: K = H, headSize: D = C / H, inner }: BlockSizes) {
  return { Q: H * D, E: K * D, D, K, I: inner ?? 4 * C };
}

/** The block of Llama. */
export const llamaBlock: BlockKind = {
  name: "llama",
  learnsPositions: false,

  specs(name: string, sizes: BlockSizes): ParameterSpec[] {
    const { width: C, layers } = sizes;
    const { Q, E, I } = widthsOf(sizes);
    // Residual branches shrink with depth (GPT-2).
    const residualGain = 1 / Math.sqrt(2 * layers);
    return [
      norm(`${name}.norm_1`, C),
      matrix(`${name}.attention.qkv`, C, Q + 2 * E),
      matrix(`${name}.attention.out`, Q, C, residualGain),
      norm(`${name}.norm_2`, C),
      matrix(`${name}.mlp.gate_up`, C, 2 * I),
      matrix(`${name}.mlp.down`, I, C, residualGain),
      ...adapterSpecs(name, sizes),
    ];
  },

  /** x += out(attend(turn(qkv(norm_1 x)))); x += down(silu(gate(norm_2 x)) up(norm_2 x)) */
  forward(
    tape: Tape,
    parameters: Parameters,
    name: string,
    X: Tensor,
    { sizes, attend, positions, rotaryTable, epsilon, rows }: BlockContext,
  ): Tensor {
    const weight = (layer: string) => parameters.get(`${name}.${layer}.weight`);
    const product = (layer: string, X: Tensor, residual: Tensor | null = null) => {
      const Y = linear(tape, X, { weight: weight(layer), bias: null }, { residual });
      return addAdapters(tape, parameters, { name, layer, sizes }, X, Y);
    };
    const { D, K } = widthsOf(sizes);
    const QKV = product("attention.qkv", rmsnorm(tape, X, weight("norm_1"), epsilon)); // (..,Q+2E)
    const rotated = sizes.heads + K;
    let attended = attend(rotary(tape, QKV, { positions, table: rotaryTable!, headSize: D, rotated })); // (..,Q)
    if (rows !== undefined) [X, attended] = [gatherRows(tape, X, rows), gatherRows(tape, attended, rows)];
    X = product("attention.out", attended, X); // (..,C)
    const gateUp = product("mlp.gate_up", rmsnorm(tape, X, weight("norm_2"), epsilon)); // (..,2I)
    return product("mlp.down", swiglu(tape, gateUp), X); // (..,C)
  },

  flops(sizes: BlockSizes, { B, T, rows }: BlockWork): number {
    const { width: C } = sizes;
    const { Q, E, I } = widthsOf(sizes);
    const qkv = 2 * B * T * C * (Q + 2 * E);
    const attention = 2 * B * T ** 2 * 2 * Q; // scores, and the sum of values
    return qkv + attention + 2 * rows * C * (Q + 3 * I); // out, gate, up, down
  },

  normSpecs: (name, width) => [norm(name, width)],

  norm: (tape, parameters, name, X, epsilon) => rmsnorm(tape, X, parameters.get(`${name}.weight`), epsilon),
};
