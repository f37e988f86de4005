/**
 * The algorithm that a command line names: one of ours, or a user's file.
 *
 * @module
 */
import { fileUrl, importUserModule, isModule } from "./user_module.ts";
import { type Algorithm, requireAlgorithm } from "../algorithms/algorithm.ts";
import { findAlgorithm } from "../algorithms/mod.ts";
import { parseSettings, placedMessage, readPlainFile, UsageError, userPath } from "../cli/mod.ts";
import { commonOptions } from "../config.ts";

/**
 * Loads an algorithm by its name, or from the path of a module. The module's default export is the algorithm, or else the
 * first export that looks like one. A relative path starts in the user's folder.
 *
 * @throws {UsageError} naming the known ones, or what is wrong with the file.
 *
 * @example
 * ```ts
 * import { loadAlgorithm } from "@ponder/ponder/rl";
 *
 * console.log((await loadAlgorithm("rloo")).source);
 * ```
 */
export async function loadAlgorithm(name: string): Promise<Algorithm> {
  if (!isAlgorithmFile(name)) return findAlgorithm(name);
  const url = fileUrl(name);
  let module: Readonly<Record<string, unknown>>;
  try {
    module = await importUserModule(url);
  } catch (error) {
    throw new UsageError(`Cannot load the algorithm of ${name}: ${placedMessage(error)}`, { cause: error });
  }
  const isLike = (value: unknown) => typeof value === "object" && value !== null && "collect" in value;
  const found = module.default ?? Object.values(module).find(isLike);
  if (found === undefined) {
    throw new UsageError(
      `Cannot use ${name}: it exports no algorithm, export one made by defineAlgorithm as its default`,
    );
  }
  const algorithm = requireAlgorithm(found, name);
  const clash = Object.keys(algorithm.options).find((option) => Object.hasOwn(commonOptions, option));
  if (clash !== undefined) {
    throw new UsageError(
      `Cannot use the algorithm of ${name}: its setting "${clash}" is one that every run has, give it another name`,
    );
  }
  return { ...algorithm, reference: decodeURIComponent(url.pathname) };
}

/** Tells whether this names a file, and none of our algorithms. */
export function isAlgorithmFile(reference: string): boolean {
  return isModule(reference) || /[/\\]/.test(reference);
}

/** Loads the algorithm that a command line asks for. Call it before flags are parsed: the flags depend on it. */
export async function algorithmOf(args: readonly string[]): Promise<Algorithm> {
  const flag = (name: string) => {
    const at = args.findIndex((arg) => arg === name || arg.startsWith(`${name}=`));
    return at < 0 ? undefined : args[at] === name ? args[at + 1] : args[at].slice(name.length + 1);
  };
  return await loadAlgorithm(flag("--algorithm") ?? algorithmOfFile(flag("--config")) ?? "ppo");
}

/** The algorithm that a file of settings names. A fault in the file is reported later, when its settings are parsed. */
function algorithmOfFile(path: string | undefined): string | undefined {
  try {
    if (path === undefined) return undefined;
    const { algorithm } = parseSettings(readPlainFile(userPath(path))) as { algorithm?: unknown };
    return typeof algorithm === "string" ? algorithm : undefined;
  } catch {
    return undefined;
  }
}
