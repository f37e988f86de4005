/**
 * Sizes of the compact vision-language model.
 *
 * Dimension letters used throughout: `B` batch, `T` positions of a sequence, `C` language width, `H` heads, `D` head
 * size (C/H), `V` vocabulary, `P` image tokens, `R` response positions; `N` rows of a flattened matrix.
 *
 * @module
 */

/** One model. Everything here is stored in a checkpoint's `config.json`. */
export interface VlmConfig {
  /** Side of the square RGB image in pixels. */
  readonly imageSize: number;
  /** Side of a patch in pixels. */
  readonly patchSize: number;
  /** `per-image` standardises each image's channels; `fixed` maps [0, 1] to [-1, 1]. */
  readonly imageNormalization: "per-image" | "fixed";
  /** Width of the vision encoder. */
  readonly visionWidth: number;
  /** Blocks of the vision encoder. */
  readonly visionLayers: number;
  /** Attention heads of the vision encoder. */
  readonly visionHeads: number;
  /** Side of the square of vision tokens merged into one image token. */
  readonly mergeFactor: number;
  /** V, a multiple of 32 (the tokenizer pads its vocabulary). */
  readonly vocabularySize: number;
  /** Longest sequence in positions, image tokens included. */
  readonly contextLength: number;
  /** C */
  readonly width: number;
  /** Blocks of the language model. */
  readonly layers: number;
  /** H */
  readonly heads: number;
  /** Hidden width of the value head. */
  readonly valueWidth: number;
  /** Added to the variance in norms. */
  readonly normEpsilon: number;
  /** Kind of the language model's blocks, by name; `gpt` unless said otherwise. */
  readonly block?: string;
}

/** Sizes by name, without the vocabulary. `nano` learns NumberLine in minutes on two CPU cores. */
export const modelPresets = {
  /** 0.5M parameters. */
  nano: {
    imageSize: 64,
    patchSize: 8,
    imageNormalization: "per-image",
    visionWidth: 64,
    visionLayers: 2,
    visionHeads: 2,
    mergeFactor: 2,
    contextLength: 96,
    width: 96,
    layers: 3,
    heads: 4,
    valueWidth: 128,
    normEpsilon: 1e-5,
  },
  /** 1M parameters: longer responses, more to know by heart. */
  "nano-wide": {
    imageSize: 64,
    patchSize: 8,
    imageNormalization: "per-image",
    visionWidth: 64,
    visionLayers: 2,
    visionHeads: 2,
    mergeFactor: 2,
    contextLength: 128,
    width: 128,
    layers: 4,
    heads: 4,
    valueWidth: 128,
    normEpsilon: 1e-5,
  },
  /** About 3M parameters. */
  micro: {
    imageSize: 64,
    patchSize: 8,
    imageNormalization: "per-image",
    visionWidth: 128,
    visionLayers: 4,
    visionHeads: 4,
    mergeFactor: 2,
    contextLength: 128,
    width: 192,
    layers: 5,
    heads: 6,
    valueWidth: 256,
    normEpsilon: 1e-5,
  },
  /** About 15M parameters. */
  mini: {
    imageSize: 96,
    patchSize: 8,
    imageNormalization: "per-image",
    visionWidth: 256,
    visionLayers: 4,
    visionHeads: 4,
    mergeFactor: 2,
    contextLength: 256,
    width: 384,
    layers: 6,
    heads: 6,
    valueWidth: 384,
    normEpsilon: 1e-5,
  },
} as const satisfies Record<string, Omit<VlmConfig, "vocabularySize">>;

/** A name in {@linkcode modelPresets}. */
export type ModelPreset = keyof typeof modelPresets;

/** Sizes that follow from a config. */
export interface VlmSizes {
  /** Patches along a side of the image. */
  readonly gridSide: number;
  /** Vision tokens of an image, gridSide^2. */
  readonly patches: number;
  /** P, tokens an image takes in the sequence. */
  readonly imageTokens: number;
}

/** Fields that count something; every other one is checked by name. */
const COUNTS = (Object.keys(modelPresets.nano) as (keyof typeof modelPresets.nano)[])
  .filter((name) => name !== "imageNormalization" && name !== "normEpsilon");

/**
 * Checks a config, which may come from a file, and derives the sizes that follow.
 *
 * @throws {RangeError} naming the field that is missing or does not fit.
 */
export function deriveSizes(config: VlmConfig): VlmSizes {
  const { imageSize, patchSize, mergeFactor, width, heads, visionWidth, visionHeads } = config;
  for (const name of [...COUNTS, "vocabularySize"] as const) {
    const value = config[name];
    if (!(Number.isInteger(value) && value > 0)) {
      throw new RangeError(`Cannot use this model: ${name} must be a positive integer, got ${value}`);
    }
  }
  if (!(config.normEpsilon > 0)) {
    throw new RangeError(`Cannot use this model: normEpsilon must be above 0, got ${config.normEpsilon}`);
  }
  if (!["per-image", "fixed"].includes(config.imageNormalization)) {
    throw new RangeError(
      `Cannot use this model: imageNormalization must be per-image or fixed, got ${config.imageNormalization}`,
    );
  }
  // Pixels are packed four bytes to a word, three to a pixel.
  requireMultiple("imageSize", imageSize, "a packed word", 2);
  requireMultiple("imageSize", imageSize, "patchSize", patchSize);
  requireMultiple("width", width, "heads", heads);
  requireMultiple("visionWidth", visionWidth, "visionHeads", visionHeads);
  const gridSide = imageSize / patchSize;
  requireMultiple("imageSize / patchSize", gridSide, "mergeFactor", mergeFactor);
  requireMultiple("width / heads", width / heads, "a vec4", 4);
  requireMultiple("visionWidth / visionHeads", visionWidth / visionHeads, "a vec4", 4);
  requireMultiple("vocabularySize", config.vocabularySize, "a vec4", 4);
  return { gridSide, patches: gridSide ** 2, imageTokens: (gridSide / mergeFactor) ** 2 };
}

function requireMultiple(name: string, value: number, divisorName: string, divisor: number): void {
  if (value % divisor === 0) return;
  throw new RangeError(
    `Cannot use this model: ${name} (${value}) must be a multiple of ${divisorName} (${divisor})`,
  );
}
