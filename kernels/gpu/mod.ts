/**
 * The GPU runtime: device, memory, pipelines, launches, readback, profile.
 *
 * @module
 */
export { type Binding, params, type ParamValues, read, texels, write } from "./bindings.ts";
export { type Dispatch, Gpu } from "./gpu.ts";
export { debugLevel, debugLog, environment } from "./host.ts";
export { flatGrid, requireSizes, requireWords } from "./launch.ts";
export {
  DeviceLostError,
  NotFiniteError,
  OutOfMemoryError,
  requireFinite,
  SubmissionError,
} from "./errors.ts";
export { NoAdapterError, openGpu } from "./open.ts";
export type { KernelSource, Pipeline, PipelineCache } from "./pipelines.ts";
export {
  type Profile,
  type ProfileRow,
  type ProfileSummary,
  type ProfileWait,
  summarizeProfile,
} from "./profile.ts";
export {
  type Mirror,
  MIRROR_ROW_TEXELS,
  roundUp,
  type Slice,
  SLICE_ALIGNMENT_WORDS,
  type Storage,
  type StoragePool,
  subslice,
} from "./storage.ts";
export {
  type Command,
  type Derive,
  fixed,
  type HostData,
  type Launch,
  type MirrorUse,
  type Plans,
  type Step,
  type Upload,
} from "./plan.ts";
export type { Declaration, Field } from "./declarations.ts";
export type { EntryPointBindings } from "./entry_points.ts";
export type { UniformLayout } from "./uniforms.ts";
export {
  chooseRegisterTile,
  chooseSplitTile,
  chooseTile,
  countTiles,
  MAX_ROUNDS,
  type ProductShape,
  type RegisterTile,
  rowLanes,
  softwareThreads,
  type SplitTile,
  stagedBlocks,
  termsOfSplit,
  type Tile,
} from "./tiles.ts";
export { chooseVariant, type VariantQuestion } from "./variants.ts";
export type { WgslConstants } from "./wgsl.ts";
