/**
 * The model's parameters: their names, shapes and initialisation in one list, their values in one contiguous slice.
 *
 * @module
 */
import { type Gpu, roundUp, type Slice, SLICE_ALIGNMENT_WORDS, subslice } from "../kernels/gpu/mod.ts";
import { uniformFromCounter } from "../kernels/sampling/mod.ts";
import { partsOf, sizeOf, type Tensor, type TensorPart } from "./tape/mod.ts";

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
  /** Whether all that read it take it in pieces of rows, so that it may be larger than a kernel can bind. */
  readonly isTable?: boolean;
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
  /** Which further piece of memory it lies in, or begins in; absent for those in `values`. */
  readonly frozen?: number;
  /** Rows of each piece, for a table that takes several: one after another, from its own beginning. */
  readonly rowsEach?: number;
}

/** Most words of one piece of memory that a kernel can bind, in whole rows of a texture mirror. */
function mostWords({ device: { limits } }: Gpu): number {
  const bytes = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  return Math.floor(bytes / 4 / 4096) * 4096;
}

/**
 * All parameters of a model. If it has adapters, or does not fit one piece of memory, only adapters and value head lie in
 * `values`. The others lie in pieces of their own: no optimiser has moments for them.
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
  /** Gradients of each further piece, once one of its parameters was trained. */
  readonly #frozenGradients: (Slice | null)[];
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
    const fits = specs.reduce((words, spec) => words + wordsOf(spec), 0) <= pieceWords;
    const isWhole = fits && !specs.some(({ kind }) => kind === "adapter");
    let offset = 0;
    const frozen: number[] = [];
    this.list = specs.map((spec) => {
      const words = wordsOf(spec);
      if (isWhole || spec.kind === "adapter" || spec.part === "value_head") {
        offset += words;
        return { ...spec, offset: offset - words };
      }
      if (words > pieceWords) return { ...spec, offset: 0, ...addTable(frozen, spec, pieceWords) };
      if (frozen.length === 0 || frozen[frozen.length - 1] + words > pieceWords) frozen.push(0);
      const piece = frozen.length - 1;
      frozen[piece] += words;
      return { ...spec, offset: frozen[piece] - words, frozen: piece };
    });
    this.values = gpu.allocate(offset, "parameters");
    this.#frozen = frozen.map((words, piece) => gpu.allocate(words, `parameters.${piece}`));
    this.#frozenGradients = frozen.map(() => null);
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
      if (isFrozen) this.#write(name, values);
    });
    this.#gpu.write(this.values, main);
  }

  /** Overwrites the values of one parameter. */
  write(name: string, values: Float32Array): void {
    this.version++;
    this.#write(name, values);
  }

  #write(name: string, values: Float32Array): void {
    const tensor = this.get(name);
    const columns = sizeOf(tensor.shape.slice(1));
    for (const { row0, rows, data } of partsOf(tensor)) {
      this.#gpu.write(data, values.subarray(row0 * columns, (row0 + rows) * columns));
    }
  }

  /** Gives the parameters that `isTrainable` names a gradient; the others are frozen. */
  train(isTrainable: (parameter: Parameter) => boolean): void {
    this.version++;
    this.gradients ??= this.#gpu.allocate(this.values.length, "gradients");
    for (const parameter of this.list) {
      if (parameter.frozen === undefined || !isTrainable(parameter)) continue;
      for (let piece = parameter.frozen; piece < parameter.frozen + pieceCount(parameter); piece++) {
        const { length } = this.#frozen[piece];
        this.#frozenGradients[piece] ??= this.#gpu.allocate(length, `gradients.${piece}`);
      }
    }
    this.#gpu.clear(this.gradients);
    for (const gradients of this.#frozenGradients) if (gradients !== null) this.#gpu.clear(gradients);
    this.#bind(isTrainable);
  }

  /** Whether no parameter of these parts is trained. */
  isFrozen(...parts: readonly ParameterPart[]): boolean {
    return this.list.every(({ name, part }) => !parts.includes(part) || !this.get(name).requiresGradient);
  }

  /** Values by name, read back from the GPU. */
  async toHost(): Promise<Map<string, { shape: number[]; data: Float32Array }>> {
    const [values, ...frozen] = await this.#gpu.read(this.values, ...this.#frozen);
    return this.#named((piece) => piece === undefined ? values : frozen[piece]);
  }

  /** Gradients by name, of trained parameters, read back from the GPU. */
  async gradientsToHost(): Promise<Map<string, { shape: number[]; data: Float32Array }>> {
    const slices = [this.gradients, ...this.#frozenGradients].map((slice) => slice ?? this.#gpu.placeholder);
    const [values, ...frozen] = await this.#gpu.read(...slices);
    const isTrained = ({ name }: Parameter) => this.get(name).requiresGradient;
    return this.#named((piece) => piece === undefined ? values : frozen[piece], isTrained);
  }

  #named(wordsOf: (piece: number | undefined) => Float32Array, isChosen = (_: Parameter) => true) {
    return new Map(
      this.list.filter(isChosen).map((parameter) => {
        const { name, shape, offset, frozen, rowsEach } = parameter;
        if (frozen === undefined || rowsEach === undefined) {
          const data = wordsOf(frozen).slice(offset, offset + sizeOf(shape));
          return [name, { shape: [...shape], data }];
        }
        const data = new Float32Array(sizeOf(shape));
        const words = rowsEach * sizeOf(shape.slice(1));
        for (let piece = 0; piece < pieceCount(parameter); piece++) {
          data.set(
            wordsOf(frozen + piece).subarray(0, Math.min(words, data.length - piece * words)),
            piece * words,
          );
        }
        return [name, { shape: [...shape], data }];
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
      if (frozen !== undefined) this.#write(name, tensors.get(name)!.data);
    }
  }

  /** Frees all memory; the parameters may not be used any more. */
  dispose(): void {
    const slices = [this.values, this.gradients, ...this.#frozen, ...this.#frozenGradients];
    for (const slice of [...slices, ...this.constants.values()]) if (slice !== null) this.#gpu.free(slice);
  }

  #bind(isTrainable: (parameter: Parameter) => boolean): void {
    this.#tensors = new Map(this.list.map((parameter) => {
      const { name, shape, offset, frozen, rowsEach = shape[0] } = parameter;
      const requiresGradient = this.gradients !== null && isTrainable(parameter);
      const parts = Array.from({ length: pieceCount(parameter) }, (_, index): TensorPart => {
        const [store, gradients] = frozen === undefined
          ? [this.values, this.gradients]
          : [this.#frozen[frozen + index], this.#frozenGradients[frozen + index]];
        const row0 = index * rowsEach;
        const rows = Math.min(rowsEach, shape[0] - row0);
        const words = rows * sizeOf(shape.slice(1));
        return {
          row0,
          rows,
          data: subslice(store, offset, words, name),
          gradient: requiresGradient ? subslice(gradients!, offset, words, `d${name}`) : null,
        };
      });
      const [{ data, gradient }] = parts;
      const tensor = { label: name, shape, data, requiresGradient, gradient };
      return [name, parts.length === 1 ? tensor : { ...tensor, parts }];
    }));
  }
}

const wordsOf = ({ shape }: ParameterSpec) => roundUp(sizeOf(shape), SLICE_ALIGNMENT_WORDS);

const pieceCount = ({ shape, rowsEach = shape[0] }: Parameter) => Math.ceil(shape[0] / rowsEach);

/** Adds the pieces of a table that is larger than one, to the words of each piece so far. */
function addTable(
  pieces: number[],
  { name, isTable, shape: [rows, columns] }: ParameterSpec,
  pieceWords: number,
): Pick<Parameter, "frozen" | "rowsEach"> {
  const rowsEach = Math.floor(pieceWords / columns / 4) * 4;
  if (!isTable || rowsEach === 0) {
    throw new RangeError(
      `Cannot allocate ${name}: ${4 * rows * (columns ?? 1)} bytes exceed the adapter's limit of ${
        4 * pieceWords
      }, use a smaller model`,
    );
  }
  const frozen = pieces.length;
  for (let row = 0; row < rows; row += rowsEach) {
    pieces.push(roundUp(Math.min(rowsEach, rows - row) * columns, SLICE_ALIGNMENT_WORDS));
  }
  return { frozen, rowsEach };
}

/** A standard normal from two counter-based uniforms (Box and Muller). */
function normalFromCounter(seed: number, counter: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - uniformFromCounter(seed, counter)));
  return radius * Math.cos(2 * Math.PI * uniformFromCounter(seed, counter + 1));
}
