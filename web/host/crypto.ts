/** What the library takes of `node:crypto`, in a browser. */

/** Digests of files as they grow: a browser has none. */
export function createHash(): never {
  throw new Error(
    "Cannot keep a run in a folder: a browser has no files, leave out `out` to train in memory",
  );
}
