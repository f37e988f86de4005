/** The table of the point games: dealing cards, and drawing them with the formula below. */

import { type Canvas2D, REGULAR_FONT } from "../shared/canvas.ts";
import { type Card, drawCards, drawTable, RANKS, type Suit } from "../shared/cards.ts";
import { FRAME_PIXELS } from "../shared/frame.ts";
import type { Random } from "../shared/random.ts";

/** Largest first. */
export const descending = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => b - a);

/** The published layout: cards nine tenths of their share wide, in a row at half height. */
export function paintCards(canvas: Canvas2D, cards: readonly Card[]): void {
  const width = Math.floor(FRAME_PIXELS / cards.length * 0.9);
  const y = Math.floor((FRAME_PIXELS - Math.floor(width * 7 / 5)) / 2);
  drawTable(canvas);
  drawCards(canvas, cards, { x: 5, y, width, pitch: width * 1.1 });
}

/** Draws white text, `y` being the top of the type's ascent. */
export function paintText(canvas: Canvas2D, text: string, y: number, sizePixels: number): void {
  canvas.fillStyle = "white";
  canvas.font = `${sizePixels}px "${REGULAR_FONT}"`;
  canvas.textBaseline = "alphabetic";
  canvas.fillText(text, 10, y + Math.ceil(sizePixels * 0.928));
}

/** Suits in the published order of drawing. */
const DEALT_SUITS: readonly Suit[] = ["H", "S", "D", "C"];

/** A card of the rank at `place` (1 the ace, 13 the king) and a random suit. */
export function dealCard(place: number, random: Random): Card {
  return { suit: DEALT_SUITS[random.integer(4)], rank: RANKS[place - 1] };
}
