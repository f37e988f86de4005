/**
 * Takes a model's files over into a folder of one's own, whole or not at all.
 *
 * @module
 */
import { exists, syncFolder } from "../../model/files.ts";
import { UsageError } from "../cli/mod.ts";

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
 * @throws {Error} when a file cannot be copied, saying why.
 */
export async function installFiles(
  files: readonly SourceFile[],
  target: string,
  { overwrite, check }: InstallSettings,
): Promise<void> {
  if (!overwrite) await requireFree(target);
  const fresh = `${target}.new`;
  await removeIfThere(fresh); // of an import that was killed
  try {
    await Deno.mkdir(fresh, { recursive: true });
    for (const { name, path, isShared } of files) await take(path, `${fresh}/${name}`, isShared);
    await check(fresh);
    await syncFolder(fresh);
    if (overwrite) await removeIfThere(target);
    await Deno.rename(fresh, target);
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
