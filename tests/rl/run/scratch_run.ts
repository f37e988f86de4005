/** Run folders with a few bytes in them, and processes that die while they write. */
import { assert, assertEquals } from "@std/assert";
import { RunFolder, type RunFolderSettings } from "../../../rl/run/folder.ts";

/** Gives `body` the path of a folder that does not exist yet, inside one that is removed afterwards. */
export async function inScratch(body: (path: string) => Promise<void>): Promise<void> {
  const scratch = await Deno.makeTempDir();
  try {
    await body(`${scratch}/runs/x`);
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

/** Names in a folder, but for the lock of a run that is open. */
export async function namesIn(path: string): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(path), ({ name }) => name);
  return names.filter((name) => name !== "run.lock").sort();
}

/** Takes over a folder and gives it back at once. */
export async function touch(path: string, settings: RunFolderSettings): Promise<void> {
  await (await RunFolder.create(path, settings)).close();
}

/** A finished run at `path`, with one checkpoint. */
export async function finishedRun(path: string): Promise<RunFolder> {
  await using run = await RunFolder.create(path);
  await run.writeConfig({ seed: 7 });
  run.appendMetrics({ iteration: 1 });
  await run.writeCheckpoint({ "model.safetensors": "first", "trainer.json": "first" });
  await run.writeSummary({ success: 1 });
  return await RunFolder.open(path);
}

/** The content that the files of the last checkpoint agree on; null without a checkpoint. */
export async function checkpointOf(run: RunFolder): Promise<string | null> {
  const path = await run.checkpointPath();
  if (path === null) return null;
  assertEquals(await namesIn(path), ["manifest.json", "model.safetensors", "trainer.json"]);
  const model = await Deno.readTextFile(`${path}/model.safetensors`);
  assertEquals(await Deno.readTextFile(`${path}/trainer.json`), model);
  return model;
}

/** Runs `body`; the process "is killed" at its `at`-th change to the file system. Returns whether it got that far. */
export async function killedAt(at: number, body: () => Promise<void>): Promise<boolean> {
  const names = ["mkdir", "open", "rename", "remove"] as const;
  const originals = names.map((name) => [name, Deno[name]] as const);
  let changes = 0;
  for (const [name, original] of originals) {
    const dying = (...args: unknown[]) => {
      // Once killed, nothing more happens: an error handler of the killed code must not tidy up.
      if (++changes >= at) return Promise.reject(new Error("killed"));
      return (original as (...args: unknown[]) => Promise<unknown>)(...args);
    };
    Object.assign(Deno, { [name]: dying });
  }
  try {
    await body();
    return false;
  } catch (error) {
    assert(String(error).includes("killed"), String(error));
    return true;
  } finally {
    Object.assign(Deno, Object.fromEntries(originals));
  }
}

/** Copies a folder that does not exist yet. */
export async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
