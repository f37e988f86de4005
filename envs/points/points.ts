/**
 * What EZPoints and Points24 share: cards on the table, a formula that grows by one item a step, `=` to close it.
 *
 * Rules, as published: an action appends its number or operator (reward 0); a number that the unused cards do not
 * have appends a space instead (reward -1); `=` ends the episode with 10 if every card is used and the formula
 * equals the target as Python evaluates it, with -1 otherwise; once the formula is over its limit any action
 * ends the episode with -1. The picture shows the formula, so this is a rule and no time limit: the episode is terminated.
 *
 * Source: RL4VLM, `gym_cards`. Unlike it, deals follow the seed, formulas are not handed to `eval`, and a long one truncates nothing.
 */

import { misreadNumber, resolveBias } from "../shared/bias.ts";
import { type Card, cardName, cardValue, type FaceValue, findCard, RANKS, SUITS } from "../shared/cards.ts";
import type { Canvas2D } from "../shared/canvas.ts";
import { checkBegun, checkRunning, type Phase, show } from "../shared/checks.ts";
import { formulaEquals } from "./formula.ts";
import { frame } from "../shared/frame.ts";
import { createPointsParser } from "./parse.ts";
import { completeFormula, type PlanRules } from "./solver.ts";
import { descending, paintCards } from "./table.ts";
import type { PlanKind } from "./wide_solver.ts";
import { isDealt, type Part } from "../shared/held_out.ts";
import { checkSeed, Random } from "../shared/random.ts";
import { ACTION_KEY, ACTION_ONLY_KEY, CLOSE } from "../shared/response.ts";
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

/** What is known of a state beside its picture. */
export interface PointsInfo extends Info {
  /** Suit and rank, left to right: `["H7", "DT"]`. */
  readonly cards: readonly string[];
  /** What the cards count. */
  readonly numbers: readonly number[];
  /** The number to reach. */
  readonly target: number;
  /** The items appended so far; an illegal number's is a space. */
  readonly formula: readonly string[];
}

/** Mistakes of the scripted solver. Each acts on what the response says so far, so the thought stays readable. */
export type PointsBias = {
  /** A card is read as another number; each card by itself. */
  readonly misread: number;
  /** One operator still to come in the plan is replaced by another. */
  readonly plan: number;
  /** The action is a random one. */
  readonly randomAction: number;
  /** `+` is written when the plan calls for `=`. */
  readonly close: number;
};

/** What sets the two games apart. */
export interface PointsGame {
  /** Short name. */
  readonly name: string;
  /** Cards that are dealt. */
  readonly cardCount: number;
  /** A formula with more items than this ends the episode on the next action. */
  readonly maxItems: number;
  /** What jack, queen and king count. */
  readonly faceValue: FaceValue;
  /** In the order of the actions, without `=`. */
  readonly operators: readonly string[];
  /** The number to reach. */
  readonly target: number;
  /** What the solver's plans may use; `arithmetic` when absent. */
  readonly plans?: PlanKind;
  /** Which hands are dealt; all when absent. */
  readonly hands?: Part;
  /** Is this hand held out? Its numbers come largest first. */
  readonly isHeldOut: (hand: readonly number[]) => boolean;
}

/** A step of the solver, from what it has read. */
export interface Plan {
  /** The numbers as read, left to right. */
  readonly numbers: readonly number[];
  /** The formula so far. */
  readonly formula: readonly string[];
  /** Items still to come before `=`; null when no plan is left. */
  readonly rest: readonly string[] | null;
  /** The number to reach. */
  readonly target: number;
}

/** What a response says it plans. */
export interface StatedPlan {
  /** The whole formula as text, or null for "no plan". */
  readonly formula: string | null;
  /** What the formula is said to make; undefined when left unsaid. */
  readonly makes?: number;
  /** The numbers in the order the thought gives them; undefined when left unsaid. */
  readonly sorted?: readonly number[];
}

/** Deals that are tried before it is said that there is none. */
export const DEAL_ATTEMPTS = 10_000;

const CARDS_KEY = '{"cards": [';
/** Between the numbers of a list. */
export const CARD_SEPARATOR = ", ";
const FORMULA_KEY = '], "current formula": "';
/** Between the current formula and the thought. */
export const THOUGHTS_KEY = '", "thoughts": "';

/** Pieces of the responses, apart from numbers, operators and what the thoughts say. */
export const RESPONSE_TOKENS: readonly string[] = [
  ...[CARDS_KEY, CARD_SEPARATOR, FORMULA_KEY, THOUGHTS_KEY, ACTION_KEY, ACTION_ONLY_KEY, CLOSE],
];

/** Says in a thought that the cards and the formula allow no plan. */
export const NO_PLAN = "no plan";

const STATED_CARDS = /"cards":\s{0,9}\[([^\]]{0,99})\]/;
const STATED_FORMULA = /"current formula":\s{0,9}"([^"]{0,99})"/;
const STATED_THOUGHTS = /"thoughts":\s{0,9}"([^"]{0,199})"/;
const ANY_FIELD = /"(?:cards|current formula|thoughts)":/;

/** See the top of the file. */
export abstract class Points implements Omit<Environment<PointsInfo>, "current"> {
  /** Name in the suite that published it. */
  abstract readonly id: string;
  /** Pieces that a compact tokenizer should hold as one token each. */
  abstract readonly tokens: readonly string[];
  /** The scripted solver's default mistakes. */
  abstract readonly bias: PointsBias;
  /** Short name. */
  readonly name: string;
  /** What the agent may write. */
  readonly actions: readonly string[];
  /** See `Environment.parse`. */
  readonly parse: (text: string) => Parse;
  /** The rules of this game. */
  protected readonly game: PointsGame;
  readonly #rules: PlanRules;
  readonly #maxNumber: number;
  /** Longest number first. */
  readonly #item: RegExp;
  #deals: Random;
  #fallback: Random;
  #cards: readonly Card[] = [];
  #numbers: readonly number[] = [];
  #unused: number[] = [];
  #target: number;
  #formula: readonly string[] = [];
  #phase: Phase = "before the first reset";
  /** Throws `RangeError` on an illegal setting. */
  constructor(game: PointsGame, seed: number) {
    this.game = game;
    this.name = game.name;
    this.#target = game.target;
    this.#rules = { operators: game.operators, maxItems: game.maxItems, plans: game.plans };
    this.#maxNumber = game.faceValue === "ten" ? 10 : 13;
    this.#item = game.faceValue === "ten" ? /10|./gs : /1[0-3]|./gs;
    const numbers = Array.from({ length: this.#maxNumber }, (_, i) => String(i + 1));
    this.actions = [...numbers, ...game.operators, "="];
    this.parse = createPointsParser(this.actions);
    this.#deals = new Random(seed, "deals");
    this.#fallback = new Random(seed, "fallback");
  }

  /** See `Environment.prompt`. */
  abstract prompt(info: PointsInfo, settings: PromptSettings): string;

  /** Draws cards as published, from left to right. */
  protected abstract deal(random: Random, target: number): readonly Card[];
  /** Checks the options other than the list of `cards`; returns the target. Throws `RangeError`. */
  protected abstract resolveTarget(options: Readonly<Record<string, unknown>>): number;
  /** The thought of a demonstration: without quotation marks. */
  protected abstract writeThought(plan: Plan): string;
  /** Reads what `writeThought` writes; null when the thought has another form. */
  protected abstract readThought(thought: string, statedFormula: string): StatedPlan | null;
  /** Draws the formula so far. */
  protected abstract paintFormula(canvas: Canvas2D, formula: readonly string[]): void;

  /** Options: `cards`, names such as `["H7", "DT"]`; those of the game. */
  reset({ seed, options = {} }: ResetSettings = {}): ResetResult<PointsInfo> {
    const target = this.resolveTarget(options);
    const pinned = options.cards === undefined ? undefined : this.#checkCards(options.cards);
    if (seed !== undefined) checkSeed(seed);
    const deals = seed === undefined ? this.#deals : new Random(seed, "deals");
    const cards = pinned ?? this.#dealWanted(deals, target);
    // Nothing can fail from here on: until now the episode is as it was.
    this.#deals = deals;
    if (seed !== undefined) this.#fallback = new Random(seed, "fallback");
    this.#target = target;
    this.#cards = cards;
    this.#numbers = this.numbersOf(this.#cards);
    this.#unused = [...this.#numbers];
    this.#formula = [];
    this.#phase = "running";
    return this.#show(false);
  }

  /** See `Environment.step`. */
  step(action: number): StepResult<PointsInfo> {
    checkRunning(this.#phase, "step", this.name);
    const item = this.actions[action];
    if (item === undefined) {
      const last = this.actions.length - 1;
      throw new RangeError(
        `Cannot step ${this.name}: action is ${action}, use an integer from 0 to ${last} (=)`,
      );
    }
    if (this.#formula.length > this.game.maxItems) {
      this.#phase = "ended";
      return Object.assign(this.#show(false), { reward: -1, terminated: true, truncated: false });
    }
    if (item === "=") {
      this.#phase = "ended";
      const isRight = this.#unused.length === 0 && formulaEquals(this.#formula.join(""), this.#target);
      return Object.assign(this.#show(isRight), {
        reward: isRight ? 10 : -1,
        terminated: true,
        truncated: false,
      });
    }
    const isNumber = action < this.#maxNumber;
    const card = isNumber ? this.#unused.indexOf(Number(item)) : -1;
    const isLegal = !isNumber || card >= 0;
    if (card >= 0) this.#unused.splice(card, 1);
    this.#formula = [...this.#formula, isLegal ? item : " "];
    return Object.assign(this.#show(false), {
      reward: isLegal ? 0 : -1,
      terminated: false,
      truncated: false,
    });
  }

  /** See `Environment.randomAction`. */
  randomAction(): number {
    return this.#fallback.integer(this.actions.length);
  }

  /** The numbers, smallest first, the target and the formula. Suits and the order of the cards change nothing. */
  stateKey(): string {
    checkBegun(this.#phase, this.name);
    const numbers = this.#numbers.toSorted((a, b) => a - b);
    return `${numbers.join(" ")} | ${this.#target} | ${this.#formula.join(",")}`;
  }

  /** The next item of the shortest plan. It is `=` when the plan is complete, or when none is left: every end costs 1 then. */
  solve(): number {
    checkRunning(this.#phase, "solve", this.name);
    const rest = this.complete(this.#numbers, this.#formula, this.#target);
    return this.actions.indexOf(rest?.[0] ?? "=");
  }

  /** See `Environment.demonstrate`. */
  demonstrate(random: Random, { cot, bias: overrides }: DemonstrationSettings): string {
    checkRunning(this.#phase, "demonstrate", this.name);
    const bias = resolveBias(this.bias, overrides);
    const formula = this.#formula;
    const numbers = this.#numbers.map((n) => misreadNumber(n, this.#maxNumber, bias.misread, random));
    let rest = this.complete(numbers, formula, this.#target) ?? this.#guess(numbers);
    if (rest !== null && random.chance(bias.plan)) rest = this.#spoil(rest, random);
    let action = rest?.[0] ?? "=";
    if (action === "=" && random.chance(bias.close)) action = "+";
    if (random.chance(bias.randomAction)) action = this.actions[random.integer(this.actions.length)];
    if (!cot) return ACTION_ONLY_KEY + action + CLOSE;
    const thought = this.writeThought({ numbers, formula, rest, target: this.#target });
    return CARDS_KEY + numbers.join(CARD_SEPARATOR) + FORMULA_KEY + formula.join("") + THOUGHTS_KEY +
      thought +
      ACTION_KEY + action + CLOSE;
  }

  /** Fields: each card and the current formula. */
  judge(text: string): Judgement {
    if (!ANY_FIELD.test(text)) return { perception: null, faithful: null };
    const stated = STATED_CARDS.exec(text)?.[1].split(",").map((card) => Number(card.trim() || NaN)) ?? [];
    const formula = STATED_FORMULA.exec(text)?.[1];
    const read = this.#numbers.filter((number, i) => stated[i] === number).length +
      Number(formula === this.#formula.join(""));
    const faithful = formula !== undefined && this.#isFaithful(text, stated, formula);
    return { perception: read / (this.#numbers.length + 1), faithful };
  }

  /** What cards count in this game. */
  protected numbersOf(cards: readonly Card[]): readonly number[] {
    return cards.map((card) => cardValue(card, this.game.faceValue));
  }

  /** Items that complete `formula`; null when none do. */
  protected complete(
    numbers: readonly number[],
    formula: readonly string[],
    target: number,
  ): readonly string[] | null {
    return completeFormula(this.#rules, { numbers, target, formula });
  }

  /** Deals until the settings allow the hand. */
  #dealWanted(deals: Random, target: number): readonly Card[] {
    const { hands = "all", isHeldOut } = this.game;
    for (let attempt = 0; attempt < DEAL_ATTEMPTS; attempt++) {
      const cards = this.deal(deals, target);
      if (isDealt(hands, () => isHeldOut(descending(this.numbersOf(cards))))) return cards;
    }
    throw new RangeError(
      `Cannot deal ${this.name}: none of ${DEAL_ATTEMPTS} hands is ${hands}, use another target or --env-settings hands=all`,
    );
  }

  #checkCards(names: unknown): readonly Card[] {
    const { cardCount } = this.game;
    if (!Array.isArray(names) || names.length !== cardCount) {
      const state = Array.isArray(names) ? `${names.length} cards` : "no list";
      throw new RangeError(`Cannot reset ${this.name}: cards has ${state}, use a list of ${cardCount} names`);
    }
    return names.map((name) => {
      const card = findCard(name);
      if (card !== undefined) return card;
      const known = `a suit of ${SUITS.join(" ")} and then a rank of ${RANKS.join(" ")}, as in "H2"`;
      throw new RangeError(
        `Cannot reset ${this.name}: cards has ${show(name)}, which is no card, use ${known}`,
      );
    });
  }

  /** If misread cards have no plan, the solver adds them all up: the rest of that sum, if the formula is its beginning. */
  #guess(numbers: readonly number[]): readonly string[] | null {
    if (numbers.every((number, i) => number === this.#numbers[i])) return null;
    const sum = numbers.flatMap((number, i) => i === 0 ? [String(number)] : ["+", String(number)]);
    return this.#formula.every((item, i) => item === sum[i]) ? sum.slice(this.#formula.length) : null;
  }

  /** The rest of a plan with one operator replaced; the same if none is left to come. */
  #spoil(rest: readonly string[], random: Random): readonly string[] {
    const binary = this.game.operators.filter((operator) => !"()".includes(operator));
    const places = rest.flatMap((item, i) => binary.includes(item) ? [i] : []);
    if (places.length === 0) return rest;
    const place = places[random.integer(places.length)];
    const others = binary.filter((operator) => operator !== rest[place]);
    return rest.with(place, others[random.integer(others.length)]);
  }

  #isFaithful(text: string, stated: readonly number[], formula: string): boolean {
    const thought = STATED_THOUGHTS.exec(text)?.[1];
    const plan = thought === undefined ? null : this.readThought(thought, formula);
    const { action } = this.parse(text);
    const count = this.#numbers.length;
    const areNumbers = stated.length === count && stated.every((n) => n >= 1 && n <= this.#maxNumber);
    if (plan === null || action === null || !areNumbers) return false;
    if (plan.sorted !== undefined && plan.sorted.join() !== descending(stated).join()) return false;
    const items = formula.match(this.#item) ?? [];
    if (plan.formula === null) {
      const isPlausible = items.length <= this.game.maxItems + 1;
      return this.actions[action] === "=" && isPlausible &&
        this.complete(stated, items, this.#target) === null;
    }
    if (!plan.formula.startsWith(formula) || plan.makes !== undefined && plan.makes !== this.#target) {
      return false;
    }
    const used = plan.formula.match(/\d+/g)?.flatMap((digits) => digits.match(this.#item)!) ?? [];
    if (descending(used.map(Number)).join() !== descending(stated).join()) return false;
    const next = plan.formula.slice(formula.length).match(this.#item)?.[0] ?? "=";
    return next === this.actions[action] && formulaEquals(plan.formula, this.#target);
  }

  #show(goalReached: boolean): ResetResult<PointsInfo> {
    const cards = this.#cards;
    const formula = this.#formula;
    const names = cards.map(cardName);
    const { name } = this;
    const paint = (canvas: Canvas2D) => {
      paintCards(canvas, cards);
      this.paintFormula(canvas, formula);
    };
    return {
      info: { cards: names, numbers: this.#numbers, target: this.#target, formula, goalReached },
      get observation(): Observation {
        return frame(`${name} ${names} ${formula}`, paint);
      },
    };
  }
}
