/**
 * Models of a `tokenizer.json`: how a word becomes ids, each with the characters that it covers. Ids are as the
 * reference implementation gives them.
 *
 * Source: https://github.com/huggingface/tokenizers/tree/main/tokenizers/src/models
 *
 * @module
 */
import { BPE } from "@huggingface/tokenizers";
import { quote } from "../quote.ts";
import { Literals } from "./literals.ts";
import { isRecord, type JsonRecord, unusable } from "./unusable.ts";

/** Hands out the ids of a word in order; `start` and `end` are UTF-16 code units in the word. */
export type Emit = (id: number, start: number, end: number) => void;

/** A model of one of the three kinds. */
export interface Subwords {
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Id of what the vocabulary does not cover; null if such text is dropped. */
  readonly unknownId: number | null;
  readonly encode: (word: string, emit: Emit) => void;
}

/**
 * Reads the section `model`.
 *
 * @throws {SyntaxError} Naming the part that this project does not have, or what is wrong with it.
 */
export function readSubwords(model: JsonRecord): Subwords {
  const type = model.type ??
    (Array.isArray(model.merges) ? "BPE" : "continuing_subword_prefix" in model ? "WordPiece" : undefined);
  if (type !== "BPE" && type !== "WordPiece" && type !== "WordLevel") {
    throw unusable(`its model is ${quote(type)}`);
  }
  const vocabulary = readVocabulary(model.vocab);
  const unknownId = readUnknown(model, vocabulary);
  if (type === "BPE") return bytePairs(model, vocabulary, unknownId);
  if (unknownId === null) throw unusable("its model has no unk_token");
  return type === "WordPiece" ? wordPieces(model, vocabulary, unknownId) : {
    vocabulary,
    unknownId,
    encode: (word, emit) => emit(vocabulary.get(word) ?? unknownId, 0, word.length),
  };
}

function readVocabulary(vocab: unknown): Map<string, number> {
  if (!isRecord(vocab)) throw unusable(`its vocab is ${quote(vocab)}`);
  const vocabulary = new Map<string, number>();
  for (const [token, id] of Object.entries(vocab)) {
    if (!Number.isSafeInteger(id) || (id as number) < 0) {
      throw unusable(`token ${quote(token)} has id ${quote(id)}`);
    }
    vocabulary.set(token, id as number);
  }
  return vocabulary;
}

function readUnknown({ unk_token: token }: JsonRecord, vocabulary: ReadonlyMap<string, number>) {
  if (token === null || token === undefined) return null;
  const id = typeof token === "string" ? vocabulary.get(token) : undefined;
  if (id === undefined) throw unusable(`its unk_token ${quote(token)} is not in its vocab`);
  return id;
}

/** The longest token at every place of a word; a word that tokens do not cover is unknown as a whole. */
function wordPieces(
  model: JsonRecord,
  vocabulary: ReadonlyMap<string, number>,
  unknownId: number,
): Subwords {
  const { continuing_subword_prefix: prefix = "##", max_input_chars_per_word: longest = 100 } = model;
  if (typeof prefix !== "string") throw unusable(`its continuing_subword_prefix is ${quote(prefix)}`);
  if (!Number.isSafeInteger(longest) || (longest as number) < 0) {
    throw unusable(`its max_input_chars_per_word is ${quote(longest)}`);
  }
  const first = new Literals(vocabulary.keys());
  const later = prefix === "" ? first : new Literals(
    [...vocabulary.keys()].filter((token) => token.startsWith(prefix)).map((token) =>
      token.slice(prefix.length)
    ),
  );
  const encode = (word: string, emit: Emit) => {
    const whole = vocabulary.get(word);
    const isShort = word.length <= (longest as number) || [...word].length <= (longest as number);
    if (whole !== undefined && isShort) return emit(whole, 0, word.length);
    const found: [id: number, start: number, end: number][] = [];
    for (let at = 0, length; at < word.length; at += length) {
      length = isShort ? (at === 0 ? first : later).longestAt(word, at) : 0;
      if (length === 0) return emit(unknownId, 0, word.length);
      const token = word.slice(at, at + length);
      found.push([vocabulary.get(at === 0 ? token : prefix + token)!, at, at + length]);
    }
    for (const [id, start, end] of found) emit(id, start, end);
  };
  return { vocabulary, unknownId, encode };
}

/** Neighbours merge, the pair with the lowest rank first. */
function bytePairs(
  model: JsonRecord,
  vocabulary: ReadonlyMap<string, number>,
  unknownId: number | null,
): Subwords {
  const { merges = [], fuse_unk: fuse = false, ignore_merges: whole = false } = model;
  for (const name of ["dropout", "byte_fallback", "continuing_subword_prefix", "end_of_word_suffix"]) {
    if (model[name]) throw unusable(`its BPE model has ${name} ${quote(model[name])}`);
  }
  const pairs = readMerges(merges, vocabulary);
  const merger = new BPE({ type: "BPE", vocab: {}, merges: pairs, ignore_merges: false });
  const merge = (word: string, emit: Emit) => {
    let position = 0;
    let unknown: [start: number, end: number] | null = null;
    const flush = () => {
      if (unknown !== null && unknownId !== null) emit(unknownId, ...unknown);
      unknown = null;
    };
    for (const token of merger.bpe(word)) {
      const [start, end] = [position, position += token.length];
      const id = vocabulary.get(token);
      if (id === undefined && fuse && unknown !== null) unknown = [unknown[0], end];
      else {
        flush();
        if (id === undefined) unknown = [start, end];
        else emit(id, start, end);
      }
    }
    flush();
  };
  // Unknown text is dropped before neighbours merge, so that tokens on its two sides may merge.
  const mergeKnown = (word: string, emit: Emit) => {
    const places: number[] = []; // of each code unit that is left; one more for the end
    let known = "";
    let position = 0;
    for (const character of word) {
      if (vocabulary.has(character)) {
        known += character;
        for (let i = 0; i < character.length; i++) places.push(position + i);
      }
      position += character.length;
    }
    if (known.length === word.length) return merge(word, emit);
    merge(known, (id, start, end) => emit(id, places[start], places[end - 1] + 1));
  };
  const encode = (word: string, emit: Emit) => {
    const id = whole ? vocabulary.get(word) : undefined;
    if (id !== undefined) emit(id, 0, word.length);
    else if (unknownId === null) mergeKnown(word, emit);
    else merge(word, emit);
  };
  return { vocabulary, unknownId, encode };
}

function readMerges(merges: unknown, vocabulary: ReadonlyMap<string, number>): [string, string][] {
  if (!Array.isArray(merges)) throw unusable(`its merges are ${quote(merges)}`);
  return Array.from(merges, (merge: unknown, index) => {
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    const isPair = Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === "string");
    if (!isPair) throw unusable(`merge ${index} is ${quote(merge)}`);
    const [left, right] = pair as [string, string];
    for (const token of [left, right, left + right]) {
      if (!vocabulary.has(token)) {
        throw unusable(`merge ${index} has ${quote(token)}, which is not in its vocab`);
      }
    }
    return [left, right];
  });
}
