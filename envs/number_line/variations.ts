/**
 * What can be held out of NumberLine: pairs of numbers, targets, and a typeface. Training sees one part, evaluation the other.
 */

import { BOLD_FONT, type Canvas2D, loadFont, REGULAR_FONT } from "../shared/canvas.ts";
import { isDealt, type Part } from "../shared/held_out.ts";
import type { Random } from "../shared/random.ts";

/**
 * Is a pair of current number and target one of those held out? Of every five numbers one is held out beside each target: on the
 * published line 5 0, 3 1, 1 2, 4 3, 2 4 and 0 5, so that each number is seen on both sides.
 */
export function isHeldOutPair(current: number, target: number): boolean {
  return current !== target && (current + 2 * target) % 5 === 0;
}

/** Is a target one of those held out? They are 3, 7, 13, 17 and so on. */
export function isHeldOutTarget(target: number): boolean {
  return target % 10 === 3 || target % 10 === 7;
}

/** Which deals an environment has. */
export interface Parts {
  readonly pairs: Part;
  readonly targets: Part;
}

/** Is a deal one of these parts? */
export function isPartOf({ pairs, targets }: Parts, current: number, target: number): boolean {
  return isDealt(pairs, () => isHeldOutPair(current, target)) &&
    isDealt(targets, () => isHeldOutTarget(target));
}

/** Throws `RangeError` if a line has no deal of these parts. What is held out repeats after ten numbers. */
export function requireDeals(parts: Parts, maxPosition: number): void {
  for (let target = 0; target <= Math.min(maxPosition, 20); target++) {
    for (let current = 0; current <= Math.min(maxPosition, 20); current++) {
      if (current !== target && isPartOf(parts, current, target)) return;
    }
  }
  throw new RangeError(
    `Cannot make NumberLine: to ${maxPosition} there is no deal with pairs ${parts.pairs} and targets ${parts.targets}, use a larger maxPosition`,
  );
}

/** How pictures look: as published; with typefaces, sizes and places that vary; or the same with a typeface held out. */
export const LOOKS = ["published", "varied", "held-out"] as const;
/** One of {@linkcode LOOKS}. */
export type LookKind = typeof LOOKS[number];

/** How one episode's pictures look. Lengths are in pixels. */
export interface Look {
  readonly font: string;
  readonly size: number;
  readonly x: number;
  readonly targetY: number;
  readonly currentY: number;
}

/** Type size and baselines measured on the published frames; the hinting of their type is not reproduced. */
const PUBLISHED: Look = { font: BOLD_FONT, size: 36, x: 30, targetY: 94, currentY: 214 };

/** Files of typefaces of their own; their families are named for them. */
const VARIED = [
  "DejaVuSansMono-Bold.ttf",
  "DejaVuSansCondensed-Bold.ttf",
  "DejaVuSans-BoldOblique.ttf",
  "DejaVuSansMono.ttf",
] as const;
const HELD_OUT = "DejaVuSerif-Bold.ttf";

/** Draws how an episode looks. */
export function drawLook(kind: LookKind, random: Random): Look {
  if (kind === "published") return PUBLISHED;
  const place = random.integer(VARIED.length + 2);
  const size = 32 + random.integer(7);
  return {
    font: kind === "held-out" ? loadFont(HELD_OUT) : fontAt(place),
    size,
    x: 6 + random.integer(16),
    targetY: 82 + random.integer(25),
    currentY: 202 + random.integer(25),
  };
}

const fontAt = (place: number): string =>
  place < VARIED.length ? loadFont(VARIED[place]) : place === VARIED.length ? BOLD_FONT : REGULAR_FONT;

/** Names what a look shows, for the key of a frame; empty for the published one. */
export function lookKey(look: Look): string {
  return look === PUBLISHED ? "" : ` ${Object.values(look).join(" ")}`;
}

/** Draws the numbers; a target of null is not in the picture. */
export function paint(canvas: Canvas2D, current: number, target: number | null, look: Look): void {
  canvas.fillStyle = "black";
  canvas.font = `${look.size}px "${look.font}"`;
  canvas.textBaseline = "alphabetic";
  if (target !== null) canvas.fillText(`Target: ${target}`, look.x, look.targetY);
  canvas.fillText(`Current: ${current}`, look.x, look.currentY);
}
