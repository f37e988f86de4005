/**
 * What a pretrained model is, in words.
 *
 * @module
 */
import { deriveSizes } from "../../model/mod.ts";
import { formatBytes } from "../cli/mod.ts";
import type { BaseModel } from "./base.ts";

/** A description for people, for programs, and what people should know. */
export interface Facts {
  /** Lines. */
  readonly text: readonly string[];
  /** The same for programs. */
  readonly json: Readonly<Record<string, unknown>>;
  /** What does not work, and what to do. */
  readonly warnings: readonly string[];
}

/** Describes a model and names its fingerprint. */
export function describeBase(base: BaseModel, digest: string): Facts {
  const { model, talk, adapter } = base;
  const { imageTokens } = deriveSizes(model);
  const { heads, keyValueHeads = heads } = model;
  const count = `${(base.parameters / 1e6).toFixed(base.parameters < 1e7 ? 2 : 1)}M parameters`;
  const text = [
    `${base.format}, ${count}, ${base.dtype}, ${formatBytes(base.bytes)} of weights`,
    `vision     ${model.visionLayers} blocks of width ${model.visionWidth}; a picture of ${model.imageSize} x ` +
    `${model.imageSize} becomes ${imageTokens} tokens`,
    `language   ${model.layers} blocks of width ${model.width}, ${heads} heads on ${keyValueHeads}, context ` +
    `${model.contextLength}`,
    talk === null
      ? "tokenizer  none"
      : `tokenizer  ${talk.tokenizer.vocabularySize} tokens for ${model.vocabularySize} rows; a response ends with ` +
        JSON.stringify(talk.tokenizer.tokenOf(talk.tokenizer.endId)),
    talk === null || !base.hasTemplate
      ? "chat       no template: picture, prompt, answer"
      : `chat       ${JSON.stringify(talk.form.beforeImage)} picture ${
        JSON.stringify(talk.form.beforeText)
      } prompt ${JSON.stringify(talk.form.afterText)} answer ${JSON.stringify(talk.form.afterAnswer)}`,
    ...adapter === null ? [] : [
      `adapter    rank ${adapter.rank}, alpha ${adapter.alpha}, on ${adapter.targets.join(", ")}${
        adapter.rankPattern || adapter.alphaPattern ? "; others by layer" : ""
      }`,
    ],
    ...base.passedOver.length === 0 ? [] : [`buffers    ${base.passedOver.length} passed over`],
    `sha256     ${digest}`,
  ];
  const warnings = talk !== null ? [] : [
    `Without a tokenizer.json this model can be verified but not trained: add ${base.missing} to its folder and import again`,
  ];
  const json = {
    format: base.format,
    parameters: base.parameters,
    dtype: base.dtype,
    bytes: base.bytes,
    sha256: digest,
    model,
    tokens: talk?.tokenizer.vocabularySize ?? null,
    chat: talk?.form ?? null,
    adapter,
    passedOver: base.passedOver,
  };
  return { text, json, warnings };
}
