/**
 * The vision encoder: pixels to vision tokens.
 *
 * Features: per-image or fixed normalisation, linear patch embedding, learned positions, bidirectional pre-LN blocks.
 *
 * @module
 */
import { fixed } from "../kernels/gpu/mod.ts";
import { extractPatches, imageStatistics } from "../kernels/image/mod.ts";
import { activationWords, type BlockSizes, runBlock } from "./block.ts";
import { gptBlock } from "./blocks/gpt.ts";
import { deriveSizes, type VlmConfig } from "./config.ts";
import { linearSpecs, normSpecs, type Parameters, type ParameterSpec, specOf } from "./parameters.ts";
import { attention, embed, layernorm, linear, reshape, type Tape, type Tensor } from "./tape/mod.ts";

/** Parameters of the vision encoder, in data-flow order. */
export function visionSpecs(config: VlmConfig): ParameterSpec[] {
  const { patches } = deriveSizes(config);
  const { patchSize, visionWidth: Cv, visionLayers } = config;
  const specs = linearSpecs("vision.patch_embedding", patchSize ** 2 * 3, Cv);
  specs.push(specOf("vision.position_embedding.weight", "position", [patches, Cv], 0.1));
  for (let layer = 0; layer < visionLayers; layer++) {
    specs.push(...gptBlock.specs(`vision.blocks.${layer}`, blockSizes(config)));
  }
  specs.push(...normSpecs("vision.norm", Cv));
  return specs;
}

/** `pixels` (images, S, S, 3) bytes -> vision tokens (images, patches, Cv). */
export function encodeImages(
  tape: Tape,
  parameters: Parameters,
  config: VlmConfig,
  { pixels, images }: { pixels: Uint8Array; images: number },
): Tensor {
  const { patches } = deriveSizes(config);
  const { visionHeads: heads, visionWidth: Cv, visionNormEpsilon: epsilon = config.normEpsilon } = config;
  const patchTokens = linear(
    tape,
    patchesOf(tape, config, { pixels, images }),
    parameters.affine("vision.patch_embedding"),
  ); // (images, patches, Cv)
  const rows = images * patches;
  const positions = fixed(Int32Array.from({ length: rows }, (_, row) => row % patches));
  let X = embed(
    tape,
    {
      tokens: null,
      positions: parameters.get("vision.position_embedding.weight"),
      images: reshape(tape, patchTokens, [rows, Cv]),
    },
    {
      sources: fixed(Int32Array.from({ length: rows }, (_, row) => -row - 1)),
      positions,
      shape: [images, patches],
    },
  ); // (images, patches, Cv)
  const everywhere = fixed(new Uint32Array(images).fill(patches));
  const sizes = blockSizes(config);
  const size = { rows, words: activationWords(gptBlock, sizes) };
  const context = { sizes, positions: tape.indices(positions, "positions"), epsilon };
  for (let layer = 0; layer < config.visionLayers; layer++) {
    X = runBlock(tape, X, size, (tape, X) =>
      gptBlock.forward(tape, parameters, `vision.blocks.${layer}`, X, {
        ...context,
        attend: (QKV) => attention(tape, QKV, { prefix: everywhere, length: everywhere, heads }),
      }));
  }
  return layernorm(tape, X, parameters.affine("vision.norm"), epsilon); // (images, patches, Cv)
}

/** Floating-point operations of encoding that many images. */
export function visionFlops(config: VlmConfig, images: number): number {
  const { patches } = deriveSizes(config);
  const { patchSize, visionWidth: Cv, visionLayers } = config;
  const embedding = 2 * images * patches * patchSize ** 2 * 3 * Cv;
  const work = { B: images, T: patches, rows: images * patches };
  return embedding + visionLayers * gptBlock.flops(blockSizes(config), work);
}

function blockSizes({ visionWidth, visionHeads, visionLayers, visionInnerWidth }: VlmConfig): BlockSizes {
  return { width: visionWidth, heads: visionHeads, layers: visionLayers, inner: visionInnerWidth };
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
