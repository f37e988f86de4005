/**
 * Text to ids and back, in Hugging Face's `tokenizer.json` form.
 *
 * A tokenizer of this project has whole words and JSON fragments as its tokens ("pieces"). Encoding takes the
 * longest piece at every position; decoding joins the pieces. Both are expressed in standard parts of the
 * format (a `Split` by regular expression, a `WordPiece` lookup, the `Fuse` decoder), so that any reader of
 * `tokenizer.json` agrees.
 *
 * Tokenizers of others are read if they are made of parts that keep their place in the text: word-level, WordPiece and
 * (byte-level) BPE models, cut by patterns that cannot hang. Any other part is refused by name when the file is read.
 *
 * All offsets are UTF-16 code units, as JavaScript's own string methods count.
 *
 * @module
 */

import { quote } from "./quote.ts";
import { characterOfBytes, toByteCharacters } from "./tokenizer/bytes.ts";
import { type Decoder, readDecoder } from "./tokenizer/decoder.ts";
import { Literals } from "./tokenizer/literals.ts";
import { escapeRegex } from "./tokenizer/pattern.ts";
import { readSplitter, type Splitter } from "./tokenizer/split.ts";
import { readSubwords, type Subwords } from "./tokenizer/subwords.ts";
import { isRecord, type JsonRecord, unusable } from "./tokenizer/unusable.ts";

/** Tokens that stand for no text; their ids are their positions in this list. */
export const SPECIAL_TOKENS = ["<|pad|>", "<|image|>", "<|end|>", "<|unknown|>"] as const;

/** Vocabulary sizes are multiples of this, so that the head's matrix has no ragged edge. */
export const VOCABULARY_MULTIPLE = 32;

/** An entry of `added_tokens` in a `tokenizer.json`. */
export interface AddedToken {
  /** Its id. */
  readonly id: number;
  /** Its text. */
  readonly content: string;
  /** Found only as a word of its own. */
  readonly single_word: boolean;
  /** Takes the blanks before it. */
  readonly lstrip: boolean;
  /** Takes the blanks after it. */
  readonly rstrip: boolean;
  /** Looked for in normalised text. */
  readonly normalized: boolean;
  /** Left out when ids are decoded to text. */
  readonly special: boolean;
}

/** A parsed `tokenizer.json`. Sections that this project does not look into are left open. */
export interface TokenizerJson {
  /** The format's version. */
  readonly version: string;
  /** How long texts are cut. */
  readonly truncation: unknown;
  /** How short texts are filled up. */
  readonly padding: unknown;
  /** Tokens that are looked for before anything else. */
  readonly added_tokens: readonly AddedToken[];
  /** What is done to a text first. */
  readonly normalizer: unknown;
  /** How a text is cut into words. */
  readonly pre_tokenizer: unknown;
  /** What is put around the ids. */
  readonly post_processor: unknown;
  /** How ids become text. */
  readonly decoder: unknown;
  /** How words become ids. */
  readonly model: { readonly type?: string; readonly vocab: unknown; readonly [key: string]: unknown };
}

/** Ids of a text; token `i` covers `text.slice(starts[i], ends[i])`. */
export interface Encoding {
  /** Token ids. */
  readonly ids: number[];
  /** First UTF-16 unit of each token. */
  readonly starts: number[];
  /** The unit after the last of each token. */
  readonly ends: number[];
}

/** Text of a list of ids; id `i` wrote `text.slice(starts[i], ends[i])`, empty for a special token. */
export interface Decoding {
  /** What the ids say. */
  readonly text: string;
  /** First UTF-16 unit that each id wrote. */
  readonly starts: number[];
  /** The unit after the last that each id wrote. */
  readonly ends: number[];
}

/**
 * Makes a `tokenizer.json`. Its tokens are the special ones, then each distinct piece in the order given. Reserved
 * special tokens fill it up to a multiple of {@linkcode VOCABULARY_MULTIPLE}.
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
      throw new RangeError(`Cannot build a tokenizer: piece ${quote(piece)}, ${fault}, remove it`);
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
  readonly #splitter: Splitter;
  readonly #model: Subwords;
  readonly #decoder: Decoder;
  readonly #composes: boolean;
  /** Ids of tokens that are found before the text is cut into words. */
  readonly #added: ReadonlyMap<string, number>;
  readonly #addedTexts: Literals;
  /** Token of each id; null for a special one, which writes nothing. */
  readonly #written: readonly (string | null)[];

  private constructor(json: JsonRecord) {
    this.#json = json as unknown as TokenizerJson;
    this.#composes = readNormalizer(json.normalizer);
    this.#splitter = readSplitter(json.pre_tokenizer);
    this.#model = readSubwords(json.model as JsonRecord);
    this.#decoder = readDecoder(json.decoder);
    const { added, special } = readAddedTokens(json.added_tokens as unknown[], this.#model.vocabulary);
    this.#added = added;
    this.#addedTexts = new Literals(added.keys());
    const idOf = new Map([...this.#model.vocabulary, ...added]);
    const tokens = listById(idOf);
    this.vocabularySize = tokens.length;
    this.#written = tokens.map((token) => special.has(token) ? null : token);
    const [padId, imageId, endId, unknownId] = SPECIAL_TOKENS.map((token) => {
      const id = idOf.get(token);
      if (id === undefined) throw unusable(`there is no token ${token}`);
      return id;
    });
    this.padId = padId;
    this.imageId = imageId;
    this.endId = endId;
    this.unknownId = unknownId;
  }

  /**
   * Reads a parsed `tokenizer.json`.
   *
   * @throws {SyntaxError} If it is no such object, lacks one of {@linkcode SPECIAL_TOKENS}, or has a part that this
   * project does not have: its name is in the message.
   */
  static fromJson(json: unknown): Tokenizer {
    if (typeof json !== "object" || json === null) throw unusable("it is not an object");
    const { model, added_tokens } = json as Record<string, unknown>;
    if (!isRecord(model)) throw unusable('it has no "model"');
    if (!Array.isArray(added_tokens)) throw unusable('it has no list "added_tokens"');
    return new Tokenizer(json as JsonRecord);
  }

  /** The `tokenizer.json` object this tokenizer was read from. */
  toJson(): TokenizerJson {
    return this.#json;
  }

  /**
   * Ids of a text and the characters each one covers. In a tokenizer of this project every maximal stretch that no
   * piece covers becomes one {@linkcode unknownId}; a special token written out in the text becomes that token. A
   * character of several byte-level tokens is covered by each of them.
   *
   * @throws {RangeError} If the tokenizer would change the text before it cuts it.
   */
  encode(text: string): Encoding {
    if (this.#composes && text.normalize("NFC") !== text) {
      throw new RangeError(
        `Cannot encode ${
          quote(text)
        }: its characters are not composed as NFC has them, call normalize() first`,
      );
    }
    const encoding: Encoding = { ids: [], starts: [], ends: [] };
    let sectionStart = 0;
    for (let at = 0; at < text.length;) {
      const length = this.#addedTexts.longestAt(text, at);
      if (length > 0) {
        this.#encodeSection(text, { start: sectionStart, end: at }, encoding);
        put(encoding, this.#added.get(text.slice(at, at + length))!, at, at + length);
        sectionStart = at + length;
      }
      at += length || 1;
    }
    this.#encodeSection(text, { start: sectionStart, end: text.length }, encoding);
    return encoding;
  }

  #encodeSection(text: string, { start, end }: { start: number; end: number }, encoding: Encoding): void {
    if (start === end) return;
    for (const [from, to] of this.#splitter.split(text.slice(start, end))) {
      const at = start + from;
      const word = text.slice(at, start + to);
      if (!this.#splitter.byteLevel) {
        this.#model.encode(word, (id, first, last) => put(encoding, id, at + first, at + last));
        continue;
      }
      const { starts, ends } = characterOfBytes(word);
      this.#model.encode(
        toByteCharacters(word),
        (id, first, last) => put(encoding, id, at + starts[first], at + ends[last - 1]),
      );
    }
  }

  /**
   * Text of ids; special tokens write nothing.
   *
   * @throws {RangeError} If an id is not in the vocabulary.
   */
  decode(ids: ArrayLike<number>): string {
    return this.decodeWithOffsets(ids).text;
  }

  /**
   * Text of ids, and the characters that each id wrote in it. A character of several byte-level tokens is written by
   * the last of them, a space between words by the word behind it.
   *
   * @throws {RangeError} If an id is not in the vocabulary.
   */
  decodeWithOffsets(ids: ArrayLike<number>): Decoding {
    const tokens = Array.from(ids, (id) => {
      if (Number.isInteger(id) && id >= 0 && id < this.vocabularySize) return this.#written[id];
      throw new RangeError(
        `Cannot decode id ${id}: ids are 0 to ${this.vocabularySize - 1}, check the tokenizer`,
      );
    });
    const texts = this.#decoder(tokens);
    const starts: number[] = [];
    const ends: number[] = [];
    let position = 0;
    for (const { length } of texts) {
      starts.push(position);
      ends.push(position += length);
    }
    return { text: texts.join(""), starts, ends };
  }

  /**
   * Whether the tokenizer can write a text: nothing in it is unknown, and its ids read the same but for white space.
   *
   * @example
   * ```ts
   * import { buildTokenizer, Tokenizer } from "./tokenizer.ts";
   *
   * const tokenizer = Tokenizer.fromJson(buildTokenizer(["a", "b"]));
   * ["abba", "abc"].filter((text) => !tokenizer.covers(text)); // ["abc"]
   * ```
   */
  covers(text: string): boolean {
    const ids = this.encode(this.#composes ? text.normalize("NFC") : text).ids;
    if (ids.includes(this.unknownId) || ids.includes(this.#model.unknownId ?? this.unknownId)) return false;
    const withoutSpace = (text: string) => text.normalize("NFC").replaceAll(/\p{White_Space}/gu, "");
    return withoutSpace(this.decode(ids)) === withoutSpace(text);
  }
}

function put({ ids, starts, ends }: Encoding, id: number, start: number, end: number): void {
  ids.push(id);
  starts.push(start);
  ends.push(end);
}

/** Whether texts must be in NFC; a normalizer that changes more has no offsets and is refused. */
function readNormalizer(json: unknown): boolean {
  if (json === null || json === undefined) return false;
  if (!isRecord(json)) throw unusable(`its normalizer is ${quote(json)}`);
  if (json.type === "Sequence" && Array.isArray(json.normalizers) && json.normalizers.length <= 1) {
    return json.normalizers.length === 1 && readNormalizer(json.normalizers[0]);
  }
  if (json.type !== "NFC") throw unusable(`its normalizer is ${quote(json.type)}`);
  return true;
}

/** Ids of the added tokens, and the texts of the special ones. */
function readAddedTokens(list: readonly unknown[], vocabulary: ReadonlyMap<string, number>) {
  const added = new Map<string, number>();
  const special = new Set<string>();
  for (const token of list) {
    const { id, content } = isRecord(token) ? token : {};
    if (
      !isRecord(token) || !Number.isSafeInteger(id) || (id as number) < 0 || typeof content !== "string" ||
      !content
    ) {
      throw unusable(`added token ${quote(content ?? token)} has no id or no content`);
    }
    for (const option of ["single_word", "lstrip", "rstrip"]) {
      if (token[option]) throw unusable(`added token ${quote(content)} has ${option}`);
    }
    const known = added.get(content) ?? vocabulary.get(content);
    if (known !== undefined && known !== id) throw unusable(`token ${quote(content)} has two ids`);
    added.set(content, id as number);
    if (token.special) special.add(content);
  }
  return { added, special };
}

/** Tokens in the order of their ids, which must be 0, 1, 2 and so on. */
function listById(idOf: ReadonlyMap<string, number>): string[] {
  const tokens: (string | undefined)[] = Array(idOf.size).fill(undefined);
  for (const [token, id] of idOf) {
    if (id >= tokens.length) continue; // then another id has no token, or two tokens have one id
    if (tokens[id] !== undefined) throw unusable(`two tokens have one id, ${id}`);
    tokens[id] = token;
  }
  const missing = tokens.indexOf(undefined);
  if (missing >= 0) throw unusable(`id ${missing} has no token`);
  return tokens as string[];
}
