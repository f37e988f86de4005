/**
 * The model's parameters: their names, shapes and initialisation in one list, their values in one contiguous slice.
 *
 * @module
 */
import { type Gpu, roundUp, type Slice, SLICE_ALIGNMENT_WORDS, subslice } from "../kernels/gpu/mod.ts";
import { uniformFromCounter } from "../kernels/sampling/mod.ts";
import { sizeOf, type Tensor } from "./tape/mod.ts";

/** What a parameter is, which decides weight decay and what a run freezes. */
export type ParameterKind = "matrix" | "head" | "embedding" | "position" | "norm" | "bias" | "adapter";
/** The part of the model a parameter belongs to. */
export type ParameterPart = "vision" | "projector" | "language" | "policy_head" | "value_head";

/** One parameter before it has values. */
export interface ParameterSpec {
  /** Unique in its model; its first word is the part. */
  readonly name: string;
  /** Extents; a linear weight is (in, out). */
  readonly shape: readonly number[];
  /** What it is. */
  readonly kind: ParameterKind;
  /** What it belongs to. */
  readonly part: ParameterPart;
  /** Standard deviation of the normal initialisation; a `norm` weight is 1 and a bias 0 instead. */
  readonly std: number;
}

/** One parameter; the part it belongs to is the first word of its name. */
export function specOf(
  name: string,
  kind: ParameterKind,
  shape: readonly number[],
  std = 0,
): ParameterSpec {
  return { name, kind, shape, std, part: name.split(".")[0] as ParameterPart };
}

/** Standard deviation of a linear weight: variance 1 / (3 fan_in), as `nn.Linear` has by default. */
export function linearStd(fanIn: number): number {
  return Math.sqrt(1 / (3 * fanIn));
}

/** Weight (in, out) and bias of a linear layer; a gain multiplies the weight's standard deviation. */
export function linearSpecs(name: string, rows: number, columns: number, gain = 1): ParameterSpec[] {
  return [
    specOf(`${name}.weight`, "matrix", [rows, columns], gain * linearStd(rows)),
    specOf(`${name}.bias`, "bias", [columns]),
  ];
}

/** Weight and bias of a layer normalisation. */
export function normSpecs(name: string, width: number): ParameterSpec[] {
  return [specOf(`${name}.weight`, "norm", [width]), specOf(`${name}.bias`, "norm", [width])];
}

/** A parameter with its place in the contiguous slices. */
export interface Parameter extends ParameterSpec {
  /** First word in the contiguous slices, or in its frozen one. */
  readonly offset: number;
  /** Which frozen slice it lies in, if the model does not fit one piece of memory. */
  readonly frozen?: number;
}

/** Most words of one piece of memory that a kernel can bind, in whole rows of a texture mirror. */
function mostWords({ device: { limits } }: Gpu): number {
  const bytes = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  return Math.floor(bytes / 4 / 4096) * 4096;
}

/**
 * All parameters of a model. If they do not fit one piece of memory, only adapters and value head lie in `values`; the others
 * are frozen, in pieces of their own.
 */
export class Parameters {
  /** In data-flow order. */
  readonly list: readonly Parameter[];
  /** All values, each parameter starting at a multiple of 64 words. */
  readonly values: Slice;
  /** Counts how often values may have changed other than by training: what was made of frozen ones holds for one version. */
  version = 0;
  /** Gradients in the same layout, once {@linkcode Parameters.train} was called. */
  gradients: Slice | null = null;
  /** What layers read and nobody trains or saves, by name: rotary tables. */
  readonly constants: ReadonlyMap<string, Slice>;
  readonly #gpu: Gpu;
  readonly #frozen: readonly Slice[];
  #tensors = new Map<string, Tensor>();

  /** Allocates all of them, zero until they get values. */
  constructor(
    gpu: Gpu,
    specs: readonly ParameterSpec[],
    constants: Readonly<Record<string, Float32Array>> = {},
    { pieceWords = mostWords(gpu) }: { readonly pieceWords?: number } = {},
  ) {
    this.#gpu = gpu;
    this.constants = new Map(
      Object.entries(constants).map(([name, values]) => {
        const slice = gpu.allocate(values.length, name);
        gpu.write(slice, values);
        return [name, slice];
      }),
    );
    const wordsOf = ({ shape }: ParameterSpec) => roundUp(sizeOf(shape), SLICE_ALIGNMENT_WORDS);
    const fits = specs.reduce((words, spec) => words + wordsOf(spec), 0) <= pieceWords;
    let offset = 0;
    const frozen: number[] = [];
    this.list = specs.map((spec) => {
      const words = wordsOf(spec);
      if (fits || spec.kind === "adapter" || spec.part === "value_head") {
        offset += words;
        return { ...spec, offset: offset - words };
      }
      if (frozen.length === 0 || frozen[frozen.length - 1] + words > pieceWords) frozen.push(0);
      const piece = frozen.length - 1;
      frozen[piece] += words;
      return { ...spec, offset: frozen[piece] - words, frozen: piece };
    });
    this.values = gpu.allocate(offset, "parameters");
    this.#frozen = frozen.map((words, piece) => gpu.allocate(words, `parameters.${piece}`));
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

  /** Draws initial values from a seed, for all parameters or those chosen; others are then zero. */
  initialize(seed: number, isChosen: (parameter: Parameter) => boolean = () => true): void {
    this.version++;
    const main = new Float32Array(this.values.length);
    this.list.forEach((parameter, index) => {
      if (!isChosen(parameter)) return;
      const { name, shape, kind, std } = parameter;
      const isFrozen = parameter.frozen !== undefined;
      const [values, offset] = isFrozen ? [new Float32Array(sizeOf(shape)), 0] : [main, parameter.offset];
      const isScale = kind === "norm" && name.endsWith(".weight");
      const parameterSeed = (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0;
      for (let i = 0; i < sizeOf(shape); i++) {
        values[offset + i] = isScale ? 1 : std === 0 ? 0 : std * normalFromCounter(parameterSeed, 2 * i);
      }
      if (isFrozen) this.#gpu.write(this.get(name).data, values);
    });
    this.#gpu.write(this.values, main);
  }

  /**
   * Gives the parameters that `isTrainable` names a gradient; the others are frozen.
   *
   * @throws {RangeError} when it names one of a model that does not fit one piece of memory, but for adapters and value head.
   */
  train(isTrainable: (parameter: Parameter) => boolean): void {
    const beyond = this.list.find((parameter) => parameter.frozen !== undefined && isTrainable(parameter));
    if (beyond !== undefined) {
      throw new RangeError(
        `Cannot train ${beyond.name}: the model is larger than a piece of this adapter's memory, train adapters (LoRA)`,
      );
    }
    this.version++;
    this.gradients ??= this.#gpu.allocate(this.values.length, "gradients");
    this.#gpu.clear(this.gradients);
    this.#bind(isTrainable);
  }

  /** Whether no parameter of these parts is trained. */
  isFrozen(...parts: readonly ParameterPart[]): boolean {
    return this.list.every(({ name, part }) => !parts.includes(part) || !this.get(name).requiresGradient);
  }

  /** Values by name, read back from the GPU. */
  async toHost(): Promise<Map<string, { shape: number[]; data: Float32Array }>> {
    const [values, ...frozen] = await this.#gpu.read(this.values, ...this.#frozen);
    return new Map(
      this.list.map(({ name, shape, offset, frozen: piece }) => {
        const words = piece === undefined ? values : frozen[piece];
        return [name, { shape: [...shape], data: words.slice(offset, offset + sizeOf(shape)) }];
      }),
    );
  }

  /** A contiguous array in the layout of `values`, cut into named tensors: all but those in frozen pieces. */
  split(words: Float32Array): Map<string, { shape: number[]; data: Float32Array }> {
    return new Map(
      this.list.filter(({ frozen }) => frozen === undefined).map(({ name, shape, offset }) => [
        name,
        { shape: [...shape], data: words.slice(offset, offset + sizeOf(shape)) },
      ]),
    );
  }

  /** The inverse of {@linkcode Parameters.split}; every parameter must be there. */
  join(tensors: ReadonlyMap<string, { data: Float32Array }>): Float32Array {
    const words = new Float32Array(this.values.length);
    for (const { name, offset, frozen } of this.list) {
      if (frozen === undefined) words.set(tensors.get(name)!.data, offset);
    }
    return words;
  }

  /** Overwrites all values. */
  fromHost(tensors: ReadonlyMap<string, { data: Float32Array }>): void {
    this.version++;
    this.#gpu.write(this.values, this.join(tensors));
    for (const { name, frozen } of this.list) {
      if (frozen !== undefined) this.#gpu.write(this.get(name).data, tensors.get(name)!.data);
    }
  }

  #bind(isTrainable: (parameter: Parameter) => boolean): void {
    this.#tensors = new Map(this.list.map((parameter) => {
      const { name, shape, offset, frozen } = parameter;
      const store = frozen === undefined ? this.values : this.#frozen[frozen];
      const requiresGradient = this.gradients !== null && isTrainable(parameter);
      return [name, {
        label: name,
        shape,
        data: subslice(store, offset, sizeOf(shape), name),
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
