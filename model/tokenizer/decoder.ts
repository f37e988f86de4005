/**
 * Decoders of a `tokenizer.json`: how tokens become text again, with the characters that each one wrote.
 *
 * Source: https://github.com/huggingface/tokenizers/tree/main/tokenizers/src/decoders
 *
 * @module
 */
import { quote } from "../quote.ts";
import { bytesOfToken } from "./bytes.ts";
import { isRecord, type JsonRecord, unusable } from "./unusable.ts";

/** The characters that each token adds to the text; a null is a token that writes nothing. */
export type Decoder = (tokens: readonly (string | null)[]) => string[];

/**
 * Reads the section `decoder`.
 *
 * @throws {SyntaxError} Naming the part that this project does not have.
 */
export function readDecoder(json: unknown): Decoder {
  if (json === null || json === undefined) return spaced((token) => ` ${token}`);
  const part = soleDecoder(json);
  switch (part.type) {
    case "Fuse":
      return (tokens) => tokens.map((token) => token ?? "");
    case "ByteLevel":
      return decodeBytes;
    case "WordPiece": {
      const { prefix = "##", cleanup = true } = part;
      if (typeof prefix !== "string") throw unusable(`the prefix of its decoder is ${quote(prefix)}`);
      if (cleanup !== false) throw unusable("its WordPiece decoder cleans up spaces");
      return spaced((token) => token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`);
    }
    default:
      throw unusable(`its decoder is ${quote(part.type)}`);
  }
}

/** A sequence of one decoder is that decoder; a `Fuse` behind others changes nothing. */
function soleDecoder(json: unknown): JsonRecord {
  if (!isRecord(json)) throw unusable(`its decoder is ${quote(json)}`);
  if (json.type !== "Sequence") return json;
  const parts: unknown[] = Array.isArray(json.decoders) ? json.decoders : [];
  const others = parts.filter((part, index) => !(index > 0 && isRecord(part) && part.type === "Fuse"));
  if (others.length !== 1 || !isRecord(others[0])) {
    throw unusable(`its decoder is a sequence of ${others.length}`);
  }
  return others[0];
}

/** Every token but the first is written in its own way. */
function spaced(later: (token: string) => string): Decoder {
  return (tokens) => {
    let isFirst = true;
    return tokens.map((token) => {
      if (token === null) return "";
      const written = isFirst ? token : later(token);
      isFirst = false;
      return written;
    });
  };
}

/** A character of several tokens is written by the last of them; bytes that are none become U+FFFD. */
function decodeBytes(tokens: readonly (string | null)[]): string[] {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const texts = tokens.map((token) =>
    token === null ? "" : decoder.decode(bytesOfToken(token), { stream: true })
  );
  const last = tokens.findLastIndex((token) => token !== null);
  if (last >= 0) texts[last] += decoder.decode();
  return texts;
}
