import { userFolder } from "../cli/mod.ts";

/**
 * The file URL of a path that a user wrote: relative ones start where the user is. `./ponder` changes the folder and says
 * in `PONDER_CWD` where that was.
 */
export function toFileUrl(path: string): string {
  if (path.startsWith("file:")) return path;
  const folder = userFolder();
  return new URL(path, `file://${folder.replaceAll("\\", "/")}/`).href;
}
