/**
 * Edit distance with swaps of neighbours counted as one edit (optimal string alignment).
 *
 * @returns edits from `a` to `b`, at most the longer length
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { editDistance } from "@ponder/ponder/envs";
 *
 * assertEquals(editDistance("stnad", "stand"), 1); // neighbours that changed places
 * ```
 */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + cost);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length]!;
}

/**
 * Finds the known word that is most like `word`, ignoring case. Undefined if none is close enough for a slip: if more than a third
 * of the letters, and more than two, would have to change.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { nearestName } from "@ponder/ponder/envs";
 *
 * assertEquals(nearestName("blackjak", ["NumberLine", "Blackjack"]), "Blackjack");
 * assertEquals(nearestName("chess", ["NumberLine", "Blackjack"]), undefined);
 * ```
 */
export function nearestName(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const name of known) {
    const distance = editDistance(word.toLowerCase(), name.toLowerCase());
    const allowed = Math.max(2, Math.floor(name.length / 3));
    if (distance > allowed || distance >= name.length || distance >= bestDistance) continue;
    [best, bestDistance] = [name, distance];
  }
  return best;
}

/** A longer word is no slip of any name, and comparing it would take long. */
const LONGEST_WORD = 100;

/** More names than this are not listed in a message. */
const LISTED = 12;

/** Ends an error about an unknown name: `: did you mean X?`, `: known are A, B`, or for many `: the nearest is X`. */
export function suggestion(word: string, known: readonly string[]): string {
  if (word.length > LONGEST_WORD) return known.length <= LISTED ? `: known are ${known.join(", ")}` : "";
  const nearest = nearestName(word, known);
  if (nearest !== undefined) return `: did you mean ${nearest}?`;
  if (known.length <= LISTED) return `: known are ${known.join(", ")}`;
  const distance = (name: string) => editDistance(word.toLowerCase(), name.toLowerCase());
  return `: the nearest is ${known.reduce((best, name) => distance(name) < distance(best) ? name : best)}`;
}
