/**
 * The projector: vision tokens to image tokens of the language model.
 *
 * Features: pixel-shuffle merge of a mergeFactor x mergeFactor square of tokens, then a two-layer MLP.
 *
 * @module
 */
import type { VlmConfig } from "./config.ts";
import type { Parameters } from "./parameters.ts";
import { linear, pixelShuffleMerge, type Tape, type Tensor } from "./tape/mod.ts";

/** Vision tokens (images, patches, Cv) -> image tokens (images, P, C). */
export function projectImages(tape: Tape, parameters: Parameters, config: VlmConfig, X: Tensor): Tensor {
  const merged = pixelShuffleMerge(tape, X, config.mergeFactor); // (images, P, mergeFactor^2 Cv)
  const hidden = linear(tape, merged, parameters.affine("projector.up"), { gelu: true }); // (images, P, C)
  return linear(tape, hidden, parameters.affine("projector.down")); // (images, P, C)
}
