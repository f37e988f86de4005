/**
 * The autograd tape: records ops as they run forward, then runs their backward rules in reverse.
 *
 * The tape owns every tensor made through it. An activation goes back to the pool when the backward of the op that made
 * it has run. A gradient goes back when it is used, the rest in `dispose`. Example: `loss = sum(x * x)`, x a parameter:
 *
 *     y = multiply(x, x)   takes y from the pool; recorded, since a gradient flows through x
 *     s = sum(y)           takes s; recorded
 *     backward(s)          takes ds = 1, held for s
 *       sum's rule         takes dy, held for y; ds and s go back
 *       multiply's rule    takes dx = dy x for each input: the second is added to the first, held for x; dy and y go back
 *       at the end         x.gradient += dx, which goes back: x itself is no memory of the tape's
 *
 * @module
 */
import { fixed, type Gpu, type HostData, type Slice } from "../../kernels/gpu/mod.ts";
import { addInPlace, binary } from "../../kernels/elementwise/mod.ts";
import { HeldSlices } from "./memory.ts";
import type { AnyOpRule, AttributeArguments, Call, Operand, OpRule } from "./op.ts";
import { formatShape, sizeOf, type Tensor } from "./tensor.ts";

/** An op that ran and what it ran on. */
interface Recorded extends Call<readonly Operand[], readonly Tensor[], unknown> {
  readonly rule: AnyOpRule;
}

/** Records and differentiates. With `record: false` it only runs forward (rollouts, evaluation). */
export class Tape implements Disposable {
  /** The GPU that its ops run on. */
  readonly gpu: Gpu;
  readonly #record: boolean;
  readonly #calls: Recorded[] = [];
  readonly #memory: HeldSlices;
  readonly #gradients = new Map<Tensor, Slice>();
  readonly #kept = new Set<Tensor>();
  /** The tape of the whole, on the tape of a segment. */
  readonly #whole: Tape | null;
  /** Whether ops only say whether a gradient would flow: the segment runs again when it does. */
  readonly #forgets: boolean;
  #saved: Slice[] = [];

  /** An empty tape; with `record: false` nothing can be differentiated. */
  constructor(gpu: Gpu, { record }: { record: boolean }, segment?: { whole: Tape; forgets: boolean }) {
    this.gpu = gpu;
    this.#whole = segment?.whole ?? null;
    this.#forgets = segment?.forgets ?? false;
    this.#memory = new HeldSlices(gpu);
    this.#record = record;
  }

  /**
   * Runs an op and, if gradients flow through it, records it. Ops are values made by `defineOp`, ours and yours.
   *
   * @throws {TypeError} when the op takes another number of operands; whatever its forward throws.
   */
  apply<Inputs extends readonly Operand[], Outputs extends readonly Tensor[], Attributes>(
    rule: OpRule<Inputs, Outputs, Attributes>,
    inputs: NoInfer<Inputs>,
    ...rest: AttributeArguments<NoInfer<Attributes>>
  ): Outputs {
    const attributes = rest[0] as Attributes;
    if (rule.arity !== "any" && rule.arity !== inputs.length) {
      throw new TypeError(`Cannot apply ${rule.name}: it takes ${rule.arity} operands, got ${inputs.length}`);
    }
    const requiresGradient = this.#record && inputs.some((input) => input?.requiresGradient);
    let made: readonly Tensor[];
    let saved: Slice[];
    try {
      made = rule.forward(this, inputs, attributes);
    } finally {
      // Even if the op failed: the next one must not take this memory for its own.
      saved = this.#saved;
      this.#saved = [];
      this.#memory.releaseScratch();
    }
    const outputs = made.map((output) => ({ ...output, requiresGradient }));
    if (requiresGradient && !this.#forgets) {
      this.#calls.push({ rule: rule as unknown as AnyOpRule, attributes, inputs, outputs, saved });
    } else saved.forEach((slice) => this.#memory.release(slice));
    return outputs as readonly Tensor[] as Outputs;
  }

  /** Whether it can differentiate. */
  get records(): boolean {
    return this.#record;
  }

  /** A tensor holding host data that no gradient reaches. */
  constant(data: Float32Array | Uint32Array | Int32Array, shape: readonly number[], label: string): Tensor {
    if (sizeOf(shape) !== data.length) {
      throw new RangeError(`Cannot make ${label}: shape (${shape}) does not hold ${data.length} elements`);
    }
    return this.#tensor(this.#memory.upload(data, label), shape, label);
  }

  /** Host data that ops need as it is, uploaded once for each array; freed with the tape. */
  indices(data: HostData, label: string): Slice {
    return this.#whole?.indices(data, label) ?? this.#memory.uploadOnce(data, label);
  }

  /**
   * What `derive` makes of host data, freed with the tape. A planned step repeats it for the next inputs' data. The result
   * must therefore depend on that data and on sizes alone.
   */
  derived<Data extends HostData>(data: Data, label: string, derive: (data: Data) => HostData): Slice {
    return this.#memory.upload(data, label, derive);
  }

  /** Words of zero that an op needs only while it is launched. */
  zeros(words: number): Slice {
    const slice = this.scratch(words, "zeros");
    this.gpu.clear(slice);
    return slice;
  }

  /** The same values, cut off from gradients. */
  detach(tensor: Tensor): Tensor {
    this.#memory.retain(tensor.data);
    return { ...tensor, requiresGradient: false, gradient: null };
  }

  /** Keeps a tensor readable after `backward`, until `dispose`. */
  keep(tensor: Tensor): Tensor {
    this.#kept.add(tensor);
    return tensor;
  }

  /**
   * Runs a part of the forward pass, from X to its result, and gives back what it computes in between. If a gradient flows, backward
   * runs the part again: memory for one segment at a time, at the price of a second forward pass. Gradients are the same
   * to the bit. `run` must use the tape and the tensor that it gets, and none that this tape made but X.
   *
   * Source: arXiv:1604.06174
   */
  segment(X: Tensor, run: (tape: Tape, X: Tensor) => Tensor): Tensor {
    using part = new Tape(this.gpu, { record: this.#record }, { whole: this, forgets: true });
    const result = run(part, X);
    const { requiresGradient } = result;
    this.#memory.retain(result.data); // if it is a view of X
    this.#memory.adopt(part.#memory, result.data, 1);
    for (const { data } of part.#kept) if (data !== result.data) this.#memory.adopt(part.#memory, data, 1);
    const Y = { ...result, requiresGradient };
    if (requiresGradient) {
      const rule = {
        ...SEGMENT,
        backward: (_: Tape, __: unknown, [dY]: readonly (Slice | null)[]) => [this.#again(X, run, dY!)],
      };
      this.#calls.push({ rule, attributes: null, inputs: [X], outputs: [Y], saved: [] });
    }
    return Y;
  }

  /** Runs a segment again, and backward: the gradient of X, which nobody holds yet. */
  #again(X: Tensor, run: (tape: Tape, X: Tensor) => Tensor, dY: Slice): Slice | null {
    using part = new Tape(this.gpu, { record: true }, { whole: this, forgets: false });
    const leaf = { ...X, gradient: null };
    part.#accumulate(run(part, leaf), dY);
    part.#runBackward();
    const dX = part.#gradients.get(leaf) ?? null;
    if (dX !== null) this.#memory.adopt(part.#memory, dX, 0);
    return dX;
  }

  /**
   * Adds d(sum of roots)/d(parameter) to the gradient of every trainable parameter upstream. Each root is a scalar.
   */
  backward(...roots: readonly Tensor[]): void {
    for (const root of roots) {
      if (sizeOf(root.shape) !== 1) {
        throw new RangeError(
          `Cannot differentiate ${root.label} ${formatShape(root.shape)}: it is not a scalar, sum it first`,
        );
      }
      this.#accumulate(root, this.#memory.upload(ONE, `d${root.label}`));
    }
    this.#runBackward();
  }

  #runBackward(): void {
    for (let call = this.#calls.pop(); call !== undefined; call = this.#calls.pop()) {
      const dOutputs = call.outputs.map((output) => this.#gradients.get(output) ?? null);
      if (dOutputs.some((gradient) => gradient !== null)) {
        const dInputs = requireOneEach(call, call.rule.backward(this, call, dOutputs));
        call.inputs.forEach((input, index) => {
          if (!input?.requiresGradient) return;
          const gradient = dInputs[index];
          if (gradient) this.#accumulate(input, requireGradientOf(input, gradient, call.rule));
          else if (input.gradient === null) throw notAParameter(call.rule, index, input);
        });
        this.#memory.releaseScratch();
      }
      for (const output of call.outputs) {
        const gradient = this.#gradients.get(output);
        if (gradient !== undefined) this.#memory.release(gradient);
        this.#gradients.delete(output);
        if (!this.#kept.has(output)) this.#memory.release(output.data);
      }
      call.saved.forEach((slice) => this.#memory.release(slice));
    }
    // Left are the gradients of parameters that an op took as if they were activations.
    for (const [tensor, gradient] of this.#gradients) {
      if (tensor.gradient === null) continue;
      addInPlace(this.gpu, { Y: tensor.gradient, X: gradient }, { n: sizeOf(tensor.shape) });
      this.#memory.release(gradient);
      this.#gradients.delete(tensor);
    }
  }

  /** Memory for an op's result. */
  output(shape: readonly number[], label: string): Tensor {
    return this.#tensor(this.#memory.acquire(sizeOf(shape), label), shape, label);
  }

  /** A view of an input as an op's result. */
  view(tensor: Tensor, shape: readonly number[]): Tensor {
    this.#memory.retain(tensor.data);
    return this.#tensor(tensor.data, shape, tensor.label);
  }

  /** Memory that an op's backward needs; undefined contents. */
  save(words: number, label: string): Slice {
    const slice = this.#memory.acquire(words, label);
    this.#saved.push(slice);
    return slice;
  }

  /** Memory that an op needs only while it is launched. */
  scratch(words: number, label: string): Slice {
    return this.#memory.scratch(words, label);
  }

  /** Memory for a gradient that a backward rule returns. */
  gradientOf(tensor: Tensor): Slice {
    return this.#memory.acquire(sizeOf(tensor.shape), `d${tensor.label}`, 0);
  }

  /**
   * Memory for a gradient that a backward rule returns. With `accumulate` it holds what came from elsewhere so far, and the
   * rule adds its part; this is so if nothing else holds that memory.
   */
  gradientSoFar(tensor: Tensor): { dX: Slice; accumulate: boolean } {
    const earlier = this.#gradients.get(tensor);
    if (earlier === undefined || !this.#memory.isHeldOnce(earlier)) {
      return { dX: this.gradientOf(tensor), accumulate: false };
    }
    return { dX: earlier, accumulate: true };
  }

  /** Gives back the memory of every tensor made through this tape; they may not be used any more. */
  dispose(): void {
    this.#memory.releaseAll();
    this.#gradients.clear();
    this.#kept.clear();
    this.#calls.length = 0;
  }

  /** The same, at the end of a block that began with `using tape`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #tensor(data: Slice, shape: readonly number[], label: string): Tensor {
    return { label, shape, data, requiresGradient: false, gradient: null };
  }

  /** A gradient counts one holder for every tensor it is the gradient of; when a value fans out they are summed. */
  #accumulate(tensor: Tensor, gradient: Slice): void {
    const earlier = this.#gradients.get(tensor);
    if (earlier === undefined) {
      this.#memory.retain(gradient);
      this.#gradients.set(tensor, gradient);
      return;
    }
    if (gradient === earlier) return; // added in place
    const sum = this.gradientOf(tensor);
    binary(this.gpu, { A: earlier, B: gradient, Y: sum }, { op: "add", n: sizeOf(tensor.shape) });
    this.#memory.retain(sum);
    this.#gradients.set(tensor, sum);
    this.#memory.release(earlier);
    this.#memory.releaseUnheld(gradient);
  }
}

/** What a segment is on the tape of the whole; each has its own backward. */
const SEGMENT = {
  name: "segment",
  arity: 1,
  forward: (): never => {
    throw new TypeError("Cannot apply a segment: it is run by tape.segment");
  },
} as const;

/** Where gradients begin: d(root)/d(root). */
const ONE = fixed(new Float32Array([1]));

function requireGradientOf({ label, shape }: Tensor, gradient: Slice, { name }: AnyOpRule): Slice {
  if (gradient.length === sizeOf(shape)) return gradient;
  throw new RangeError(
    `Cannot differentiate ${name}: the gradient of ${label} ${formatShape(shape)} has ${gradient.length} ` +
      `words, take memory from tape.gradientOf`,
  );
}

function notAParameter({ name }: AnyOpRule, index: number, { label, shape }: Tensor): Error {
  return new TypeError(
    `Cannot differentiate ${name}: its input ${index}, ${label} ${
      formatShape(shape)
    }, depends on parameters ` +
      `but must be one itself, detach it or use another op`,
  );
}

function requireOneEach<T>({ rule, inputs }: Recorded, gradients: readonly T[]): readonly T[] {
  if (gradients?.length === inputs.length) return gradients;
  throw new TypeError(
    `Cannot differentiate ${rule.name}: backward returned ${gradients?.length ?? "no"} gradients, ` +
      `expected one for each of ${inputs.length} operands, null for one without`,
  );
}
