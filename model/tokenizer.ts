/**
 * Text to ids and back, in Hugging Face's `tokenizer.json` form.
 *
 * A tokenizer of this project has whole words and JSON fragments as its tokens ("pieces"). Encoding takes the
 * longest piece at every position; decoding joins the pieces. Both use standard parts of the format: a `Split` by regular
 * expression, a `WordPiece` lookup and the `Fuse` decoder. Any reader of `tokenizer.json` therefore agrees.
 *
 * Tokenizers of others are read if they are made of parts that keep their place in the text: word-level, WordPiece and
 * (byte-level) BPE models, cut by patterns that cannot hang. Any other part is refused by name when the file is read.
 *
 * All offsets are UTF-16 code units, as JavaScript's own string methods count.
 *
 * @module
 */

import { quote } from "./quote.ts";
import { SPECIAL_TOKENS, type TokenizerJson } from "./tokenizer/build.ts";
import { AddedTokens } from "./tokenizer/added.ts";
import { characterOfBytes, toByteCharacters } from "./tokenizer/bytes.ts";
import { compose } from "./tokenizer/compose.ts";
import { type Decoder, readDecoder } from "./tokenizer/decoder.ts";
import { readSplitter, type Splitter } from "./tokenizer/split.ts";
import { type Emit, readSubwords, type Subwords } from "./tokenizer/subwords.ts";
import { isRecord, type JsonRecord, unusable } from "./tokenizer/unusable.ts";

export {
  type AddedToken,
  buildTokenizer,
  SPECIAL_TOKENS,
  type TokenizerJson,
  VOCABULARY_MULTIPLE,
} from "./tokenizer/build.ts";

/**
 * The texts of the tokens that have a role. One that is absent is that of {@linkcode SPECIAL_TOKENS}; null says that there is
 * none.
 */
export interface TokenRoles {
  /** Fills rows up to a common length. */
  readonly pad?: string;
  /** Stands where an image token goes. */
  readonly image?: string | null;
  /** Ends a response. */
  readonly end?: string;
  /** Stands for text that no token covers. */
  readonly unknown?: string | null;
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
  /** Id that stands where an image token goes; null if it has none. */
  readonly imageId: number | null;
  /** Id that ends a response. */
  readonly endId: number;
  /** Id of text that no piece covers; null if it covers any text. */
  readonly unknownId: number | null;

  readonly #json: TokenizerJson;
  readonly #splitter: Splitter;
  readonly #model: Subwords;
  readonly #decoder: Decoder;
  readonly #composes: boolean;
  /** Tokens that are found before the text is cut into words. */
  readonly #added: AddedTokens;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #tokens: readonly string[];
  /** Token of each id; null for a special one, which writes nothing. */
  readonly #written: readonly (string | null)[];

  private constructor(json: JsonRecord, roles: TokenRoles) {
    this.#json = json as unknown as TokenizerJson;
    this.#composes = readNormalizer(json.normalizer);
    this.#splitter = readSplitter(json.pre_tokenizer);
    this.#model = readSubwords(json.model as JsonRecord);
    this.#decoder = readDecoder(json.decoder);
    this.#added = new AddedTokens(json.added_tokens as unknown[], this.#model.vocabulary);
    this.#ids = new Map([...this.#model.vocabulary, ...this.#added.ids]);
    const tokens = this.#tokens = listById(this.#ids);
    this.vocabularySize = tokens.length;
    this.#written = tokens.map((token) => this.#added.special.has(token) ? null : token);
    const [pad, image, end, unknown] = SPECIAL_TOKENS;
    this.padId = this.#roleId(roles.pad ?? pad);
    this.imageId = roles.image === null ? null : this.#roleId(roles.image ?? image);
    this.endId = this.#roleId(roles.end ?? end);
    this.unknownId = roles.unknown === null ? null : this.#roleId(roles.unknown ?? unknown);
  }

  #roleId(token: string): number {
    const id = this.#ids.get(token);
    if (id === undefined) throw unusable(`there is no token ${token.length > 80 ? quote(token) : token}`);
    return id;
  }

  /**
   * Reads a parsed `tokenizer.json`.
   *
   * @param roles Which of its tokens mean what, for one that was not made here.
   * @throws {SyntaxError} If it is no such object, lacks a token of the roles, or has a part that this project does not
   * have: its name is in the message.
   */
  static fromJson(json: unknown, roles: TokenRoles = {}): Tokenizer {
    if (typeof json !== "object" || json === null) throw unusable("it is not an object");
    const { model, added_tokens } = json as Record<string, unknown>;
    if (!isRecord(model)) throw unusable('it has no "model"');
    if (!Array.isArray(added_tokens)) throw unusable('it has no list "added_tokens"');
    return new Tokenizer(json as JsonRecord, roles);
  }

  /** Id of a token by its text; null if there is none. */
  idOf(token: string): number | null {
    return this.#ids.get(token) ?? null;
  }

  /** Token of an id as the vocabulary has it, bytes in their alphabet; null if there is none. */
  tokenOf(id: number): string | null {
    return this.#tokens[id] ?? null;
  }

  /** Does this id write nothing? */
  isSpecial(id: number): boolean {
    return this.#written[id] === null;
  }

  /** The `tokenizer.json` object this tokenizer was read from. */
  toJson(): TokenizerJson {
    return this.#json;
  }

  /**
   * Ids of a text and the characters each one covers. In a tokenizer of this project every maximal stretch that no
   * piece covers becomes one {@linkcode unknownId}; a special token written out in the text becomes that token. A
   * character of several byte-level tokens is covered by each of them, and so are characters that the tokenizer composes.
   */
  encode(text: string): Encoding {
    const encoding: Encoding = { ids: [], starts: [], ends: [] };
    let from = 0;
    for (const { id, start, end } of this.#added.find(text, false)) {
      this.#encodeSection(text.slice(from, start), from, encoding);
      put(encoding, id, start, end);
      from = end;
    }
    this.#encodeSection(text.slice(from), from, encoding);
    return encoding;
  }

  /** A section of the text that starts at `offset` and holds no added token as it is. */
  #encodeSection(original: string, offset: number, encoding: Encoding): void {
    if (original === "") return;
    const { text, starts, ends } = this.#composes
      ? compose(original)
      : { text: original, starts: null, ends: null };
    const emit = (id: number, start: number, end: number) =>
      put(encoding, id, offset + (starts?.[start] ?? start), offset + (ends?.[end - 1] ?? end));
    let from = 0;
    for (const { id, start, end } of this.#added.find(text, true)) {
      this.#encodeWords(text.slice(from, start), from, emit);
      emit(id, start, end);
      from = end;
    }
    this.#encodeWords(text.slice(from), from, emit);
  }

  #encodeWords(section: string, offset: number, emit: Emit): void {
    if (section === "") return;
    for (const [from, to] of this.#splitter.split(section)) {
      const at = offset + from;
      const word = section.slice(from, to);
      if (!this.#splitter.byteLevel) {
        this.#model.encode(word, (id, first, last) => emit(id, at + first, at + last));
        continue;
      }
      const { starts, ends } = characterOfBytes(word);
      this.#model.encode(
        toByteCharacters(word),
        (id, first, last) => emit(id, at + starts[first], at + ends[last - 1]),
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
    const { ids } = this.encode(text);
    if ([this.unknownId, this.#model.unknownId].some((id) => id !== null && ids.includes(id))) return false;
    const withoutSpace = (text: string) => text.normalize("NFC").replaceAll(/\p{White_Space}/gu, "");
    return withoutSpace(this.decode(ids)) === withoutSpace(text);
  }
}

function put({ ids, starts, ends }: Encoding, id: number, start: number, end: number): void {
  ids.push(id);
  starts.push(start);
  ends.push(end);
}

/** Are texts put in NFC? A normalizer that changes more would lose the offsets, and is refused. */
function readNormalizer(json: unknown): boolean {
  if (json === null || json === undefined) return false;
  if (!isRecord(json)) throw unusable(`its normalizer is ${quote(json)}`);
  if (json.type === "Sequence" && Array.isArray(json.normalizers) && json.normalizers.length <= 1) {
    return json.normalizers.length === 1 && readNormalizer(json.normalizers[0]);
  }
  if (json.type !== "NFC") throw unusable(`its normalizer is ${quote(json.type)}`);
  return true;
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
