/**
 * Added tokens of a `tokenizer.json`: texts that become tokens before anything else is looked at.
 *
 * Source: https://github.com/huggingface/tokenizers/blob/main/tokenizers/src/tokenizer/added_vocabulary.rs
 *
 * @module
 */
import { quote } from "../quote.ts";
import { Literals } from "./literals.ts";
import { isRecord, unusable } from "./unusable.ts";

/** A token found in a text, with the blanks that it takes. */
export interface FoundToken {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

interface Added {
  readonly id: number;
  readonly singleWord: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
}

const WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const BLANKS_BEFORE = /\p{White_Space}*$/u;
const BLANKS_AFTER = /^\p{White_Space}*/u;
/** Blanks that a token may take on one side; more stay text. */
const MAX_BLANKS = 4096;

/** Added tokens by their text. */
export class AddedTokens {
  /** Ids by text. */
  readonly ids: ReadonlyMap<string, number>;
  /** Texts of the special ones. */
  readonly special: ReadonlySet<string>;
  readonly #tokens: ReadonlyMap<string, Added>;
  /** Those that are looked for in the text as it is, and those looked for once it is normalised. */
  readonly #texts: readonly [asIs: Literals, normalized: Literals];

  /**
   * Reads the section `added_tokens`.
   *
   * @throws {SyntaxError} Saying which entry is wrong.
   */
  constructor(list: readonly unknown[], vocabulary: ReadonlyMap<string, number>) {
    const tokens = new Map<string, Added>();
    const special = new Set<string>();
    const normalized = new Set<string>();
    for (const token of list) {
      const { id, content } = isRecord(token) ? token : {};
      if (
        !isRecord(token) || !Number.isSafeInteger(id) || (id as number) < 0 || typeof content !== "string" ||
        !content
      ) {
        throw unusable(`added token ${quote(content ?? token)} has no id or no content`);
      }
      const known = tokens.get(content)?.id ?? vocabulary.get(content);
      if (known !== undefined && known !== id) throw unusable(`token ${quote(content)} has two ids`);
      tokens.set(content, {
        id: id as number,
        singleWord: token.single_word === true,
        lstrip: token.lstrip === true,
        rstrip: token.rstrip === true,
      });
      if (token.special) special.add(content);
      if (token.normalized === true) normalized.add(content);
    }
    this.ids = new Map(Array.from(tokens, ([text, { id }]) => [text, id]));
    this.special = special;
    this.#tokens = tokens;
    const texts = [...tokens.keys()];
    this.#texts = [
      new Literals(texts.filter((text) => !normalized.has(text))),
      new Literals(normalized),
    ];
  }

  /** The tokens of a text, in order. The longest counts if several begin at one place. */
  find(text: string, isNormalized: boolean): FoundToken[] {
    const literals = this.#texts[Number(isNormalized)];
    const found: FoundToken[] = [];
    let from = 0;
    for (let at = 0, length; at < text.length; at += length || 1) {
      length = literals.longestAt(text, at);
      if (length === 0) continue;
      const token = this.#tokens.get(text.slice(at, at + length))!;
      let [start, end] = [at, at + length];
      if (token.singleWord && (endsWithWord(text, start) || startsWithWord(text, end))) continue;
      if (token.lstrip) {
        const before = text.slice(Math.max(from, start - MAX_BLANKS), start);
        start -= BLANKS_BEFORE.exec(before)![0].length;
      }
      if (token.rstrip) end += BLANKS_AFTER.exec(text.slice(end, end + MAX_BLANKS))![0].length;
      found.push({ id: token.id, start, end });
      from = end;
      length = end - at;
    }
    return found;
  }
}

/** Does a character of a word stand before this place? */
function endsWithWord(text: string, at: number): boolean {
  const before = [...text.slice(Math.max(0, at - 2), at)].at(-1);
  return before !== undefined && WORD.test(before);
}

function startsWithWord(text: string, at: number): boolean {
  const next = text.codePointAt(at);
  return next !== undefined && WORD.test(String.fromCodePoint(next));
}
