/**
 * Hand-written WebGPU kernels with typed launches, and what it takes to write one's own. Importing this module asks for no
 * device.
 *
 * A launch is `kernel(gpu, operands, shape)`: it records work on slices of GPU memory and allocates nothing. The work runs
 * when the GPU submits, at the latest before the next {@linkcode Gpu.read}. All sizes are in elements, all memory in 4-byte
 * words, matrices are row-major.
 *
 * @example Multiply two matrices
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { matmul, openGpu } from "@ponder/ponder/kernels";
 *
 * const gpu = await openGpu();
 * const A = gpu.upload(new Float32Array([1, 2, 3, 4, 5, 6]), "A"); // (2,3)
 * const B = gpu.upload(new Float32Array([1, 0, 0, 1, 1, 1]), "B"); // (3,2)
 * const C = gpu.allocate(4, "C"); // (2,2)
 * matmul(gpu, { A, B, C }, { M: 2, N: 2, K: 3 });
 * const [product] = await gpu.read(C);
 * assertEquals([...product], [4, 5, 10, 11]);
 * gpu.destroy();
 * ```
 *
 * @module
 */

// the device, its memory, and results back on the host
export {
  DeviceLostError,
  type Dispatch,
  fixed,
  Gpu,
  type HostData,
  type KernelSource,
  NoAdapterError,
  NotFiniteError,
  openGpu,
  OutOfMemoryError,
  type ProfileRow,
  type ProfileSummary,
  type ProfileWait,
  type Slice,
  SLICE_ALIGNMENT_WORDS,
  type Step,
  SubmissionError,
  subslice,
  summarizeProfile,
} from "./gpu/mod.ts";

// types of what a `Gpu` has
export type {
  Command,
  Declaration,
  Derive,
  EntryPointBindings,
  Field,
  Launch,
  Mirror,
  MirrorUse,
  Pipeline,
  PipelineCache,
  Plans,
  Profile,
  Storage,
  StoragePool,
  UniformLayout,
  Upload,
} from "./gpu/mod.ts";

// kernels of one's own
export { checkKernel, type KernelCheck } from "./own/check.ts";
export { defineKernel, type Kernel, type KernelDefinition } from "./own/define.ts";
export { type Binding, flatGrid, params, type ParamValues, read, texels, write } from "./gpu/mod.ts";
export { requireSizes, requireWords, type WgslConstants } from "./gpu/mod.ts";
export { type KernelTime, measureKernel, type MeasureKernelOptions } from "./own/measure.ts";

// one row a kernel
export * from "./adamw/mod.ts";
export * from "./attention/mod.ts";
export * from "./columns/mod.ts";
export * from "./convolution/mod.ts";
export * from "./decode/mod.ts";
export * from "./elementwise/mod.ts";
export * from "./embedding/mod.ts";
export * from "./image/mod.ts";
export * from "./layernorm/mod.ts";
export * from "./log_softmax/mod.ts";
export * from "./logits/mod.ts";
export * from "./matmul/mod.ts";
export * from "./reduce/mod.ts";
export * from "./rmsnorm/mod.ts";
export * from "./rotary/mod.ts";
export * from "./sampling/mod.ts";
export * from "./softmax_logprob/mod.ts";
export * from "./swiglu/mod.ts";
