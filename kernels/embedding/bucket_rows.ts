/** Items grouped by row: those of row `v` are `items[starts[v] .. starts[v + 1]]`, in ascending order. */
export interface RowBuckets {
  /** (rows + 1). */
  readonly starts: Uint32Array;
  /** Positions in the index; at least one word, so that it can be uploaded when nothing is grouped. */
  readonly items: Uint32Array;
  /** The rows that have items, in ascending order. */
  readonly named: Uint32Array;
}

/**
 * Groups the positions of `index` by the row they name: a counting sort, linear in both lengths. Negative entries
 * are left out.
 *
 * @throws {RangeError} when an entry is not below `rows`.
 */
export function bucketRows(index: Int32Array, rows: number): RowBuckets {
  const starts = new Uint32Array(rows + 1);
  for (const row of index) {
    if (row >= rows) throw new RangeError(`Cannot bucket row ${row}: the table has ${rows} rows`);
    if (row >= 0) starts[row + 1]++;
  }
  for (let row = 0; row < rows; row++) starts[row + 1] += starts[row];
  const next = starts.slice(0, rows);
  const items = new Uint32Array(Math.max(1, starts[rows]));
  index.forEach((row, item) => {
    if (row >= 0) items[next[row]++] = item;
  });
  const named = Uint32Array.from(new Set(index.filter((row) => row >= 0))).sort();
  return { starts, items, named };
}
