/**
 * The baseline's policy: a small convolutional network that maps a picture to an action, without words.
 *
 * Its prompt is the picture and the legal actions. Its response is one token, the action. Like a vision-language model it can
 * therefore train by every algorithm, imitate demonstrations, resume and be evaluated.
 *
 * Source: the baseline of Zhai et al. 2024 (arXiv:2405.10292), layers of Mnih et al. 2015 (doi:10.1038/nature14236).
 *
 * @module
 */
import type { Environment, Observation } from "../../envs/mod.ts";
import { type Gpu, requireFinite } from "../../kernels/gpu/mod.ts";
import { sampleTokens } from "../../kernels/sampling/mod.ts";
import {
  actionPenalties,
  Cnn,
  CNN_LAYERS,
  type Decoding,
  paddedActions,
  type Parameters,
  reshape,
  type Response,
  type Segment,
  type Sequence,
  Tape,
} from "../../model/mod.ts";
import type { CnnConfig } from "../../model/mod.ts";
import { act, type Scene } from "../act.ts";
import { DEFAULT_SAMPLING } from "../agent.ts";
import { shown } from "../cli/mod.ts";
import { modelPicture } from "../image.ts";
import type {
  Act,
  ActSettings,
  Batch,
  Decision,
  ForwardSettings,
  Outputs,
  Policy,
  RespondSettings,
  Sampling,
  Situation,
} from "../policy.ts";

/** The pictures of B states for the network, and the actions that were taken in them. */
export interface CnnBatch extends Batch {
  /** Number of pictures, B. */
  readonly images: number;
  /** (B, S, S, 3) bytes, RGB. */
  readonly pixels: Uint8Array;
  /** (B*V) added to the logits: it keeps illegal actions from being drawn. V is the padded number of actions. */
  readonly penalties: Float32Array;
  /** (B) the actions that were taken. */
  readonly actions: Uint32Array;
}

/** Acts by sampling from the network's distribution, or by its most likely action. */
export class CnnPolicy implements Policy<CnnBatch> {
  readonly cot = false;
  readonly sharesFeatures = true;

  /** Makes a policy of a network. `actions` are the names of the environment's actions. */
  constructor(
    readonly cnn: Cnn,
    readonly actions: readonly string[],
    readonly sampling: Sampling = DEFAULT_SAMPLING,
  ) {}

  /** Makes a policy with a network of the standard layers. Its weights are zero. */
  static create(
    gpu: Gpu,
    actions: readonly string[],
    settings: Pick<CnnConfig, "imageNormalization"> & Partial<Sampling>,
  ): CnnPolicy {
    const { imageNormalization, temperature, maxNewTokens } = { ...DEFAULT_SAMPLING, ...settings };
    return new CnnPolicy(
      new Cnn(gpu, { ...CNN_LAYERS, imageNormalization, actions: actions.length }),
      actions,
      { temperature, maxNewTokens },
    );
  }

  /** The GPU that it runs on. */
  get gpu(): Gpu {
    return this.cnn.gpu;
  }

  /** Its weights. */
  get parameters(): Parameters {
    return this.cnn.parameters;
  }

  act(env: Environment, settings?: ActSettings): Promise<Act>;
  act(picture: Observation | Uint8Array, prompt: string, settings?: ActSettings): Promise<Act>;
  act(scene: Scene, ...rest: [(string | ActSettings)?, ActSettings?]): Promise<Act> {
    return act(this, scene, ...rest);
  }

  promptOf({ env, observation }: Pick<Situation, "env" | "observation">): Segment[] {
    const legal = env.legalActions?.();
    const image: Segment = { kind: "image", picture: modelPicture(observation, this.cnn.config.imageSize) };
    return legal === undefined ? [image] : [image, { kind: "text", ids: legal }];
  }

  async respond(situations: readonly Situation[], settings: RespondSettings): Promise<Decision[]> {
    const { cnn, gpu } = this;
    const prompts = situations.map((situation) => this.promptOf(situation));
    const batch = this.batch(prompts.map((prompt) => ({ prompt, response: [0] })));
    const { B } = batch;
    const V = paddedActions(cnn.config);
    using tape = new Tape(gpu, { record: false });
    const features = cnn.features(tape, batch);
    const values = cnn.values(tape, features);
    const logits = cnn.logits(tape, features, batch.penalties);
    const word = (label: string) => tape.indices(new Uint32Array(B), label);
    const tokens = word("actions"), logprobs = word("logprobs"), entropies = word("entropies");
    sampleTokens(gpu, {
      logits: logits.data,
      random: tape.indices(settings.random, "random"),
      done: word("done"),
      tokens,
      logprobs,
      entropies,
      current: word("current"),
      position: word("position"),
      // endId lies beyond the actions, so that no action ends a response.
    }, {
      B,
      V,
      step: 0,
      maxSteps: 1,
      temperature: settings.temperature,
      greedy: settings.greedy,
      endId: V,
      padId: 0,
    });
    const [drawn, logprob, entropy, value] = await gpu.read(tokens, logprobs, entropies, values.data);
    requireFinite("act", logprob, (b) => `the log-probability of the action in state ${b}`);
    requireFinite("act", entropy, (b) => `the entropy in state ${b}`);
    requireFinite("act", value, (b) => `the value of state ${b}`);
    const actions = new Uint32Array(drawn.buffer, drawn.byteOffset, B);
    return situations.map((situation, b) =>
      this.decide(situation, prompts[b], {
        ids: [actions[b]],
        logprobs: logprob.slice(b, b + 1),
        entropies: entropy.slice(b, b + 1),
        value: value[b],
      })
    );
  }

  decide(_situation: Situation, prompt: readonly Segment[], response: Response): Decision {
    const [action] = response.ids;
    return {
      prompt,
      response,
      decoding: this.decode([action]),
      parse: { action, start: 0, end: this.actions[action].length },
      judgement: { perception: null, faithful: null },
    };
  }

  async values(prompts: readonly (readonly Segment[])[]): Promise<Float32Array> {
    if (prompts.length === 0) return new Float32Array(0);
    const batch = this.batch(prompts.map((prompt) => ({ prompt, response: [0] })));
    using tape = new Tape(this.gpu, { record: false });
    const [values] = await this.gpu.read(this.cnn.values(tape, this.cnn.features(tape, batch)).data);
    requireFinite("estimate values", values, (b) => `the value of state ${b}`);
    return values;
  }

  /**
   * The action that the environment reads in a demonstrated text, as a response of one token.
   *
   * @throws {RangeError} when it reads none.
   */
  encode(env: Environment, text: string): number[] {
    const { action } = env.parse(text);
    if (action === null) {
      throw new RangeError(`Cannot imitate ${shown(text)}: ${env.name} reads no action in it`);
    }
    return [action];
  }

  decode([action]: readonly number[]): Decoding {
    const text = this.actions[action];
    return { text, starts: [0], ends: [text.length] };
  }

  positionsOf(): number {
    return 1;
  }

  batch(sequences: readonly Sequence[]): CnnBatch {
    const B = sequences.length;
    const { imageSize } = this.cnn.config;
    const pixels = new Uint8Array(B * imageSize ** 2 * 3);
    const legal = sequences.map(({ prompt }) =>
      prompt.flatMap((part) => part.kind === "text" ? [part.ids] : [])[0]
    );
    sequences.forEach(({ prompt }, b) => {
      for (const part of prompt) {
        if (part.kind === "image") pixels.set(part.picture.pixels, b * imageSize ** 2 * 3);
      }
    });
    return {
      B,
      R: 1,
      mask: new Float32Array(B).fill(1),
      images: B,
      pixels,
      penalties: actionPenalties(this.cnn.config, legal.map((actions) => actions ?? null)),
      actions: Uint32Array.from(sequences, ({ response }) => response[0]),
    };
  }

  /** Puts the forward pass on the tape. The heads share all features, so the gradient of the values always reaches them. */
  forward(tape: Tape, batch: CnnBatch, settings: ForwardSettings): Outputs {
    const { cnn } = this;
    const { B, R } = batch;
    const features = cnn.features(tape, batch); // (B, width)
    const logits = cnn.logits(tape, features, batch.penalties); // (B, V)
    const { logprob, entropy } = cnn.actionLogprobs(tape, logits, batch.actions, settings.temperature); // (B)
    const values = settings.values === "none" ? null : cnn.values(tape, features); // (B)
    const asTokens = (tensor: typeof logprob) => reshape(tape, tensor, [B, R]);
    return {
      logprob: asTokens(logprob),
      entropy: asTokens(entropy),
      values: values !== null && settings.values === "token" ? asTokens(values) : values,
    };
  }
}
