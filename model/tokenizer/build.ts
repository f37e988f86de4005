/**
 * The form of a `tokenizer.json`, and one made of whole words.
 *
 * @module
 */
import { quote } from "../quote.ts";
import { escapeRegex } from "./pattern.ts";

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
      // No piece is in what the split leaves between pieces. The bound keeps the lookup there from being quadratic.
      max_input_chars_per_word: Math.max(...distinct.map((piece) => [...piece].length)),
      // fromEntries defines own properties, so a piece may be called "__proto__".
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    },
  };
}
