/**
 * Taking the warm start of another run. A note in the folder names that run until the warm start is taken. A run that is killed
 * before must not go on without it.
 *
 * @module
 */
import { resolve } from "node:path";
import { exists, writeFileAtomic } from "../../model/files.ts";
import { entriesOf, UNTAKEN_FILE } from "./entries.ts";
import { readJsonObject } from "./json_object.ts";

/** Notes that the run in the folder `run`, which is still empty, will begin RL with the warm start of the run `source`. */
export async function noteUntaken(run: string, source: string): Promise<void> {
  await writeFileAtomic(`${run}/${UNTAKEN_FILE}`, JSON.stringify({ from: resolve(source) }, null, 2) + "\n");
}

/**
 * Finds the run whose warm start must still be taken; null if there is none.
 *
 * @throws {Deno.errors.InvalidData} when the note names none, or the run is already further than that.
 */
export async function untaken(run: string): Promise<string | null> {
  const path = `${run}/${UNTAKEN_FILE}`;
  if (!await exists(path)) return null;
  const { from } = await readJsonObject(path).catch(() => ({ from: null }));
  if (typeof from !== "string") {
    throw new Deno.errors.InvalidData(
      `Cannot resume ${run}: ${UNTAKEN_FILE} does not name the run to begin from, begin again with --overwrite`,
    );
  }
  if (await exists(`${run}/checkpoint.previous`) || await exists(`${run}/summary.json`)) {
    throw new Deno.errors.InvalidData(
      `Cannot resume ${run}: ${UNTAKEN_FILE} says that it has not begun, but it has; remove ${UNTAKEN_FILE}`,
    );
  }
  return from;
}

/** Removes the part that was taken before the process was killed. */
export async function removeTaken(run: string): Promise<void> {
  for (const entry of await entriesOf(run) ?? []) {
    if (!/^(checkpoint|warm_start|metrics\.jsonl)(\.new)?$/.test(entry)) continue;
    await Deno.remove(`${run}/${entry}`, { recursive: true });
  }
}

/** Notes that the warm start is taken. */
export async function noteTaken(run: string): Promise<void> {
  await Deno.remove(`${run}/${UNTAKEN_FILE}`);
}
