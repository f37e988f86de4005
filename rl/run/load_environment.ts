/**
 * From what a user names, on the command line or in a run's settings, to an environment's definition.
 *
 * @module
 */
import { type EnvironmentDefinition, findEnvironment, isEnvironmentDefinition } from "../../envs/mod.ts";
import { UsageError, userFolder } from "../cli/mod.ts";

const EXAMPLE = "export default defineEnvironment({ name, actions, reset, step, render })";

/**
 * The environment that `reference` names: one that comes with ponder, by short or published name, or one that a file
 * defines, such as `./maze.ts`. A relative path starts where the user is: at `PONDER_CWD` if it is set, since `./ponder`
 * changes its directory, else at the current directory. The file's default export is the definition, or its only one.
 *
 * @throws {UsageError} on an unknown name, naming the nearest known one; on a file that is missing, that does not run,
 * that exports no definition, or whose environment lacks a part or shows a frame of another size than it says.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { loadEnvironment } from "@ponder/ponder/rl";
 *
 * assertEquals((await loadEnvironment("Blackjack")).id, "gym_cards/Blackjack-v0");
 * ```
 */
export async function loadEnvironment(reference: string): Promise<EnvironmentDefinition> {
  if (!isFile(reference)) {
    return usage(
      () => findEnvironment(reference),
      (message) => `${message}; or name a file, such as ./maze.ts`,
    );
  }
  const url = fileUrl(reference);
  const path = decodeURIComponent(url.pathname);
  let exports: Readonly<Record<string, unknown>>;
  try {
    await Deno.stat(url);
    exports = await import(url.href);
  } catch (error) {
    const state = error instanceof Deno.errors.NotFound ? `there is no file ${path}` : messageOf(error);
    throw new UsageError(`Cannot load environment ${reference}: ${state}`, { cause: error });
  }
  const definition = definitionOf(reference, exports);
  usage(
    () => definition.make().reset({ seed: 0 }).observation,
    (message) => `Cannot load environment ${reference}: ${message}`,
  );
  return { ...definition, reference: path };
}

/** Whether it is a file that is named: a path, or a name that ends as a module's does. */
function isFile(reference: string): boolean {
  return /^(?:\.{0,2}[\\/]|~|file:|[A-Za-z]:[\\/])|\.[cm]?[jt]sx?$/.test(reference);
}

function fileUrl(reference: string): URL {
  if (reference.startsWith("file:")) return new URL(reference);
  const folder = userFolder();
  // A path may hold what means something else in a URL.
  const escape = (path: string) =>
    path.split(/[\\/]/).map(encodeURIComponent).join("/").replace(/^(\w)%3A/, "/$1:");
  return new URL(escape(reference), `file://${escape(folder).replace(/^(?!\/)/, "/")}/`);
}

/** The default export, if it is a definition, else the only definition among the exports. */
function definitionOf(reference: string, exports: Readonly<Record<string, unknown>>): EnvironmentDefinition {
  if (isEnvironmentDefinition(exports.default)) return exports.default;
  const definitions = Object.values(exports).filter(isEnvironmentDefinition);
  if (definitions.length === 1) return definitions[0];
  const names = Object.keys(exports);
  const state = definitions.length > 1
    ? `it exports ${definitions.length} definitions (${definitions.map(({ name }) => name).join(", ")}), ` +
      "make one of them the default export"
    : names.length === 0
    ? `it exports nothing, expected a definition: ${EXAMPLE}`
    : `its exports (${names.join(", ")}) are no definition, expected one: ${EXAMPLE}`;
  throw new UsageError(`Cannot load environment ${reference}: ${state}`);
}

/** Does `work`; what it throws is wrong usage. */
function usage<T>(work: () => T, message: (message: string) => string): T {
  try {
    return work();
  } catch (error) {
    throw new UsageError(message(messageOf(error)), { cause: error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
