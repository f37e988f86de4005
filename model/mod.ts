/**
 * The vision-language model: configuration, parameters, forward passes, generation, optimiser, files.
 *
 * @module
 */
export { AdamW, type StepSettings, type UpdateRule } from "./adamw.ts";
export {
  assertFinite,
  assertFits,
  decodeSafetensors,
  encodeSafetensors,
  type HostTensor,
  type OtherTensor,
  type SafetensorsContent,
} from "./checkpoint.ts";
export {
  actionPenalties,
  Cnn,
  CNN_LAYERS,
  type CnnConfig,
  cnnParameterSpecs,
  type ConvolutionLayer,
  paddedActions,
} from "./cnn.ts";
export { deriveSizes, type ModelPreset, modelPresets, type VlmConfig } from "./config.ts";
export {
  exists,
  type FileContent,
  readBytes,
  readJson,
  recoverFolder,
  syncFolder,
  writeFileAtomic,
  writeFolderAtomic,
} from "./files.ts";
export { generate, type GenerateOptions, type Response } from "./generate.ts";
export { type Parameter, Parameters, type ParameterSpec, parameterSpecs } from "./parameters.ts";
export { quote, quoteName } from "./quote.ts";
export { type Layout, layOut, promptLength, type Segment, type Sequence } from "./sequence.ts";
export { buildTokenizer, type Decoding, Tokenizer } from "./tokenizer.ts";
export * from "./tape/mod.ts";
export { Vlm } from "./vlm.ts";
