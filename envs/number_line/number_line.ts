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
import {
  checkBegun,
  checkDiscount,
  checkOptionNames,
  checkRunning,
  type Phase,
  show,
} from "../shared/checks.ts";
import { frame } from "../shared/frame.ts";
import { type Part, PARTS } from "../shared/held_out.ts";
import { checkSeed, Random } from "../shared/random.ts";
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

import {
  ACTIONS,
  judgeResponse,
  MINUS,
  type NumberLineBias,
  parse,
  PLUS,
  RESPONSE_TOKENS,
  writeResponse,
} from "./thought.ts";
import {
  drawLook,
  isHeldOutPair,
  isHeldOutTarget,
  isPartOf,
  type Look,
  lookKey,
  type LookKind,
  LOOKS,
  paint,
  type Parts,
  requireDeals,
} from "./variations.ts";

export type { NumberLineBias } from "./thought.ts";
export { type LookKind, LOOKS } from "./variations.ts";

/** Settings of {@linkcode NumberLine}. */
export interface NumberLineSettings {
  /** Largest number on the line, 1 to 999 (three digits fit the picture); 5 as published. */
  readonly maxPosition?: number;
  /** Seed of the streams until `reset` is given one; 0 by default. */
  readonly seed?: number;
  /**
   * Which pairs of current number and target episodes begin with; `all` by default. With `seen` the number also moves on over
   * pairs that are held out, so that none is ever shown.
   */
  readonly pairs?: Part;
  /** Which targets are dealt; `all` by default. */
  readonly targets?: Part;
  /** Where the target is shown; in the `picture` by default. */
  readonly targetIn?: "picture" | "prompt";
  /** How pictures look; as `published` by default. */
  readonly look?: LookKind;
}

/** What is known about a state beside its picture. */
export interface NumberLineInfo extends Info {
  /** The number now. */
  readonly current: number;
  /** The number to reach. */
  readonly target: number;
}

const TASK = [
  "You are playing a game called number line.",
  " You will see a target number and a current number in the image.",
  " And your goal is to move the current number closer to the target by choosing either adding or subtracting one to the current number.",
  " Your response should be a valid json file in the following format: \n{\n",
] as const;
const PROMPT_TARGET = [
  TASK[0] + " Your target number is ",
  ". You will see a current number in the image." + TASK[2] + TASK[3],
] as const;
const COT_FORMAT =
  ' "current number": "x", \n"target number": "x", \n"thoughts": "{first read out the current and target number, then think carefully about which action to choose}", \n';
const ACTION_FORMAT = '"action": "-" or "+" \n}';

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
  readonly tokens: readonly string[];
  /** Largest number on the line. */
  readonly maxPosition: number;

  readonly #parts: Parts;
  readonly #isPrompted: boolean;
  readonly #lookKind: LookKind;
  #deals: Random;
  #looks: Random;
  #fallback: Random;
  #look: Look;
  #current = 0;
  #target = 0;
  #steps = 0;
  #phase: Phase = "before the first reset";

  /** Throws `RangeError` on an illegal setting. */
  constructor({ maxPosition = 5, seed = 0, ...more }: NumberLineSettings = {}) {
    if (!Number.isInteger(maxPosition) || maxPosition < 1 || maxPosition > 999) {
      throw new RangeError(
        `Cannot make NumberLine: maxPosition is ${show(maxPosition)}, use an integer from 1 to 999`,
      );
    }
    const { pairs = "all", targets = "all", targetIn = "picture", look = "published" } = more;
    requireDeals({ pairs, targets }, maxPosition);
    this.maxPosition = maxPosition;
    this.#parts = { pairs, targets };
    this.#isPrompted = targetIn === "prompt";
    this.#lookKind = look;
    this.tokens = [
      ...this.#isPrompted ? PROMPT_TARGET : TASK,
      COT_FORMAT,
      ACTION_FORMAT,
      " " + ACTION_FORMAT, // the action-only prompt has a space before the key
      ...RESPONSE_TOKENS,
      ..."0123456789",
      ...ACTIONS,
    ];
    this.#deals = new Random(seed, "deals");
    this.#looks = new Random(seed, "looks");
    this.#fallback = new Random(seed, "fallback");
    this.#look = drawLook("published", this.#looks);
  }

  /** Options: `start` and `target`, different integers in [0, maxPosition]; one left out is drawn. */
  reset({ seed, options = {} }: ResetSettings = {}): ResetResult<NumberLineInfo> {
    const { start, target } = this.#checkDeal(options);
    if (seed !== undefined) {
      checkSeed(seed);
      this.#deals = new Random(seed, "deals");
      this.#looks = new Random(seed, "looks");
      this.#fallback = new Random(seed, "fallback");
    }
    this.#deal(start, target);
    this.#look = drawLook(this.#lookKind, this.#looks);
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
    this.#current = this.#moved(this.#current, action === PLUS ? 1 : -1);
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
  prompt({ target }: NumberLineInfo, { cot }: PromptSettings): string {
    const task = this.#isPrompted ? PROMPT_TARGET.join(String(target)) : TASK.join("");
    return task + (cot ? COT_FORMAT : " ") + ACTION_FORMAT;
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
      let moved = this.#moved(this.#current, move);
      if (moved === this.#target) return 1;
      const reward = Math.abs(this.#target - moved) < distance ? 0 : -1;
      let left = 0;
      for (; moved !== this.#target; left++) moved = this.#moved(moved, moved < this.#target ? 1 : -1);
      // The reward of 1 comes with the last of the steps that are left.
      return reward + discount ** left;
    });
  }

  /** See `Environment.demonstrate`. */
  demonstrate(random: Random, { cot, bias: overrides }: DemonstrationSettings): string {
    checkRunning(this.#phase, "demonstrate", this.name);
    const bias = resolveBias(this.bias, overrides);
    let current, target;
    do { // What is held out is not read either.
      current = this.#read(this.#current, bias, random);
      target = this.#read(this.#target, bias, random);
    } while (!this.#isSeen(current, target));
    return writeResponse({ current, target, cot }, bias, random);
  }

  /** See `Environment.judge`. */
  judge(text: string): Judgement {
    return judgeResponse(text, this.#current, this.#target);
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

  /** Draws what is not pinned, until it belongs to the parts that are dealt. */
  #deal(start: number | undefined, target: number | undefined): void {
    do {
      this.#current = start ?? this.#drawOther(target);
      this.#target = target ?? this.#drawTarget();
    } while (
      start === undefined && target === undefined && !isPartOf(this.#parts, this.#current, this.#target)
    );
  }

  /** May training show and state this? */
  #isSeen(current: number, target: number): boolean {
    const { pairs, targets } = this.#parts;
    return !(pairs === "seen" && isHeldOutPair(current, target)) &&
      !(targets === "seen" && isHeldOutTarget(target) && target !== this.#target);
  }

  /** The number after a step from `from`: the next one on the line; with pairs held out the next one that is seen. */
  #moved(from: number, direction: number): number {
    for (let moved = from + direction; moved >= 0 && moved <= this.maxPosition; moved += direction) {
      if (this.#parts.pairs !== "seen" || !isHeldOutPair(moved, this.#target)) return moved;
    }
    return from;
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
    const look = this.#look;
    const shown = this.#isPrompted ? null : target;
    return {
      info: { current, target, goalReached: current === target },
      get observation(): Observation {
        return frame(
          `NumberLine ${current} ${shown}${lookKey(look)}`,
          (canvas) => paint(canvas, current, shown, look),
        );
      },
    };
  }
}

/** The definition. Its settings are those of the class above. */
export const numberLine: EnvironmentDefinition<SolvedEnvironment> = defineEnvironment({
  name: "NumberLine",
  id: "gym_cards/NumberLine-v0",
  settings: {
    maxPosition: "largest number on the line, 1 to 999; 5 as published",
    pairs: {
      meaning: "which pairs of current number and target are dealt; seen also moves on over the others",
      default: "all",
      choices: PARTS,
    },
    targets: {
      meaning: "which targets are dealt; those that end in 3 or 7 are held out",
      default: "all",
      choices: PARTS,
    },
    targetIn: {
      meaning: "where the target is shown",
      default: "picture",
      choices: ["picture", "prompt"],
    },
    look: {
      meaning: "typeface, size and place of the numbers, and the same with a typeface held out",
      default: "published",
      choices: LOOKS,
    },
  },
  ceiling: () => 1,
  make: (settings: NumberLineSettings) => new NumberLine(settings),
});
