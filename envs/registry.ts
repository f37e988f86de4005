/** The environments that come with ponder, by name. Names exist only where people write them: on the command line. */

import { Blackjack, type BlackjackSettings } from "./blackjack.ts";
import { ceiling } from "./blackjack_optimal.ts";
import { defineEnvironment, type EnvironmentDefinition, type EnvironmentSettings } from "./definition.ts";
import { EZPoints, type EZPointsSettings } from "./ez_points.ts";
import { Household, type HouseholdSettings } from "./household.ts";
import { NumberLine, type NumberLineSettings } from "./number_line.ts";
import { Points24, type Points24Settings } from "./points24.ts";
import { editDistance } from "./shared/nearest.ts";
import type { SolvedEnvironment } from "./types.ts";

/** See `number_line.ts`. */
export const numberLine: EnvironmentDefinition<SolvedEnvironment> = defineEnvironment({
  name: "NumberLine",
  id: "gym_cards/NumberLine-v0",
  settings: { maxPosition: "largest number on the line, 1 to 999; 5 as published" },
  ceiling: () => 1,
  make: (settings: NumberLineSettings) => new NumberLine(settings),
});

/** See `ez_points.ts`. */
export const ezPoints: EnvironmentDefinition<SolvedEnvironment> = defineEnvironment({
  name: "EZPoints",
  id: "gym_cards/EZPoints-v0",
  ceiling: () => 1,
  make: (settings: EZPointsSettings) => new EZPoints(settings),
});

/** See `points24.ts`. */
export const points24: EnvironmentDefinition<SolvedEnvironment> = defineEnvironment({
  name: "Points24",
  id: "gym_cards/Points24-v0",
  settings: {
    target: "what the formula must equal, 1 to 999; 24 as published",
    faceValue: "what jack, queen and king count, ten or 11-13; ten as published",
    solvableOnly: "true: deals without a solution are dealt again; false as published",
  },
  ceiling: ({ solvableOnly }) => solvableOnly === true ? 1 : null,
  make: (settings: Points24Settings) => new Points24(settings),
});

/** See `blackjack.ts`. */
export const blackjack: EnvironmentDefinition<SolvedEnvironment> = defineEnvironment({
  name: "Blackjack",
  id: "gym_cards/Blackjack-v0",
  settings: {
    natural: "true: a natural pays 1.5; false as published",
    sab: "true: a natural beats any other 21; false as published",
  },
  // With Sutton and Barto's rule a natural also wins where it would tie, which `ceiling` does not count.
  ceiling: ({ sab }) => sab === true ? null : ceiling().win,
  make: (settings: BlackjackSettings) => new Blackjack(settings),
});

/** See `household.ts`. */
export const household: EnvironmentDefinition<SolvedEnvironment> = defineEnvironment({
  name: "Household",
  id: "alfworld/Household-v0",
  settings: {
    mode: "text-and-image, or image-only: no scene and no commands in the prompt; text-and-image by default",
    split: "rooms, seen or unseen; seen by default",
  },
  ceiling: () => 1,
  make: (settings: HouseholdSettings) => new Household(settings),
});

/** The environments that come with ponder, in the order of the published suite. */
export const ENVIRONMENTS: readonly EnvironmentDefinition<SolvedEnvironment>[] = [
  numberLine,
  ezPoints,
  points24,
  blackjack,
  household,
];

/** Their short names. */
export const ENV_NAMES: readonly string[] = ENVIRONMENTS.map(({ name }) => name);

/**
 * Finds an environment by its short name (`NumberLine`) or its published one (`gym_cards/NumberLine-v0`).
 * Throws `RangeError` on an unknown name, with the nearest one and all known ones.
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
 * Throws `RangeError` on an unknown name, a setting that the environment does not have, or an illegal one.
 */
export function makeEnv(name: string, settings: EnvironmentSettings = {}): SolvedEnvironment {
  return findEnvironment(name).make(settings);
}
