/**
 * The vision-language model: image and task prompt in, response probabilities and a value out.
 *
 *     image -> vision encoder -> projector -> image tokens --+
 *                                                            +-> language model -> log-probabilities of the response
 *     prompt, response -> tokenizer -> token embeddings -----+         |
 *                                                                      +-> value head -> value of the prompt
 *
 * @module
 */
import { fixed, type Gpu } from "../kernels/gpu/mod.ts";
import { deriveSizes, type VlmConfig } from "./config.ts";
import { Features } from "./features.ts";
import {
  languageConstants,
  languageFlops,
  languageSpecs,
  logitsOf,
  readSequences,
  targetLogprobs,
} from "./language.ts";
import { Parameters, type ParameterSpec } from "./parameters.ts";
import type { Picture } from "./picture.ts";
import { projectImages, projectorFlops, projectorSpecs } from "./projector.ts";
import { type Layout, layOut, type Sequence } from "./sequence.ts";
import { reshape, type Tape, type Tensor } from "./tape/mod.ts";
import { tokenValuesOf, valueHeadFlops, valueHeadSpecs, valuesOf } from "./value_head.ts";
import { encodeImages, visionFlops, visionSpecs } from "./vision.ts";

/**
 * Every parameter in data-flow order. Linear weights are (in, out).
 *
 * @example How many weights a model has
 * ```ts
 * import { modelPresets, parameterSpecs, sizeOf } from "@ponder/ponder/model";
 *
 * const specs = parameterSpecs({ ...modelPresets.nano, vocabularySize: 256 });
 * console.log(specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0));
 * ```
 */
export function parameterSpecs(config: VlmConfig): ParameterSpec[] {
  return [
    ...visionSpecs(config),
    ...projectorSpecs(config),
    ...languageSpecs(config),
    ...valueHeadSpecs(config),
  ];
}

/**
 * Counts the floating-point operations of a forward pass over `images` distinct images and B sequences of T positions, with R
 * response tokens each and a value. These are two for every weight of a matrix at every position that it is applied to, and the
 * products inside attention as if nothing was masked. Norms, GELU and softmax are left out, as is usual. A backward pass costs
 * twice as much.
 *
 * @example
 * ```ts
 * import { forwardFlops, modelPresets } from "@ponder/ponder/model";
 *
 * const config = { ...modelPresets.nano, vocabularySize: 256 };
 * console.log(forwardFlops(config, { images: 32, B: 32, T: 64, R: 16 }) / 1e9, "GFLOP");
 * ```
 */
export function forwardFlops(
  config: VlmConfig,
  { images, B, T, R }: { images: number; B: number; T: number; R: number },
): number {
  return visionFlops(config, images) + projectorFlops(config, images) + languageFlops(config, { B, T, R }) +
    valueHeadFlops(config, B);
}

const picturesOf = ({ prompt }: Pick<Sequence, "prompt">): Picture[] =>
  prompt.flatMap((part) => part.kind === "image" ? [part.picture] : []);

/** How a model uses memory. */
export interface VlmMemory {
  /** Most words of one piece of memory; what a kernel can bind when absent. */
  readonly pieceWords?: number;
  /** Whether to keep image tokens also before somebody says what is trained; false when absent. */
  readonly keepsFeatures?: boolean;
  /** Most bytes of image tokens that are kept on the host; 256 MiB when absent. */
  readonly featureBytes?: number;
}

/** A model on a GPU. */
export class Vlm {
  /** The GPU that it runs on. */
  readonly gpu: Gpu;
  /** Its sizes. */
  readonly config: VlmConfig;
  /** Its weights. */
  readonly parameters: Parameters;
  readonly #features: Features;
  readonly #keepsFeatures: boolean;

  /** Allocates parameters (zero until initialised or loaded). Throws a `RangeError` for a config that does not fit. */
  constructor(gpu: Gpu, config: VlmConfig, memory: VlmMemory = {}) {
    deriveSizes(config);
    this.gpu = gpu;
    this.config = config;
    this.parameters = new Parameters(gpu, parameterSpecs(config), languageConstants(config), memory);
    this.#features = new Features(this, memory.featureBytes);
    this.#keepsFeatures = memory.keepsFeatures ?? false;
  }

  /**
   * Computes the image tokens of prompts ahead, each picture's once, if training leaves vision encoder and projector as they are.
   * {@linkcode Vlm.layOut} then finds them. Otherwise it does nothing.
   */
  async look(sequences: readonly Pick<Sequence, "prompt">[]): Promise<void> {
    if (this.#looksOnce) await this.#features.compute(sequences.flatMap(picturesOf));
  }

  /** Lays sequences out for this model: as `layOut` does, with the image tokens in place of pixels if they are all known. */
  layOut(sequences: readonly Sequence[]): Layout {
    return layOut(
      sequences,
      this.config,
      this.#looksOnce ? (pictures) => this.#features.of(pictures) : undefined,
    );
  }

  get #looksOnce(): boolean {
    const { parameters } = this;
    return (this.#keepsFeatures || parameters.gradients !== null) &&
      parameters.isFrozen("vision", "projector");
  }

  /** Hidden states (B max(R,1), C) of a batch, where something is read from them: at the layout's readouts. */
  hidden(tape: Tape, layout: Layout, onQkv?: (layer: number, QKV: Tensor, part: Tape) => void): Tensor {
    const imageTokens = layout.images === 0 ? null : this.#imageTokensOf(tape, layout);
    return readSequences(tape, this.parameters, this.config, { layout, imageTokens, onQkv });
  }

  #imageTokensOf(tape: Tape, layout: Layout): Tensor {
    const { features, images } = layout;
    if (features === undefined) return this.imageTokens(tape, layout);
    return tape.constant(
      features,
      [images, deriveSizes(this.config).imageTokens, this.config.width],
      "features",
    );
  }

  /** Image tokens (images, P, C) of pixels (images, imageSize, imageSize, 3). */
  imageTokens(tape: Tape, images: Pick<Layout, "pixels" | "images">): Tensor {
    const seen = encodeImages(tape, this.parameters, this.config, images);
    return projectImages(tape, this.parameters, this.config, seen);
  }

  /** Logits (..,V) of hidden states (..,C), to draw from: gradients are of {@linkcode Vlm.responseLogprobs}. */
  logits(tape: Tape, hidden: Tensor): Tensor {
    return logitsOf(tape, this.parameters, this.config, hidden);
  }

  /** Log-probabilities (B, R) of the responses' tokens at a temperature, and the entropies (B, R) they came from. */
  responseLogprobs(
    tape: Tape,
    hidden: Tensor,
    { B, R, targets }: Layout,
    temperature: number,
  ): { logprob: Tensor; entropy: Tensor } {
    const { logprob, entropy } = targetLogprobs(tape, this.parameters, this.config, hidden, {
      targets,
      temperature,
    });
    return { logprob: reshape(tape, logprob, [B, R]), entropy: reshape(tape, entropy, [B, R]) };
  }

  /** Values (B) of the prompts. */
  values(tape: Tape, hidden: Tensor, { B, R }: Layout): Tensor {
    return valuesOf(
      tape,
      this.parameters,
      hidden,
      fixed(Int32Array.from({ length: B }, (_, b) => b * Math.max(R, 1))),
    );
  }

  /**
   * Values (B, R) of the state before each response token, 0 for padding: the first is the prompt's, as `values` has it.
   *
   * @throws {RangeError} when no sequence has a response.
   */
  tokenValues(tape: Tape, hidden: Tensor, layout: Layout): Tensor {
    if (layout.R === 0) throw new RangeError("Cannot value tokens: no sequence has a response, use values");
    return tokenValuesOf(tape, this.parameters, hidden, layout);
  }

  /**
   * Computes everything about given responses in one forward pass: log-probabilities, entropies and values, each (B, R).
   * Log-probability and entropy of padding mean nothing.
   *
   * @throws {RangeError} when no sequence has a response.
   */
  assess(
    tape: Tape,
    layout: Layout,
    temperature: number,
  ): { logprob: Tensor; entropy: Tensor; values: Tensor } {
    const hidden = this.hidden(tape, layout);
    const values = this.tokenValues(tape, hidden, layout);
    return { ...this.responseLogprobs(tape, hidden, layout, temperature), values };
  }
}
