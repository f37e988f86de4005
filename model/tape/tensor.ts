/**
 * A tensor: a shape over a slice of GPU memory, and whether gradients flow to it.
 *
 * @module
 */
import type { Slice } from "../../kernels/gpu/mod.ts";

/** Row-major f32 on the GPU. Immutable once its op has run; parameters change only in the optimiser. */
export interface Tensor {
  /** As error messages and profiles have it. */
  readonly label: string;
  /** Extents, outermost first. */
  readonly shape: readonly number[];
  /** The elements. */
  readonly data: Slice;
  /** True when a trainable parameter lies upstream, or it is one. */
  readonly requiresGradient: boolean;
  /** Where a trainable parameter's gradient is summed (`+=`); null for activations, constants and frozen parameters. */
  readonly gradient: Slice | null;
  /** Rows of a table that is larger than a kernel can bind, in order; `data` and `gradient` are then those of the first. */
  readonly parts?: readonly TensorPart[];
}

/** Neighbouring rows of a table, in memory of their own. */
export interface TensorPart {
  /** The first. */
  readonly row0: number;
  /** How many. */
  readonly rows: number;
  /** Their elements. */
  readonly data: Slice;
  /** As {@linkcode Tensor.gradient}. */
  readonly gradient: Slice | null;
}

/** The parts of a table, of which most have one. */
export function partsOf({ shape: [rows], data, gradient, parts }: Tensor): readonly TensorPart[] {
  return parts ?? [{ row0: 0, rows, data, gradient }];
}

/**
 * Number of elements of a shape.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { sizeOf } from "@ponder/ponder/model";
 *
 * assertEquals(sizeOf([2, 17, 64]), 2176);
 * ```
 */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/**
 * `(2,17,64)`, as error messages quote shapes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatShape } from "@ponder/ponder/model";
 *
 * assertEquals(formatShape([2, 17, 64]), "(2,17,64)");
 * ```
 */
export function formatShape(shape: readonly number[]): string {
  return `(${shape.join(",")})`;
}

/** Rows and columns of a tensor seen as a matrix: the last dimension against all others. */
export function asMatrix({ shape }: Tensor): { rows: number; columns: number } {
  const columns = shape[shape.length - 1];
  return { rows: sizeOf(shape) / columns, columns };
}
