/**
 * The vision-language model: configuration, parameters, forward passes, generation, optimiser, files.
 *
 * @module
 */
export { assess, type Assessment, type AssessOptions } from "./assess.ts";
export { AdamW, type StepSettings, type UpdateRule } from "./adamw.ts";
export { assertFits, decodeSafetensors, encodeSafetensors, type HostTensor } from "./checkpoint.ts";
export {
  type Attend,
  type BlockContext,
  type BlockKind,
  blockKindOf,
  type BlockSizes,
  type BlockWork,
  registerBlock,
} from "./block.ts";
export {
  Cnn,
  CNN_LAYERS,
  type CnnConfig,
  cnnParameterSpecs,
  type ConvolutionLayer,
  paddedActions,
} from "./cnn.ts";
export { deriveSizes, type ModelPreset, modelPresets, type VlmConfig } from "./config.ts";
export { exists, readBytes, readJson, recoverFolder, writeFileAtomic, writeFolderAtomic } from "./files.ts";
export { generate, type GenerateOptions, type Response } from "./generate.ts";
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
export { type Picture, pictureOf } from "./picture.ts";
export { type Layout, layOut, promptLength, type Segment, type Sequence } from "./sequence.ts";
export { buildTokenizer, type Decoding, Tokenizer } from "./tokenizer.ts";
export * from "./tape/mod.ts";
export { forwardFlops, parameterSpecs, Vlm } from "./vlm.ts";
