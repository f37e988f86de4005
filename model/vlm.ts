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
import { readSequences } from "./language.ts";
import { Parameters, parameterSpecs } from "./parameters.ts";
import { projectImages } from "./projector.ts";
import type { Layout } from "./sequence.ts";
import { linearLogprob, reshape, type Tape, type Tensor } from "./tape/mod.ts";
import { valuesOf } from "./value_head.ts";
import { encodeImages } from "./vision.ts";

/** A model on a GPU. */
export class Vlm {
  readonly gpu: Gpu;
  readonly config: VlmConfig;
  readonly parameters: Parameters;

  /** Allocates parameters (zero until initialised or loaded). Throws a `RangeError` for a config that does not fit. */
  constructor(gpu: Gpu, config: VlmConfig) {
    deriveSizes(config);
    this.gpu = gpu;
    this.config = config;
    this.parameters = new Parameters(gpu, parameterSpecs(config));
  }

  /** Hidden states (B max(R,1), C) of a batch, where something is read from them: at the layout's readouts. */
  hidden(tape: Tape, layout: Layout, onQkv?: (layer: number, QKV: Tensor) => void): Tensor {
    const imageTokens = layout.images === 0 ? null : projectImages(
      tape,
      this.parameters,
      this.config,
      encodeImages(tape, this.parameters, this.config, layout),
    );
    return readSequences(tape, this.parameters, this.config, { layout, imageTokens, onQkv });
  }

  /** Log-probabilities (B, R) of the responses' tokens at a temperature, and the entropies (B, R) they came from. */
  responseLogprobs(
    tape: Tape,
    hidden: Tensor,
    { B, R, targets }: Layout,
    temperature: number,
  ): { logprob: Tensor; entropy: Tensor } {
    const head = this.parameters.get("language.head.weight");
    const { logprob, entropy } = linearLogprob(tape, hidden, head, { targets, temperature });
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

  /** Values (B, R) before each response token: of the prompt and of what was written so far. */
  tokenValues(tape: Tape, hidden: Tensor, { B, R }: Layout): Tensor {
    const every = fixed(Int32Array.from({ length: B * R }, (_, i) => i));
    return reshape(tape, valuesOf(tape, this.parameters, hidden, every), [B, R]);
  }
}
