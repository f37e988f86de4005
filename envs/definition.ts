/** Environments as values: what a program or a user's file says about one. */

import { complete, type EnvironmentParts, kindOf } from "./shared/complete.ts";
import { checkSettings, type Setting, settingMeaning, type SettingSpec } from "./shared/settings.ts";
import { suggestion } from "./shared/nearest.ts";
import { RULES, type Rules, rulesEnvironment } from "./shared/rules.ts";
import type { Environment } from "./types.ts";

/** Settings of an environment by name, and the seed of its streams until `reset` is given one (0 by default). */
export interface EnvironmentSettings {
  /** Seed of the random streams until `reset` is given one; 0 when absent. */
  readonly seed?: number;
  /** A setting of the environment. */
  readonly [name: string]: unknown;
}

/** An environment as a value, which training, evaluation and play take. Make one with {@linkcode defineEnvironment}. */
export interface EnvironmentDefinition<E extends Environment = Environment> {
  /** Short name, as in run folders: `NumberLine`. */
  readonly name: string;
  /** Name in the suite that published it: `gym_cards/NumberLine-v0`. */
  readonly id?: string;
  /** The name that finds the definition again: its own, or the file that it was loaded from. */
  readonly reference: string;
  /** The meaning of each setting except `seed`, by name, for people. */
  readonly settings: Readonly<Record<string, string>>;
  /** Training's settings for it, if they differ from the defaults, by name as in `train --help`. */
  readonly preset: Readonly<Record<string, unknown>>;
  /** Success of the best possible play, in [0, 1]; null if it is not known. */
  ceiling(settings?: EnvironmentSettings): number | null;
  /**
   * Makes an environment. Throws `RangeError` on a setting that it does not have or an illegal one, and `TypeError` when
   * the definition makes something that is no environment.
   */
  make(settings?: EnvironmentSettings): E;
}

/** What both forms of a definition say. */
export interface Described {
  /** Letters, digits, `_` and `-`, since run folders are named for it. */
  readonly name: string;
  /** Name in the suite that published it. */
  readonly id?: string;
  /** Training's settings for it, if they differ from the defaults, by name as in `train --help`. */
  readonly preset?: Readonly<Record<string, unknown>>;
  /** Success of the best possible play, in [0, 1]; null when it is not known. */
  readonly ceiling?: (settings: EnvironmentSettings) => number | null;
}

/** A definition that makes whole environments: whatever `make` leaves out is filled in, see {@linkcode EnvironmentParts}. */
// deno-lint-ignore no-explicit-any -- an environment of any info
export interface MadeDefinition<P, E extends EnvironmentParts<any> = EnvironmentParts> extends Described {
  /** The settings, each with its meaning and, if it is simple, what it may be. */
  readonly settings?: { readonly [name in keyof P]?: Setting<P[name]> };
  /** Makes an environment with all settings resolved. */
  readonly make: (settings: P & { readonly seed?: number }) => E;
}

/** A definition by its rules: states are plain data, and everything else follows from `reset`, `step` and `render`. */
export interface RulesDefinition<S, P> extends Described, Rules<S, P> {
  /** The settings, each with its meaning, its default and what it may be. */
  readonly settings?: { readonly [name in keyof P]: SettingSpec<P[name]> };
}

/**
 * Defines an environment.
 *
 * The short form gives its rules: `actions`, `reset`, `step` and `render`. States are plain data. The prompt, the
 * parser, the tokens, random actions, state keys and info follow from them; each can be given instead.
 * The long form gives `make`, which returns a whole environment that you wrote.
 *
 * @throws {TypeError} naming what is missing or of another kind.
 *
 * @example
 * ```ts
 * import { defineEnvironment, gridPicture } from "./mod.ts";
 *
 * const line = defineEnvironment({
 *   name: "Corridor",
 *   actions: ["left", "right"],
 *   reset: (random) => ({ place: random.integer(4) }),
 *   step: ({ place }, action) => {
 *     const next = Math.max(0, place + (action === 1 ? 1 : -1));
 *     return { state: { place: next }, reward: next === 4 ? 1 : 0, terminated: next === 4 };
 *   },
 *   render: ({ place }) => gridPicture(["....G".slice(0, place) + "A" + "....G".slice(place + 1)], {
 *     ".": [240, 240, 240],
 *     A: [200, 0, 0],
 *     G: [0, 160, 0],
 *   }),
 * });
 * const env = line.make();
 * env.reset({ seed: 3 });
 * console.log(env.step(1).reward);
 * ```
 *
 * @example A judge of thoughts
 * ```ts
 * import { defineEnvironment, gridPicture } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const dots = defineEnvironment({
 *   name: "Dots",
 *   actions: ["few", "many"],
 *   reset: (random) => ({ dots: random.integer(9) }),
 *   step: (state, action) => {
 *     const reward = Number((state.dots > 4) === (action === 1));
 *     return { state, reward, terminated: true };
 *   },
 *   render: ({ dots }) => gridPicture(["#".repeat(dots).padEnd(8, ".")], { "#": [0, 0, 0], ".": [255, 255, 255] }),
 *   solve: ({ dots }) => Number(dots > 4),
 *   thought: ({ dots }) => `${dots} dots`,
 *   judge: ({ dots }, text) => {
 *     const stated = /(\d) dots/.exec(text)?.[1];
 *     if (stated === undefined) return { perception: null, faithful: null };
 *     const called = Number(stated) > 4 ? "many" : "few";
 *     return { perception: Number(Number(stated) === dots), faithful: text.includes(`"action": "${called}"`) };
 *   },
 * });
 * const env = dots.make();
 * env.reset({ options: { state: { dots: 3 } } });
 * const judgement = env.judge!('{"thoughts": "7 dots", "action": "many"}');
 * assertEquals(judgement, { perception: 0, faithful: true });
 * ```
 */
export function defineEnvironment<S, P extends object = Record<never, never>>(
  definition: RulesDefinition<S, P>,
): EnvironmentDefinition;
/**
 * Defines an environment by a function that makes it.
 *
 * @throws {TypeError} naming what is missing or of another kind.
 */
// deno-lint-ignore no-explicit-any -- an environment of any info
export function defineEnvironment<E extends EnvironmentParts<any>, P extends object = Record<never, never>>(
  definition: MadeDefinition<P, E>,
): EnvironmentDefinition<E & Environment>;
export function defineEnvironment(
  definition: RulesDefinition<unknown, EnvironmentSettings> | MadeDefinition<EnvironmentSettings>,
): EnvironmentDefinition {
  const { name, id, preset = {}, ceiling } = definition;
  checkName(definition);
  checkFields(definition);
  const settings = (definition.settings ?? {}) as Readonly<Record<string, Setting>>;
  const makeParts = "make" in definition ? checkMake(definition) : rulesEnvironment(definition);
  let isFrameKnown = false;
  const make = (given: EnvironmentSettings): Environment => {
    const resolved = checkSettings(name, settings, given);
    return complete(makeParts(resolved), {
      name,
      id,
      seed: given.seed ?? 0,
      another: () => make(given),
      ...!isFrameKnown && { onFrameChecked: () => isFrameKnown = true },
    });
  };
  return {
    name,
    id,
    reference: name,
    settings: Object.fromEntries(
      Object.entries(settings).map(([setting, spec]) => [setting, settingMeaning(spec)]),
    ),
    preset,
    ceiling: (given = {}) => ceiling?.(checkSettings(name, settings, given)) ?? null,
    make: (given = {}) => make(given),
  };
}

/**
 * Checks whether a value, such as an export of a user's file, is a definition.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { blackjack, isEnvironmentDefinition } from "@ponder/ponder/envs";
 *
 * assertEquals(isEnvironmentDefinition(blackjack), true);
 * assertEquals(isEnvironmentDefinition(blackjack.make()), false);
 * ```
 */
export function isEnvironmentDefinition(value: unknown): value is EnvironmentDefinition {
  const { name, make, settings, reference } = Object(value) as Partial<EnvironmentDefinition>;
  return typeof name === "string" && typeof reference === "string" && typeof make === "function" &&
    typeof settings === "object";
}

function checkName({ name }: Described): void {
  if (typeof name === "string" && /^\w[\w-]*$/.test(name)) return;
  throw new TypeError(
    `Cannot define an environment: name is ${kindOf(name)}, use letters, digits, _ and -, as in "Maze"`,
  );
}

/** Fields of both forms. */
const DESCRIBED = ["name", "id", "preset", "ceiling", "settings"];

/** A field with a typing error would be left out in silence. */
function checkFields(definition: Described): void {
  const known = [...DESCRIBED, ..."make" in definition ? ["make"] : RULES];
  const unknown = Object.keys(definition).find((field) => !known.includes(field));
  if (unknown === undefined) return;
  throw new TypeError(
    `Cannot define ${definition.name}: unknown field ${unknown}${suggestion(unknown, known)}`,
  );
}

function checkMake({ name, make }: MadeDefinition<EnvironmentSettings>): (
  settings: EnvironmentSettings,
) => EnvironmentParts {
  if (typeof make === "function") return make;
  throw new TypeError(`Cannot define ${name}: make is ${kindOf(make)}, give a function`);
}
