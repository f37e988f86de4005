/**
 * The vision encoder: pixels to vision tokens.
 *
 * Features: per-image or fixed normalisation, linear patch embedding, learned positions, bidirectional pre-LN blocks.
 *
 * @module
 */
import { fixed } from "../kernels/gpu/mod.ts";
import { extractPatches, imageStatistics } from "../kernels/image/mod.ts";
import { block } from "./block.ts";
import { deriveSizes, type VlmConfig } from "./config.ts";
import type { Parameters } from "./parameters.ts";
import { attention, embed, layernorm, linear, reshape, type Tape, type Tensor } from "./tape/mod.ts";

/** `pixels` (images, S, S, 3) bytes -> vision tokens (images, patches, Cv). */
export function encodeImages(
  tape: Tape,
  parameters: Parameters,
  config: VlmConfig,
  { pixels, images }: { pixels: Uint8Array; images: number },
): Tensor {
  const { patches } = deriveSizes(config);
  const { visionHeads: heads, visionWidth: Cv, normEpsilon: epsilon } = config;
  const patchTokens = linear(
    tape,
    patchesOf(tape, config, { pixels, images }),
    parameters.affine("vision.patch_embedding"),
  ); // (images, patches, Cv)
  const rows = images * patches;
  let X = embed(
    tape,
    {
      tokens: null,
      positions: parameters.get("vision.position_embedding.weight"),
      images: reshape(tape, patchTokens, [rows, Cv]),
    },
    {
      sources: fixed(Int32Array.from({ length: rows }, (_, row) => -row - 1)),
      positions: fixed(Int32Array.from({ length: rows }, (_, row) => row % patches)),
      shape: [images, patches],
    },
  ); // (images, patches, Cv)
  const everywhere = fixed(new Uint32Array(images).fill(patches));
  for (let layer = 0; layer < config.visionLayers; layer++) {
    X = block(tape, parameters, `vision.blocks.${layer}`, X, {
      attend: (QKV) => attention(tape, QKV, { prefix: everywhere, length: everywhere, heads }),
      epsilon,
    });
  }
  return layernorm(tape, X, parameters.affine("vision.norm"), epsilon);
}

/** Normalised patches (images, patches, patchSize^2 * 3); nothing here is trained. */
export function patchesOf(
  tape: Tape,
  { imageSize: S, patchSize, imageNormalization }: Pick<
    VlmConfig,
    "imageSize" | "patchSize" | "imageNormalization"
  >,
  { pixels, images: B }: { pixels: Uint8Array; images: number },
): Tensor {
  const patches = tape.output([B, (S / patchSize) ** 2, patchSize ** 2 * 3], "patches");
  const packed = tape.indices(pixels, "pixels");
  const statistics = tape.scratch(B * 8, "image.statistics");
  imageStatistics(tape.gpu, { pixels: packed, statistics }, {
    B,
    S,
    perImage: imageNormalization === "per-image",
  });
  extractPatches(tape.gpu, { pixels: packed, statistics, patches: patches.data }, { B, S, patchSize });
  return patches;
}
