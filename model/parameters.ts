/**
 * The model's parameters: their names, shapes and initialisation in one list, their values in one contiguous slice.
 *
 * @module
 */
import { type Gpu, roundUp, type Slice, SLICE_ALIGNMENT_WORDS, subslice } from "../kernels/gpu/mod.ts";
import { uniformFromCounter } from "../kernels/sampling/mod.ts";
import type { VlmConfig } from "./config.ts";
import { deriveSizes } from "./config.ts";
import { sizeOf, type Tensor } from "./tape/mod.ts";

/** What a parameter is, which decides weight decay and what a run freezes. */
export type ParameterKind = "matrix" | "head" | "embedding" | "position" | "norm" | "bias";
/** The part of the model a parameter belongs to. */
export type ParameterPart = "vision" | "projector" | "language" | "policy_head" | "value_head";

/** One parameter before it has values. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: ParameterKind;
  readonly part: ParameterPart;
  /** Standard deviation of the normal initialisation; a `norm` weight is 1 and a bias 0 instead. */
  readonly std: number;
}

/** Every parameter in data-flow order. Linear weights are (in, out). */
export function parameterSpecs(config: VlmConfig): ParameterSpec[] {
  const { patches } = deriveSizes(config);
  const { visionWidth: Cv, width: C, vocabularySize: V } = config;
  const specs: ParameterSpec[] = [];
  const put = (name: string, kind: ParameterKind, shape: number[], std = 0) =>
    specs.push({ name, kind, shape, std, part: name.split(".")[0] as ParameterPart });
  // Variance gain^2/(3 fan_in), as `nn.Linear` has by default; residual branches shrink with depth (GPT-2).
  const linear = (name: string, rows: number, columns: number, gain = 1) => {
    put(`${name}.weight`, "matrix", [rows, columns], gain * Math.sqrt(1 / (3 * rows)));
    put(`${name}.bias`, "bias", [columns]);
  };
  const norm = (name: string, width: number) => {
    put(`${name}.weight`, "norm", [width]);
    put(`${name}.bias`, "norm", [width]);
  };
  const blocks = (part: string, layers: number, width: number) => {
    const residualGain = 1 / Math.sqrt(2 * layers);
    for (let layer = 0; layer < layers; layer++) {
      const block = `${part}.blocks.${layer}`;
      norm(`${block}.norm_1`, width);
      linear(`${block}.attention.qkv`, width, 3 * width);
      linear(`${block}.attention.out`, width, width, residualGain);
      norm(`${block}.norm_2`, width);
      linear(`${block}.mlp.up`, width, 4 * width);
      linear(`${block}.mlp.down`, 4 * width, width, residualGain);
    }
  };
  linear("vision.patch_embedding", config.patchSize ** 2 * 3, Cv);
  put("vision.position_embedding.weight", "position", [patches, Cv], 0.1);
  blocks("vision", config.visionLayers, Cv);
  norm("vision.norm", Cv);
  linear("projector.up", config.mergeFactor ** 2 * Cv, C);
  linear("projector.down", C, C);
  put("language.token_embedding.weight", "embedding", [V, C], 0.1);
  put("language.position_embedding.weight", "position", [config.contextLength, C], 0.1);
  blocks("language", config.layers, C);
  norm("language.norm", C);
  put("language.head.weight", "head", [C, V], Math.sqrt(1 / (3 * C)));
  linear("value_head.up", C, config.valueWidth);
  linear("value_head.down", config.valueWidth, 1);
  return specs;
}

/** A parameter with its place in the contiguous slices. */
export interface Parameter extends ParameterSpec {
  /** First word in the contiguous slices. */
  readonly offset: number;
}

/** All parameters of a model. */
export class Parameters {
  readonly list: readonly Parameter[];
  /** All values, each parameter starting at a multiple of 64 words. */
  readonly values: Slice;
  /** Gradients in the same layout, once {@linkcode Parameters.train} was called. */
  gradients: Slice | null = null;
  readonly #gpu: Gpu;
  #tensors = new Map<string, Tensor>();

  constructor(gpu: Gpu, specs: readonly ParameterSpec[]) {
    this.#gpu = gpu;
    let offset = 0;
    this.list = specs.map((spec) => {
      const parameter = { ...spec, offset };
      offset += roundUp(sizeOf(spec.shape), SLICE_ALIGNMENT_WORDS);
      return parameter;
    });
    this.values = gpu.allocate(offset, "parameters");
    this.#bind(() => false);
  }

  /** Number of scalars. */
  get count(): number {
    return this.list.reduce((count, { shape }) => count + sizeOf(shape), 0);
  }

  /** The parameter of that name; throws a `RangeError` when there is none. */
  get(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new RangeError(`Cannot find parameter ${name} in this model`);
    return tensor;
  }

  /** Weight and bias of one layer. */
  affine(name: string): { weight: Tensor; bias: Tensor } {
    return { weight: this.get(`${name}.weight`), bias: this.get(`${name}.bias`) };
  }

  /** Draws initial values from a seed. */
  initialize(seed: number): void {
    const values = new Float32Array(this.values.length);
    this.list.forEach(({ name, shape, kind, std, offset }, index) => {
      const isScale = kind === "norm" && name.endsWith(".weight");
      const parameterSeed = (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0;
      for (let i = 0; i < sizeOf(shape); i++) {
        values[offset + i] = isScale ? 1 : std === 0 ? 0 : std * normalFromCounter(parameterSeed, 2 * i);
      }
    });
    this.#gpu.write(this.values, values);
  }

  /** Gives the parameters that `isTrainable` names a gradient; the others are frozen. */
  train(isTrainable: (parameter: Parameter) => boolean): void {
    this.gradients ??= this.#gpu.allocate(this.values.length, "gradients");
    this.#gpu.clear(this.gradients);
    this.#bind(isTrainable);
  }

  /** Values by name, read back from the GPU. */
  async toHost(): Promise<Map<string, { shape: number[]; data: Float32Array }>> {
    const [values] = await this.#gpu.read(this.values);
    return this.split(values);
  }

  /** A contiguous array in this layout, cut into named tensors. */
  split(words: Float32Array): Map<string, { shape: number[]; data: Float32Array }> {
    return new Map(
      this.list.map(({ name, shape, offset }) => [
        name,
        { shape: [...shape], data: words.slice(offset, offset + sizeOf(shape)) },
      ]),
    );
  }

  /** The inverse of {@linkcode Parameters.split}; every parameter must be there. */
  join(tensors: ReadonlyMap<string, { data: Float32Array }>): Float32Array {
    const words = new Float32Array(this.values.length);
    for (const { name, offset } of this.list) words.set(tensors.get(name)!.data, offset);
    return words;
  }

  /** Overwrites all values. */
  fromHost(tensors: ReadonlyMap<string, { data: Float32Array }>): void {
    this.#gpu.write(this.values, this.join(tensors));
  }

  #bind(isTrainable: (parameter: Parameter) => boolean): void {
    this.#tensors = new Map(this.list.map((parameter) => {
      const { name, shape, offset } = parameter;
      const requiresGradient = this.gradients !== null && isTrainable(parameter);
      return [name, {
        label: name,
        shape,
        data: subslice(this.values, offset, sizeOf(shape), name),
        requiresGradient,
        gradient: requiresGradient ? subslice(this.gradients!, offset, sizeOf(shape), `d${name}`) : null,
      }];
    }));
  }
}

/** A standard normal from two counter-based uniforms (Box and Muller). */
function normalFromCounter(seed: number, counter: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - uniformFromCounter(seed, counter)));
  return radius * Math.cos(2 * Math.PI * uniformFromCounter(seed, counter + 1));
}
