/**
 * The byte alphabet of byte-level tokenizers: each byte is written as one character that can be printed.
 *
 * Source: Radford et al. 2019, https://github.com/openai/gpt-2/blob/master/src/encoder.py (`bytes_to_unicode`)
 *
 * @module
 */

/** Character of each byte: itself if it can be printed in Latin-1, else the next one from U+0100 on. */
const CHARACTERS: readonly string[] = (() => {
  let next = 0x100;
  const isPrintable = (byte: number) => byte > 0x20 && byte < 0x7f || byte > 0xa0 && byte !== 0xad;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
})();

const BYTES: ReadonlyMap<string, number> = new Map(CHARACTERS.map((character, byte) => [character, byte]));

const encoder = new TextEncoder();

/** A text's UTF-8 bytes in the byte alphabet. */
export function toByteCharacters(text: string): string {
  return Array.from(encoder.encode(text), (byte) => CHARACTERS[byte]).join("");
}

/** The bytes that a token stands for; a token with other characters stands for itself, as added tokens do. */
export function bytesOfToken(token: string): Uint8Array {
  const bytes = Array.from(token, (character) => BYTES.get(character));
  return bytes.includes(undefined) ? encoder.encode(token) : Uint8Array.from(bytes as number[]);
}

/**
 * Where the characters of a text lie among its UTF-8 bytes: byte `i` belongs to the character
 * `text.slice(starts[i], ends[i])`.
 */
export function characterOfBytes(text: string): { starts: number[]; ends: number[] } {
  const starts: number[] = [];
  const ends: number[] = [];
  let position = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (let i = 0; i < count; i++) {
      starts.push(position);
      ends.push(position + character.length);
    }
    position += character.length;
  }
  return { starts, ends };
}
