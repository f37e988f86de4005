/**
 * The vision-language model and what it is trained with: tensors and gradients, layers, generation, the optimiser.
 * Importing this module asks for no device and no files; it bundles for browsers. `model/files.ts`, which reads and writes
 * files, is not part of it.
 *
 * Dimension letters: `B` batch, `T` positions of a sequence, `C` language width, `H` heads, `D` head size (C/H), `V`
 * vocabulary, `P` image tokens, `R` response positions; `N` rows of a flattened matrix.
 *
 * @example The gradient of a sum of squares
 * ```ts
 * import { openGpu, square, sum, Tape, type Tensor } from "./mod.ts";
 *
 * const gpu = await openGpu();
 * const data = gpu.upload(Float32Array.of(1, -2, 3), "x");
 * const gradient = gpu.upload(new Float32Array(3), "dx");
 * const x: Tensor = { label: "x", shape: [3], data, requiresGradient: true, gradient };
 * {
 *   using tape = new Tape(gpu, { record: true });
 *   tape.backward(sum(tape, square(tape, x)));
 * }
 * const [got] = await gpu.read(gradient);
 * if (got.join() !== "2,-4,6") throw new Error(`the gradient is ${got}`);
 * gpu.destroy();
 * ```
 *
 * @module
 */

// where it runs; the kernels' module has the rest
export { Gpu, type HostData, NoAdapterError, openGpu, type Slice } from "../kernels/gpu/mod.ts";

// the model, in data-flow order
export { deriveSizes, type ModelPreset, modelPresets, type VlmConfig, type VlmSizes } from "./config.ts";
export { type Picture, pictureOf } from "./picture.ts";
export {
  type AddedToken,
  buildTokenizer,
  type Decoding,
  type Encoding,
  Tokenizer,
  type TokenizerJson,
  type TokenRoles,
} from "./tokenizer.ts";
export { type Layout, layOut, promptLength, type Segment, type Sequence } from "./sequence.ts";
export {
  type Attend,
  type BlockContext,
  type BlockKind,
  blockKindOf,
  type BlockSizes,
  type BlockWork,
  registerBlock,
} from "./block.ts";
export { type AttentionSizes, attentionSizes, type DecodingState } from "./decode.ts";
export { forwardFlops, parameterSpecs, Vlm, type VlmMemory } from "./vlm.ts";
export { type PretrainedConfig, type PretrainedFormat, readPretrainedConfig } from "./pretrained/config.ts";
export {
  isDerived,
  pretrainedEntries,
  type PretrainedEntry,
  type PretrainedTensor,
  toOurs,
  toPretrained,
  toTheirs,
} from "./pretrained/names.ts";
export {
  type Pretrained,
  type PretrainedOptions,
  readPretrained,
  requireTensors,
} from "./pretrained/read.ts";
export {
  adapterEntries,
  type AdapterEntry,
  type LoraConfig,
  mergeAdapters,
  readLoraConfig,
  toAdapter,
} from "./lora.ts";
export { type LoraPattern } from "./lora_patterns.ts";
export { generate, type GenerateOptions, type Response } from "./generate.ts";
export { assess, type Assessment, type AssessOptions } from "./assess.ts";
export {
  actionPenalties,
  Cnn,
  CNN_LAYERS,
  type CnnConfig,
  cnnFlops,
  cnnParameterSpecs,
  type ConvolutionLayer,
  paddedActions,
} from "./cnn.ts";

// parameters
export {
  linearSpecs,
  normSpecs,
  type Parameter,
  type ParameterKind,
  type ParameterPart,
  Parameters,
  type ParameterSpec,
  specOf,
} from "./parameters.ts";
export { AdamW, type StepSettings, type UpdateRule } from "./adamw.ts";
export {
  assertFinite,
  assertFits,
  decodeSafetensors,
  encodeSafetensors,
  type ExpectedTensor,
  type HostTensor,
  type OtherTensor,
  type SafetensorsContent,
  safetensorsPieces,
  type TensorToWrite,
  tensorToWrite,
} from "./checkpoint.ts";
export { type FloatDtype } from "./floats.ts";
export { type ByteSource, inMemory, Weights } from "./weights.ts";
export { quote, quoteName } from "./quote.ts";

// tensors and gradients
export {
  type AnyOpRule,
  type Arity,
  type AttributeArguments,
  type Call,
  defineOp,
  type InputGradients,
  type Operand,
  type OpRule,
  type OutputGradients,
} from "./tape/op.ts";
export { Tape } from "./tape/tape.ts";
export { asMatrix, formatShape, partsOf, sizeOf, type Tensor, type TensorPart } from "./tape/tensor.ts";
export {
  type CheckedOperand,
  type CheckedOperands,
  checkGradients,
  type GradientError,
} from "./tape/check.ts";
// The table of ops: each of its rows is explicit.
export * from "./tape/ops.ts";

// types of what a `Gpu` has, and of the elementwise functions
export type {
  Binding,
  Command,
  Declaration,
  Derive,
  Dispatch,
  EntryPointBindings,
  Field,
  KernelSource,
  Launch,
  Mirror,
  MirrorUse,
  ParamValues,
  Pipeline,
  PipelineCache,
  Plans,
  Profile,
  ProfileRow,
  ProfileSummary,
  ProfileWait,
  Step,
  Storage,
  StoragePool,
  UniformLayout,
  Upload,
  WgslConstants,
} from "../kernels/gpu/mod.ts";
export {
  type BinaryOp,
  binaryOps,
  type Chain,
  type ChainStep,
  type ChainValue,
  type UnaryOp,
  unaryOps,
} from "../kernels/elementwise/mod.ts";
