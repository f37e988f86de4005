/**
 * NumberLine: bring the current number to the target by adding or subtracting one.
 *
 * | | |
 * |---|---|
 * | actions | 0 `-`, 1 `+` |
 * | observation | 300 x 300 RGB, the words `Target: t` above `Current: c` |
 * | state | current and target, integers in [0, maxPosition]; the current number stays in that range |
 * | start | current and target each uniform; a target that is the current number gives way to (target + 1) mod maxPosition |
 * | reward | 1 on reaching the target, 0 for a step that comes closer, -1 for one that does not |
 * | end | terminated at the target; truncated after 2 x maxPosition steps |
 * | info | `current`, `target`, `goalReached` |
 *
 * Source: RL4VLM, `gym_cards/NumberLine-v0` (maxPosition 5). Unlike it, deals follow the seed.
 */

import { defineEnvironment, type EnvironmentDefinition } from "../definition.ts";
import { resolveBias } from "../shared/bias.ts";
import { BOLD_FONT, type Canvas2D } from "../shared/canvas.ts";
import {
  checkBegun,
  checkDiscount,
  checkOptionNames,
  checkRunning,
  type Phase,
  show,
} from "../shared/checks.ts";
import { frame } from "../shared/frame.ts";
import { createParser } from "../shared/parse.ts";
import { checkSeed, Random } from "../shared/random.ts";
import { ACTION_KEY, ACTION_ONLY_KEY, CLOSE } from "../shared/response.ts";
import type {
  ActionValueSettings,
  DemonstrationSettings,
  Environment,
  Info,
  Judgement,
  Observation,
  Parse,
  PromptSettings,
  ResetResult,
  ResetSettings,
  SolvedEnvironment,
  StepResult,
} from "../types.ts";

/** Settings of {@linkcode NumberLine}. */
export interface NumberLineSettings {
  /** Largest number on the line, 1 to 999 (three digits fit the picture); 5 as published. */
  readonly maxPosition?: number;
  /** Seed of the streams until `reset` is given one; 0 by default. */
  readonly seed?: number;
}

/** What is known about a state beside its picture. */
export interface NumberLineInfo extends Info {
  /** The number now. */
  readonly current: number;
  /** The number to reach. */
  readonly target: number;
}

/** Mistakes of the scripted solver. Each builds on what the response says so far, so that the thought stays readable. */
export type NumberLineBias = {
  /** A number is read as another one of the range. Each of the two is misread independently. */
  readonly misread: number;
  /** The numbers that were read are compared wrongly: the opposite is stated, or either order for equal numbers. */
  readonly comparison: number;
  /** The action is flipped if the stated comparison calls for `+`. */
  readonly flipPlus: number;
  /** The action is flipped if the stated comparison calls for `-`. */
  readonly flipMinus: number;
};

type Comparison = "less than" | "greater than" | "equal to";

const MINUS = 0;
const PLUS = 1;
const ACTIONS = ["-", "+"] as const;

const TASK = [
  "You are playing a game called number line.",
  " You will see a target number and a current number in the image.",
  " And your goal is to move the current number closer to the target by choosing either adding or subtracting one to the current number.",
  " Your response should be a valid json file in the following format: \n{\n",
] as const;
const COT_FORMAT =
  ' "current number": "x", \n"target number": "x", \n"thoughts": "{first read out the current and target number, then think carefully about which action to choose}", \n';
const ACTION_FORMAT = '"action": "-" or "+" \n}';

const CURRENT_KEY = '{"current number": "';
const TARGET_KEY = '", "target number": "';
const THOUGHTS_KEY = '", "thoughts": "';
const THOUGHT_START = "the current number is";
const THOUGHT_END = " the target number";

const STATED_CURRENT = /"current number":\s*"(\d+)"/;
const STATED_TARGET = /"target number":\s*"(\d+)"/;
const STATED_COMPARISON = /the current number is (less than|greater than|equal to) the target number/;
const ANY_FIELD = /"(?:current number|target number|thoughts)":/;

const parse = createParser(ACTIONS);

/**
 * See the table at the top of the file. Throws `RangeError` on an illegal setting.
 *
 * @example Exact action values
 * ```ts
 * import { makeEnv } from "@ponder/ponder/envs";
 *
 * const env = makeEnv("NumberLine");
 * env.reset({ seed: 0, options: { start: 1, target: 3 } });
 * console.log(env.actions, env.actionValues!({ discount: 0.9 }));
 * ```
 */
export class NumberLine implements Omit<Environment<NumberLineInfo>, "current"> {
  /** Short name. */
  readonly name = "NumberLine";
  /** Name in the suite that published it. */
  readonly id = "gym_cards/NumberLine-v0";
  /** What the agent may write. */
  readonly actions: readonly string[] = ACTIONS;
  /** The scripted solver's default mistakes. */
  readonly bias: NumberLineBias = { misread: 0.1, comparison: 0.1, flipPlus: 0.3, flipMinus: 0.55 };
  /** Pieces that a compact tokenizer should hold as one token each. */
  readonly tokens: readonly string[] = [
    ...TASK,
    COT_FORMAT,
    ACTION_FORMAT,
    " " + ACTION_FORMAT, // the action-only prompt has a space before the key
    ...[CURRENT_KEY, TARGET_KEY, THOUGHTS_KEY, THOUGHT_START, " less than", " greater than", " equal to"],
    ...[THOUGHT_END, ACTION_KEY, ACTION_ONLY_KEY, CLOSE],
    ..."0123456789",
    ...ACTIONS,
  ];
  /** Largest number on the line. */
  readonly maxPosition: number;

  #deals: Random;
  #fallback: Random;
  #current = 0;
  #target = 0;
  #steps = 0;
  #phase: Phase = "before the first reset";

  /** Throws `RangeError` on an illegal setting. */
  constructor({ maxPosition = 5, seed = 0 }: NumberLineSettings = {}) {
    if (!Number.isInteger(maxPosition) || maxPosition < 1 || maxPosition > 999) {
      throw new RangeError(
        `Cannot make NumberLine: maxPosition is ${show(maxPosition)}, use an integer from 1 to 999`,
      );
    }
    this.maxPosition = maxPosition;
    this.#deals = new Random(seed, "deals");
    this.#fallback = new Random(seed, "fallback");
  }

  /** Options: `start` and `target`, different integers in [0, maxPosition]; one left out is drawn. */
  reset({ seed, options = {} }: ResetSettings = {}): ResetResult<NumberLineInfo> {
    const { start, target } = this.#checkDeal(options);
    if (seed !== undefined) {
      checkSeed(seed);
      this.#deals = new Random(seed, "deals");
      this.#fallback = new Random(seed, "fallback");
    }
    this.#current = start ?? this.#drawOther(target);
    this.#target = target ?? this.#drawTarget();
    this.#steps = 0;
    this.#phase = "running";
    return this.#show();
  }

  /** See `Environment.step`. */
  step(action: number): StepResult<NumberLineInfo> {
    checkRunning(this.#phase, "step", this.name);
    if (action !== MINUS && action !== PLUS) {
      throw new RangeError(`Cannot step NumberLine: action is ${action}, use 0 (-) or 1 (+)`);
    }
    const distance = Math.abs(this.#target - this.#current);
    const moved = this.#current + (action === PLUS ? 1 : -1);
    this.#current = Math.min(Math.max(moved, 0), this.maxPosition);
    this.#steps++;
    const terminated = this.#current === this.#target;
    const truncated = !terminated && this.#steps >= 2 * this.maxPosition;
    if (terminated || truncated) this.#phase = "ended";
    const closer = Math.abs(this.#target - this.#current) < distance;
    const reward = terminated ? 1 : closer ? 0 : -1;
    return Object.assign(this.#show(), { reward, terminated, truncated });
  }

  /** See `Environment.randomAction`. */
  randomAction(): number {
    return this.#fallback.integer(ACTIONS.length);
  }

  /** The two numbers. */
  stateKey(): string {
    checkBegun(this.#phase, this.name);
    return `${this.#current} ${this.#target}`;
  }

  /** See `Environment.prompt`. */
  prompt(_info: NumberLineInfo, { cot }: PromptSettings): string {
    return TASK.join("") + (cot ? COT_FORMAT : " ") + ACTION_FORMAT;
  }

  /** See `Environment.parse`. */
  readonly parse: (text: string) => Parse = parse;

  /** See `Environment.solve`. */
  solve(): number {
    checkRunning(this.#phase, "solve", this.name);
    return this.#current < this.#target ? PLUS : MINUS;
  }

  /** Values of `-` and `+`. A step away from the target costs 1 at once and delays the goal. */
  actionValues(settings?: ActionValueSettings): readonly number[] {
    checkRunning(this.#phase, "value", this.name);
    const discount = checkDiscount(this.name, settings);
    const distance = Math.abs(this.#target - this.#current);
    return [-1, 1].map((move) => {
      const moved = Math.min(Math.max(this.#current + move, 0), this.maxPosition);
      const left = Math.abs(this.#target - moved);
      if (left === 0) return 1;
      // The reward of 1 comes with the last of the steps that are left.
      return (left < distance ? 0 : -1) + discount ** left;
    });
  }

  /** See `Environment.demonstrate`. */
  demonstrate(random: Random, { cot, bias: overrides }: DemonstrationSettings): string {
    checkRunning(this.#phase, "demonstrate", this.name);
    const bias = resolveBias(this.bias, overrides);
    const current = this.#read(this.#current, bias, random);
    const target = this.#read(this.#target, bias, random);
    const comparison = stateComparison(current, target, bias, random);
    const action = ACTIONS[chooseAction(comparison, bias, random)];
    if (!cot) return ACTION_ONLY_KEY + action + CLOSE;
    const thought = `${THOUGHT_START} ${comparison}${THOUGHT_END}`;
    return CURRENT_KEY + current + TARGET_KEY + target + THOUGHTS_KEY + thought + ACTION_KEY + action + CLOSE;
  }

  /** See `Environment.judge`. */
  judge(text: string): Judgement {
    if (!ANY_FIELD.test(text)) return { perception: null, faithful: null };
    const current = STATED_CURRENT.exec(text)?.[1];
    const target = STATED_TARGET.exec(text)?.[1];
    const read = Number(current === String(this.#current)) + Number(target === String(this.#target));
    return { perception: read / 2, faithful: isFaithful(text, current, target) };
  }

  #checkDeal(options: Readonly<Record<string, unknown>>): { start?: number; target?: number } {
    checkOptionNames(this.name, options, ["start", "target"]);
    for (const [name, value] of Object.entries(options)) {
      const legal = Number.isInteger(value) && Number(value) >= 0 && Number(value) <= this.maxPosition;
      if (value !== undefined && !legal) {
        throw new RangeError(
          `Cannot reset NumberLine: ${name} is ${show(value)}, use an integer from 0 to ${this.maxPosition}`,
        );
      }
    }
    const { start, target } = options as { start?: number; target?: number };
    if (start !== undefined && start === target) {
      throw new RangeError(
        `Cannot reset NumberLine: start and target are both ${start}, use two different numbers`,
      );
    }
    return { start, target };
  }

  #drawTarget(): number {
    const target = this.#deals.integer(this.maxPosition + 1);
    if (target !== this.#current) return target;
    // On a line of two numbers the published rule can leave both the same.
    return this.maxPosition === 1 ? 1 - target : (target + 1) % this.maxPosition;
  }

  /** A position, uniform over those that differ from `taken`. */
  #drawOther(taken: number | undefined, random = this.#deals): number {
    if (taken === undefined) return random.integer(this.maxPosition + 1);
    const draw = random.integer(this.maxPosition);
    return draw < taken ? draw : draw + 1;
  }

  #read(shown: number, bias: NumberLineBias, random: Random): number {
    return random.chance(bias.misread) ? this.#drawOther(shown, random) : shown;
  }

  #show(): ResetResult<NumberLineInfo> {
    const current = this.#current;
    const target = this.#target;
    return {
      info: { current, target, goalReached: current === target },
      get observation(): Observation {
        return frame(`NumberLine ${current} ${target}`, (canvas) => paint(canvas, current, target));
      },
    };
  }
}

function compare(current: number, target: number): Comparison {
  return current < target ? "less than" : current > target ? "greater than" : "equal to";
}

function stateComparison(current: number, target: number, bias: NumberLineBias, random: Random): Comparison {
  const truth = compare(current, target);
  if (!random.chance(bias.comparison)) return truth;
  if (truth === "equal to") return random.chance(0.5) ? "less than" : "greater than";
  return truth === "less than" ? "greater than" : "less than";
}

function chooseAction(comparison: Comparison, bias: NumberLineBias, random: Random): number {
  if (comparison === "equal to") return random.integer(ACTIONS.length); // calls for neither
  if (comparison === "less than") return random.chance(bias.flipPlus) ? MINUS : PLUS;
  return random.chance(bias.flipMinus) ? PLUS : MINUS;
}

/** Is the stated comparison that of the stated numbers, and the action the one it calls for? "equal to" allows either. */
function isFaithful(text: string, current: string | undefined, target: string | undefined): boolean {
  const comparison = STATED_COMPARISON.exec(text)?.[1];
  if (current === undefined || target === undefined || comparison === undefined) return false;
  const { action } = parse(text);
  if (action === null || comparison !== compare(Number(current), Number(target))) return false;
  return comparison === "equal to" || action === (comparison === "less than" ? PLUS : MINUS);
}

/** Type size and baselines measured on the published frames; the hinting of their type is not reproduced. */
function paint(canvas: Canvas2D, current: number, target: number): void {
  canvas.fillStyle = "black";
  canvas.font = `36px "${BOLD_FONT}"`;
  canvas.textBaseline = "alphabetic";
  canvas.fillText(`Target: ${target}`, 30, 94);
  canvas.fillText(`Current: ${current}`, 30, 214);
}

/** The definition. Its settings are those of the class above. */
export const numberLine: EnvironmentDefinition<SolvedEnvironment> = defineEnvironment({
  name: "NumberLine",
  id: "gym_cards/NumberLine-v0",
  settings: { maxPosition: "largest number on the line, 1 to 999; 5 as published" },
  ceiling: () => 1,
  make: (settings: NumberLineSettings) => new NumberLine(settings),
});
