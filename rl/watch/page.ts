/**
 * The files of the page, as `scripts/watch_page.ts` bundled them.
 *
 * @module
 */
import type { PageFiles } from "./site.ts";

/** Reads the page. */
export async function readPage(): Promise<PageFiles> {
  const files: Record<string, string> = {};
  for (const name of ["index.html", "page.js", "page.css"]) {
    files[name] = await Deno.readTextFile(new URL(`page/${name}`, import.meta.url));
  }
  return files;
}
