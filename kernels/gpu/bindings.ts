/**
 * What a dispatch binds: ranges of memory, textures of it, and parameters.
 *
 * @module
 */
import type { Slice } from "./storage.ts";

/** What a dispatch binds, in the order of the shader's `@binding` numbers. */
export type Binding =
  | { readonly kind: "read" | "write"; readonly slice: Slice }
  | { readonly kind: "texels"; readonly slice: Slice }
  | { readonly kind: "params"; readonly values: ParamValues };

/** Parameters by the names of the fields in the shader's `struct`; true is 1 and false 0. */
export type ParamValues = Readonly<Record<string, number | boolean>>;

/** Binds a slice as `var<storage, read>`. */
export const read = (slice: Slice): Binding => ({ kind: "read", slice });
/** Binds a slice as `var<storage, read_write>`. */
export const write = (slice: Slice): Binding => ({ kind: "write", slice });
/**
 * Binds the whole storage of a slice as `texture_storage_2d<rgba32float, read>`, copied first when it is stale. Word
 * `w` of the storage is component `w % 4` of texel `(w / 4) % 1024, (w / 4) / 1024`; pass `slice.offset / 4` along.
 */
export const texels = (slice: Slice): Binding => ({ kind: "texels", slice });
/**
 * Binds a uniform: numbers by the names of the fields of the shader's `struct`, in any order. Each distinct set is kept
 * on the device: not for values that change every step.
 */
export const params = (values: ParamValues): Binding => ({ kind: "params", values });

/** The operands among bindings, with their lengths in words: `read X[12], write Y[4]`. */
export function describeBindings(bindings: readonly Binding[]): string {
  return bindings.flatMap((binding) =>
    binding.kind === "params" ? [] : [`${binding.kind} ${binding.slice.label}[${binding.slice.length}]`]
  ).join(", ");
}
