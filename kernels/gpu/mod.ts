/**
 * The GPU runtime: device, memory, pipelines, launches, readback, profile.
 *
 * @module
 */
export { type Binding, params, read, texels, write } from "./bindings.ts";
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
export type { KernelSource } from "./pipelines.ts";
export { type ProfileRow, type ProfileSummary, type ProfileWait, summarizeProfile } from "./profile.ts";
export { MIRROR_ROW_TEXELS, roundUp, type Slice, SLICE_ALIGNMENT_WORDS, subslice } from "./storage.ts";
export { fixed, type HostData, type Step } from "./plan.ts";
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
