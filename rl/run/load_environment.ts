/**
 * The environment that a command line or a run's settings name: one of ours, or a user's file.
 *
 * @module
 */
import { type EnvironmentDefinition, findEnvironment, isEnvironmentDefinition } from "../../envs/mod.ts";
import { placedMessage, UsageError } from "../cli/mod.ts";
import { fileUrl, importUserModule, isModule } from "./user_module.ts";

const EXAMPLE = "export default defineEnvironment({ name, actions, reset, step, render })";

/**
 * Loads the environment that `reference` names: one of ours, by short or published name, or one that a file defines, such as
 * `./maze.ts`. The definition is the file's default export, or else the only definition that it exports.
 *
 * A relative path starts in the user's folder. That is `PONDER_CWD` or `INIT_CWD` if one is set, else the current folder.
 *
 * @throws {UsageError} for an unknown name, with the nearest known one.
 * @throws {UsageError} for a file that is missing, does not run or exports no definition.
 * @throws {UsageError} for a file whose environment lacks a part or shows a frame of the wrong size.
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
  if (!isModule(reference)) {
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
    exports = await importUserModule(url);
  } catch (error) {
    const state = error instanceof Deno.errors.NotFound ? `there is no file ${path}` : placedMessage(error);
    throw new UsageError(`Cannot load environment ${reference}: ${state}`, { cause: error });
  }
  const definition = definitionOf(reference, exports);
  usage(
    () => requireOneStart(definition),
    (message) => `Cannot load environment ${reference}: ${message}`,
  );
  return { ...definition, reference: path };
}

/** Shows the first state of some seeds, in two environments: one seed must give one state. */
function requireOneStart(definition: EnvironmentDefinition): void {
  const [env, other] = [definition.make(), definition.make()];
  for (let seed = 0; seed < 4; seed++) {
    void env.reset({ seed }).observation;
    other.reset({ seed });
    if (env.stateKey() === other.stateKey()) continue;
    throw new TypeError(
      `Cannot reset ${definition.name} to a seed: it gave two states, ` +
        "take all random numbers from the stream that reset receives",
    );
  }
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

/** Does `work`. Whatever it throws becomes a `UsageError`. */
function usage<T>(work: () => T, message: (message: string) => string): T {
  try {
    return work();
  } catch (error) {
    throw new UsageError(message(placedMessage(error)), { cause: error });
  }
}
