import { userFolder } from "../cli/mod.ts";

/** Makes the file URL of a path that a user wrote. A relative path starts in the folder that `userFolder` gives. */
export function toFileUrl(path: string): string {
  if (path.startsWith("file:")) return path;
  const folder = userFolder();
  return new URL(path, `file://${folder.replaceAll("\\", "/")}/`).href;
}
