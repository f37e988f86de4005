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
