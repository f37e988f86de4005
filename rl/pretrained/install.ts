/**
 * Takes a model's files over into a folder of one's own, whole or not at all.
 *
 * @module
 */
import { claimFolder, exists, recoverFolder, replaceFolder, syncFolder } from "../../model/files.ts";
import { UsageError } from "../cli/mod.ts";
import { isModelFile } from "../hub/download.ts";

/** A file to take over. */
export interface SourceFile {
  /** Its name in the new folder. */
  readonly name: string;
  /** Where it is. */
  readonly path: string;
  /** May the new folder share its content? Then no byte is copied, if the disk can do that. */
  readonly isShared: boolean;
}

/** How {@linkcode installFiles} goes about it. */
export interface InstallSettings {
  /** Replace a folder that is there. */
  readonly overwrite: boolean;
  /** Checks the files where they were put; if it throws, nothing is left of them. */
  readonly check: (folder: string) => Promise<void>;
}

/**
 * Makes `target` a folder of exactly these files. They are put beside it first, checked there, and get their place at once.
 *
 * @throws {UsageError} when something is there already.
 * @throws {Deno.errors.Busy} when another process is writing it.
 * @throws {Error} when a file cannot be copied, saying why.
 */
export async function installFiles(
  files: readonly SourceFile[],
  target: string,
  { overwrite, check }: InstallSettings,
): Promise<void> {
  const fresh = `${target}.new`;
  await (overwrite ? requireReplaceable(target) : requireFree(target)); // before anything is made
  using _claim = await claimFolder(fresh, target);
  try {
    await recoverFolder(target); // of an import that was killed at its end
    if (!overwrite) await requireFree(target); // another import may just have ended
    for (const { name, path, isShared } of files) await take(path, `${fresh}/${name}`, isShared);
    await check(fresh);
    await syncFolder(fresh);
    if (overwrite) await requireReplaceable(target); // it may have changed meanwhile
    await replaceFolder(target);
  } catch (error) {
    await removeIfThere(fresh).catch(() => {}); // the failure itself says why
    throw error;
  }
}

/**
 * Requires that there is nothing at a path.
 *
 * @throws {UsageError} naming the remedies.
 */
export async function requireFree(target: string): Promise<void> {
  if (!await exists(target)) return;
  throw new UsageError(
    `Cannot write ${target}: it is there already, choose another --out or add --overwrite`,
  );
}

/**
 * Requires that there is nothing at a path, or a folder of a model and nothing else: what is replaced is deleted.
 *
 * @throws {UsageError} naming what is not a model's.
 */
export async function requireReplaceable(target: string): Promise<void> {
  if (!await exists(target)) return;
  const refuse = (state: string) =>
    new UsageError(`Cannot overwrite ${target}: ${state}, move it away or choose another --out`);
  if (!(await Deno.stat(target)).isDirectory) throw refuse("it is a file, no folder of a model");
  const entries = (await Array.fromAsync(Deno.readDir(target))).sort((a, b) => a.name < b.name ? -1 : 1);
  const foreign = entries.find(({ name, isDirectory }) => isDirectory || !isModelFile(name));
  if (foreign !== undefined) throw refuse(`it holds ${foreign.name}, which is no file of a model`);
  const isModel = entries.some(({ name }) => name === "config.json" || name === "adapter_config.json");
  if (entries.length > 0 && !isModel) throw refuse("it has no config.json of a model");
}

async function take(from: string, to: string, isShared: boolean): Promise<void> {
  const path = await Deno.realPath(from);
  if (isShared) {
    try {
      return await Deno.link(path, to);
    } catch {
      // Another disk, or one without hard links.
    }
  }
  try {
    await Deno.copyFile(path, to);
  } catch (error) {
    throw new Error(
      `Cannot copy ${from}: ${(error as Error).message}, check its permissions and the free space`,
      { cause: error },
    );
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
