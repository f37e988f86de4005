/**
 * Environments: rules, prompts, parsing and drawing. No GPU here.
 *
 * @example
 * ```ts
 * import { makeEnv } from "./mod.ts";
 *
 * const env = makeEnv("NumberLine");
 * const { info } = env.reset({ seed: 7, options: { start: 2, target: 5 } });
 * const { action } = env.parse('{"action": "+"}');
 * const { reward, terminated } = env.step(action ?? env.randomAction());
 * console.log(info, reward, terminated);
 * ```
 */

import { Blackjack } from "./blackjack.ts";
import type { FaceValue } from "./cards.ts";
import { EZPoints } from "./ez_points.ts";
import { Household, type HouseholdMode, type HouseholdSettings } from "./household.ts";
import { NumberLine } from "./number_line.ts";
import { Points24 } from "./points24.ts";
import type { Environment } from "./types.ts";

export { Blackjack, type BlackjackBias, type BlackjackInfo, type BlackjackSettings } from "./blackjack.ts";
export type { FaceValue } from "./cards.ts";
export { EZPoints, type EZPointsSettings } from "./ez_points.ts";
export { frame, FRAME_PIXELS } from "./frame.ts";
export {
  Household,
  type HouseholdBias,
  type HouseholdInfo,
  type HouseholdMode,
  type HouseholdSettings,
} from "./household.ts";
export {
  NumberLine,
  type NumberLineBias,
  type NumberLineInfo,
  type NumberLineSettings,
} from "./number_line.ts";
export type { PointsBias, PointsInfo } from "./points.ts";
export { Points24, type Points24Settings } from "./points24.ts";
export { Random } from "./random.ts";
export type {
  Bias,
  DemonstrationSettings,
  Environment,
  Info,
  Judgement,
  Observation,
  Parse,
  PromptSettings,
  ResetResult,
  ResetSettings,
  StepResult,
} from "./types.ts";

/** Settings that `makeEnv` hands on to the environments that have them. */
export interface EnvSettings {
  /** Seed of the streams until `reset` is given one; 0 by default. */
  readonly seed?: number;
  /** NumberLine: the largest number on the line; 5 as published. */
  readonly maxPosition?: number;
  /** Points24: what the formula must equal; 24 as published. */
  readonly target?: number;
  /** Points24: what jack, queen and king count; `ten` as published. */
  readonly faceValue?: FaceValue;
  /** Points24: whether deals without a solution are dealt again, for training; false as published. */
  readonly solvableOnly?: boolean;
  /** Blackjack: whether a natural pays 1.5; false as published. */
  readonly natural?: boolean;
  /** Blackjack: whether a natural beats any other 21, Sutton and Barto's rule; false as published. */
  readonly sab?: boolean;
  /** Household: whether the prompt tells the scene and the admissible commands; "text-and-image" by default. */
  readonly mode?: HouseholdMode;
  /** Household: which rooms; "seen" by default. */
  readonly split?: HouseholdSettings["split"];
}

interface Maker {
  readonly make: (settings: EnvSettings) => Environment;
  /** What it uses of the settings, beside `seed`, and what each means to people. */
  readonly settings: { readonly [name in keyof EnvSettings]?: string };
}

const MAKERS: Readonly<Record<string, Maker>> = {
  NumberLine: {
    make: (settings) => new NumberLine(settings),
    settings: { maxPosition: "largest number on the line, 1 to 999; 5 as published" },
  },
  EZPoints: { make: (settings) => new EZPoints(settings), settings: {} },
  Points24: {
    make: (settings) => new Points24(settings),
    settings: {
      target: "what the formula must equal, 1 to 999; 24 as published",
      faceValue: "what jack, queen and king count, ten or 11-13; ten as published",
      solvableOnly: "true: deals without a solution are dealt again; false as published",
    },
  },
  Blackjack: {
    make: (settings) => new Blackjack(settings),
    settings: {
      natural: "true: a natural pays 1.5; false as published",
      sab: "true: a natural beats any other 21; false as published",
    },
  },
  Household: {
    make: (settings) => new Household(settings),
    settings: {
      mode:
        "text-and-image, or image-only: no scene and no commands in the prompt; text-and-image by default",
      split: "rooms, seen or unseen; seen by default",
    },
  },
};

/** Short names of the environments, in the order of the published suite. */
export const ENV_NAMES: readonly string[] = Object.keys(MAKERS);

/**
 * Makes an environment by its short name (`NumberLine`) or its published one (`gym_cards/NumberLine-v0`).
 * Throws `RangeError` on an unknown name, a setting that the environment does not have, or an illegal one.
 */
export function makeEnv(name: string, settings: EnvSettings = {}): Environment {
  const short = /^\w+\/(.*)-v0$/.exec(name)?.[1] ?? name;
  if (!Object.hasOwn(MAKERS, short) || (name !== short && name !== publishedName(short))) {
    throw new RangeError(
      `Cannot make environment "${name}": no such name, did you mean "${nearest(short, ENV_NAMES)}"? ` +
        `Known: ${ENV_NAMES.map((known) => `${known} (${publishedName(known)})`).join(", ")}`,
    );
  }
  const { make, settings: known } = MAKERS[short];
  for (const key of Object.keys(settings)) {
    if (key === "seed" || Object.hasOwn(known, key)) continue;
    throw new RangeError(
      `Cannot make ${short}: it has no setting "${key}", known: ${
        ["seed", ...Object.keys(known)].join(", ")
      }`,
    );
  }
  return make(settings);
}

/** What an environment's settings mean, by name, beside `seed`. Throws `RangeError` on an unknown short name. */
export function envSettingMeanings(name: string): Readonly<Record<string, string>> {
  if (Object.hasOwn(MAKERS, name)) return MAKERS[name].settings;
  throw new RangeError(
    `Cannot list the settings of "${name}": no such name, use one of ${ENV_NAMES.join(", ")}`,
  );
}

const publishedName = (short: string): string => MAKERS[short].make({}).id;

function nearest(word: string, words: readonly string[]): string {
  const distance = (other: string) => editDistance(word.toLowerCase().slice(0, 64), other.toLowerCase());
  return words.reduce((best, other) => (distance(other) < distance(best) ? other : best));
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1] + Number(a[i - 1] !== b[j - 1]);
      next.push(Math.min(substitution, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
