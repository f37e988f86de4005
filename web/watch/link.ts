/**
 * The page's address: which view, which runs, where in them.
 *
 * @module
 */

/** Views by name. */
export const VIEWS = ["runs", "trend", "iteration", "episodes", "compare", "play"] as const;
/** A view. */
export type View = typeof VIEWS[number];

/** What an address says. */
export interface Link {
  readonly view: View;
  /** Iteration that is looked at; null for the newest. */
  readonly iteration: number | null;
  /** Recorded turn that is looked at. */
  readonly place: { readonly file: string; readonly episode: number; readonly turn: number } | null;
  /** Ids of the runs; null when it names none. */
  readonly runs: readonly string[] | null;
  /** What is wrong with it, for people; null when nothing is. */
  readonly fault: string | null;
}

/** Longest address that is read, in characters: one with fifty runs is shorter. */
const MAX_LENGTH = 8000;

const FRESH: Link = { view: "trend", iteration: null, place: null, runs: null, fault: null };

/** Reads the part of an address from `#` on. A broken one is as none, and says what is wrong with it. */
export function readLink(hash: string): Link {
  const text = hash.replace(/^#\/?/, "");
  if (text === "") return FRESH;
  const broken = (state: string): Link => ({ ...FRESH, fault: `This link ${state}: the page starts fresh.` });
  if (text.length > MAX_LENGTH) return broken(`is too long (${text.length} characters)`);
  const [path, query = ""] = text.split("?");
  const [name, ...parts] = path.split("/");
  const view = VIEWS.find((each) => each === name);
  if (view === undefined) return broken("is broken (there is no such view)");
  const named = /(?:^|&)runs=([^&]*)/.exec(query)?.[1] ?? "";
  let runs: string[] | null;
  try {
    runs = named === "" ? null : named.split(",").map(decodeURIComponent);
  } catch {
    return broken("is broken (it names runs that are no text)");
  }
  const isCount = (text: string | undefined) => /^\d{1,9}$/.test(text ?? "");
  if (view === "iteration" && parts.length > 0) {
    if (!isCount(parts[0])) return broken("is broken (its iteration is no number)");
    return { ...FRESH, view, runs, iteration: Number(parts[0]) };
  }
  if (view === "episodes" && parts.length > 0) {
    const [file, episode, turn] = parts;
    if (!/^[\w.-]+$/.test(file) || !isCount(episode) || !isCount(turn)) {
      return broken("is broken (it names no recorded turn)");
    }
    return { ...FRESH, view, runs, place: { file, episode: Number(episode), turn: Number(turn) } };
  }
  return { ...FRESH, view, runs };
}
