/**
 * Modules of the user's own: which references mean one, and where it is.
 *
 * @module
 */
import { noteUserModule, userFolder } from "../cli/mod.ts";

/** Tells whether this names a file: it does if it is a path, or if it ends like a module's name. */
export function isModule(reference: string): boolean {
  return /^(?:\.{0,2}[\\/]|~|file:|[A-Za-z]:[\\/])|\.[cm]?[jt]sx?$/.test(reference);
}

/** Makes the file URL of a path that a user wrote. A relative path starts in the folder that `userFolder` gives. */
export function fileUrl(path: string): URL {
  if (path.startsWith("file:")) return new URL(path);
  // A path may hold characters that mean something else in a URL.
  const escape = (path: string) =>
    path.split(Deno.build.os === "windows" ? /[\\/]/ : "/").map(encodeURIComponent).join("/").replace(
      /^(\w)%3A/,
      "/$1:",
    );
  return new URL(escape(path), `file://${escape(userFolder()).replace(/^(?!\/)/, "/")}/`);
}

/** Imports a user's module. Its errors, and those of modules beside it, are told with their place from now on. */
export async function importUserModule(url: URL): Promise<Readonly<Record<string, unknown>>> {
  noteUserModule(url.href);
  return await import(url.href);
}
