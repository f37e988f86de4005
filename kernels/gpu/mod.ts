/**
 * The GPU runtime: device, memory, pipelines, launches, readback, profile.
 *
 * @module
 */
export { type Binding, type Dispatch, Gpu, params, read, texels, write } from "./gpu.ts";
export { debugLevel, environment } from "./host.ts";
export { NotFiniteError } from "./not_finite_error.ts";
export { NoAdapterError, openGpu } from "./open.ts";
export type { KernelSource } from "./pipelines.ts";
export { type ProfileRow, summarizeProfile } from "./profile.ts";
export { MIRROR_ROW_TEXELS, roundUp, type Slice, SLICE_ALIGNMENT_WORDS, subslice } from "./storage.ts";
export { chooseVariant, type VariantQuestion } from "./variants.ts";
export type { WgslConstants } from "./wgsl.ts";
