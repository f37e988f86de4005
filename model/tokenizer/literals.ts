/**
 * A list of texts to look for, in time that does not depend on how hostile the list is: no backtracking, no tree of
 * nodes, one sorted array.
 *
 * @module
 */

/** Texts to look for at a place of another text. */
export class Literals {
  /** Sorted by UTF-16 code units, without repetitions. */
  readonly #sorted: readonly string[];
  /** Place of each sorted text in the list given; the first one for repetitions. */
  readonly #order: readonly number[];
  /** Sorted texts by first code unit: from, to. */
  readonly #byFirst = new Map<number, readonly [from: number, to: number]>();

  /** Empty texts are left out: they match everywhere and cover nothing. */
  constructor(literals: Iterable<string>) {
    const order = new Map<string, number>();
    for (const literal of literals) if (literal !== "" && !order.has(literal)) order.set(literal, order.size);
    this.#sorted = [...order.keys()].sort();
    this.#order = this.#sorted.map((literal) => order.get(literal)!);
    for (let from = 0; from < this.#sorted.length;) {
      const first = this.#sorted[from].charCodeAt(0);
      const to = this.#lowerBound(first + 1, { depth: 0, from, to: this.#sorted.length });
      this.#byFirst.set(first, [from, to]);
      from = to;
    }
  }

  /** Length of the longest of the texts that stands at `at`; 0 when none does. */
  longestAt(text: string, at: number): number {
    let longest = 0;
    this.#walk(text, at, (_, length) => longest = length);
    return longest;
  }

  /** Length of the first in the list of the texts that stand at `at`, as an alternation takes it; 0 when none does. */
  firstAt(text: string, at: number): number {
    let [first, found] = [Infinity, 0];
    this.#walk(text, at, (order, length) => {
      if (order < first) [first, found] = [order, length];
    });
    return found;
  }

  /** Visits the texts that stand at `at`, shortest first. */
  #walk(text: string, at: number, visit: (order: number, length: number) => void): void {
    let [from, to] = this.#byFirst.get(text.charCodeAt(at)) ?? [0, 0];
    for (let depth = 1; from < to; depth++) {
      // Sorted before all that it begins.
      if (this.#sorted[from].length === depth) visit(this.#order[from++], depth);
      if (at + depth >= text.length) return;
      const unit = text.charCodeAt(at + depth);
      from = this.#lowerBound(unit, { depth, from, to });
      to = this.#lowerBound(unit + 1, { depth, from, to });
    }
  }

  /** The first sorted text in [from, to) whose code unit at `depth` is at least `unit`. */
  #lowerBound(unit: number, { depth, from, to }: { depth: number; from: number; to: number }): number {
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#sorted[middle].charCodeAt(depth) < unit) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
