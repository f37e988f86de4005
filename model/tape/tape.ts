/**
 * The autograd tape: records ops as they run forward, then runs their backward rules in reverse.
 *
 * The tape owns every tensor made through it. Activations go back to the pool as soon as the backward of the op that
 * made them has run, gradients as soon as they are used, the rest in `dispose`.
 *
 * @module
 */
import type { Gpu, Slice } from "../../kernels/gpu/mod.ts";
import { addInPlace, binary } from "../../kernels/elementwise/mod.ts";
import { type OpAttributes, type OpName, ops } from "./ops.ts";
import { formatShape, sizeOf, type Tensor } from "./tensor.ts";

/** An operand of an op; null where an optional one is absent. */
export type Operand = Tensor | null;

/** One recorded op. `saved` are slices that only its backward needs. */
export interface Call<Attributes> {
  readonly attributes: Attributes;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Tensor[];
  readonly saved: readonly Slice[];
}

/** What an op's rule is: forward beside backward. */
export interface Op<Attributes> {
  /** Launches the op; memory comes from `tape.output`, `tape.save` and `tape.scratch`. */
  forward(tape: Tape, inputs: readonly Operand[], attributes: Attributes): Tensor[];
  /**
   * Given the gradients of the outputs (null where none arrived), sums parameter gradients in place and returns the
   * gradient of every other input, null where none flows.
   */
  backward(tape: Tape, call: Call<Attributes>, dOutputs: readonly (Slice | null)[]): (Slice | null)[];
}

/** Records and differentiates. With `record: false` it only runs forward (rollouts, evaluation). */
export class Tape implements Disposable {
  readonly gpu: Gpu;
  readonly #record: boolean;
  readonly #calls: (Call<unknown> & { name: OpName })[] = [];
  /** Slices this tape must give back, and how many tensors or gradients hold each. */
  readonly #held = new Map<Slice, number>();
  readonly #gradients = new Map<Tensor, Slice>();
  readonly #indices = new Map<Uint32Array | Int32Array, Slice>();
  readonly #kept = new Set<Tensor>();
  #saved: Slice[] = [];
  #scratch: Slice[] = [];

  constructor(gpu: Gpu, { record }: { record: boolean }) {
    this.gpu = gpu;
    this.#record = record;
  }

  /** Runs an op and, if gradients flow through it, records it. */
  apply<Name extends OpName>(
    name: Name,
    inputs: readonly Operand[],
    attributes: OpAttributes[Name],
  ): Tensor[] {
    const rule = ops[name] as Op<OpAttributes[Name]>;
    const requiresGradient = this.#record && inputs.some((input) => input?.requiresGradient);
    const made = rule.forward(this, inputs, attributes);
    const outputs = made.map((output) => ({ ...output, requiresGradient }));
    const saved = this.#saved;
    this.#saved = [];
    this.#releaseScratch();
    if (requiresGradient) this.#calls.push({ name, attributes, inputs, outputs, saved });
    else saved.forEach((slice) => this.#release(slice));
    return outputs;
  }

  /** A tensor holding host data that no gradient reaches. */
  constant(data: Float32Array | Uint32Array | Int32Array, shape: readonly number[], label: string): Tensor {
    if (sizeOf(shape) !== data.length) {
      throw new RangeError(`Cannot make ${label}: shape (${shape}) does not hold ${data.length} elements`);
    }
    return this.#tensor(this.#hold(this.gpu.upload(data, label)), shape, label);
  }

  /** Host words that ops need as indices, uploaded once for each array; freed with the tape. */
  indices(data: Uint32Array | Int32Array, label: string): Slice {
    const known = this.#indices.get(data);
    if (known !== undefined) return known;
    const slice = this.#hold(this.gpu.upload(data, label));
    this.#indices.set(data, slice);
    return slice;
  }

  /** Words of zero that an op needs only while it is launched. */
  zeros(words: number): Slice {
    const slice = this.scratch(words, "zeros");
    this.gpu.clear(slice);
    return slice;
  }

  /** The same values, cut off from gradients. */
  detach(tensor: Tensor): Tensor {
    this.#retain(tensor.data);
    return { ...tensor, requiresGradient: false, gradient: null };
  }

  /** Keeps a tensor readable after `backward`, until `dispose`. */
  keep(tensor: Tensor): Tensor {
    this.#kept.add(tensor);
    return tensor;
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
      this.#accumulate(root, this.#hold(this.gpu.upload(new Float32Array([1]), `d${root.label}`)));
    }
    for (let call = this.#calls.pop(); call !== undefined; call = this.#calls.pop()) {
      const dOutputs = call.outputs.map((output) => this.#gradients.get(output) ?? null);
      if (dOutputs.some((gradient) => gradient !== null)) {
        const rule = ops[call.name] as Op<unknown>;
        const dInputs = rule.backward(this, call, dOutputs);
        call.inputs.forEach((input, index) => {
          if (!input?.requiresGradient) return;
          const gradient = dInputs[index];
          if (gradient) this.#accumulate(input, gradient);
          else if (input.gradient === null) throw notAParameter(call.name, index, input);
        });
        this.#releaseScratch();
      }
      for (const output of call.outputs) {
        const gradient = this.#gradients.get(output);
        if (gradient !== undefined) this.#release(gradient);
        this.#gradients.delete(output);
        if (!this.#kept.has(output)) this.#release(output.data);
      }
      call.saved.forEach((slice) => this.#release(slice));
    }
    // Left are the gradients of parameters that an op took as if they were activations.
    for (const [tensor, gradient] of this.#gradients) {
      if (tensor.gradient === null) continue;
      addInPlace(this.gpu, { Y: tensor.gradient, X: gradient }, { n: sizeOf(tensor.shape) });
      this.#release(gradient);
      this.#gradients.delete(tensor);
    }
  }

  /** Memory for an op's result. */
  output(shape: readonly number[], label: string): Tensor {
    return this.#tensor(this.#hold(this.gpu.acquire(sizeOf(shape), label)), shape, label);
  }

  /** A view of an input as an op's result. */
  view(tensor: Tensor, shape: readonly number[]): Tensor {
    this.#retain(tensor.data);
    return this.#tensor(tensor.data, shape, tensor.label);
  }

  /** Memory that an op's backward needs; undefined contents. */
  save(words: number, label: string): Slice {
    const slice = this.#hold(this.gpu.acquire(words, label));
    this.#saved.push(slice);
    return slice;
  }

  /** Memory that an op needs only while it is launched. */
  scratch(words: number, label: string): Slice {
    const slice = this.gpu.acquire(words, label);
    this.#scratch.push(slice);
    return slice;
  }

  /** Memory for a gradient that a backward rule returns. */
  gradientOf(tensor: Tensor): Slice {
    return this.#hold(this.gpu.acquire(sizeOf(tensor.shape), `d${tensor.label}`), 0);
  }

  dispose(): void {
    for (const slice of this.#held.keys()) this.gpu.release(slice);
    this.#held.clear();
    this.#gradients.clear();
    this.#indices.clear();
    this.#kept.clear();
    this.#calls.length = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #tensor(data: Slice, shape: readonly number[], label: string): Tensor {
    return { label, shape, data, requiresGradient: false, gradient: null };
  }

  /** A gradient counts one holder for every tensor it is the gradient of; where a value fans out they are summed. */
  #accumulate(tensor: Tensor, gradient: Slice): void {
    const earlier = this.#gradients.get(tensor);
    if (earlier === undefined) {
      this.#retain(gradient);
      this.#gradients.set(tensor, gradient);
      return;
    }
    const sum = this.gradientOf(tensor);
    binary(this.gpu, { A: earlier, B: gradient, Y: sum }, { op: "add", n: sizeOf(tensor.shape) });
    this.#retain(sum);
    this.#gradients.set(tensor, sum);
    this.#release(earlier);
    if (this.#held.get(gradient) === 0) this.#release(gradient);
  }

  #hold(slice: Slice, holders = 1): Slice {
    this.#held.set(slice, holders);
    return slice;
  }

  #retain(slice: Slice): void {
    const holders = this.#held.get(slice);
    if (holders !== undefined) this.#held.set(slice, holders + 1);
  }

  #release(slice: Slice): void {
    const holders = this.#held.get(slice);
    if (holders === undefined) return;
    if (holders > 1) {
      this.#held.set(slice, holders - 1);
    } else {
      this.#held.delete(slice);
      this.gpu.release(slice);
    }
  }

  #releaseScratch(): void {
    this.#scratch.forEach((slice) => this.gpu.release(slice));
    this.#scratch = [];
  }
}

function notAParameter(op: OpName, index: number, { label, shape }: Tensor): Error {
  return new TypeError(
    `Cannot differentiate ${op}: its input ${index}, ${label} ${formatShape(shape)}, depends on parameters ` +
      `but must be one itself, detach it or use another op`,
  );
}
