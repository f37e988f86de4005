/**
 * EZPoints: make 12 of two cards, one number or operator a step.
 *
 * | | |
 * |---|---|
 * | actions | 0-9 `1`-`10`, 10 `+`, 11 `*`, 12 `=` |
 * | observation | 300 x 300 RGB, two cards above `Formula: ` and the items so far |
 * | state | two cards (face cards count 10) and the formula |
 * | start | two cards that make 12, in random order; the first from 2 to king, the second by `*` half the time if 12 is a multiple |
 * | reward | 10 for `=` after a formula of both cards that equals 12, -1 for any other `=`, -1 for a number not on an unused card, 0 otherwise |
 * | end | terminated by `=`, and with -1 by any action after a formula of more than 5 items |
 * | info | `cards`, `numbers`, `target`, `formula`, `goalReached` |
 *
 * Source: RL4VLM, `gym_cards/EZPoints-v0`. Unlike it, deals follow the seed.
 */

import { defineEnvironment, type EnvironmentDefinition } from "../definition.ts";
import type { Canvas2D } from "../shared/canvas.ts";
import { type Card, cardValue } from "../shared/cards.ts";
import { checkOptionNames } from "../shared/checks.ts";
import {
  NO_PLAN,
  type Plan,
  Points,
  type PointsBias,
  type PointsInfo,
  RESPONSE_TOKENS,
  type StatedPlan,
} from "./points.ts";
import { dealCard, paintText } from "./table.ts";
import { type Part, PARTS } from "../shared/held_out.ts";
import type { Random } from "../shared/random.ts";
import { ACTION_KEY } from "../shared/response.ts";
import type { PromptSettings, SolvedEnvironment } from "../types.ts";

export type { Plan, Points, PointsBias, PointsGame, PointsInfo, StatedPlan } from "./points.ts";
export { PLAN_KINDS, type PlanKind } from "./wide_solver.ts";

/** Settings of {@linkcode EZPoints}. */
export interface EZPointsSettings {
  /** Seed of the streams until `reset` is given one; 0 by default. */
  readonly seed?: number;
  /** Which hands are dealt: `all` by default, those `seen` in training, or those `held-out` of it: 7 5 and 4 3. */
  readonly hands?: Part;
}

const TARGET = 12;
/** Two of the seven hands: a sum and a product. */
const HELD_OUT: readonly string[] = ["7 5", "4 3"];

const START =
  "You are an expert card game player. You are observing two cards in the image. You are observing the current formula: ";
const TASK = ". You can choose between ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '+', '*', '=']." +
  " The number or operator you choose will be appended to the current formula." +
  " Note that 'J', 'Q', and 'K' count as '10'." +
  " Your goal is to output a formula that evaluates to 12, and each number can only be used once." +
  " Your response should be a valid json file in the following format: \\{\n";
const CARD_FIELDS = ' "cards": [x, y], \n"current formula": ';
const THOUGHTS_FIELD =
  ", \n\"thoughts\": {First check whether the current formula 'z' is complete. If the current formula 'z' is complete, output '='." +
  " Otherwise consider which number or operator should be appended to the current formula to make it equal 12.} \n";
const ACTION_FIELD = '"action": "{number}" or "{operator}" \n \\}';

const THOUGHT_END = ` makes ${TARGET}`;
const STATED_PLAN = /^(.+) makes (\d{1,3})$/;

/**
 * See the table at the top of the file. Throws `RangeError` on an illegal setting.
 *
 * @example Two cards, and the solver's next item
 * ```ts
 * import { makeEnv } from "@ponder/ponder/envs";
 *
 * const env = makeEnv("EZPoints");
 * const { info } = env.reset({ seed: 0, options: { cards: ["H2", "DT"] } });
 * console.log(info, env.actions[env.solve()]);
 * ```
 */
export class EZPoints extends Points {
  /** Name in the suite that published it. */
  readonly id = "gym_cards/EZPoints-v0";
  /** The scripted solver's default mistakes. */
  readonly bias: PointsBias = { misread: 0.08, plan: 0.15, randomAction: 0.12, close: 0.55 };
  /** Pieces that a compact tokenizer should hold as one token each. */
  readonly tokens: readonly string[];

  /** Throws `RangeError` on an illegal setting. */
  constructor({ seed = 0, hands = "all" }: EZPointsSettings = {}) {
    super({
      name: "EZPoints",
      cardCount: 2,
      maxItems: 5,
      faceValue: "ten",
      operators: ["+", "*"],
      target: TARGET,
      hands,
      isHeldOut: (hand) => HELD_OUT.includes(hand.join(" ")),
    }, seed);
    this.tokens = [
      ...[START, TASK + CARD_FIELDS, THOUGHTS_FIELD + ACTION_FIELD, TASK + ACTION_FIELD],
      ...RESPONSE_TOKENS,
      ...[THOUGHT_END + ACTION_KEY, NO_PLAN, " "],
      ...this.actions,
    ];
  }

  /** See `Environment.prompt`. */
  override prompt({ formula: items }: PointsInfo, { cot }: PromptSettings): string {
    const formula = items.join("");
    const fields = cot ? CARD_FIELDS + formula + THOUGHTS_FIELD : "";
    return START + formula + TASK + fields + ACTION_FIELD;
  }

  /** Draws the cards. */
  protected override deal(random: Random): readonly Card[] {
    const first = dealCard(2 + random.integer(12), random);
    const value = cardValue(first);
    const isProduct = TARGET % value === 0 && random.chance(0.5);
    const second = dealCard(isProduct ? TARGET / value : TARGET - value, random);
    return random.chance(0.5) ? [second, first] : [first, second];
  }

  /** The number to reach, from the options of `reset`. */
  protected override resolveTarget(options: Readonly<Record<string, unknown>>): number {
    checkOptionNames(this.name, options, ["cards"]);
    return TARGET;
  }

  /** Puts a plan in words. */
  protected override writeThought({ formula, rest }: Plan): string {
    return rest === null ? NO_PLAN : [...formula, ...rest].join("") + THOUGHT_END;
  }

  /** The plan that a thought states; null when it states none. */
  protected override readThought(thought: string): StatedPlan | null {
    if (thought === NO_PLAN) return { formula: null };
    const [, formula, makes] = STATED_PLAN.exec(thought) ?? [];
    return formula === undefined ? null : { formula, makes: Number(makes) };
  }

  /** Draws the formula so far. */
  protected override paintFormula(canvas: Canvas2D, formula: readonly string[]): void {
    paintText(canvas, `Formula: ${formula.join(" ")}`, 258, 20);
  }
}

/** The definition. Its settings are those of the class above. */
export const ezPoints: EnvironmentDefinition<SolvedEnvironment> = defineEnvironment({
  name: "EZPoints",
  id: "gym_cards/EZPoints-v0",
  settings: {
    hands: {
      meaning: "which hands are dealt; 7 5 and 4 3 are held out",
      default: "all",
      choices: PARTS,
    },
  },
  ceiling: () => 1,
  make: (settings: EZPointsSettings) => new EZPoints(settings),
});
