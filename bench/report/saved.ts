/**
 * Reads saved runs, and writes the page about them.
 *
 * @module
 */

import { readText, writeFileAtomic } from "../../model/files.ts";
import { parseRun } from "./compare.ts";
import { performancePage, type SavedRun } from "./page.ts";
import type { PytorchRun } from "./pytorch.ts";

/** The end of the file names of `scripts/peer_pytorch.py`. */
const PYTORCH = "-pytorch.json";

/**
 * Writes the page from every saved run in a folder.
 *
 * @throws {Deno.errors.NotFound} when the folder has none.
 * @throws {SyntaxError} for a file that the benchmark did not save.
 */
export async function writePage(folder: string, page: string): Promise<void> {
  const names = await namesIn(folder);
  const saved: SavedRun[] = [];
  const runs = names.filter((file) => file.endsWith(".json") && !file.endsWith(PYTORCH))
    .map((file) => file.slice(0, -".json".length)).sort();
  for (const name of runs) {
    const path = `${folder}/${name}.json`;
    const pytorch = `${name}${PYTORCH}`;
    saved.push({
      name,
      run: parseRun(await readText(path), path),
      pytorch: names.includes(pytorch) ? await readPytorch(`${folder}/${pytorch}`) : null,
      charts: [`${name}.svg`, `${name}_peers.svg`].filter((chart) => names.includes(chart)),
    });
  }
  if (saved.length === 0) {
    throw new Deno.errors.NotFound(
      `Cannot write ${page}: ${folder} has no saved run, measure with --out ${folder}`,
    );
  }
  await writeFileAtomic(page, performancePage(saved));
}

async function readPytorch(path: string): Promise<PytorchRun> {
  const text = await readText(path);
  try {
    const run = JSON.parse(text);
    if (typeof run?.torch === "string" && Array.isArray(run.rows)) return run;
  } catch {
    // The error below says it.
  }
  throw new SyntaxError(
    `Cannot read ${path}: it is not what scripts/peer_pytorch.py --json prints, run it again`,
  );
}

/** Names in a folder; none if it is missing. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
