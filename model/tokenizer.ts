/**
 * Text to ids and back, in Hugging Face's `tokenizer.json` form, read with `@huggingface/tokenizers`.
 *
 * A tokenizer of this project has whole words and JSON fragments as its tokens ("pieces"). Encoding takes the
 * longest piece at every position; decoding joins the pieces. Both are expressed in standard parts of the
 * format (a `Split` by regular expression, a `WordPiece` lookup, the `Fuse` decoder), so that any reader of
 * `tokenizer.json` agrees.
 *
 * All offsets are UTF-16 code units, as JavaScript's own string methods count.
 *
 * @module
 */

import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";

/** Tokens that stand for no text; their ids are their positions in this list. */
export const SPECIAL_TOKENS = ["<|pad|>", "<|image|>", "<|end|>", "<|unknown|>"] as const;

/** Vocabulary sizes are multiples of this, so that the head's matrix has no ragged edge. */
export const VOCABULARY_MULTIPLE = 32;

/** An entry of `added_tokens` in a `tokenizer.json`. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** A parsed `tokenizer.json`. Sections that this project does not look into are left open. */
export interface TokenizerJson {
  readonly version: string;
  readonly truncation: unknown;
  readonly padding: unknown;
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: unknown;
  readonly pre_tokenizer: unknown;
  readonly post_processor: unknown;
  readonly decoder: unknown;
  readonly model: { readonly type?: string; readonly vocab: unknown; readonly [key: string]: unknown };
}

/** Ids of a text; token `i` covers `text.slice(starts[i], ends[i])`. */
export interface Encoding {
  readonly ids: number[];
  readonly starts: number[];
  readonly ends: number[];
}

/** Text of a list of ids; id `i` wrote `text.slice(starts[i], ends[i])`, empty for a special token. */
export interface Decoding {
  readonly text: string;
  readonly starts: number[];
  readonly ends: number[];
}

/**
 * Makes a `tokenizer.json` whose tokens are the special tokens, then each distinct piece in the order given,
 * then reserved special tokens up to a multiple of {@linkcode VOCABULARY_MULTIPLE}.
 *
 * @throws {RangeError} If there are no pieces, or a piece is empty, holds half a surrogate pair, or would be
 * cut by a special token.
 */
export function buildTokenizer(pieces: readonly string[]): TokenizerJson {
  const distinct = [...new Set(pieces)];
  if (distinct.length === 0) throw new RangeError("Cannot build a tokenizer: no pieces, pass at least one");
  for (const piece of distinct) {
    const fault = piece === ""
      ? "it is empty"
      : !piece.isWellFormed()
      ? "it holds half a surrogate pair"
      : /<\|\w+\|>/.test(piece)
      ? "it holds a special token's name"
      : undefined;
    if (fault) {
      throw new RangeError(`Cannot build a tokenizer: piece ${JSON.stringify(piece)}, ${fault}, remove it`);
    }
  }
  const used = SPECIAL_TOKENS.length + distinct.length;
  const size = Math.ceil(used / VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE;
  const reserved = Array.from({ length: size - used }, (_, i) => `<|reserved_${i}|>`);
  const tokens = [...SPECIAL_TOKENS, ...distinct, ...reserved];
  const special = new Set<string>([...SPECIAL_TOKENS, ...reserved]);

  // Longest first: an alternation takes the first branch that matches, in JavaScript and in Oniguruma alike.
  const longestFirst = distinct.toSorted((a, b) => b.length - a.length);
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: tokens.flatMap((content, id) =>
      special.has(content)
        ? [{
          id,
          content,
          single_word: false,
          lstrip: false,
          rstrip: false,
          normalized: false,
          special: true,
        }]
        : []
    ),
    normalizer: null,
    pre_tokenizer: {
      type: "Split",
      pattern: { Regex: longestFirst.map(escapeRegex).join("|") },
      behavior: "Isolated",
      invert: false,
    },
    post_processor: null,
    decoder: { type: "Fuse" },
    model: {
      type: "WordPiece",
      unk_token: "<|unknown|>",
      continuing_subword_prefix: "",
      // What the split leaves between pieces holds none; the bound keeps its lookup from being quadratic.
      max_input_chars_per_word: Math.max(...distinct.map((piece) => [...piece].length)),
      // fromEntries defines own properties, so a piece may be called "__proto__".
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    },
  };
}

/** Backslash before what both JavaScript's `u` mode and Oniguruma take for syntax. */
function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/**
 * A tokenizer read from a `tokenizer.json`.
 *
 * @example
 * ```ts
 * import { buildTokenizer, Tokenizer } from "./tokenizer.ts";
 *
 * const tokenizer = Tokenizer.fromJson(buildTokenizer(["a", "ab", " "]));
 * const { ids, starts } = tokenizer.encode("ab a"); // ids of "ab", " ", "a"; starts [0, 2, 3]
 * tokenizer.decode(ids); // "ab a"
 * ```
 */
export class Tokenizer {
  /** Number of ids: the width of the language head. */
  readonly vocabularySize: number;
  /** Id that fills rows up to a common length. */
  readonly padId: number;
  /** Id that stands where an image token goes. */
  readonly imageId: number;
  /** Id that ends a response. */
  readonly endId: number;
  /** Id of text that no piece covers. */
  readonly unknownId: number;

  readonly #json: TokenizerJson;
  readonly #library: HuggingFaceTokenizer;
  /** Characters that each id writes: empty for a special token. */
  readonly #written: readonly string[];

  private constructor(json: TokenizerJson, library: HuggingFaceTokenizer) {
    this.#json = json;
    this.#library = library;
    // Not get_vocab(): a hostile id of a billion makes that loop a billion times.
    const { vocab, tokens_to_ids } = library.model!;
    for (let id = 0; id < vocab.length; id++) {
      if (typeof vocab[id] !== "string") throw unusable(`id ${id} has no token`);
    }
    if (tokens_to_ids.size !== vocab.length) throw unusable("two tokens have one id");
    this.vocabularySize = vocab.length;
    const idOf = (token: typeof SPECIAL_TOKENS[number]) => {
      const id = library.token_to_id(token);
      if (id === undefined) throw unusable(`there is no token ${token}`);
      return id;
    };
    this.padId = idOf("<|pad|>");
    this.imageId = idOf("<|image|>");
    this.endId = idOf("<|end|>");
    this.unknownId = idOf("<|unknown|>");
    this.#written = vocab.map((_, id) => this.#decodeAll([id]));
  }

  /**
   * Reads a parsed `tokenizer.json`.
   *
   * @throws {SyntaxError} If it is no such object, or lacks one of {@linkcode SPECIAL_TOKENS}.
   */
  static fromJson(json: unknown): Tokenizer {
    if (typeof json !== "object" || json === null) throw unusable("it is not an object");
    const { model, added_tokens } = json as Partial<TokenizerJson>;
    if (typeof model !== "object" || model === null) throw unusable('it has no "model"');
    if (!Array.isArray(added_tokens)) throw unusable('it has no list "added_tokens"');
    for (const token of added_tokens) {
      if (
        !Number.isSafeInteger(token?.id) || token.id < 0 || typeof token.content !== "string" ||
        !token.content
      ) {
        throw unusable(`added token ${JSON.stringify(token)} has no id or no content`);
      }
    }
    let library: HuggingFaceTokenizer;
    try {
      library = new HuggingFaceTokenizer(json, {});
    } catch (error) {
      throw unusable(error instanceof Error ? error.message : String(error), error);
    }
    return new Tokenizer(json as TokenizerJson, library);
  }

  /** The `tokenizer.json` object this tokenizer was read from. */
  toJson(): TokenizerJson {
    return this.#json;
  }

  /**
   * Ids of a text and the characters each one covers. Every maximal stretch that no piece covers becomes one
   * {@linkcode unknownId}; a special token written out in the text becomes that token.
   *
   * @throws {Error} If the tokens are not substrings of the text in order, as with byte-level vocabularies.
   */
  encode(text: string): Encoding {
    const ids: number[] = [];
    const starts: number[] = [];
    const ends: number[] = [];
    if (text === "") return { ids, starts, ends };
    const encoding = this.#library.encode(text, { add_special_tokens: false });
    let position = 0;
    // The library gives no offsets. A token starts where the last one ended; an unknown stretch holds no
    // piece, so it ends where the next token is first found.
    for (let i = 0; i < encoding.tokens.length; i++) {
      const token = encoding.tokens[i];
      let end = position + token.length;
      if (!text.startsWith(token, position)) {
        const next = encoding.tokens[i + 1];
        end = next === undefined ? text.length : text.indexOf(next, position);
        if (encoding.ids[i] !== this.unknownId || end <= position) {
          throw new Error(
            `Cannot encode: token ${JSON.stringify(token)} is not in the text at offset ${position}, ` +
              "use a tokenizer whose tokens are pieces of the text",
          );
        }
      }
      ids.push(encoding.ids[i]);
      starts.push(position);
      ends.push(end);
      position = end;
    }
    return { ids, starts, ends };
  }

  /**
   * Text of ids; special tokens write nothing.
   *
   * @throws {RangeError} If an id is not in the vocabulary.
   */
  decode(ids: ArrayLike<number>): string {
    return this.#decodeAll(this.#checked(ids));
  }

  /**
   * Text of ids, and the characters that each id wrote in it.
   *
   * @throws {RangeError} If an id is not in the vocabulary.
   * @throws {Error} If the decoder does more than join tokens, so that a token has no characters of its own.
   */
  decodeWithOffsets(ids: ArrayLike<number>): Decoding {
    const list = this.#checked(ids);
    const starts: number[] = [];
    const ends: number[] = [];
    let position = 0;
    for (const id of list) {
      starts.push(position);
      position += this.#written[id].length;
      ends.push(position);
    }
    const text = this.#decodeAll(list);
    if (text !== list.map((id) => this.#written[id]).join("")) {
      throw new Error(
        "Cannot give offsets: this tokenizer's decoder does more than join tokens, use one with the Fuse decoder",
      );
    }
    return { text, starts, ends };
  }

  #checked(ids: ArrayLike<number>): number[] {
    const list = Array.from(ids);
    for (const id of list) {
      if (!Number.isInteger(id) || id < 0 || id >= this.vocabularySize) {
        throw new RangeError(
          `Cannot decode id ${id}: ids are 0 to ${this.vocabularySize - 1}, check the tokenizer`,
        );
      }
    }
    return list;
  }

  #decodeAll(ids: number[]): string {
    if (ids.length === 0) return ""; // the library refuses an empty list
    // Its clean-up, on by default, would drop spaces before punctuation.
    return this.#library.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  }
}

function unusable(state: string, cause?: unknown): SyntaxError {
  return new SyntaxError(`Cannot read tokenizer.json: ${state}, write it with buildTokenizer()`, { cause });
}
