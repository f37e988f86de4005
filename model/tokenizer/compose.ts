/**
 * Canonical composition (NFC) that remembers where each character comes from.
 *
 * @module
 */

/** A text, and for each of its UTF-16 code units the stretch of the original that it stands for. */
export interface Composed {
  readonly text: string;
  /** First unit of the original; null if the text is the original. */
  readonly starts: readonly number[] | null;
  /** The unit after the last of the original; null if the text is the original. */
  readonly ends: readonly number[] | null;
}

/**
 * A character and those that may compose with it. Only marks, and the vowels and final consonants of Hangul, ever compose
 * with what stands before them.
 *
 * Source: https://unicode.org/reports/tr15/ (Quick_Check=Maybe)
 */
const CLUSTER = /[^][\p{M}\u1161-\u1175\u11a8-\u11c2]*/gu;

/** NFC of a text. */
export function compose(text: string): Composed {
  if (text.normalize("NFC") === text) return { text, starts: null, ends: null };
  const starts: number[] = [];
  const ends: number[] = [];
  let composed = "";
  for (const { 0: cluster, index } of text.matchAll(CLUSTER)) {
    const written = cluster.normalize("NFC");
    for (let i = 0; i < written.length; i++) {
      const isSame = written === cluster;
      starts.push(isSame ? index + i : index);
      ends.push(isSame ? index + i + 1 : index + cluster.length);
    }
    composed += written;
  }
  return { text: composed, starts, ends };
}
