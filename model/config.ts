/**
 * Sizes of the compact vision-language model.
 *
 * Dimension letters used throughout: `B` batch, `T` positions of a sequence, `C` language width, `H` heads, `D` head
 * size (C/H), `V` vocabulary, `P` image tokens, `R` response positions; `N` rows of a flattened matrix.
 *
 * @module
 */
import type { LoraConfig } from "./lora.ts";
import { quote } from "./quote.ts";

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
  /** K, heads of keys and values of `llama` blocks, a divisor of `heads`; as many when absent. */
  readonly keyValueHeads?: number;
  /** D of `llama` blocks; width / heads when absent. */
  readonly headSize?: number;
  /** Width inside the MLP of `llama` blocks; 4 width when absent. */
  readonly innerWidth?: number;
  /** Base of rotary frequencies of `llama` blocks; 10000 when absent. */
  readonly ropeTheta?: number;
  /** Width inside the MLP of the vision encoder; 4 visionWidth when absent. */
  readonly visionInnerWidth?: number;
  /** As `normEpsilon`, of the vision encoder alone. */
  readonly visionNormEpsilon?: number;
  /** `mlp` has two layers with biases, `linear` one matrix; `mlp` when absent. */
  readonly projector?: "mlp" | "linear";
  /**
   * `matrix` is (C,V), `table` (V,C) as embeddings are, and `tied` is the token embedding itself; `matrix` when absent. With
   * the last two V may be any number.
   */
  readonly head?: "matrix" | "table" | "tied";
  /** Whether prompts see all of themselves, or each position only what came before; `prefix` when absent. */
  readonly promptAttention?: "prefix" | "causal";
  /** Adapters of `llama` blocks; none when absent. */
  readonly lora?: LoraConfig;
}

/**
 * Sizes by name, without the vocabulary. `nano` learns NumberLine in minutes on two CPU cores.
 *
 * @example
 * ```ts
 * import { deriveSizes, modelPresets } from "@ponder/ponder/model";
 *
 * const config = { ...modelPresets.nano, vocabularySize: 256 };
 * console.log(deriveSizes(config));
 * ```
 */
export const modelPresets = {
  /** 0.06M parameters: a run of seconds, to see that an environment or an algorithm works at all. */
  pico: {
    imageSize: 32,
    patchSize: 8,
    imageNormalization: "per-image",
    visionWidth: 32,
    visionLayers: 1,
    visionHeads: 2,
    mergeFactor: 2,
    contextLength: 96,
    width: 32,
    layers: 2,
    heads: 2,
    valueWidth: 32,
    normEpsilon: 1e-5,
  },
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
  /** As `nano`, with the parts of SmolVLM: Llama blocks, a projector of one matrix, a head that is a table, causal prompts. */
  "nano-llama": {
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
    block: "llama",
    keyValueHeads: 2,
    innerWidth: 256,
    projector: "linear",
    head: "table",
    promptAttention: "causal",
  },
  /** As `nano-llama`, with 1.2M parameters. */
  "micro-llama": {
    imageSize: 64,
    patchSize: 8,
    imageNormalization: "per-image",
    visionWidth: 96,
    visionLayers: 2,
    visionHeads: 3,
    mergeFactor: 2,
    contextLength: 128,
    width: 128,
    layers: 4,
    heads: 4,
    valueWidth: 128,
    normEpsilon: 1e-5,
    block: "llama",
    keyValueHeads: 2,
    innerWidth: 384,
    projector: "linear",
    head: "table",
    promptAttention: "causal",
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

/**
 * Smallest and largest value of every field that counts something. The bounds are far above the sizes that this code trains. They
 * keep a config from a file from costing time or memory before its weights are read.
 */
const COUNTS: Readonly<Record<CountField, readonly [min: number, max: number]>> = {
  imageSize: [2, 4096],
  patchSize: [1, 4096],
  visionWidth: [4, 65_536],
  visionLayers: [1, 1000],
  visionHeads: [1, 4096],
  mergeFactor: [1, 4096],
  vocabularySize: [4, 4_194_304],
  contextLength: [1, 4_194_304],
  width: [4, 65_536],
  layers: [1, 1000],
  heads: [1, 4096],
  valueWidth: [1, 65_536],
};

type CountField = {
  [Name in keyof VlmConfig]-?: VlmConfig[Name] extends number ? Name : never;
}[Exclude<keyof VlmConfig, "normEpsilon">];

/** The same of fields that may be absent. */
const OPTIONAL_COUNTS = {
  keyValueHeads: [1, 4096],
  headSize: [2, 128],
  innerWidth: [1, 262_144],
  ropeTheta: [1, 1_000_000_000],
  visionInnerWidth: [1, 262_144],
} as const satisfies Partial<Record<keyof VlmConfig, readonly [number, number]>>;

/** What fields that name something may be; the first stands for an absent one. */
const CHOICES = {
  projector: ["mlp", "linear"],
  head: ["matrix", "table", "tied"],
  promptAttention: ["prefix", "causal"],
} as const satisfies Partial<Record<keyof VlmConfig, readonly string[]>>;

/**
 * Requires a field of a config to be a whole number between two bounds.
 *
 * @throws {RangeError} naming the field.
 */
export function requireCount(name: string, value: unknown, [min, max]: readonly [number, number]): void {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return;
  throw new RangeError(
    `Cannot use this model: ${name} must be a whole number from ${min} to ${max}, got ${quote(value)}`,
  );
}

/**
 * Requires a value to be a way to normalise images.
 *
 * @throws {RangeError} naming the field.
 */
export function requireNormalization(value: unknown): void {
  if (value === "per-image" || value === "fixed") return;
  throw new RangeError(
    `Cannot use this model: imageNormalization must be per-image or fixed, got ${quote(value)}`,
  );
}

/**
 * Checks a config, which may come from a file, and derives the sizes that follow.
 *
 * @throws {RangeError} naming the field that is missing or does not fit.
 *
 * @example Image tokens follow from image, patch and merge
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { deriveSizes, modelPresets } from "@ponder/ponder/model";
 *
 * const config = { ...modelPresets.nano, vocabularySize: 256 };
 * const side = config.imageSize / config.patchSize / config.mergeFactor;
 * assertEquals(deriveSizes(config).imageTokens, side ** 2);
 * ```
 */
export function deriveSizes(config: VlmConfig): VlmSizes {
  if (typeof config !== "object" || config === null) {
    throw new RangeError(`Cannot use this model: its config must be an object, got ${quote(config)}`);
  }
  const { imageSize, patchSize, mergeFactor, width, heads, visionWidth, visionHeads, normEpsilon } = config;
  for (const [name, bounds] of Object.entries(COUNTS)) requireCount(name, config[name as CountField], bounds);
  if (!(typeof normEpsilon === "number" && normEpsilon > 0 && normEpsilon <= 1)) {
    throw new RangeError(
      `Cannot use this model: normEpsilon must be a number above 0, at most 1, got ${quote(normEpsilon)}`,
    );
  }
  requireNormalization(config.imageNormalization);
  requireOptional(config);
  // Pixels are packed four bytes to a word, three to a pixel.
  requireMultiple("imageSize", imageSize, "a packed word", 2);
  requireMultiple("imageSize", imageSize, "patchSize", patchSize);
  if (config.headSize === undefined) requireMultiple("width", width, "heads", heads);
  else requireMultiple("headSize", config.headSize, "a vec4", 4);
  requireMultiple("visionWidth", visionWidth, "visionHeads", visionHeads);
  const gridSide = imageSize / patchSize;
  requireMultiple("imageSize / patchSize", gridSide, "mergeFactor", mergeFactor);
  requireMultiple("width", width, "a vec4", 4);
  if (config.headSize === undefined) requireMultiple("width / heads", width / heads, "a vec4", 4);
  requireMultiple("visionWidth / visionHeads", visionWidth / visionHeads, "a vec4", 4);
  if ((config.head ?? "matrix") === "matrix") {
    requireMultiple("vocabularySize", config.vocabularySize, "a vec4", 4);
  }
  return { gridSide, patches: gridSide ** 2, imageTokens: (gridSide / mergeFactor) ** 2 };
}

function requireOptional(config: VlmConfig): void {
  for (const [name, bounds] of Object.entries(OPTIONAL_COUNTS)) {
    const value = config[name as keyof typeof OPTIONAL_COUNTS];
    if (value !== undefined) requireCount(name, value, bounds);
  }
  for (const [name, choices] of Object.entries(CHOICES)) {
    const value = config[name as keyof typeof CHOICES];
    if (value === undefined || (choices as readonly string[]).includes(value)) continue;
    throw new RangeError(
      `Cannot use this model: ${name} must be one of ${choices.join(", ")}, got ${quote(value)}`,
    );
  }
  const { heads, keyValueHeads = heads, visionNormEpsilon: epsilon } = config;
  requireMultiple("heads", heads, "keyValueHeads", keyValueHeads);
  if (epsilon === undefined || (typeof epsilon === "number" && epsilon > 0 && epsilon <= 1)) return;
  throw new RangeError(
    `Cannot use this model: visionNormEpsilon must be a number above 0, at most 1, got ${quote(epsilon)}`,
  );
}

function requireMultiple(name: string, value: number, divisorName: string, divisor: number): void {
  if (value % divisor === 0) return;
  throw new RangeError(
    `Cannot use this model: ${name} (${value}) must be a multiple of ${divisorName} (${divisor})`,
  );
}
