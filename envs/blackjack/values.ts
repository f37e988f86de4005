/**
 * Exact action values of Blackjack: the expected discounted reward of each action, and the most reward from then on.
 *
 * They count what the rules pay, ties and naturals too; `optimal.ts` counts wins. Cards come with replacement. A state is
 * therefore the player's total, whether an ace counts 11, whether it is a natural, and the dealer's open card.
 */

import { addCard, CARDS, type Hand, standOdds } from "./optimal.ts";

/** Rules and discount that the values depend on. */
export interface BlackjackValueSettings {
  /** Whether a win with a natural pays 1.5; ignored with `sab`. */
  readonly natural: boolean;
  /** Whether a natural beats any other 21 of the dealer. */
  readonly sab: boolean;
  /** What a reward one step later is worth, in [0, 1]. */
  readonly discount: number;
}

/** A state of the player: the hand, and whether it is ace and ten at once. */
export interface BlackjackState extends Hand {
  readonly isNatural: boolean;
  /** Value of the dealer's open card, 1 to 10. */
  readonly dealer: number;
}

/** Values of `stand` and `hit`, in this order. */
export function blackjackValues(state: BlackjackState, settings: BlackjackValueSettings): [number, number] {
  const { total, isNatural, dealer } = state;
  const { win, loss } = standOdds(total, dealer);
  let stand = win - loss;
  if (isNatural && settings.sab) stand = 1 - dealerNaturalChance(dealer);
  else if (isNatural && settings.natural) stand = 1.5 * win - loss;
  return [stand, hitValue(state, dealer, settings.discount)];
}

/** Chance that the dealer's first two cards are ace and ten, given one of them. */
function dealerNaturalChance(open: number): number {
  const wanted = open === 1 ? 10 : open === 10 ? 1 : null;
  return wanted === null ? 0 : CARDS[wanted - 1][1];
}

const memo = new Map<string, number>();

/** Value of one more card, and of the best play from there. No hand of three cards is a natural. */
function hitValue({ total, soft }: Hand, dealer: number, discount: number): number {
  const key = `${total} ${soft} ${dealer} ${discount}`;
  let value = memo.get(key);
  if (value === undefined) {
    value = 0;
    for (const [card, probability] of CARDS) {
      const next = addCard({ total, soft }, card);
      value += probability * (next.total > 21 ? -1 : discount * bestValue(next, dealer, discount));
    }
    memo.set(key, value);
  }
  return value;
}

function bestValue(hand: Hand, dealer: number, discount: number): number {
  const { win, loss } = standOdds(hand.total, dealer);
  return Math.max(win - loss, hitValue(hand, dealer, discount));
}
