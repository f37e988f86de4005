/**
 * The identity of this program. Learner and workers compare it: two states of the sources may compute other numbers.
 *
 * @module
 */
import { contentHash } from "../../model/picture.ts";

const ROOT = new URL("../../", import.meta.url);
/** Folders whose sources decide what a response is. */
const ROOMS = ["kernels/", "model/", "envs/", "rl/"];

/** The version in `deno.json`, and a digest of the sources that act: `0.2.0+1f0c…`. */
export async function programName(root: URL = ROOT): Promise<string> {
  const { version } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root))) as { version: string };
  if (root.protocol !== "file:") return version;
  const texts: string[] = [];
  for (const room of ROOMS) await gather(new URL(room, root), room, texts);
  return `${version}+${contentHash(new TextEncoder().encode(texts.join("\0"))).slice(0, 12)}`;
}

async function gather(folder: URL, path: string, texts: string[]): Promise<void> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  for (const { name, isDirectory, isFile } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (isDirectory) await gather(new URL(`${name}/`, folder), `${path}${name}/`, texts);
    else if (isFile && /\.(ts|wgsl)$/.test(name)) {
      texts.push(`${path}${name}`, await Deno.readTextFile(new URL(name, folder)));
    }
  }
}
