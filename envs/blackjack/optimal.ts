/**
 * Blackjack solved exactly: a dynamic programme over (best total, usable ace, dealer's open card).
 *
 * Cards come with replacement: 1 to 9 with 1/13 each, 10 with 4/13. The dealer draws to 17 and stands on a soft 17.
 * Two aims differ:
 *
 * - Playing for wins, which success counts, wins 0.4316 of the hands and earns -0.0502 a hand. This file does that.
 * - Playing for reward wins 0.4295 and earns -0.0466. It values ties too: it hits 15 and 16 against a ten, and stands on 17
 *   against an ace.
 *
 * Source of the rules: Sutton & Barto, "Reinforcement Learning: An Introduction", example 5.1; there a natural also
 * beats any other 21.
 */

/** A hand as far as the rules look at it; above 21 it is bust. */
export interface Hand {
  /** Best total: an ace counts 11 if that does not bust. */
  readonly total: number;
  /** Whether an ace counts 11, a "usable" ace. */
  readonly soft: boolean;
}

/** Chances of the three outcomes; they sum to 1. */
export interface Odds {
  readonly win: number;
  readonly tie: number;
  readonly loss: number;
}

/** Value and probability of a card; the ace is 1. */
export const CARDS: readonly (readonly [value: number, probability: number])[] = Array.from(
  { length: 10 },
  (_, i) => [i + 1, i === 9 ? 4 / 13 : 1 / 13],
);
const EMPTY: Hand = { total: 0, soft: false };

/** The hand after one more card of the given value, 1 to 10. */
export function addCard({ total, soft }: Hand, value: number): Hand {
  const low = total - (soft ? 10 : 0) + value;
  return (soft || value === 1) && low + 10 <= 21
    ? { total: low + 10, soft: true }
    : { total: low, soft: false };
}

/** The hand of cards of the given values. */
export function handOf(values: readonly number[]): Hand {
  return values.reduce(addCard, EMPTY);
}

/** Chance of each final total of the dealer, by total; bust counts 0. */
type Finals = Float64Array;

const dealerMemo = new Map<string, Finals>();

function dealerFinals(hand: Hand): Finals {
  const key = `${hand.total} ${hand.soft}`;
  let finals = dealerMemo.get(key);
  if (finals === undefined) {
    finals = new Float64Array(22);
    if (hand.total >= 17) finals[hand.total > 21 ? 0 : hand.total] = 1;
    else addDealerCard(hand, finals);
    dealerMemo.set(key, finals);
  }
  return finals;
}

function addDealerCard(hand: Hand, finals: Finals): void {
  for (const [value, probability] of CARDS) {
    const next = dealerFinals(addCard(hand, value));
    for (let total = 0; total < finals.length; total++) finals[total] += probability * next[total];
  }
}

/** Odds of standing on `total`, at most 21, against the dealer's open card of value `dealer`, 1 to 10. */
export function standOdds(total: number, dealer: number): Odds {
  const finals = dealerFinals(handOf([dealer]));
  const sum = (from: number, to: number) => finals.subarray(from, to).reduce((a, b) => a + b, 0);
  return { win: sum(0, total), tie: finals[total], loss: sum(total + 1, finals.length) };
}

/** Odds of hitting once and playing on optimally. */
export function hitOdds(hand: Hand, dealer: number): Odds {
  return average((value) => {
    const next = addCard(hand, value);
    return next.total > 21 ? { win: 0, tie: 0, loss: 1 } : bestOdds(next, dealer);
  });
}

const bestMemo = new Map<string, { readonly odds: Odds; readonly hits: boolean }>();

function best(hand: Hand, dealer: number): { readonly odds: Odds; readonly hits: boolean } {
  const key = `${hand.total} ${hand.soft} ${dealer}`;
  let choice = bestMemo.get(key);
  if (choice === undefined) {
    const stand = standOdds(hand.total, dealer);
    const hit = hitOdds(hand, dealer);
    const hits = hit.win > stand.win;
    bestMemo.set(key, choice = { odds: hits ? hit : stand, hits });
  }
  return choice;
}

/** Odds of optimal play from here on. */
export function bestOdds(hand: Hand, dealer: number): Odds {
  return best(hand, dealer).odds;
}

/** Whether hitting wins more often than standing; `dealer` is the value of the open card, 1 to 10. */
export function isHitBetter(hand: Hand, dealer: number): boolean {
  return best(hand, dealer).hits;
}

/** Odds of optimal play over all deals: `win` is the ceiling of the win rate, 0.4316. */
export function ceiling(): Odds {
  return average((dealer) =>
    average((first) => average((second) => bestOdds(handOf([first, second]), dealer)))
  );
}

/** Mean over the next card. */
function average(odds: (value: number) => Odds): Odds {
  let [win, tie, loss] = [0, 0, 0];
  for (const [value, probability] of CARDS) {
    const next = odds(value);
    win += probability * next.win;
    tie += probability * next.tie;
    loss += probability * next.loss;
  }
  return { win, tie, loss };
}
