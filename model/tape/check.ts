/**
 * Checks an op's backward rule against central differences of its forward rule. Tests use it, for our ops and for yours.
 *
 * @module
 */
import { caseValues } from "../../kernels/case.ts";
import { type Gpu, subslice } from "../../kernels/gpu/mod.ts";
import type { AttributeArguments, Operand, OpRule } from "./op.ts";
import { add, multiply } from "./ops/binary.ts";
import { sum } from "./ops/sum.ts";
import { Tape } from "./tape.ts";
import { sizeOf, type Tensor } from "./tensor.ts";

/** An operand of a check, on the host. */
export interface CheckedOperand {
  /** Its extents. */
  readonly shape: readonly number[];
  /** Row-major; reproducible values in [-1, 1) by default. */
  readonly values?: Float32Array;
  /** Is it a parameter, whose gradient is checked? True when absent. */
  readonly isTrainable?: boolean;
}

/** An operand of a check for each of an op's; null if an optional one is absent. */
export type CheckedOperands<Inputs extends readonly Operand[]> = {
  readonly [Index in keyof Inputs]: CheckedOperand | null;
};

/** The element at which the gradient of an operand is furthest from the differences. */
export interface GradientError {
  /** Index of the operand. */
  readonly input: number;
  /** Index of the element in row-major order. */
  readonly element: number;
  /** By the backward rule. */
  readonly got: number;
  /** By differences. */
  readonly want: number;
  /** Largest absolute gradient of the operand; 0 if none reached it. */
  readonly largest: number;
  /** |got - want| / largest: about 1e-4 for a right rule in f32, NaN if no gradient reached the operand. */
  readonly error: number;
}

/** Step of the differences: their error is about step^2 f'''/6 from the cut series and 1e-7 f/step from f32. */
const STEP = 1e-2;
/** Elements of each operand that are moved. */
const SAMPLES = 12;

/**
 * Compares the gradients of sum(output * random) with central differences, for a dozen elements of each trainable operand. Returns
 * the worst element of each trainable operand. Values must be 0.01 away from kinks of the function.
 *
 * @param inputs One a operand, null if an optional one is absent.
 * @param outputs Which outputs the sum is of; all by default.
 *
 * @example
 * ```ts
 * import { openGpu } from "../../kernels/gpu/mod.ts";
 * import { checkGradients } from "./check.ts";
 * import { rowSumRule } from "./ops.ts";
 *
 * const gpu = await openGpu();
 * const [{ error }] = await checkGradients(gpu, rowSumRule, { inputs: [{ shape: [4, 9] }] });
 * if (!(error < 1e-3)) throw new Error(`off by ${error}`);
 * gpu.destroy();
 * ```
 */
export async function checkGradients<
  Inputs extends readonly Operand[],
  Outputs extends readonly Tensor[],
  Attributes,
>(
  gpu: Gpu,
  rule: OpRule<Inputs, Outputs, Attributes>,
  { inputs, outputs: chosen }: {
    readonly inputs: NoInfer<CheckedOperands<Inputs>>;
    readonly outputs?: readonly number[];
  },
  ...attributes: AttributeArguments<NoInfer<Attributes>>
): Promise<GradientError[]> {
  const operands: readonly (CheckedOperand | null)[] = inputs as readonly (CheckedOperand | null)[];
  const tensors = leaves(gpu, operands);
  const apply = (tape: Tape) => tape.apply(rule, tensors as readonly Operand[] as Inputs, ...attributes);
  const weightsOf = (output: Tensor, index: number) => caseValues(sizeOf(output.shape), 100 + index);
  const used = (outputs: readonly Tensor[]) => chosen ?? outputs.map((_, index) => index);

  // Differences are taken of the loss in f64 on the host: only the op itself is in f32.
  const lossAt = async (): Promise<number> => {
    using tape = new Tape(gpu, { record: false });
    const outputs = apply(tape);
    const results = await gpu.read(...outputs.map(({ data }) => data));
    return used(outputs).reduce((loss, index) => {
      const weights = weightsOf(outputs[index], index);
      return loss + weights.reduce((total, weight, i) => total + weight * results[index][i], 0);
    }, 0);
  };

  {
    using tape = new Tape(gpu, { record: true });
    const outputs = apply(tape);
    const roots = used(outputs).map((index) => {
      const output = outputs[index];
      const weights = tape.constant(weightsOf(output, index), output.shape, "weights");
      return sum(tape, multiply(tape, output, weights));
    });
    tape.backward(roots.reduce((a, b) => add(tape, a, b)));
  }

  const errors: GradientError[] = [];
  for (const [input, tensor] of tensors.entries()) {
    if (!tensor?.gradient) continue;
    const values = valuesOf(operands[input]!, input);
    const [gradient] = await gpu.read(tensor.gradient);
    const stride = Math.max(1, Math.floor(values.length / SAMPLES)) | 1;
    const largest = gradient.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    let worst: GradientError | undefined;
    for (let element = 0; element < values.length; element += stride) {
      const slice = subslice(tensor.data, element, 1);
      const moved = async (value: number) => {
        // The element as f32 holds it, so that the step divided by is the step taken.
        const exact = Math.fround(value);
        gpu.write(slice, Float32Array.of(exact));
        return { at: exact, loss: await lossAt() };
      };
      const [low, high] = [await moved(values[element] - STEP), await moved(values[element] + STEP)];
      gpu.write(slice, values.slice(element, element + 1));
      const got = gradient[element];
      const want = (high.loss - low.loss) / (high.at - low.at);
      const error = largest === 0 ? NaN : Math.abs(got - want) / largest;
      // The first NaN stays.
      if (worst === undefined || error > worst.error || (Number.isNaN(error) && !Number.isNaN(worst.error))) {
        worst = { input, element, got, want, largest, error };
      }
    }
    errors.push(worst!);
  }
  releaseLeaves(gpu, tensors);
  return errors;
}

/** Tensors of these values on a GPU; those that are trainable have a gradient of zeros. */
export function leaves(gpu: Gpu, operands: readonly (CheckedOperand | null)[]): (Tensor | null)[] {
  return operands.map((operand, index) => {
    if (operand === null) return null;
    const { shape, isTrainable = true } = operand;
    const data = gpu.upload(valuesOf(operand, index), `input ${index}`);
    const gradient = isTrainable ? gpu.upload(new Float32Array(sizeOf(shape)), `dinput ${index}`) : null;
    return { label: `input ${index}`, shape, data, requiresGradient: isTrainable, gradient };
  });
}

/** Gives the memory of {@linkcode leaves} back. */
export function releaseLeaves(gpu: Gpu, tensors: readonly (Tensor | null)[]): void {
  for (const tensor of tensors) {
    if (tensor === null) continue;
    gpu.release(tensor.data);
    if (tensor.gradient) gpu.release(tensor.gradient);
  }
}

function valuesOf({ shape, values }: CheckedOperand, index: number): Float32Array {
  return values ?? caseValues(sizeOf(shape), index + 1);
}
