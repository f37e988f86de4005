/**
 * The block of GPT-2, for vision encoder and language model.
 *
 * Features: pre-LN, packed qkv, GELU (tanh form), MLP of width 4C unless said otherwise, biases, learned positions, no dropout.
 *
 * @module
 */
import {
  decodeScratchWords,
  decodesInOneLaunch,
  decodeStep,
  type DecodeStepShape,
} from "../../kernels/decode/mod.ts";
import { fixed } from "../../kernels/gpu/mod.ts";
import type { BlockContext, BlockKind, BlockSizes, BlockWork } from "../block.ts";
import type { DecodingState } from "../decode.ts";
import { linearSpecs, normSpecs, type Parameters, type ParameterSpec } from "../parameters.ts";
import { gatherRows, layernorm, linear, type Tape, type Tensor } from "../tape/mod.ts";
import type { Vlm } from "../vlm.ts";

/** The block of GPT-2. */
export const gptBlock: BlockKind = {
  name: "gpt",
  learnsPositions: true,

  specs(name: string, { width: C, layers, inner = 4 * C }: BlockSizes): ParameterSpec[] {
    // Residual branches shrink with depth (GPT-2).
    const residualGain = 1 / Math.sqrt(2 * layers);
    return [
      ...normSpecs(`${name}.norm_1`, C),
      ...linearSpecs(`${name}.attention.qkv`, C, 3 * C),
      ...linearSpecs(`${name}.attention.out`, C, C, residualGain),
      ...normSpecs(`${name}.norm_2`, C),
      ...linearSpecs(`${name}.mlp.up`, C, inner),
      ...linearSpecs(`${name}.mlp.down`, inner, C, residualGain),
    ];
  },

  /** x += out(attend(norm_1 x)); x += down(gelu(up(norm_2 x))) */
  forward(
    tape: Tape,
    parameters: Parameters,
    name: string,
    X: Tensor,
    { attend, epsilon, rows }: BlockContext,
  ): Tensor {
    const part = (layer: string) => parameters.affine(`${name}.${layer}`);
    const QKV = linear(tape, layernorm(tape, X, part("norm_1"), epsilon), part("attention.qkv")); // (..,3C)
    let attended = attend(QKV); // (..,C)
    if (rows !== undefined) [X, attended] = [gatherRows(tape, X, rows), gatherRows(tape, attended, rows)];
    X = linear(tape, attended, part("attention.out"), { residual: X }); // (..,C)
    const hidden = linear(tape, layernorm(tape, X, part("norm_2"), epsilon), part("mlp.up"), { gelu: true }); // (..,4C)
    return linear(tape, hidden, part("mlp.down"), { residual: X }); // (..,C)
  },

  flops({ width: C, inner = 4 * C }: BlockSizes, { B, T, rows }: BlockWork): number {
    const qkv = 2 * B * T * C * 3 * C;
    const attention = 2 * B * T ** 2 * 2 * C; // scores, and the sum of values
    const rest = 2 * rows * C * (C + 2 * inner); // out, up, down
    return qkv + attention + rest;
  },

  normSpecs,

  norm: (tape, parameters, name, X, epsilon) => layernorm(tape, X, parameters.affine(name), epsilon),

  /** All blocks in one launch, on adapters where launches cost more than arithmetic. */
  fastDecode(vlm: Vlm, decoding: DecodingState): ((step: Tape) => Tensor) | null {
    const { gpu, config, parameters } = vlm;
    const { B, capacity } = decoding;
    const { width: C, heads: H, layers, vocabularySize: V } = config;
    const shape: DecodeStepShape = {
      B,
      C,
      H,
      layers,
      capacity,
      positions: config.contextLength,
      V,
      epsilon: config.normEpsilon,
    };
    if (!decodesInOneLaunch(gpu, shape)) return null;
    const offsets = fixed(decodeOffsets(vlm));
    return (step) => {
      const logits = step.output([B, V], "decode.logits");
      decodeStep(gpu, {
        parameters: parameters.values,
        offsets: step.indices(offsets, "decode.offsets"),
        current: decoding.current,
        position: decoding.position,
        cache: decoding.cache.data,
        scratch: step.output([decodeScratchWords(shape)], "decode.scratch").data,
        logits: logits.data,
      }, shape);
      return logits;
    };
  },
};

/** Where the parameters lie, in the order and unit that `decodeStep` wants. */
function decodeOffsets({ parameters, config }: Vlm): Uint32Array {
  const affine = (name: string) => [`${name}.weight`, `${name}.bias`];
  const names = ["language.token_embedding.weight", "language.position_embedding.weight"];
  for (let layer = 0; layer < config.layers; layer++) {
    for (const part of ["norm_1", "attention.qkv", "attention.out", "norm_2", "mlp.up", "mlp.down"]) {
      names.push(...affine(`language.blocks.${layer}.${part}`));
    }
  }
  names.push(...affine("language.norm"), "language.head.weight");
  return Uint32Array.from(names, (name) => parameters.get(name).data.offset / 4);
}
