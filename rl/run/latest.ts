/**
 * The run that commands use when none is named.
 *
 * @module
 */
import { RUNS_FOLDER } from "../cli/mod.ts";
import { RunFolder } from "./folder.ts";

/** Finds the run with the newest checkpoint in a folder of runs. Throws `Deno.errors.NotFound` when none has one. */
export async function latestRun(runs: string = RUNS_FOLDER): Promise<string> {
  let latest: { path: string; timeMs: number } | null = null;
  for (const name of await foldersOf(runs)) {
    const path = `${runs}/${name}`;
    let checkpoint: string | null;
    try {
      checkpoint = await (await RunFolder.open(path)).checkpointPath();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue; // some other folder
      throw error;
    }
    if (checkpoint === null) continue;
    const timeMs = (await Deno.stat(checkpoint)).mtime?.getTime() ?? 0;
    if (latest === null || timeMs > latest.timeMs) latest = { path, timeMs };
  }
  if (latest !== null) return latest.path;
  throw new Deno.errors.NotFound(
    `Cannot find a trained run: none under ${runs}/ has a checkpoint, train one or name one with --run`,
  );
}

/** Names of the folders in a folder, and of links to folders, sorted; none if it is missing. */
async function foldersOf(path: string): Promise<string[]> {
  try {
    const names: string[] = [];
    for await (const { name, isDirectory, isSymlink } of Deno.readDir(path)) {
      const isFolder = isDirectory ||
        isSymlink && await Deno.stat(`${path}/${name}`).then((there) => there.isDirectory, () => false);
      if (isFolder) names.push(name);
    }
    return names.sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
