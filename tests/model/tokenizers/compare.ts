/** Comparing a tokenizer of this project with the JavaScript port of Hugging Face's library, and with itself. */
import { assert, assertEquals } from "@std/assert";
import type { Tokenizer as Reference } from "@huggingface/tokenizers";
import type { Tokenizer } from "../../../model/tokenizer.ts";

/**
 * What the port does otherwise than the Rust library, whose answers are in `foreign_tokenizers.json`: in JavaScript `\s` has
 * U+FEFF and lacks U+0085, and `\d` has the digits of ASCII alone.
 */
const PORT_DIFFERS = /[\ufeff\u0085]|(?![0-9])\p{N}/u;

/** Texts of which the ids differ, and how many were compared. */
export function compareTokenizers(tokenizer: Tokenizer, reference: Reference, texts: readonly string[]) {
  const same = texts.filter((text) => !PORT_DIFFERS.test(text));
  const differing = same.filter((text) => {
    const right = reference.encode(text, { add_special_tokens: false }).ids;
    return tokenizer.encode(text).ids.join() !== right.join();
  });
  return { differing, compared: same.length };
}

/**
 * Holds the offsets of a byte-level tokenizer to the bytes: a token covers the characters that its bytes belong to, and text
 * comes back as it was.
 */
export function requireExactOffsets(tokenizer: Tokenizer, text: string): void {
  const { ids, starts, ends } = tokenizer.encode(text);
  const decoding = tokenizer.decodeWithOffsets(ids);
  const normal = decoding.text;
  assertEquals(normal.normalize("NFC"), text.normalize("NFC"), `text of ${JSON.stringify(text)}`);
  const whole = new TextEncoder().encode(normal);
  let at = 0;
  ids.forEach((id, i) => {
    // Each character of a token is a byte, but in added tokens, which are ASCII in these vocabularies.
    const length = [...tokenizer.tokenOf(id)!].length;
    const [first, last] = [at, at + length - 1];
    at += length;
    assert(starts[i] >= (starts[i - 1] ?? 0) && ends[i] >= (ends[i - 1] ?? 0), "offsets ascend");
    if (normal !== text) return; // composed: the bytes are those of other characters
    const before = decoder.decode(whole.subarray(0, characterStart(whole, first)));
    const through = decoder.decode(whole.subarray(0, characterEnd(whole, last)));
    assertEquals(
      [starts[i], ends[i]],
      [before.length, through.length],
      `token ${i} of ${JSON.stringify(text)}`,
    );
  });
  assertEquals(at, whole.length);
  if (ids.length > 0) assertEquals([starts[0], ends.at(-1)], [0, text.length]);
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const isContinued = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80;

function characterStart(bytes: Uint8Array, at: number): number {
  while (isContinued(bytes[at])) at--;
  return at;
}

function characterEnd(bytes: Uint8Array, at: number): number {
  do at++; while (isContinued(bytes[at]));
  return at;
}
