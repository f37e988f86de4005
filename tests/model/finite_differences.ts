/** Checks an op's backward rule against central differences of its forward. */
import { assert } from "@std/assert";
import { caseValues } from "../../kernels/case.ts";
import { type Gpu, type Slice, subslice } from "../../kernels/gpu/mod.ts";
import { add, multiply, sizeOf, sum, Tape, type Tensor } from "../../model/mod.ts";
import type { OpAttributes, OpName } from "../../model/tape/ops.ts";

/** One operand: null where an optional one is absent. */
export interface Operand {
  readonly shape: readonly number[];
  /** Defaults to reproducible values in [-1, 1). */
  readonly values?: Float32Array;
  /** Whether it is a parameter; true unless said otherwise. */
  readonly isTrainable?: boolean;
}

/** An op on operands. */
export interface OpCase<Name extends OpName> {
  readonly name: string;
  readonly inputs: readonly (Operand | null)[];
  readonly attributes: OpAttributes[Name];
  /** Outputs that the loss uses; all by default. */
  readonly outputs?: readonly number[];
}

/** Step of the differences: their error is about step^2 f'''/6 from the cut series and 1e-7 f/step from f32. */
const STEP = 1e-2;
/** Elements of each operand that are moved. */
const SAMPLES = 12;

/** Parameters on a GPU, each with a gradient of zeros. */
export function leaves(gpu: Gpu, operands: readonly (Operand | null)[]): (Tensor | null)[] {
  return operands.map((operand, index) => {
    if (operand === null) return null;
    const { shape, isTrainable = true } = operand;
    const words = sizeOf(shape);
    const data = gpu.upload(valuesOf(operand, index), `input ${index}`);
    const gradient = isTrainable ? gpu.upload(new Float32Array(words), `dinput ${index}`) : null;
    return { label: `input ${index}`, shape, data, requiresGradient: isTrainable, gradient };
  });
}

export function releaseLeaves(gpu: Gpu, tensors: readonly (Tensor | null)[]): void {
  for (const tensor of tensors) {
    if (tensor === null) continue;
    gpu.release(tensor.data);
    if (tensor.gradient) gpu.release(tensor.gradient);
  }
}

/**
 * Requires every trainable operand's gradient of sum(output * random) to agree with central differences within
 * `tolerance` of the largest gradient.
 */
export async function checkGradients<Name extends OpName>(
  gpu: Gpu,
  op: Name,
  opCase: OpCase<Name>,
  tolerance = 1e-3,
): Promise<void> {
  const { inputs, attributes } = opCase;
  const tensors = leaves(gpu, inputs);
  const weightsOf = (output: Tensor, index: number) => caseValues(sizeOf(output.shape), 100 + index);
  const used = (outputs: readonly Tensor[]) => opCase.outputs ?? outputs.map((_, index) => index);

  // Differences are taken of the loss in f64 on the host: only the op itself is in f32.
  const lossAt = async (): Promise<number> => {
    using tape = new Tape(gpu, { record: false });
    const outputs = tape.apply(op, tensors, attributes);
    const results = await gpu.read(...outputs.map(({ data }) => data));
    return used(outputs).reduce((loss, index) => {
      const weights = weightsOf(outputs[index], index);
      return loss + weights.reduce((total, weight, i) => total + weight * results[index][i], 0);
    }, 0);
  };

  {
    using tape = new Tape(gpu, { record: true });
    const outputs = tape.apply(op, tensors, attributes);
    const roots = used(outputs).map((index) => {
      const output = outputs[index];
      const weights = tape.constant(weightsOf(output, index), output.shape, "weights");
      return sum(tape, multiply(tape, output, weights));
    });
    tape.backward(roots.reduce((a, b) => add(tape, a, b)));
  }

  for (const [index, tensor] of tensors.entries()) {
    if (!tensor?.gradient) continue;
    const values = valuesOf(inputs[index]!, index);
    const [gradient] = await gpu.read(tensor.gradient);
    assert(gradient.some((x) => x !== 0), `${op}: no gradient reached input ${index}`);
    const stride = Math.max(1, Math.floor(values.length / SAMPLES)) | 1;
    const largest = gradient.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    for (let i = 0; i < values.length; i += stride) {
      const element = subslice(tensor.data, i, 1);
      const moved = async (value: number) => {
        // The element as f32 holds it, so that the step divided by is the step taken.
        const exact = Math.fround(value);
        gpu.write(element, Float32Array.of(exact));
        return { at: exact, loss: await lossAt() };
      };
      const [low, high] = [await moved(values[i] - STEP), await moved(values[i] + STEP)];
      gpu.write(element, values.slice(i, i + 1));
      const want = (high.loss - low.loss) / (high.at - low.at);
      assert(
        Math.abs(gradient[i] - want) <= tolerance * largest,
        `${op}: gradient ${i} of input ${index} is ${
          gradient[i]
        }, differences give ${want} (largest ${largest})`,
      );
    }
  }
  releaseLeaves(gpu, tensors);
}

/** Contents of a slice. */
export async function readSlice(gpu: Gpu, slice: Slice): Promise<number[]> {
  return Array.from((await gpu.read(slice))[0]);
}

function valuesOf({ shape, values }: Operand, index: number): Float32Array {
  return values ?? caseValues(sizeOf(shape), index + 1);
}
