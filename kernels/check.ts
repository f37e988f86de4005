/**
 * Checks every variant against the kernel's reference. Everything that is timed is checked first.
 *
 * @module
 */
import type { CaseArray, KernelCase } from "./case.ts";
import type { Gpu, Slice } from "./gpu/mod.ts";
import { worstElement } from "./own/check.ts";

/** A case's operands on the GPU. Outputs that are no inputs start as garbage, so that an unwritten word shows. */
export function uploadOperands(
  gpu: Gpu,
  kernelCase: KernelCase,
  inputs: Readonly<Record<string, CaseArray>>,
): Record<string, Slice> {
  const operands: Record<string, Slice> = {};
  for (const [name, data] of Object.entries(inputs)) operands[name] = gpu.upload(data, name);
  for (const [name, words] of Object.entries(kernelCase.outputs)) {
    operands[name] ??= gpu.upload(new Float32Array(words).fill(12345.678), name);
  }
  return operands;
}

/** Runs one variant once and returns its outputs by name. */
export async function runOnce(
  gpu: Gpu,
  kernelCase: KernelCase,
  operands: Readonly<Record<string, Slice>>,
  variant?: string,
): Promise<Record<string, Float32Array>> {
  kernelCase.launch(gpu, operands, variant);
  const names = Object.keys(kernelCase.outputs);
  const arrays = await gpu.read(...names.map((name) => operands[name]));
  await gpu.settle();
  return Object.fromEntries(names.map((name, index) => [name, arrays[index]]));
}

/**
 * Largest |got - want| / (1 + |want|) over all outputs that `want` has.
 *
 * @throws {RangeError} naming the worst element when it exceeds the tolerance or an integer output differs.
 */
export function checkOutputs(
  label: string,
  got: Readonly<Record<string, Float32Array>>,
  want: Readonly<Record<string, ArrayLike<number>>>,
  { tolerance, integers = [] }: { tolerance: number; integers?: readonly string[] },
): number {
  let worst = 0;
  for (const [name, values] of Object.entries(got)) {
    const isInteger = integers.includes(name);
    const view = (array: ArrayLike<number>) =>
      isInteger && array instanceof Float32Array
        ? new Uint32Array(array.buffer, array.byteOffset, array.length)
        : array;
    const [mine, theirs] = [view(values), view(want[name])];
    if (mine.length !== theirs.length) {
      throw new RangeError(`Cannot trust ${label}: ${name} has ${mine.length} words, not ${theirs.length}`);
    }
    const limit = isInteger ? 0 : tolerance;
    const { largestError, index, actual, expected } = worstElement(mine, theirs);
    for (let i = 0; i < theirs.length; i++) {
      // A case whose reference has NaN or infinity would prove nothing.
      if (Number.isFinite(theirs[i])) continue;
      throw new RangeError(`Cannot trust ${label}: the reference of ${name}[${i}] is ${theirs[i]}`);
    }
    if (largestError > limit) {
      throw new RangeError(
        `Cannot trust ${label}: ${name}[${index}] is ${actual}, not ${expected}, error ${largestError} exceeds ${limit}`,
      );
    }
    worst = Math.max(worst, largestError);
  }
  return worst;
}

/** Waits until a failed launch has left no more errors, so that the next one is not blamed for them. */
export async function clearErrors(gpu: Gpu): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      return await gpu.settle();
    } catch {
      // Another error of the same failure.
    }
  }
}
