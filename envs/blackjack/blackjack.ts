/**
 * Blackjack: come closer to 21 than the dealer, without going over.
 *
 * | | |
 * |---|---|
 * | actions | 0 `stand`, 1 `hit` |
 * | observation | 300 x 300 RGB: the dealer's open card beside a card's back, the player's cards below |
 * | state | both hands; cards come with replacement, ace to nine and the four tens 1/13 each, tens as J, Q or K |
 * | hands | an ace counts 11 if that does not bust ("soft"), else 1; J, Q and K count 10 |
 * | reward | after `stand` the dealer draws to 17: 1 for the higher hand or a bust dealer, 0 for equal ones, else -1; -1 for going bust; 0 for a card that does not |
 * | end | terminated by `stand` and by going bust |
 * | info | `player` (card names), `dealerCard` (the open one), `playerSum`, `dealerSum` (the hidden card too), `symbolic`, `goalReached` (won) |
 *
 * Source: RL4VLM, `gym_cards/Blackjack-v0`. Three things differ. Deals follow the seed. The fifth card is in the picture.
 * `natural` and `sab` take effect; in the published code the test for a natural never holds.
 */

import { defineEnvironment, type EnvironmentDefinition } from "../definition.ts";
import { misreadNumber, resolveBias } from "../shared/bias.ts";
import { addCard, ceiling, type Hand, handOf, isHitBetter } from "./optimal.ts";
import { BOLD_FONT, type Canvas2D } from "../shared/canvas.ts";
import {
  type Card,
  cardName,
  cardValue,
  drawCard,
  drawCards,
  drawTable,
  RANKS,
  SUITS,
} from "../shared/cards.ts";
import {
  checkBegun,
  checkBooleans,
  checkDiscount,
  checkOptionNames,
  checkRunning,
  type Phase,
  show,
} from "../shared/checks.ts";
import { frame, FRAME_PIXELS } from "../shared/frame.ts";
import { createParser } from "../shared/parse.ts";
import { checkSeed, Random } from "../shared/random.ts";
import { ACTION_KEY, ACTION_ONLY_KEY, CLOSE } from "../shared/response.ts";
import { blackjackValues } from "./values.ts";
import {
  ACTION_FORMAT,
  ANY_FIELD,
  COT_FORMAT,
  DEALER,
  PLANS,
  SOFT,
  spell,
  STATED_CARDS,
  STATED_DEALER,
  TASK,
  THOUGHT,
  THOUGHTS_KEY,
  TOTAL,
  unspell,
} from "./texts.ts";
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

/** Settings of {@linkcode Blackjack}. */
export interface BlackjackSettings {
  /** A win with ace and ten as the first two cards pays 1.5; ignored with `sab`. False by default, as published. */
  readonly natural?: boolean;
  /** Sutton and Barto's rule: ace and ten at once beat any other 21 of the dealer. False by default, as published. */
  readonly sab?: boolean;
  /** Seed of the streams until `reset` is given one; 0 by default. */
  readonly seed?: number;
}

/** What is known about a hand beside its picture. */
export interface BlackjackInfo extends Info {
  /** Names, in the order drawn: `["C2", "DK"]`. */
  readonly player: readonly string[];
  /** Face of the card that the dealer shows. */
  readonly dealerCard: string;
  /** Points of the player's hand. */
  readonly playerSum: number;
  /** Points of the dealer's hand, hidden card included. */
  readonly dealerSum: number;
  /** Gymnasium's observation: the player's sum, the value of the dealer's open card (ace 1), 1 for a usable ace else 0. */
  readonly symbolic: readonly [playerSum: number, dealerValue: number, usableAce: number];
}

/** Mistakes of the scripted solver. */
export type BlackjackBias = {
  /** A card is read as one of another value. Each card is misread independently. */
  readonly misread: number;
  /** The action is flipped if the stated plan is to stand. */
  readonly flipStand: number;
  /** The action is flipped if the stated plan is to hit. */
  readonly flipHit: number;
};

const STAND = 0;
const HIT = 1;
const ACTIONS = ["stand", "hit"] as const;

const parse = createParser(ACTIONS);

interface Rules {
  readonly natural: boolean;
  readonly sab: boolean;
}

/**
 * See the table at the top of the file.
 */
export class Blackjack implements Omit<Environment<BlackjackInfo>, "current"> {
  /** Short name. */
  readonly name = "Blackjack";
  /** Name in the suite that published it. */
  readonly id = "gym_cards/Blackjack-v0";
  /** What the agent may write. */
  readonly actions: readonly string[] = ACTIONS;
  /** The scripted solver's default mistakes. */
  readonly bias: BlackjackBias = { misread: 0, flipStand: 0.4, flipHit: 0.15 };
  /** Pieces that a compact tokenizer should hold as one token each. */
  readonly tokens: readonly string[] = [
    ...TASK,
    COT_FORMAT,
    ACTION_FORMAT,
    " " + ACTION_FORMAT, // the action-only prompt has a space before the key
    ...[THOUGHTS_KEY, TOTAL, SOFT, DEALER, ...PLANS, ACTION_KEY, ACTION_ONLY_KEY, CLOSE],
    " A",
    ...Array.from({ length: 20 }, (_, i) => ` ${i + 2}`),
    ...ACTIONS,
  ];

  readonly #settings: Rules;
  #hands: Random;
  #spare: Random;
  #fallback: Random;
  #rules: Rules;
  #pinned: readonly Card[] = [];
  #draws = new Random(0);
  #drawn = 0;
  #dealer: readonly Card[] = [];
  #player: readonly Card[] = [];
  #phase: Phase = "before the first reset";

  /** Throws `RangeError` on an illegal setting. */
  constructor({ natural = false, sab = false, seed = 0 }: BlackjackSettings = {}) {
    checkBooleans("make", "Blackjack", { natural, sab });
    this.#settings = this.#rules = { natural, sab };
    this.#hands = new Random(seed, "hands");
    this.#spare = new Random(seed, "spare");
    this.#fallback = new Random(seed, "fallback");
  }

  /**
   * Begins a hand. Options for this episode are `natural`, `sab` and `draws`, at least four cards as `[value, face, suit]`.
   * Cards are in the order drawn: dealer, hidden card, player, player, later ones. Cards beyond the list follow the seed.
   */
  reset({ seed, options = {} }: ResetSettings = {}): ResetResult<BlackjackInfo> {
    const { draws, ...rules } = checkOptions(options);
    if (seed !== undefined) {
      checkSeed(seed);
      this.#hands = new Random(seed, "hands");
      this.#spare = new Random(seed, "spare");
      this.#fallback = new Random(seed, "fallback");
    }
    this.#rules = { ...this.#settings, ...rules };
    this.#pinned = draws ?? [];
    // Each hand has a stream of its own: the cards of the next hand must not depend on how long this one was played.
    this.#draws = new Random((draws === undefined ? this.#hands : this.#spare).uint32(), "draws");
    this.#drawn = 0;
    this.#dealer = [this.#draw(), this.#draw()];
    this.#player = [this.#draw(), this.#draw()];
    this.#phase = "running";
    return this.#show(false);
  }

  /** See `Environment.step`. */
  step(action: number): StepResult<BlackjackInfo> {
    checkRunning(this.#phase, "step", this.name);
    if (action !== STAND && action !== HIT) {
      throw new RangeError(`Cannot step Blackjack: action is ${action}, use 0 (stand) or 1 (hit)`);
    }
    let reward = 0;
    if (action === HIT) {
      this.#player = [...this.#player, this.#draw()];
      if (hand(this.#player).total > 21) reward = -1;
    } else {
      while (hand(this.#dealer).total < 17) this.#dealer = [...this.#dealer, this.#draw()];
      reward = settle(this.#player, this.#dealer, this.#rules);
    }
    const terminated = action === STAND || reward < 0;
    if (terminated) this.#phase = "ended";
    return Object.assign(this.#show(reward > 0), { reward, terminated, truncated: false });
  }

  /** See `Environment.randomAction`. */
  randomAction(): number {
    return this.#fallback.integer(ACTIONS.length);
  }

  /** Names what the rules look at: the player's total, whether an ace counts 11 or it is a natural, and the open card's value. */
  stateKey(): string {
    checkBegun(this.#phase, this.name);
    const { total, soft } = hand(this.#player);
    const natural = isNatural(this.#player) ? " natural" : "";
    return `${soft ? "soft " : ""}${total}${natural} ${cardValue(this.#dealer[0])}`;
  }

  /** See `Environment.prompt`. */
  prompt(_info: BlackjackInfo, { cot }: PromptSettings): string {
    return TASK.join("") + (cot ? COT_FORMAT : " ") + ACTION_FORMAT;
  }

  /** See `Environment.parse`. */
  readonly parse: (text: string) => Parse = parse;

  /** The action that wins more often, see `optimal.ts`. */
  solve(): number {
    checkRunning(this.#phase, "solve", this.name);
    return plan(hand(this.#player), cardValue(this.#dealer[0]));
  }

  /** Values of `stand` and `hit`, under the rules of this episode, see `values.ts`. */
  actionValues(settings?: ActionValueSettings): readonly number[] {
    checkRunning(this.#phase, "value", this.name);
    const { total, soft } = hand(this.#player);
    const state = { total, soft, isNatural: isNatural(this.#player), dealer: cardValue(this.#dealer[0]) };
    return blackjackValues(state, { ...this.#rules, discount: checkDiscount(this.name, settings) });
  }

  /** See `Environment.demonstrate`. */
  demonstrate(random: Random, { cot, bias: overrides }: DemonstrationSettings): string {
    checkRunning(this.#phase, "demonstrate", this.name);
    const bias = resolveBias(this.bias, overrides);
    const read = (card: Card) => misreadNumber(cardValue(card), 10, bias.misread, random);
    const values = this.#player.map(read);
    const dealer = read(this.#dealer[0]);
    const { total, soft } = handOf(values);
    // Misread cards may add up to more than 21, which no hand in play has. The solver then stands, as on 21.
    const planned = total > 21 ? STAND : plan({ total, soft }, dealer);
    const flips = random.chance(planned === HIT ? bias.flipHit : bias.flipStand);
    const action = ACTIONS[flips ? 1 - planned : planned];
    if (!cot) return ACTION_ONLY_KEY + action + CLOSE;
    const cards = values.map(spell).join("");
    const points = `${soft ? SOFT : ""} ${Math.min(total, 21)}`;
    return THOUGHTS_KEY + cards + TOTAL + points + DEALER + spell(dealer) + PLANS[planned] + ACTION_KEY +
      action + CLOSE;
  }

  /** Judges a response. Its fields are the player's cards, in order, and the dealer's. */
  judge(text: string): Judgement {
    if (!ANY_FIELD.test(text)) return { perception: null, faithful: null };
    const stated = STATED_CARDS.exec(text)?.[1].trim().split(" ").map(unspell) ?? [];
    const dealer = STATED_DEALER.exec(text)?.[1];
    const values = this.#player.map((card) => cardValue(card));
    const fields = Math.max(stated.length, values.length) + 1;
    const right = values.filter((value, i) => value === stated[i]).length +
      Number(dealer !== undefined && unspell(dealer) === cardValue(this.#dealer[0]));
    return { perception: right / fields, faithful: isFaithful(text) };
  }

  #draw(): Card {
    return this.#pinned[this.#drawn++] ?? drawRandom(this.#draws);
  }

  #show(won: boolean): ResetResult<BlackjackInfo> {
    const player = this.#player;
    const open = this.#dealer[0];
    const names = player.map(cardName);
    const { total, soft } = hand(player);
    return {
      info: {
        player: names,
        dealerCard: cardName(open),
        playerSum: total,
        dealerSum: hand(this.#dealer).total,
        symbolic: [total, cardValue(open), Number(soft)],
        goalReached: won,
      },
      get observation(): Observation {
        const key = `Blackjack ${cardName(open)} ${names.join(" ")}`;
        return frame(key, (canvas) => paint(canvas, open, player));
      },
    };
  }
}

function hand(cards: readonly Card[]): Hand {
  return handOf(cards.map((card) => cardValue(card)));
}

function plan(hand: Hand, dealer: number): number {
  return isHitBetter(hand, dealer) ? HIT : STAND;
}

/** The reward of standing. Source: Gymnasium's Blackjack-v1, which the published environment follows. */
function settle(player: readonly Card[], dealer: readonly Card[], { natural, sab }: Rules): number {
  const theirs = hand(dealer).total;
  const reward = theirs > 21 ? 1 : Math.sign(hand(player).total - theirs);
  if (!isNatural(player)) return reward;
  if (sab) return isNatural(dealer) ? reward : 1;
  return natural && reward === 1 ? 1.5 : reward;
}

function isNatural(cards: readonly Card[]): boolean {
  return cards.length === 2 && hand(cards).total === 21;
}

/** Ace to nine and the four tens with 1/13 each; a ten is a jack, a queen or a king, never a `T`, as published. */
function drawRandom(random: Random): Card {
  const place = random.integer(RANKS.length);
  const face = place < 9 ? place : 10 + random.integer(3);
  return { rank: RANKS[face], suit: SUITS[random.integer(SUITS.length)] };
}

/** Is the total that of the stated cards, the plan optimal for them, and the action the planned one? */
function isFaithful(text: string): boolean {
  const match = THOUGHT.exec(text);
  if (match === null) return false;
  const [, cards, soft, total, dealerWord, planned] = match;
  const values = cards.trim().split(" ").map(unspell);
  const dealer = unspell(dealerWord);
  if (![...values, dealer].every((value) => value >= 1 && value <= 10)) return false;
  const stated = values.reduce(addCard, { total: 0, soft: false });
  if (stated.total > 21 || stated.total !== Number(total) || stated.soft !== (soft !== undefined)) {
    return false;
  }
  return ACTIONS[plan(stated, dealer)] === planned && parse(text).action === plan(stated, dealer);
}

function checkOptions(
  options: Readonly<Record<string, unknown>>,
): { draws?: readonly Card[]; natural?: boolean; sab?: boolean } {
  checkOptionNames("Blackjack", options, ["draws", "natural", "sab"]);
  const { draws, ...flags } = options;
  checkBooleans("reset", "Blackjack", flags);
  const rules = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  if (draws === undefined) return rules;
  if (!Array.isArray(draws) || draws.length < 4) {
    const state = Array.isArray(draws) ? `draws has ${draws.length} cards` : `draws is ${show(draws)}`;
    throw new RangeError(
      `Cannot reset Blackjack: ${state}, use a list of at least 4: dealer, dealer, player, player`,
    );
  }
  return { ...rules, draws: draws.map(readDraw) };
}

function readDraw(draw: unknown, i: number): Card {
  const [value, face, suit] = Array.isArray(draw) && draw.length === 3 ? draw : [];
  const rank = RANKS.find((rank) => rank === (face === "10" ? "T" : face));
  const card = { rank: rank!, suit: SUITS.find((known) => known === suit)! };
  if (rank !== undefined && card.suit !== undefined && cardValue(card) === value) return card;
  throw new RangeError(
    `Cannot reset Blackjack: draws[${i}] is ${show(draw)}, which is no card, use [value, face, suit] as in ` +
      `[1, "A", "S"], [7, "7", "C"] or [10, "Q", "D"]`,
  );
}

/** Sizes and places as measured on the published frames; only from the fifth card on the row shrinks to fit. */
function paint(canvas: Canvas2D, open: Card, player: readonly Card[]): void {
  const left = 5, gap = 4, right = 3;
  const pitch = Math.min(74, Math.floor((FRAME_PIXELS - left - right + gap) / player.length));
  drawTable(canvas);
  canvas.fillStyle = "white";
  canvas.font = `16px "${BOLD_FONT}"`;
  canvas.textBaseline = "alphabetic";
  canvas.fillText("Dealer", left, 20);
  canvas.fillText("Player", left, 145);
  drawCard(canvas, open, left, 25, 70);
  drawCard(canvas, null, 78, 25, 70);
  drawCards(canvas, player, { x: left, y: 150, width: pitch - gap, pitch });
}

/** The definition. Its settings are those of the class above. */
export const blackjack: EnvironmentDefinition<SolvedEnvironment> = defineEnvironment({
  name: "Blackjack",
  id: "gym_cards/Blackjack-v0",
  settings: {
    natural: "true: a natural pays 1.5; false as published",
    sab: "true: a natural beats any other 21; false as published",
  },
  // With Sutton and Barto's rule a natural also wins when it would tie, which `ceiling` does not count.
  ceiling: ({ sab }) => sab === true ? null : ceiling().win,
  make: (settings: BlackjackSettings) => new Blackjack(settings),
});
