/**
 * Playing cards: names, values and pictures, shared by the card games.
 *
 * A card is named suit first, as in the published records: `H2`, `DT`, `SA`.
 */

import { type Canvas2D, type CanvasImage, rasterizeSvg } from "./canvas.ts";
import { FRAME_PIXELS } from "./frame.ts";

/** Clubs, diamonds, hearts, spades. */
export const SUITS = ["C", "D", "H", "S"] as const;
/** Ace to king; `T` is the ten. */
export const RANKS = ["A", "2", "3", "4", "5", "6", "7", "8", "9", "T", "J", "Q", "K"] as const;

/** One of the four suits. */
export type Suit = (typeof SUITS)[number];
/** One of the thirteen ranks. */
export type Rank = (typeof RANKS)[number];

/** A playing card. */
export interface Card {
  /** Which of the four suits. */
  readonly suit: Suit;
  /** Which rank. */
  readonly rank: Rank;
}

/** What jack, queen and king count: ten each, as published, or 11, 12 and 13 as out of distribution. */
export type FaceValue = "ten" | "11-13";

/** The 52 cards, suit by suit, ace to king. */
export const DECK: readonly Card[] = Object.freeze(
  SUITS.flatMap((suit) => RANKS.map((rank) => Object.freeze({ suit, rank }))),
);

const BY_NAME: ReadonlyMap<string, Card> = new Map(DECK.map((card) => [cardName(card), card]));

/** `H2`, `DT`. */
export function cardName({ suit, rank }: Card): string {
  return suit + rank;
}

/** The card of a name; undefined if there is none. */
export function findCard(name: unknown): Card | undefined {
  return typeof name === "string" ? BY_NAME.get(name) : undefined;
}

/** Points of a card, the ace counting 1: 1 to 10, or to 13 with `faceValue` `11-13`. */
export function cardValue({ rank }: Card, faceValue: FaceValue = "ten"): number {
  const place = RANKS.indexOf(rank) + 1;
  return faceValue === "ten" ? Math.min(place, 10) : place;
}

/** Green of the published table. */
const TABLE_COLOR = "rgb(53, 101, 77)";

/** Fills the frame with the table's green. */
export function drawTable(canvas: Canvas2D): void {
  canvas.fillStyle = TABLE_COLOR;
  canvas.fillRect(0, 0, FRAME_PIXELS, FRAME_PIXELS);
}

/** Draws a face, or the back for `null`, with its upper left corner at (x, y), `width` wide and 1.4 times as high. */
export function drawCard(canvas: Canvas2D, card: Card | null, x: number, y: number, width: number): void {
  canvas.drawImage(picture(card, width), x, y);
}

/** Draws cards in a row, `pitch` pixels from one left edge to the next, rounded down; later ones lie on top. */
export function drawCards(
  canvas: Canvas2D,
  cards: readonly (Card | null)[],
  { x, y, width, pitch }: { x: number; y: number; width: number; pitch: number },
): void {
  for (const [i, card] of cards.entries()) {
    drawCard(canvas, card, Math.floor(x + i * pitch), y, width);
  }
}

// Faces: Adrian Kennard's, CC0, as packed by react-playing-cards.
const IMAGES = "@heruka_urgyen/react-playing-cards/src/images";

const pictures = new Map<string, CanvasImage>();

const fileOf = (card: Card | null): string =>
  `${IMAGES}/${card === null ? "back" : `2color/${card.rank}${card.suit}`}.svg`;

/** Rasterised once a card and width. */
function picture(card: Card | null, width: number): CanvasImage {
  const key = `${fileOf(card)} ${width}`;
  let image = pictures.get(key);
  if (image === undefined) {
    image = rasterizeSvg(fileOf(card), width, card === null ? editBack : editFace);
    pictures.set(key, image);
  }
  return image;
}

/** The pictures of all cards at a width, and of the back if asked for, by file and width: for those who cannot read SVG. */
export function cardPictures(width: number, withBack: boolean): { key: string; image: CanvasImage }[] {
  return [...DECK, ...withBack ? [null] : []].map((card) => ({
    key: `${fileOf(card)} ${width}`,
    image: picture(card, width),
  }));
}

/** The published faces have no outline, and a darker red. */
function editFace(svg: string): string {
  return withoutOutline(svg).replaceAll('"red"', '"#c0242a"');
}

/** The published back is a fine pattern in dark blue. */
function editBack(svg: string): string {
  const dots = '<path d="M3 0L6 3L3 6L0 3Z" fill="black">';
  return withoutOutline(svg)
    .replace(
      dots,
      '<rect width="6" height="6" fill="#948fb4"></rect><path d="M3 0L6 3L3 6L0 3Z" fill="#26205a">',
    );
}

function withoutOutline(svg: string): string {
  return svg.replace(
    '<rect width="239" height="335" x="-119.5" y="-167.5" rx="12" ry="12" fill="white" stroke="black">',
    '<rect width="240" height="336" x="-120" y="-168" rx="8" ry="8" fill="white">',
  );
}
