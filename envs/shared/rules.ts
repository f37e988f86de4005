/** Environments by their rules alone: states are plain data, and pictures, keys and repetitions follow from them. */

import { resolveBias } from "./bias.ts";
import { checkOptionNames, checkRunning, type Phase } from "./checks.ts";
import type { EnvironmentSettings } from "../definition.ts";
import { createValueParser } from "./parse.ts";
import { checkSeed, Random } from "./random.ts";
import { ACTION_KEY, ACTION_ONLY_KEY, CLOSE } from "./response.ts";
import type {
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
} from "../types.ts";
import { checkActions, checkFrame, type EnvironmentParts, kindOf } from "./complete.ts";
import { writePrompt } from "./prompt.ts";
import { keyOf } from "./state_key.ts";
import { THOUGHTS_KEY } from "./tokens.ts";

/** What an action led to. */
export interface Outcome<S> {
  /** The state that follows. */
  readonly state: S;
  /** What the step earns. */
  readonly reward: number;
  /** Whether the rules end the episode here; false when absent. */
  readonly terminated?: boolean;
  /** Whether the episode is cut off here, for another reason than `stepLimit`; false when absent. */
  readonly truncated?: boolean;
  /** Whether the goal is reached; when absent, an episode that ends with a reward above 0 has reached it. */
  readonly goalReached?: boolean;
}

/**
 * The rules of an environment. `S` is a state: plain data, which `step` may change or replace. `P` are its settings.
 * All randomness must come from the stream that the rules receive, so that the same seed gives the same episode.
 */
export interface Rules<S, P> {
  /** Letters, digits, `_` and `-`. */
  readonly name: string;
  /** What the agent may write; an action is an index into this list. */
  readonly actions: readonly string[];
  /** The first state of an episode. */
  readonly reset: (random: Random, settings: P) => S;
  /** What an action leads to. It is called with a copy of the state. */
  readonly step: (state: S, action: number, random: Random, settings: P) => Outcome<S>;
  /** The picture of a state: `width` x `height` pixels of any number, see `picture` and `gridPicture`. */
  readonly render: (state: S, settings: P) => Observation;

  /** Steps after which an episode is truncated; no limit when absent. */
  readonly stepLimit?: number;
  /** See {@linkcode Environment.success}. */
  readonly success?: "return" | "goal";
  /** The task, as the prompt says it: one text, or one for each state. The prompt names the game when absent. */
  readonly task?: string | ((state: S, settings: P) => string);
  /** The whole prompt; when absent: the task, the actions, and the form of the answer. */
  readonly prompt?: (state: S, options: PromptSettings, settings: P) => string;
  /** Finds the action in a response; when absent, the name that follows `"action":`. */
  readonly parse?: (text: string) => Parse;
  /** Pieces for a compact tokenizer; when absent they are taken from prompts and demonstrations. */
  readonly tokens?: readonly string[];
  /** The actions that work in a state, ascending; all when absent. */
  readonly legalActions?: (state: S, settings: P) => readonly number[];
  /** What logs and programs learn about a state; when absent, its own fields. */
  readonly info?: (state: S, settings: P) => Readonly<Record<string, unknown>>;
  /** See {@linkcode Environment.stateKey}; when absent, the state's data. */
  readonly stateKey?: (state: S, settings: P) => string;

  /** The best action. With it the environment can be demonstrated. */
  readonly solve?: (state: S, settings: P) => number;
  /** The thought of a demonstration, in a few words without quotation marks; nothing when absent. */
  readonly thought?: (state: S, settings: P) => string;
  /** Share of demonstrated actions that are random ones, so that RL has something to improve; 0.25 when absent. */
  readonly mistakes?: number;
  /**
   * How well a response reads the picture, and whether its action follows from its thought; see {@linkcode Judgement}. With it,
   * RL waits until the warm start reads pictures (`--perception-gate`), and warns when thoughts get worse.
   */
  readonly judge?: (state: S, text: string, settings: P) => Judgement;
}

const REQUIRED = {
  reset: "(random) => state",
  step: "(state, action, random) => ({ state, reward, terminated })",
  render: "(state) => ({ width, height, data })",
} as const;

const OPTIONAL = [
  "prompt",
  "parse",
  "legalActions",
  "info",
  "stateKey",
  "solve",
  "thought",
  "judge",
] as const;

/** All fields of {@linkcode Rules}. */
export const RULES: readonly string[] = [
  ...["name", "actions", ...Object.keys(REQUIRED), ...OPTIONAL],
  ...["stepLimit", "success", "task", "tokens", "mistakes"],
];

/**
 * Makes the environments of `rules`.
 *
 * @throws {TypeError} naming a rule that is missing or of another kind.
 */
export function rulesEnvironment<S, P>(
  rules: Rules<S, P>,
): (settings: EnvironmentSettings) => EnvironmentParts {
  const { name, mistakes = 0.25, stepLimit = 1 } = rules;
  checkActions("define", name, rules.actions);
  for (const [rule, form] of Object.entries(REQUIRED)) {
    const given: unknown = rules[rule as keyof typeof REQUIRED];
    if (typeof given === "function") continue;
    throw new TypeError(`Cannot define ${name}: ${rule} is ${kindOf(given)}, expected a function ${form}`);
  }
  for (const rule of OPTIONAL) {
    if (rules[rule] === undefined || typeof rules[rule] === "function") continue;
    throw new TypeError(`Cannot define ${name}: ${rule} is ${kindOf(rules[rule])}, expected a function`);
  }
  if (!(mistakes >= 0 && mistakes <= 1)) {
    throw new TypeError(
      `Cannot define ${name}: mistakes is ${kindOf(mistakes)}, expected a share from 0 to 1`,
    );
  }
  if (rules.stepLimit !== undefined && !(Number.isInteger(stepLimit) && stepLimit >= 1)) {
    throw new TypeError(
      `Cannot define ${name}: stepLimit is ${kindOf(stepLimit)}, expected a whole number of at least 1`,
    );
  }
  const frames = new Frames();
  return ({ seed = 0, ...settings }) => {
    const env = new Game(rules, { seed, settings: settings as P, frames });
    // The environment lacks what the rules do not give. Programs ask whether a method is there.
    return Object.assign(env, {
      ...rules.success && { success: rules.success },
      ...rules.tokens && { tokens: rules.tokens },
      ...rules.legalActions &&
        { legalActions: () => rules.legalActions!(env.state("list the actions of"), env.settings) },
      ...rules.solve && {
        bias: { randomAction: mistakes },
        solve: () => env.solved(),
        demonstrate: (random: Random, how: DemonstrationSettings) => env.write(random, how, mistakes),
      },
      ...rules.judge && { judge: (text: string) => env.judged(text) },
    });
  };
}

/** An environment under its rules. */
class Game<S, P>
  implements Pick<Environment, "actions" | "reset" | "step" | "prompt" | "parse" | "stateKey"> {
  readonly actions: readonly string[];
  readonly parse: (text: string) => Parse;
  readonly settings: P;
  readonly #rules: Rules<S, P>;
  readonly #frames: Frames;
  readonly #settingsKey: string;
  #episodes: Random;
  #random = new Random(0);
  #state: S | undefined;
  #steps = 0;
  #phase: Phase = "before the first reset";
  /** The state of each info that was returned: a prompt is asked for by its info. */
  readonly #states = new WeakMap<Info, S>();

  constructor(rules: Rules<S, P>, { seed, settings, frames }: { seed: number; settings: P; frames: Frames }) {
    this.#rules = rules;
    this.#frames = frames;
    this.settings = settings;
    this.actions = rules.actions;
    this.parse = rules.parse ?? createValueParser(rules.actions);
    this.#settingsKey = keyOf(settings);
    this.#episodes = new Random(seed, "episodes");
  }

  /** Begins an episode. The option `state` gives its first state. */
  reset({ seed, options = {} }: ResetSettings = {}): ResetResult {
    checkOptionNames(this.#rules.name, options, ["state"]);
    if (seed !== undefined) checkSeed(seed);
    if (seed !== undefined) this.#episodes = new Random(seed, "episodes");
    // Each episode has a stream of its own: the next one must not depend on how long this one was played.
    this.#random = new Random(this.#episodes.uint32(), "episode");
    const drawn = this.#rules.reset(this.#random, this.settings);
    if (drawn === undefined || drawn instanceof Promise) {
      throw new TypeError(
        `Cannot reset ${this.#rules.name}: reset returned ${kindOf(drawn)}, return the first state itself`,
      );
    }
    this.#state = options.state === undefined ? drawn : this.#copy(options.state as S);
    this.#steps = 0;
    this.#phase = "running";
    return this.#show(false);
  }

  step(action: number): StepResult {
    const { name, actions, stepLimit = Infinity } = this.#rules;
    const state = this.state("step");
    if (!Number.isInteger(action) || action < 0 || action >= actions.length) {
      throw new RangeError(
        `Cannot step ${name}: action is ${action}, use an integer from 0 to ${actions.length - 1}`,
      );
    }
    const outcome = this.#rules.step(this.#copy(state), action, this.#random, this.settings);
    if (typeof outcome !== "object" || outcome === null || outcome.state === undefined) {
      throw new TypeError(
        `Cannot step ${name}: step returned ${
          outcome === undefined ? "nothing" : `${kindOf(outcome)} without a state`
        }, return { state, reward, terminated }`,
      );
    }
    const { reward, terminated = false } = outcome;
    if (!Number.isFinite(reward)) {
      throw new TypeError(`Cannot step ${name}: reward is ${kindOf(reward)}, expected a finite number`);
    }
    for (const field of ["terminated", "truncated", "goalReached"] as const) {
      const value: unknown = outcome[field];
      if (value === undefined || typeof value === "boolean") continue;
      throw new TypeError(`Cannot step ${name}: ${field} is ${kindOf(value)}, expected true or false`);
    }
    this.#state = outcome.state;
    this.#steps++;
    const truncated = !terminated && (outcome.truncated === true || this.#steps >= stepLimit);
    if (terminated || truncated) this.#phase = "ended";
    return Object.assign(this.#show(outcome.goalReached ?? (terminated && reward > 0)), {
      reward,
      terminated,
      truncated,
    });
  }

  prompt(info: Info, options: PromptSettings): string {
    const { name, actions, task, prompt } = this.#rules;
    const state = this.#states.get(info) ?? this.#state!;
    if (prompt !== undefined) return prompt(state, options, this.settings);
    const text = typeof task === "function" ? task(state, this.settings) : task;
    return writePrompt({ name, actions, task: text }, options);
  }

  stateKey(): string {
    if (this.#phase === "before the first reset") this.state("name the state of");
    return this.#keyOf(this.#state!);
  }

  /** The current state. Throws `Error` when no episode is under way; `verb` is what cannot be done without one. */
  state(verb: string): S {
    checkRunning(this.#phase, verb, this.#rules.name);
    return this.#state!;
  }

  /** The solver's action. */
  solved(): number {
    const { name, solve, actions } = this.#rules;
    const action: unknown = solve!(this.state("solve"), this.settings);
    if (Number.isInteger(action) && actions[action as number] !== undefined) return action as number;
    throw new TypeError(
      `Cannot solve ${name}: solve returned ${kindOf(action)}, expected an action from 0 to ${
        actions.length - 1
      }`,
    );
  }

  /** A response as the solver would write it, mistakes drawn from `random`. */
  write(random: Random, { cot, bias }: DemonstrationSettings, mistakes: number): string {
    const { name, thought, legalActions, actions } = this.#rules;
    const state = this.state("demonstrate");
    const { randomAction } = resolveBias({ randomAction: mistakes }, bias);
    const legal = legalActions?.(state, this.settings) ?? actions.map((_, i) => i);
    const action = random.chance(randomAction) ? legal[random.integer(legal.length)] : this.solved();
    const said: unknown = cot ? thought?.(state, this.settings) : undefined;
    if (said !== undefined && typeof said !== "string") {
      throw new TypeError(`Cannot demonstrate ${name}: thought returned ${kindOf(said)}, expected a text`);
    }
    const start = said === undefined ? ACTION_ONLY_KEY : THOUGHTS_KEY + said + ACTION_KEY;
    return start + actions[action] + CLOSE;
  }

  /** What the rules say of a response to the current state. */
  judged(text: string): Judgement {
    const { name, judge } = this.#rules;
    const judgement = judge!(this.state("judge a response to"), text, this.settings);
    const fault = judgementFault(judgement);
    if (fault !== null) throw new TypeError(`Cannot judge a response in ${name}: ${fault}`);
    return judgement;
  }

  #keyOf(state: S): string {
    return this.#rules.stateKey?.(state, this.settings) ?? keyOf(state);
  }

  #copy(state: S): S {
    try {
      return structuredClone(state);
    } catch (cause) {
      throw new TypeError(
        `Cannot copy the state of ${this.#rules.name}: it is no plain data, use objects, lists and numbers`,
        {
          cause,
        },
      );
    }
  }

  #show(goalReached: boolean): ResetResult {
    const state = this.#state!;
    const { name, info: describe, render } = this.#rules;
    const fields = describe?.(state, this.settings) ??
      (typeof state === "object" && state !== null && !Array.isArray(state) ? state : { state });
    const info: Info = { ...fields, goalReached };
    this.#states.set(info, state);
    const draw = () =>
      this.#frames.get(`${this.#settingsKey} ${keyOf(state)}`, () => {
        const observation = render(state, this.settings);
        checkFrame(name, observation);
        return observation;
      });
    return {
      info,
      get observation(): Observation {
        return draw();
      },
    };
  }
}

/** What is wrong with a judgement; null if nothing is. */
export function judgementFault(judgement: Judgement): string | null {
  const { perception, faithful } = Object(judgement) as Partial<Judgement>;
  const isShare = perception === null || typeof perception === "number" && perception >= 0 && perception <= 1;
  if (!isShare) return `perception is ${kindOf(perception)}, expected a share from 0 to 1, or null`;
  if (faithful === null || typeof faithful === "boolean") return null;
  return `faithful is ${kindOf(faithful)}, expected true, false or null`;
}

/** Number of frames that are kept: those of the states that were looked at last. */
const KEPT_FRAMES = 256;

/** The pictures of a definition's states. Each is drawn once, and equal states share it. */
class Frames {
  readonly #kept = new Map<string, Observation>();

  get(key: string, draw: () => Observation): Observation {
    const frame = this.#kept.get(key) ?? Object.freeze(draw());
    // A Map iterates in order of insertion: putting a used frame back at the end keeps the oldest one first.
    this.#kept.delete(key);
    this.#kept.set(key, frame);
    if (this.#kept.size > KEPT_FRAMES) this.#kept.delete(this.#kept.keys().next().value!);
    return frame;
  }
}
