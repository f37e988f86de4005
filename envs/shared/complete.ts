/** Fills in the parts that an environment leaves out, and checks the first frame that it shows. */

import { createValueParser } from "./parse.ts";
import { checkSeed, Random } from "./random.ts";
import type { Environment, Info, Observation, ResetResult, ResetSettings } from "../types.ts";
import { defaultPrompt } from "./prompt.ts";
import { defaultTokens } from "./tokens.ts";

/**
 * What an environment must say itself: `actions`, `reset` and `step`. Left out,
 * - `name` and `id` are the definition's;
 * - `prompt` names the game and lists the actions;
 * - `parse` finds the name that follows `"action":`;
 * - `tokens` are pieces of its own prompts and demonstrations, and single characters;
 * - `randomAction` is uniform over the legal actions, from a stream of its own that `reset` seeds;
 * - `current` is what the last `reset` or `step` returned;
 * - `stateKey` is the prompt with every byte of the picture.
 */
export type EnvironmentParts<I extends Info = Info> =
  & Pick<Environment<I>, "actions" | "reset" | "step">
  & Partial<Environment<I>>;

/** What {@linkcode complete} needs beside the parts. */
export interface CompletionSettings {
  readonly name: string;
  readonly id?: string;
  /** Seed of the streams until `reset` is given one. */
  readonly seed: number;
  /** Makes the same environment anew, to look at without disturbing this one. */
  readonly another: () => Environment;
  /** Asks for a check of the frame of the first reset; called when it has passed. */
  readonly onFrameChecked?: () => void;
}

/**
 * Makes a whole environment of its parts. It is the same object, so that methods keep their `this`.
 *
 * @throws {TypeError} naming a part that is missing or of another kind.
 * @throws {RangeError} later, when the first frame is read and is not `width` x `height` x 3 bytes.
 */
export function complete(parts: EnvironmentParts, settings: CompletionSettings): Environment {
  checkParts(settings.name, parts);
  const env = parts as { -readonly [name in keyof Environment]: Environment[name] };
  env.name ??= settings.name;
  if (settings.id !== undefined) env.id ??= settings.id;
  env.parse ??= createValueParser(env.actions);
  env.prompt ??= defaultPrompt({ name: env.name, actions: env.actions });
  if (env.randomAction === undefined) addRandomAction(env, settings.seed);
  if (env.current === undefined) addCurrent(env);
  if (env.stateKey === undefined) addStateKey(env);
  if (env.tokens === undefined) {
    let tokens: readonly string[] | undefined;
    const get = () => tokens ??= defaultTokens(settings.another());
    Object.defineProperty(env, "tokens", {
      get,
      set: (own) => tokens = own,
      enumerable: true,
      configurable: true,
    });
  }
  if (settings.onFrameChecked !== undefined) checkFirstFrame(env, settings.onFrameChecked);
  return env;
}

/**
 * Checks a picture. `width` and `height` must be whole numbers of at least 1, and `data` a `Uint8Array` with 3 bytes for each
 * pixel. Throws `RangeError` naming the environment, the field and what was expected.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { checkFrame } from "@ponder/ponder/envs";
 *
 * const short = { width: 2, height: 2, data: new Uint8Array(11) };
 * assertThrows(() => checkFrame("Maze", short), RangeError, "has 11 bytes");
 * ```
 */
export function checkFrame(name: string, observation: Observation): void {
  if (typeof observation !== "object" || observation === null) {
    throw new RangeError(
      `Cannot use the frame of ${name}: observation is ${
        kindOf(observation)
      }, expected { width, height, data }`,
    );
  }
  const { width, height, data } = observation;
  for (const [field, value] of Object.entries({ width, height })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new RangeError(
      `Cannot use the frame of ${name}: observation.${field} is ${kindOf(value)}, ` +
        "expected a whole number of at least 1",
    );
  }
  if (!(data instanceof Uint8Array)) {
    throw new RangeError(
      `Cannot use the frame of ${name}: observation.data is ${kindOf(data)}, expected a Uint8Array`,
    );
  }
  if (data.length === width * height * 3) return;
  throw new RangeError(
    `Cannot use the frame of ${name}: observation.data has ${data.length} bytes, ` +
      `expected ${width} x ${height} x 3 = ${width * height * 3}`,
  );
}

/** A value in an error message: what it is, with its value if that is simple. */
export function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null || typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "string") return JSON.stringify(value).slice(0, 80);
  const name = (value as object).constructor?.name;
  return typeof value === "function" ? "a function" : name === "Object" ? "an object" : `of type ${name}`;
}

const METHODS = [
  "reset",
  "step",
  "prompt",
  "parse",
  "randomAction",
  "legalActions",
  "stateKey",
  "current",
  "solve",
] as const;

function checkParts(name: string, parts: EnvironmentParts): void {
  if (typeof parts !== "object" || parts === null) {
    throw new TypeError(`Cannot make ${name}: make returned ${kindOf(parts)}, return an environment`);
  }
  for (const method of METHODS) {
    const isNeeded = method === "reset" || method === "step";
    if (typeof parts[method] === "function" || !isNeeded && parts[method] === undefined) continue;
    throw new TypeError(`Cannot make ${name}: ${method} is ${kindOf(parts[method])}, expected a function`);
  }
  checkActions("make", name, parts.actions);
}

/** Throws `TypeError` unless `actions` are at least two different texts. */
export function checkActions(verb: string, name: string, actions: unknown): void {
  const isList = Array.isArray(actions) && actions.length >= 2 &&
    actions.every((action) => typeof action === "string" && action !== "");
  if (!isList) {
    const state = Array.isArray(actions) ? JSON.stringify(actions).slice(0, 80) : kindOf(actions);
    throw new TypeError(`Cannot ${verb} ${name}: actions is ${state}, expected a list of at least two texts`);
  }
  const twin = actions.find((action, i) => actions.indexOf(action) !== i);
  if (twin !== undefined) {
    throw new TypeError(`Cannot ${verb} ${name}: actions has ${JSON.stringify(twin)} twice`);
  }
}

type Mutable = { -readonly [name in keyof Environment]: Environment[name] };

function addRandomAction(env: Mutable, seed: number): void {
  let random = new Random(seed, "fallback");
  onReset(env, (settings) => {
    if (settings?.seed !== undefined) random = new Random(settings.seed, "fallback");
  });
  env.randomAction = () => {
    const legal = env.legalActions?.();
    return legal === undefined ? random.integer(env.actions.length) : legal[random.integer(legal.length)];
  };
}

function addCurrent(env: Mutable): void {
  let latest: ResetResult | undefined;
  onReset(env, (_, result) => latest = result);
  const step = env.step.bind(env);
  env.step = (action) => latest = step(action);
  env.current = () => {
    if (latest !== undefined) return latest;
    throw new Error(`Cannot look at the state of ${env.name}: no episode has begun, call reset first`);
  };
}

function addStateKey(env: Mutable): void {
  env.stateKey = () => {
    const { info, observation: { width, height, data } } = env.current();
    return `${env.prompt(info, { cot: true })}\n${width} x ${height}\n${latin1(data)}`;
  };
}

/** Bytes as characters, one for one. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return text;
}

/** Calls `see` after each reset that succeeds. */
function onReset(
  env: Mutable,
  see: (settings: ResetSettings | undefined, result: ResetResult) => void,
): void {
  const reset = env.reset.bind(env);
  env.reset = (settings) => {
    if (settings?.seed !== undefined) checkSeed(settings.seed);
    const result = reset(settings);
    see(settings, result);
    return result;
  };
}

/** Checks the frame of the next reset when it is read, which draws it; later ones never again. */
function checkFirstFrame(env: Mutable, onChecked: () => void): void {
  const isOwn = Object.hasOwn(env, "reset");
  const { reset } = env;
  env.reset = (settings) => {
    const result = reset.call(env, settings);
    if (isOwn) env.reset = reset;
    else delete (env as Partial<Mutable>).reset;
    const { get } = Object.getOwnPropertyDescriptor(result, "observation") ?? {};
    const check = (observation: Observation) => {
      checkFrame(env.name, observation);
      onChecked();
      return observation;
    };
    if (get === undefined) check(result.observation);
    else Object.defineProperty(result, "observation", { get: () => check(get.call(result)) });
    return result;
  };
}
