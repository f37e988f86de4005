/**
 * The folder of a pretrained model, which `import` makes and training begins from. All its files are read and compared with
 * each other without a GPU; only the values of the weights are not.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { exists, namesIn, readJson, readText } from "../../model/files.ts";
import {
  adapterEntries,
  type LoraConfig,
  parameterSpecs,
  type PretrainedConfig,
  pretrainedEntries,
  readLoraConfig,
  readPretrainedConfig,
  requireTensors,
  sizeOf,
} from "../../model/mod.ts";
import { openWeights } from "../../model/weights_folder.ts";
import { isModelFile } from "../hub/download.ts";
import { findTemplate, PLAIN_FORM, readChatForm } from "./chat.ts";
import { readImageProcessor, SMOLVLM_IMAGE_TOKENS } from "./image_processor.ts";
import { isModelName } from "../hub/hub.ts";
import type { Talk } from "./talk.ts";
import { readPretrainedTokenizer, type TextFiles } from "./tokenizer.ts";

/** A pretrained model on disk. */
export interface BaseModel extends PretrainedConfig {
  /** Where it is. */
  readonly folder: string;
  /** Its adapter; null if the folder has none. */
  readonly adapter: LoraConfig | null;
  /** What its weights are kept in, such as `BF16`. */
  readonly dtype: string;
  /** Number of scalars, without the value head. */
  readonly parameters: number;
  /** Bytes of its weights' files. */
  readonly bytes: number;
  /** Tensors that are passed over: buffers that follow from the config. */
  readonly passedOver: readonly string[];
  /** How it is talked to; null if the folder has no `tokenizer.json`. */
  readonly talk: Talk | null;
  /** Does it have a chat template? */
  readonly hasTemplate: boolean;
  /** What to add to the folder so that the model can be talked to; null if nothing is missing. */
  readonly missing: string | null;
}

/** What one may choose of a base. */
export interface BaseSettings {
  /** Are pictures split into tiles? One tile when absent. */
  readonly splitsPictures?: boolean;
}

/**
 * Reads a folder.
 *
 * @throws {Deno.errors.NotFound} when there is no such folder, or it has no `config.json`.
 * @throws {RangeError} when its architecture is not known, weights are missing, unknown or of another shape, or its
 * tokenizer is that of another model.
 * @throws {SyntaxError} when a file is not what its name says.
 */
export async function readBase(
  folder: string,
  { splitsPictures = false }: BaseSettings = {},
): Promise<BaseModel> {
  const names = await namesOf(folder);
  if (!names.includes("config.json")) throw lacksConfig(folder, names);
  const json = async (name: string) => names.includes(name) ? await readJson(`${folder}/${name}`) : undefined;
  const config = await json("config.json");
  const read = readPretrainedConfig(config);
  const { model } = read;
  using weights = await openWeights(folder);
  const entries = pretrainedEntries(read.format, model);
  requireTensors(weights, entries);
  const adapter = await readAdapter(folder, names, read);
  const expected = new Set(entries.flatMap(({ theirs }) => theirs.map(({ name }) => name)));
  const files = names.filter((name) => name.endsWith(".safetensors"));
  const sizes = await Promise.all(files.map(async (name) => (await Deno.stat(`${folder}/${name}`)).size));
  const counted = parameterSpecs(model).filter(({ part }) => part !== "value_head");
  const textFiles = {
    "chat_template.jinja": names.includes("chat_template.jinja")
      ? await readText(`${folder}/chat_template.jinja`)
      : undefined,
    "chat_template.json": await json("chat_template.json"),
    "tokenizer_config.json": await json("tokenizer_config.json"),
  };
  const template = findTemplate(textFiles);
  const processor = readImageProcessor(
    await json("preprocessor_config.json"),
    model.imageSize,
    splitsPictures,
  );
  const talk = names.includes("tokenizer.json")
    ? {
      processor,
      ...await readSpeech(template, read, {
        config,
        tokenizer: await json("tokenizer.json"),
        tokenizerConfig: textFiles["tokenizer_config.json"],
        generationConfig: await json("generation_config.json"),
      }),
    }
    : null;
  return {
    ...read,
    folder,
    adapter,
    talk,
    dtype: weights.tensors.get(entries[0].theirs[0].name)!.dtype,
    parameters: counted.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    passedOver: [...weights.tensors.keys()].filter((name) => !expected.has(name)),
    hasTemplate: template !== null,
    missing: talk === null ? missingText(config) : null,
  };
}

/**
 * What to add to a folder without `tokenizer.json`. The published code of nanoVLM writes none: its `config.json` names the
 * model that the tokenizer is of.
 */
function missingText(config: unknown): string {
  const { lm_tokenizer: named } = config as { lm_tokenizer?: unknown };
  const files = "tokenizer.json and tokenizer_config.json";
  return typeof named === "string" && isModelName(named)
    ? `${files} of ${named} (named in its config.json)`
    : `the model's own ${files}`;
}

/** Stands for the picture in the template of a model whose tokenizer has no image token. */
const NO_IMAGE_TOKEN = "qzimagezq";

/** Tokenizer and chat form, each read with the help of the other. */
async function readSpeech(
  template: string | null,
  { model, imageTokenId }: PretrainedConfig,
  files: TextFiles,
): Promise<Omit<Talk, "processor">> {
  const image = imageTokenId === null ? null : tokenTextOf(files.tokenizer, imageTokenId);
  const named = (files.tokenizerConfig ?? {}) as Record<string, unknown>;
  const textOf = (token: unknown) => {
    const text = (token as { content?: unknown } | null)?.content ?? token;
    return typeof text === "string" ? text : undefined;
  };
  const tokens = { bos: textOf(named.bos_token), eos: textOf(named.eos_token) };
  const rows = model.vocabularySize;
  // Refuses a tokenizer in which that id is another token.
  if (image === null && imageTokenId !== null) readPretrainedTokenizer(files, { rows, imageTokenId });
  const form = template === null
    ? PLAIN_FORM
    : await readChatForm(template, { ...tokens, image: image ?? NO_IMAGE_TOKEN });
  const tokenizer = readPretrainedTokenizer(files, {
    rows,
    imageTokenId,
    afterAnswer: form.afterAnswer,
  });
  if (image === null) return { tokenizer, form, imageTokens: null };
  // Models of other families have the image token alone.
  const known = (token: string) => tokenizer.idOf(token) === null ? "" : token;
  const { around, whole } = SMOLVLM_IMAGE_TOKENS;
  return { tokenizer, form, imageTokens: { image, around: known(around), whole: known(whole) } };
}

/** The text of an added token; null if there is none of that id. */
function tokenTextOf(tokenizer: unknown, id: number): string | null {
  const { added_tokens: added } = (tokenizer ?? {}) as { added_tokens?: unknown };
  const token = (Array.isArray(added) ? added : []).find((token) => token?.id === id);
  return typeof token?.content === "string" && token.content !== "" ? token.content : null;
}

/** The settings of the adapter in a folder, whose tensors are held against them; null if there is none. */
async function readAdapter(
  folder: string,
  names: readonly string[],
  { model, format }: PretrainedConfig,
): Promise<LoraConfig | null> {
  if (!names.includes("adapter_config.json")) return null;
  using weights = await openWeights(folder, "adapter_model");
  const lora = readLoraConfig(await readJson(`${folder}/adapter_config.json`), weights.tensors.keys());
  requireTensors(weights, adapterEntries({ ...model, lora }, format).map((theirs) => ({ theirs: [theirs] })));
  return lora;
}

async function namesOf(folder: string): Promise<string[]> {
  try {
    return await namesIn(folder);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Deno.errors.NotFound(
      `Cannot read the model ${folder}: no such folder, check the path or bring it here with ./ponder import`,
      { cause: error },
    );
  }
}

function lacksConfig(folder: string, names: readonly string[]): Deno.errors.NotFound {
  const isAdapter = names.includes("adapter_config.json");
  return new Deno.errors.NotFound(
    `Cannot read the model ${folder}: ` +
      (isAdapter
        ? "it holds an adapter alone, import it with --base and the folder of its model"
        : "it has no config.json, name the folder of a model as the hub has it"),
  );
}

/** Files that decide what a model computes. Its README and its licence may change. */
const decides = (name: string) => isModelFile(name) && /\.(?:json|jinja|safetensors)$/.test(name);

/**
 * The fingerprint of a folder: SHA-256 of the lines `DIGEST  NAME` of its files in the order of their names, as
 * `sha256sum` writes them.
 *
 * @param onProgress Told the bytes that were read, and those of all files.
 */
export async function digestBase(
  folder: string,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<string> {
  const names = (await namesOf(folder)).filter(decides);
  const sizes = await Promise.all(names.map(async (name) => (await Deno.stat(`${folder}/${name}`)).size));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let done = 0;
  const all = createHash("sha256");
  const buffer = new Uint8Array(1 << 20);
  for (const name of names) {
    const hash = createHash("sha256");
    using file = await Deno.open(`${folder}/${name}`);
    for (let count; (count = await file.read(buffer)) !== null;) {
      hash.update(buffer.subarray(0, count));
      onProgress(done += count, total);
    }
    all.update(`${hash.digest("hex")}  ${name}\n`);
  }
  return all.digest("hex");
}

/** The files of a model among a folder's. */
export async function modelFilesIn(folder: string): Promise<string[]> {
  return (await namesOf(folder)).filter(isModelFile);
}

/** Is there such a folder? */
export async function isFolder(path: string): Promise<boolean> {
  return await exists(path) && (await Deno.stat(path)).isDirectory;
}
