/**
 * AdamW over the contiguous parameters, with two gradient clips and per-parameter learning rates, all on the GPU.
 *
 * @module
 */
import { adamw, gradientNorms, gradientNormsPartialsWords } from "../kernels/adamw/mod.ts";
import { type Gpu, roundUp, type Slice, SLICE_ALIGNMENT_WORDS } from "../kernels/gpu/mod.ts";
import type { Parameter, Parameters } from "./parameters.ts";
import { sizeOf } from "./tape/mod.ts";

/** How one parameter is updated. */
export interface UpdateRule {
  /** Multiplies the learning rate; 0 freezes the parameter. */
  readonly learningRateScale: number;
  /** Decoupled weight decay. */
  readonly weightDecay: number;
  /** Which of the two gradient norms the parameter counts in. */
  readonly clipGroup: "policy" | "value";
}

/** Settings of one step; they may change from step to step. */
export interface StepSettings {
  /** The rate of parameters with a scale of 1. */
  readonly learningRate: number;
  /** Decay of the mean gradient. */
  readonly beta1: number;
  /** Decay of the mean squared gradient. */
  readonly beta2: number;
  /** Added to the root of the mean squared gradient. */
  readonly epsilon: number;
  /** Largest norm of the policy's gradient; 0 or less for no clip. */
  readonly policyClip: number;
  /** The same for the value head's gradient. */
  readonly valueClip: number;
}

/** Optimiser state: moments and the count of steps. */
export class AdamW {
  /** Steps taken. */
  step = 0;
  /** [policy norm, value norm, 1 when both are finite, 0] of the last step, before clipping. */
  readonly norms: Slice;
  /** The GPU that holds its state. */
  readonly gpu: Gpu;
  readonly #parameters: Parameters;
  readonly #m: Slice;
  readonly #v: Slice;
  readonly #partials: Slice;
  readonly #blockGroups: Slice;
  readonly #groups: Slice;
  readonly #groupCount: number;

  /**
   * Makes the parameters trainable as `ruleOf` says. Moments start at zero.
   *
   * @throws {RangeError} when it trains one that lies beside adapters, or in a model that does not fit one piece of memory.
   */
  constructor(gpu: Gpu, parameters: Parameters, ruleOf: (parameter: Parameter) => UpdateRule) {
    const apart = parameters.list.find((parameter) =>
      parameter.frozen !== undefined && ruleOf(parameter).learningRateScale !== 0
    );
    if (apart !== undefined) {
      throw new RangeError(
        parameters.list.some(({ kind }) => kind === "adapter")
          ? `Cannot train ${apart.name}: the model has adapters, train these, or load it without`
          : `Cannot train ${apart.name}: the model is larger than a piece of this adapter's memory, train adapters (LoRA)`,
      );
    }
    this.gpu = gpu;
    this.#parameters = parameters;
    const words = parameters.values.length;
    const groups: string[] = [];
    const blockGroups = new Uint32Array(words / SLICE_ALIGNMENT_WORDS);
    for (const parameter of parameters.list) {
      if (parameter.frozen !== undefined) continue;
      const { learningRateScale, weightDecay, clipGroup } = ruleOf(parameter);
      const key = [learningRateScale, weightDecay, clipGroup === "value" ? 1 : 0, 0].join();
      if (!groups.includes(key)) groups.push(key);
      const first = parameter.offset / SLICE_ALIGNMENT_WORDS;
      const blocks = roundUp(sizeOf(parameter.shape), SLICE_ALIGNMENT_WORDS) / SLICE_ALIGNMENT_WORDS;
      blockGroups.fill(groups.indexOf(key), first, first + blocks);
    }
    parameters.train((parameter) => ruleOf(parameter).learningRateScale !== 0);
    this.#groupCount = groups.length;
    this.#groups = gpu.allocate(4 * groups.length, "adamw.groups");
    gpu.write(this.#groups, Float32Array.from(groups.flatMap((key) => key.split(",").map(Number))));
    this.#blockGroups = gpu.allocate(blockGroups.length, "adamw.blockGroups");
    gpu.write(this.#blockGroups, blockGroups);
    this.#m = gpu.allocate(words, "adamw.m");
    this.#v = gpu.allocate(words, "adamw.v");
    this.#partials = gpu.allocate(gradientNormsPartialsWords(words), "adamw.partials");
    this.norms = gpu.allocate(4, "adamw.norms");
  }

  /** Clips, updates and zeroes the gradients. A gradient that is not finite leaves the parameters as they are. */
  update(settings: StepSettings): void {
    this.apply(this.advance(settings));
  }

  /** Counts a step, and returns (16) what {@linkcode AdamW.apply} needs to know of it: an input of a planned step. */
  advance({ learningRate, beta1, beta2, epsilon, policyClip, valueClip }: StepSettings): Float32Array {
    this.step++;
    const settings = new Float32Array(16);
    settings.set([
      learningRate,
      beta1,
      beta2,
      epsilon,
      1 - beta1 ** this.step,
      1 - beta2 ** this.step,
      policyClip,
      valueClip,
    ]);
    return settings;
  }

  /** The GPU's part of {@linkcode AdamW.update}. */
  apply(settings: Float32Array): void {
    const settingsNow = this.gpu.upload(settings, "adamw.settings");
    const shared = {
      gradients: this.#parameters.gradients!,
      blockGroups: this.#blockGroups,
      groups: this.#groups,
      norms: this.norms,
    };
    const shape = { words: this.#parameters.values.length, G: this.#groupCount };
    gradientNorms(this.gpu, { ...shared, partials: this.#partials }, shape);
    adamw(this.gpu, {
      ...shared,
      parameters: this.#parameters.values,
      m: this.#m,
      v: this.#v,
      settings: settingsNow,
    }, shape);
    this.gpu.release(settingsNow);
  }

  /** Frees the state; the parameters stay trainable. */
  dispose(): void {
    for (const slice of [this.#m, this.#v, this.#partials, this.#blockGroups, this.#groups, this.norms]) {
      this.gpu.free(slice);
    }
  }

  /** Both moments, contiguous as the parameters, for a checkpoint. */
  async toHost(): Promise<{ m: Float32Array; v: Float32Array }> {
    const [m, v] = await this.gpu.read(this.#m, this.#v);
    return { m, v };
  }

  /** Restores what {@linkcode AdamW.toHost} gave. */
  fromHost({ m, v }: { m: Float32Array; v: Float32Array }, step: number): void {
    this.gpu.write(this.#m, m);
    this.gpu.write(this.#v, v);
    this.step = step;
  }
}
