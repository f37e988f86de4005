import { isAbsolute, join } from "node:path";

/** The folder that the user is in. */
export function userFolder(): string {
  return Deno.env.get("PONDER_CWD") || Deno.env.get("INIT_CWD") || Deno.cwd();
}

/**
 * A path that the user typed. A relative one starts in the folder that the user is in, which `./ponder` names in
 * `PONDER_CWD` and `deno task` in `INIT_CWD`: both run commands in the repository's folder.
 *
 * @returns the path as it was typed if it is absolute or starts in this process's folder, else an absolute one
 */
export function userPath(path: string): string {
  const folder = userFolder();
  if (isAbsolute(path) || folder === Deno.cwd()) return path;
  return join(folder, path);
}
