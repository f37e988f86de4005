/**
 * The tokenizer of a pretrained model's folder, held against the model: ids that the embedding has rows for, special tokens where
 * the model's config says they are.
 *
 * @module
 */
import { quote, Tokenizer, type TokenRoles } from "../../model/mod.ts";

/** What a folder says about text. Contents are parsed JSON; undefined if the folder lacks the file. */
export interface TextFiles {
  /** `tokenizer.json` */
  readonly tokenizer: unknown;
  /** `tokenizer_config.json` */
  readonly tokenizerConfig?: unknown;
  /** `generation_config.json` */
  readonly generationConfig?: unknown;
  /** `config.json` */
  readonly config: unknown;
}

/** What the model says. */
export interface TextFit {
  /** Rows of the embedding. */
  readonly rows: number;
  /** Id that stands for an image token; null if the config does not say. */
  readonly imageTokenId: number | null;
  /** What stands behind an answer in the chat form. */
  readonly afterAnswer?: string;
}

type Json = Readonly<Record<string, unknown>>;

/** An embedding may have rows to spare: up to a multiple that suits its makers. */
const SPARE_ROWS = 1024;

/**
 * Reads the tokenizer of a folder. A response ends with the special token that the chat form puts behind an answer, else with
 * that of `generation_config.json`, `tokenizer_config.json` or `config.json`.
 *
 * @throws {SyntaxError} If a file is not what its name says, or nothing says what ends a response.
 * @throws {RangeError} If the tokenizer is that of another model.
 */
export function readPretrainedTokenizer(
  files: TextFiles,
  { rows, imageTokenId, afterAnswer = "" }: TextFit,
): Tokenizer {
  const config = asObject(files.config);
  const named = asObject(files.tokenizerConfig);
  const text = asObject(config.text_config);
  const { idOf, tokenOf, special } = readTokens(files.tokenizer);
  const size = 1 + tokenOf.keys().reduce((a, b) => Math.max(a, b), -1);
  if (size > rows || rows - size > SPARE_ROWS) {
    throw foreign(`it has ${size} tokens, the model's embedding ${rows} rows`);
  }
  const nameOf = (id: unknown) => typeof id === "number" ? tokenOf.get(id) ?? null : null;
  const end = firstIn(afterAnswer, special) ??
    nameOf([asObject(files.generationConfig).eos_token_id].flat()[0]) ??
    tokenText(named.eos_token) ?? nameOf([config.eos_token_id ?? text.eos_token_id].flat()[0]);
  if (end === null || !idOf.has(end)) {
    throw new SyntaxError(
      "Cannot read the tokenizer: nothing says which token ends a response, add eos_token to tokenizer_config.json",
    );
  }
  for (const [name, token] of Object.entries({ eos_token: named.eos_token, bos_token: named.bos_token })) {
    const content = tokenText(token);
    if (content !== null && !idOf.has(content)) {
      throw foreign(`it has no ${quote(content)}, the ${name}`);
    }
  }
  const image = nameOf(imageTokenId);
  if (imageTokenId !== null && (image === null || !special.has(image))) {
    const state = image === null ? "it has no such id" : `there it has ${quote(image)}`;
    throw foreign(`the model's image token is ${imageTokenId}, ${state}`);
  }
  const pad = tokenText(named.pad_token);
  const roles: TokenRoles = {
    pad: pad !== null && idOf.has(pad) ? pad : end,
    end,
    image,
    unknown: null,
  };
  return Tokenizer.fromJson(files.tokenizer, roles);
}

/** Ids by token, tokens by id, and the special ones. What is malformed is left to the tokenizer itself to refuse. */
function readTokens(json: unknown) {
  const { model, added_tokens: added } = asObject(json);
  const idOf = new Map(Object.entries(asObject(asObject(model).vocab)) as [string, number][]);
  const special = new Set<string>();
  for (const token of Array.isArray(added) ? added : []) {
    const { content, id, special: isSpecial } = asObject(token);
    if (typeof content !== "string" || content === "") continue;
    idOf.set(content, id as number);
    if (isSpecial === true) special.add(content);
  }
  const tokenOf = new Map(Array.from(idOf, ([token, id]) => [id, token]));
  return { idOf, tokenOf, special };
}

/** The token that stands first in a text, the longest of them; null if none does. */
function firstIn(text: string, tokens: ReadonlySet<string>): string | null {
  const found = [...tokens].filter((token) => text.includes(token));
  found.sort((a, b) => text.indexOf(a) - text.indexOf(b) || b.length - a.length);
  return found[0] ?? null;
}

/** `tokenizer_config.json` has tokens as texts, or as objects with a content. */
function tokenText(token: unknown): string | null {
  const content = typeof token === "object" && token !== null ? (token as Json).content : token;
  return typeof content === "string" && content !== "" ? content : null;
}

function asObject(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Json : {};
}

function foreign(state: string): RangeError {
  return new RangeError(
    `Cannot use this tokenizer with this model: ${state}; use the model's own tokenizer.json`,
  );
}
