/**
 * The projector: vision tokens to image tokens of the language model.
 *
 * Features: pixel-shuffle merge of a mergeFactor x mergeFactor square of tokens, then a two-layer MLP or one matrix.
 *
 * @module
 */
import { deriveSizes, type VlmConfig } from "./config.ts";
import { linearSpecs, linearStd, type Parameters, type ParameterSpec, specOf } from "./parameters.ts";
import { linear, pixelShuffleMerge, type Tape, type Tensor } from "./tape/mod.ts";

/** Parameters of the projector, in data-flow order. */
export function projectorSpecs(
  { mergeFactor, visionWidth: Cv, width: C, projector }: VlmConfig,
): ParameterSpec[] {
  const merged = mergeFactor ** 2 * Cv;
  if (projector === "linear") {
    return [specOf("projector.weight", "matrix", [merged, C], linearStd(merged))];
  }
  return [...linearSpecs("projector.up", merged, C), ...linearSpecs("projector.down", C, C)];
}

/** Vision tokens (images, patches, Cv) -> image tokens (images, P, C). */
export function projectImages(tape: Tape, parameters: Parameters, config: VlmConfig, X: Tensor): Tensor {
  const merged = pixelShuffleMerge(tape, X, config.mergeFactor); // (images, P, mergeFactor^2 Cv)
  if (config.projector === "linear") {
    return linear(tape, merged, { weight: parameters.get("projector.weight"), bias: null }); // (images, P, C)
  }
  const hidden = linear(tape, merged, parameters.affine("projector.up"), { gelu: true }); // (images, P, C)
  return linear(tape, hidden, parameters.affine("projector.down")); // (images, P, C)
}

/** Floating-point operations of projecting that many images. */
export function projectorFlops(config: VlmConfig, images: number): number {
  const { mergeFactor, visionWidth: Cv, width: C, projector } = config;
  const second = projector === "linear" ? 0 : C * C;
  return 2 * images * deriveSizes(config).imageTokens * (mergeFactor ** 2 * Cv * C + second);
}
