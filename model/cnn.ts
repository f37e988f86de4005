/**
 * The baseline's network: pixels in, a distribution over an environment's actions and a value out. No language.
 *
 *     pixels -> convolutions -> linear layer -> features --+-> policy head -> log-probabilities of the actions
 *                                                          +-> value head  -> value of the state
 *
 * Features: the same pixels and normalisation as the vision-language model; NHWC convolutions as matrix products, GELU
 * after each; heads share all features. Layer sizes are those of Mnih et al. 2015 (doi:10.1038/nature14236).
 *
 * @module
 */
import { fixed, type Gpu, roundUp } from "../kernels/gpu/mod.ts";
import { convolutionOutput } from "../kernels/convolution/mod.ts";
import { requireCount, requireNormalization, type VlmConfig } from "./config.ts";
import { Parameters, type ParameterSpec } from "./parameters.ts";
import { add, convolution, linear, linearLogprob, reshape, type Tape, type Tensor } from "./tape/mod.ts";
import { patchesOf } from "./vision.ts";

/** One convolution. */
export interface ConvolutionLayer {
  /** Channels that come out. */
  readonly channels: number;
  /** Side of the window in pixels. */
  readonly kernelSize: number;
  /** Pixels from a window to the next. */
  readonly stride: number;
  /** Pixels of zeros around the input. */
  readonly padding: number;
}

/** One network. */
export interface CnnConfig extends Pick<VlmConfig, "imageSize" | "imageNormalization"> {
  /** In data-flow order, at least one. */
  readonly convolutions: readonly ConvolutionLayer[];
  /** Width of the features that both heads read. */
  readonly width: number;
  /** The environment's actions. */
  readonly actions: number;
}

/** Sizes of the three convolutions and the linear layer after them: 64 -> 15 -> 6 -> 4 pixels a side. */
export const CNN_LAYERS: Pick<CnnConfig, "imageSize" | "convolutions" | "width"> = {
  imageSize: 64,
  convolutions: [
    { channels: 32, kernelSize: 8, stride: 4, padding: 0 },
    { channels: 64, kernelSize: 4, stride: 2, padding: 0 },
    { channels: 64, kernelSize: 3, stride: 1, padding: 0 },
  ],
  width: 512,
};

/** Added to the logit of an action that is not legal: its probability is 0 in f32. */
const ILLEGAL_LOGIT = -1e9;

/** V, the actions rounded up to what the fast kernels take; those beyond the environment's are never legal. */
export function paddedActions({ actions }: Pick<CnnConfig, "actions">): number {
  return roundUp(actions, 4);
}

/** (B*V) what is added to the logits of B states: 0 for actions that may be taken; `legal` lists them, null for all. */
export function actionPenalties(
  config: Pick<CnnConfig, "actions">,
  legal: readonly (readonly number[] | null)[],
): Float32Array {
  const V = paddedActions(config);
  const penalties = new Float32Array(legal.length * V).fill(ILLEGAL_LOGIT);
  legal.forEach((actions, b) => {
    if (actions === null) penalties.fill(0, b * V, b * V + config.actions);
    else for (const action of actions) penalties[b * V + action] = 0;
  });
  return penalties;
}

/** Checks a config, which may come from a file. */
function checkConfig(config: CnnConfig): void {
  requireCount("imageSize", config.imageSize, [2, 4096]);
  requireNormalization(config.imageNormalization);
  requireCount("width", config.width, [1, 65_536]);
  requireCount("actions", config.actions, [1, 65_536]);
  const { convolutions } = config;
  requireCount(
    "the number of convolutions",
    Array.isArray(convolutions) ? convolutions.length : undefined,
    [0, 100],
  );
  convolutions.forEach((layer, index) => {
    requireCount(`channels of convolution ${index}`, layer?.channels, [1, 65_536]);
    requireCount(`kernelSize of convolution ${index}`, layer.kernelSize, [1, 4096]);
    requireCount(`stride of convolution ${index}`, layer.stride, [1, 4096]);
    requireCount(`padding of convolution ${index}`, layer.padding, [0, 4096]);
  });
}

/**
 * Every parameter in data-flow order. Convolution weights are (kernelSize^2 in, out), rows in (ky,kx,c) order.
 *
 * @throws {RangeError} naming the field of the config that is missing or does not fit.
 */
export function cnnParameterSpecs(config: CnnConfig): ParameterSpec[] {
  checkConfig(config);
  const specs: ParameterSpec[] = [];
  const affine = (
    name: string,
    part: ParameterSpec["part"],
    [rows, columns]: readonly [number, number],
    gain: number,
  ) => {
    const std = gain / Math.sqrt(rows);
    specs.push({ name: `${name}.weight`, kind: "matrix", part, shape: [rows, columns], std });
    specs.push({ name: `${name}.bias`, kind: "bias", part, shape: [columns], std: 0 });
  };
  let [side, C] = [config.imageSize, 3];
  config.convolutions.forEach(({ channels, ...window }, layer) => {
    // GELU halves the variance, as ReLU does: a gain of sqrt(2) keeps activations at unit scale.
    affine(`vision.convolutions.${layer}`, "vision", [window.kernelSize ** 2 * C, channels], Math.SQRT2);
    side = convolutionOutput({ height: side, width: side, ...window }).outHeight;
    C = channels;
  });
  affine("vision.dense", "vision", [side * side * C, config.width], Math.SQRT2);
  // Nearly uniform at first, so that exploration does not begin with a preference.
  affine("policy_head", "policy_head", [config.width, paddedActions(config)], 0.01);
  affine("value_head", "value_head", [config.width, 1], 0.1);
  return specs;
}

/** A network on a GPU. */
export class Cnn {
  /** The GPU that it runs on. */
  readonly gpu: Gpu;
  /** Its sizes. */
  readonly config: CnnConfig;
  /** Its weights. */
  readonly parameters: Parameters;
  /** (V, V) */
  readonly #identity: Float32Array;

  /** Allocates parameters (zero until initialised). Throws a `RangeError` when a convolution does not fit. */
  constructor(gpu: Gpu, config: CnnConfig) {
    this.gpu = gpu;
    this.config = config;
    this.parameters = new Parameters(gpu, cnnParameterSpecs(config));
    const V = paddedActions(config);
    this.#identity = fixed(Float32Array.from({ length: V * V }, (_, i) => i % (V + 1) === 0 ? 1 : 0));
  }

  /** `pixels` (images, S, S, 3) bytes -> features (images, width). */
  features(tape: Tape, { pixels, images }: { pixels: Uint8Array; images: number }): Tensor {
    const { imageSize: S, imageNormalization, convolutions } = this.config;
    // One patch as large as the picture is the picture.
    const patches = patchesOf(tape, { imageSize: S, patchSize: S, imageNormalization }, { pixels, images });
    let X = reshape(tape, patches, [images, S, S, 3]);
    convolutions.forEach(({ channels: _, ...window }, layer) => {
      const filters = this.parameters.affine(`vision.convolutions.${layer}`);
      X = convolution(tape, X, filters, { gelu: true, ...window }); // (images, side, side, channels)
    });
    const [, height, width, C] = X.shape;
    const flat = reshape(tape, X, [images, height * width * C]);
    return linear(tape, flat, this.parameters.affine("vision.dense"), { gelu: true }); // (images, width)
  }

  /** Logits (B, V); `penalties` (B*V) are {@linkcode actionPenalties}. */
  logits(tape: Tape, features: Tensor, penalties: Float32Array): Tensor {
    const logits = linear(tape, features, this.parameters.affine("policy_head")); // (B, V)
    return add(tape, logits, tape.constant(penalties, logits.shape, "penalties"));
  }

  /** Log-probabilities (B) of `actions` (B) under the softmax of the logits (B, V) over the temperature, and its entropies (B) in nats. */
  actionLogprobs(
    tape: Tape,
    logits: Tensor,
    actions: Uint32Array,
    temperature = 1,
  ): { logprob: Tensor; entropy: Tensor } {
    const V = paddedActions(this.config);
    // The kernel multiplies by a head first; the head is already in the logits, with bias and mask.
    const head = tape.constant(this.#identity, [V, V], "identity");
    return linearLogprob(tape, logits, head, { targets: actions, temperature });
  }

  /** Values (B) of the states, in units of scaled return. */
  values(tape: Tape, features: Tensor): Tensor {
    const values = linear(tape, features, this.parameters.affine("value_head")); // (B, 1)
    return reshape(tape, values, [features.shape[0]]);
  }
}

/** Floating-point operations of a forward pass over that many images: those of its matrix products. A backward costs twice. */
export function cnnFlops(config: CnnConfig, images: number): number {
  const { imageSize, convolutions, width } = config;
  let [side, C, flops] = [imageSize, 3, 0];
  for (const { channels, ...window } of convolutions) {
    side = convolutionOutput({ height: side, width: side, ...window }).outHeight;
    flops += 2 * images * side ** 2 * window.kernelSize ** 2 * C * channels;
    C = channels;
  }
  return flops + 2 * images * width * (side ** 2 * C + paddedActions(config) + 1);
}
