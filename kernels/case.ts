/**
 * The form of a kernel's `cases.ts`: shapes with inputs, an f64 reference and the amount of work. Tests and benchmark use the
 * same cases, so that everything that is timed is checked.
 *
 * @module
 */
import type { Gpu, Slice } from "./gpu/mod.ts";

/** Host data of one operand. */
export type CaseArray = Float32Array | Uint32Array | Int32Array;

/** One kernel at one shape. */
export interface KernelCase {
  /** Folder under `kernels/`, such as `matmul`. */
  readonly kernel: string;
  /** Shape and options, such as `17x65x33 bias gelu`. */
  readonly name: string;
  /** Variants that support this shape; the first is the baseline. */
  readonly variants: readonly string[];
  /** The feature that a device must have to run it; none when absent. */
  readonly feature?: GPUFeatureName;
  /** Operands by name. Only called when the case runs. */
  inputs(): Record<string, CaseArray>;
  /** Words of each output by name. An output that is also an input is accumulated into (starts with that value). */
  readonly outputs: Readonly<Record<string, number>>;
  /** Records the launch; operands are slices by name. Without a variant the kernel chooses. */
  launch(gpu: Gpu, operands: Readonly<Record<string, Slice>>, variant?: string): void;
  /** What the outputs must hold, in f64 from plain loops. Integer outputs are compared exactly through `integers`. */
  reference(inputs: Readonly<Record<string, CaseArray>>): Record<string, ArrayLike<number>>;
  /** Outputs that hold u32 words, compared exactly. */
  readonly integers?: readonly string[];
  /** Largest allowed |got - want| / (1 + |want|). */
  readonly tolerance: number;
  /** Floating-point operations of one launch. */
  readonly flops: number;
  /** Bytes that one launch must move at least. */
  readonly bytes: number;
}

/** Reproducible values in [-scale, scale) for a case's operands. */
export function caseValues(length: number, seed: number, scale = 1): Float32Array {
  const values = new Float32Array(length);
  let state = (seed * 2654435761 + 12345) >>> 0;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[index] = (state / 2 ** 31 - 1) * scale;
  }
  return values;
}
