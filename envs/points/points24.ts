/**
 * Points24: make 24 of four cards, one number or operator a step.
 *
 * | | |
 * |---|---|
 * | actions | 0-9 `1`-`10`, 10 `+`, 11 `-`, 12 `*`, 13 `/`, 14 `(`, 15 `)`, 16 `=`; with `faceValue` `11-13` the numbers are 0-12 and the operators follow |
 * | observation | 300 x 300 RGB, four cards above `Formula:` and the items so far |
 * | state | four cards (face cards count 10) and the formula |
 * | start | four cards, each drawn from a whole deck; 26.9% of the deals have no solution in plain arithmetic |
 * | reward | 10 for `=` after a formula of all cards that equals the target, -1 for any other `=`, -1 for a number not on an unused card, 0 otherwise |
 * | end | terminated by `=`, and with -1 by any action after a formula of more than 20 items |
 * | info | `cards`, `numbers`, `target`, `formula`, `goalReached` |
 *
 * A thought sorts the numbers, largest first, and states what is still to be appended. The current formula and that are the
 * whole plan. The 28,561 deals make 715 sorted hands, each with one plan to know. A deal or formula without a plan is closed
 * at once, since every way to end it costs 1. Plans put no digits together, and use `**` and `//` only if `plans` says so;
 * see `solver.ts`.
 *
 * Source: RL4VLM, `gym_cards/Points24-v0`. Unlike it, deals follow the seed. The prompts of other targets and of
 * `11-13` are the published one with the numbers replaced.
 */

import { defineEnvironment, type EnvironmentDefinition } from "../definition.ts";
import type { Canvas2D } from "../shared/canvas.ts";
import type { Card, FaceValue } from "../shared/cards.ts";
import { checkBooleans, checkOptionNames, show } from "../shared/checks.ts";
import {
  CARD_SEPARATOR,
  DEAL_ATTEMPTS,
  NO_PLAN,
  type Plan,
  Points,
  type PointsBias,
  type PointsInfo,
  RESPONSE_TOKENS,
  type StatedPlan,
  THOUGHTS_KEY,
} from "./points.ts";
import { dealCard, descending, paintText } from "./table.ts";
import { PLAN_KINDS, type PlanKind } from "./wide_solver.ts";
import { type Part, PARTS } from "../shared/held_out.ts";
import type { Random } from "../shared/random.ts";
import type { PromptSettings, SolvedEnvironment } from "../types.ts";

/** Settings of {@linkcode Points24}. */
export interface Points24Settings {
  /** Seed of the streams until `reset` is given one; 0 by default. */
  readonly seed?: number;
  /** What the formula must equal, 1 to 999; 24 as published. */
  readonly target?: number;
  /** What jack, queen and king count: `ten` as published, or `11-13`. */
  readonly faceValue?: FaceValue;
  /** Whether deals without a solution are dealt again, for training; false as published. */
  readonly solvableOnly?: boolean;
  /** What the solver's plans may use: `arithmetic` by default, `joined` digits, or all that is `published`. */
  readonly plans?: PlanKind;
  /** What a thought states: the `rest` of the plan by default, or the `whole` plan with the place that play has come to. */
  readonly thought?: "rest" | "whole";
  /** Which hands are dealt: `all` by default, those `seen` in training, or those `held-out` of it, one in ten. */
  readonly hands?: Part;
}

const TARGET = 24;
const MAX_TARGET = 999;
const OPERATORS = ["+", "-", "*", "/", "(", ")"] as const;

const START_BEFORE = "You are an expert ";
const START_AFTER =
  " points card game player. You are observing thee four cards in the image. You are observing the current formula: ";
const FACES: Readonly<Record<FaceValue, { choices: string; note: string }>> = {
  "ten": { choices: "", note: "'10'" },
  "11-13": { choices: "'11', '12', '13', ", note: "'11', '12', and '13' respectively" },
};
const GOAL_AFTER = ", and each number can only be used once." +
  " Your response should be a valid json file in the following format: \\{\n";
const CARD_FIELDS = ' "cards": [x, y, z, w], \n"current formula": ';
const THOUGHTS = [
  ', \n"thoughts": {First check whether the current formula equals ',
  ". If the current formula equals ",
  ", output '='. Otherwise consider which number or operator should be appended to the current formula to make it equal ",
  ".} \n",
] as const;
const ACTION_FIELD = '"action": "{number}" or "{operator}" \n \\}';

const SORTED = "sorted ";
const APPEND = ": append ";
const PLAN = ": plan ";
const THEN = " then ";
const COMPLETE = ": complete";
const LOST = ": " + NO_PLAN;
const STATED = /^sorted ((?:\d{1,2}, ){3}\d{1,2})(: .*)$/s;

function choices(faceValue: FaceValue): string {
  const { choices, note } = FACES[faceValue];
  return `. You can choose between ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', ${choices}` +
    "'+', '-', '*', '/', '(', ')', '=']. The number or operator you choose will be appended to the current formula." +
    ` Note that 'J', 'Q', and 'K' count as ${note}. Your goal is to output a formula that evaluates to `;
}

/**
 * The published prompt in few pieces. A target other than 24 is spelled in digits between smaller pieces. "24" alone is no
 * piece, since it would swallow the items 2 and 4 of a formula.
 */
const PROMPT_TOKENS: readonly string[] = [
  START_BEFORE + TARGET + START_AFTER,
  ...[choices("ten"), choices("11-13")],
  ...[TARGET + GOAL_AFTER + CARD_FIELDS, THOUGHTS.join(String(TARGET)) + ACTION_FIELD],
  TARGET + GOAL_AFTER + ACTION_FIELD,
  ...[START_BEFORE, START_AFTER, GOAL_AFTER + CARD_FIELDS, GOAL_AFTER + ACTION_FIELD],
  ...[...THOUGHTS.slice(0, 3), THOUGHTS[3] + ACTION_FIELD],
];

/**
 * See the table at the top of the file. Throws `RangeError` on an illegal setting.
 *
 * @example Four cards, and the solver's next item
 * ```ts
 * import { makeEnv } from "@ponder/ponder/envs";
 *
 * const env = makeEnv("Points24");
 * env.reset({ seed: 0, options: { cards: ["H2", "D3", "C4", "SA"] } });
 * console.log(env.actions[env.solve()]);
 * ```
 */
export class Points24 extends Points {
  /** Name in the suite that published it. */
  readonly id = "gym_cards/Points24-v0";
  /** The scripted solver's default mistakes. */
  readonly bias: PointsBias = { misread: 0, plan: 0, randomAction: 0, close: 0 };
  /** Pieces that a compact tokenizer should hold as one token each. */
  readonly tokens: readonly string[];
  readonly #solvableOnly: boolean;
  readonly #statesWhole: boolean;

  /** Throws `RangeError` on an illegal setting. */
  constructor(
    { seed = 0, target = TARGET, faceValue = "ten", solvableOnly = false, ...more }: Points24Settings = {},
  ) {
    const { plans = "arithmetic", thought = "rest", hands = "all" } = more;
    checkTarget("make", target);
    if (!Object.hasOwn(FACES, faceValue)) {
      throw new RangeError(
        `Cannot make Points24: faceValue is ${show(faceValue)}, use "ten" or "11-13"`,
      );
    }
    checkBooleans("make", "Points24", { solvableOnly });
    const cards = { cardCount: 4, faceValue, hands, isHeldOut };
    super({ name: "Points24", maxItems: 20, operators: OPERATORS, target, plans, ...cards }, seed);
    this.#solvableOnly = solvableOnly;
    this.#statesWhole = thought === "whole";
    this.tokens = [
      ...PROMPT_TOKENS,
      ...RESPONSE_TOKENS,
      ...[THOUGHTS_KEY + SORTED, SORTED, APPEND, COMPLETE, LOST, " ", "0"],
      ...this.#statesWhole ? [PLAN, THEN] : [],
      // The numbers of a list are one token each, from the second on with the comma before it.
      ...Array.from({ length: 13 }, (_, i) => `${CARD_SEPARATOR}${i + 1}`),
      ...this.actions,
    ];
  }

  /** See `Environment.prompt`. */
  override prompt({ formula: items, target }: PointsInfo, { cot }: PromptSettings): string {
    const formula = items.join("");
    const fields = cot ? CARD_FIELDS + formula + THOUGHTS.join(String(target)) : "";
    const task = formula + choices(this.game.faceValue) + target + GOAL_AFTER;
    return START_BEFORE + target + START_AFTER + task + fields + ACTION_FIELD;
  }

  /** Draws the cards. */
  protected override deal(random: Random, target: number): readonly Card[] {
    for (let attempt = 0; attempt < DEAL_ATTEMPTS; attempt++) {
      const cards = Array.from({ length: 4 }, () => dealCard(1 + random.integer(13), random));
      if (!this.#solvableOnly || this.complete(this.numbersOf(cards), [], target) !== null) return cards;
    }
    throw new RangeError(
      `Cannot deal Points24: no deal in ${DEAL_ATTEMPTS} makes ${target}, use a smaller target`,
    );
  }

  /** Option `target`: for this episode, instead of the environment's. */
  protected override resolveTarget(options: Readonly<Record<string, unknown>>): number {
    checkOptionNames(this.name, options, ["cards", "target"]);
    return options.target === undefined ? this.game.target : checkTarget("reset", options.target);
  }

  /** Puts a plan in words. */
  protected override writeThought({ numbers, formula, rest }: Plan): string {
    const plan = rest === null
      ? LOST
      : this.#statesWhole
      ? PLAN + formula.join("") + THEN + rest.join("")
      : rest.length === 0
      ? COMPLETE
      : APPEND + rest.join("");
    return SORTED + descending(numbers).join(CARD_SEPARATOR) + plan;
  }

  /** The plan that a thought states; null when it states none. */
  protected override readThought(thought: string, formula: string): StatedPlan | null {
    const match = STATED.exec(thought);
    if (match === null) return null;
    const sorted = match[1].split(CARD_SEPARATOR).map(Number);
    if (match[2] === LOST) return { formula: null, sorted };
    if (match[2] === COMPLETE) return { formula, sorted };
    if (match[2].startsWith(APPEND)) return { formula: formula + match[2].slice(APPEND.length), sorted };
    const [done, rest] = match[2].slice(PLAN.length).split(THEN);
    const isWhole = match[2].startsWith(PLAN) && rest !== undefined && done === formula;
    return isWhole ? { formula: done + rest, sorted } : null;
  }

  /** Draws the formula so far. */
  protected override paintFormula(canvas: Canvas2D, formula: readonly string[]): void {
    paintText(canvas, "Formula:", 210, 16);
    paintText(canvas, formula.join(" "), 240, 16);
  }
}

/** One hand in ten, by a hash of its numbers. */
function isHeldOut(hand: readonly number[]): boolean {
  return hand.reduce((hash, number) => (31 * hash + number) % 1009, 7) % 10 === 0;
}

function checkTarget(verb: string, target: unknown): number {
  if (Number.isInteger(target) && Number(target) >= 1 && Number(target) <= MAX_TARGET) return Number(target);
  throw new RangeError(
    `Cannot ${verb} Points24: target is ${show(target)}, use an integer from 1 to ${MAX_TARGET}`,
  );
}

/** The definition. Its settings are those of the class above. */
export const points24: EnvironmentDefinition<SolvedEnvironment> = defineEnvironment({
  name: "Points24",
  id: "gym_cards/Points24-v0",
  settings: {
    target: "what the formula must equal, 1 to 999; 24 as published",
    faceValue: "what jack, queen and king count, ten or 11-13; ten as published",
    solvableOnly: "true: deals without a solution are dealt again; false as published",
    plans: {
      meaning:
        "what the solver's plans may use: arithmetic, also joined digits, or also ** and // as published",
      default: "arithmetic",
      choices: PLAN_KINDS,
    },
    thought: {
      meaning:
        "what a thought states: the rest of the plan, or the whole with the place that play has come to",
      default: "rest",
      choices: ["rest", "whole"],
    },
    hands: {
      meaning: "which hands are dealt; one in ten is held out",
      default: "all",
      choices: PARTS,
    },
  },
  ceiling: ({ solvableOnly }) => solvableOnly === true ? 1 : null,
  make: (settings: Points24Settings) => new Points24(settings),
});
