/** The environments that come with ponder, by name. Only people use names, on the command line; programs use definitions. */

import {
  type EnvironmentDefinition,
  type EnvironmentSettings,
  isEnvironmentDefinition,
} from "./definition.ts";
import { editDistance } from "./shared/nearest.ts";
import * as table from "./table.ts";
import type { SolvedEnvironment } from "./types.ts";

/** The published suite. An environment that is not part of it comes after, in the order of the table. */
const SUITE = ["NumberLine", "EZPoints", "Points24", "Blackjack", "Household"];
const placeOf = ({ name }: { name: string }) => SUITE.includes(name) ? SUITE.indexOf(name) : SUITE.length;

/** The environments that come with ponder, in the order of the published suite. */
export const ENVIRONMENTS: readonly EnvironmentDefinition<SolvedEnvironment>[] = Object.values<unknown>(table)
  .filter((value): value is EnvironmentDefinition<SolvedEnvironment> => isEnvironmentDefinition(value))
  .sort((a, b) => placeOf(a) - placeOf(b));

/**
 * Short names of the environments that come with ponder.
 *
 * @example
 * ```ts
 * import { ENV_NAMES } from "@ponder/ponder/envs";
 *
 * console.log(ENV_NAMES.join(", "));
 * ```
 */
export const ENV_NAMES: readonly string[] = ENVIRONMENTS.map(({ name }) => name);

/**
 * Finds an environment by its short name (`NumberLine`) or its published one (`gym_cards/NumberLine-v0`).
 * Throws `RangeError` for an unknown name, with the nearest one and all known ones.
 *
 * @example What an environment is called, and how far play can get
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { findEnvironment } from "@ponder/ponder/envs";
 *
 * const definition = findEnvironment("gym_cards/NumberLine-v0");
 * assertEquals([definition.name, definition.ceiling()], ["NumberLine", 1]);
 * ```
 */
export function findEnvironment(name: string): EnvironmentDefinition<SolvedEnvironment> {
  const found = ENVIRONMENTS.find((known) => known.name === name || known.id === name);
  if (found !== undefined) return found;
  const short = /^\w+\/(.*)-v0$/.exec(name)?.[1] ?? name;
  const distance = (other: string) => editDistance(short.toLowerCase().slice(0, 64), other.toLowerCase());
  const nearest = ENV_NAMES.reduce((best, other) => (distance(other) < distance(best) ? other : best));
  throw new RangeError(
    `Cannot make environment "${name}": no such name, did you mean "${nearest}"? ` +
      `Known: ${ENVIRONMENTS.map(({ name, id }) => `${name} (${id})`).join(", ")}`,
  );
}

/**
 * Makes an environment that comes with ponder: `findEnvironment(name).make(settings)`.
 * Throws `RangeError` for an unknown name, a setting that the environment does not have, or an illegal one.
 *
 * @example Play one step
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { makeEnv } from "@ponder/ponder/envs";
 *
 * const env = makeEnv("NumberLine", { maxPosition: 9 });
 * env.reset({ seed: 7, options: { start: 2, target: 3 } });
 * assertEquals(env.step(1).terminated, true);
 * ```
 */
export function makeEnv(name: string, settings: EnvironmentSettings = {}): SolvedEnvironment {
  return findEnvironment(name).make(settings);
}
