/**
 * Comparing the settings of a run with those that a command line asks for.
 *
 * @module
 */
import { UsageError } from "../cli/mod.ts";
import type { RunFolder } from "./folder.ts";

/**
 * Makes sure that a run goes on with the settings that it has.
 *
 * @throws {UsageError} naming those that differ.
 */
export async function requireSameSettings(
  folder: RunFolder,
  settings: Record<string, unknown>,
): Promise<void> {
  const changed = changedSettings(await folder.readConfig(), settings);
  if (changed.length === 0) return;
  const foreign = changed.filter(([, was, now]) => was === undefined || now === undefined);
  if (foreign.length > 0) {
    throw new UsageError(
      `Cannot resume ${folder.path}: it is of another version or command, which has other settings ` +
        `(${foreign.map(([name]) => name).join(", ")}); begin again with --overwrite, or use another --out`,
    );
  }
  throw new UsageError(
    `Cannot resume with other settings: ${listChanges(changed)}; leave those flags out, or use another --out`,
  );
}

/** A setting with its value before and now as JSON; undefined if it was or is absent. */
export type Change = readonly [name: string, was: string | undefined, now: string | undefined];

/** Lists the settings that differ. */
export function changedSettings(
  earlier: Record<string, unknown>,
  settings: Record<string, unknown>,
): Change[] {
  return Object.keys({ ...earlier, ...settings })
    .map((name): Change => [name, JSON.stringify(earlier[name]), JSON.stringify(settings[name])])
    .filter(([, was, now]) => was !== now);
}

/** Says in words what changed. */
export function listChanges(changes: readonly Change[]): string {
  return changes.map(([name, was, now]) => `${name} (was ${was}, now ${now})`).join(", ");
}
