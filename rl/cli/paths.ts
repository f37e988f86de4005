import { isAbsolute, join } from "node:path";

/**
 * Finds the folder that the user is in. Both `./ponder` and `deno task` run commands in the repository's folder; they name the
 * user's in `PONDER_CWD` and `INIT_CWD`.
 */
export function userFolder(): string {
  return Deno.env.get("PONDER_CWD") || Deno.env.get("INIT_CWD") || Deno.cwd();
}

/**
 * Resolves a path that the user typed. A relative path starts in the folder that the user is in.
 *
 * @returns The path as it was typed if it is absolute or the user is in this process's folder. Else a path from the user's
 * folder.
 */
export function userPath(path: string): string {
  const folder = userFolder();
  if (isAbsolute(path) || folder === Deno.cwd()) return path;
  return join(folder, path);
}

/** The folder that holds runs if the user names none. */
export const RUNS_FOLDER = "runs";

/**
 * Makes the path of a run, or of a folder of runs, that the user named. If there is nothing at that path, the name of a run
 * under {@linkcode RUNS_FOLDER} is found from any folder, with `runs/` before it or without.
 */
export function runPath(named: string): string {
  const path = userPath(named);
  if (isThere(path) || isAbsolute(named) || /^\.\.?(?:[\\/]|$)/.test(named)) return path;
  const inRuns = `${RUNS_FOLDER}/${named.replace(/^runs[\\/]/, "")}`;
  return isThere(inRuns) ? inRuns : path;
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
