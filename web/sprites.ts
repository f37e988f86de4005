/**
 * Draws the letters and cards of the environments in Deno, for browsers, whose own type and SVG have other edges: a policy
 * then sees the same bytes everywhere.
 *
 * @module
 */
import { cardPictures } from "../envs/shared/cards.ts";
import { BOLD_FONT, type Canvas2D, createCanvas2D, REGULAR_FONT } from "../envs/shared/canvas.ts";
import {
  type Glyph,
  type GlyphStyle,
  LIGATURES,
  type Metrics,
  packSprites,
  type Sprite,
  UNITS,
} from "./host/sprite_file.ts";

/** What environments write with. Another font, size or colour is drawn by the browser. */
const STYLES = [
  { family: BOLD_FONT, pixels: 36, color: "#000000" },
  { family: BOLD_FONT, pixels: 14, color: "#000000" },
  { family: BOLD_FONT, pixels: 16, color: "#ffffff" },
  { family: REGULAR_FONT, pixels: 20, color: "#ffffff" },
  { family: REGULAR_FONT, pixels: 16, color: "#ffffff" },
] as const;

const CHARACTERS = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));

/** Widths of cards in pixels: EZPoints, Points24, and Blackjack's up to `cards` in a row. */
const CARD_WIDTHS = [135, 67, ...blackjackWidths(12)];

/** As `envs/blackjack` has it; a test compares. */
function blackjackWidths(cards: number): number[] {
  const pitches = Array.from({ length: cards - 3 }, (_, i) => Math.min(74, Math.floor(296 / (i + 4))));
  return pitches.map((pitch) => pitch - 4);
}

/** All letters. */
export async function glyphSprites(): Promise<Uint8Array<ArrayBuffer>> {
  const pixels = new Pixels();
  const styles = STYLES.map((style): GlyphStyle => {
    const canvas = createCanvas2D(4 * style.pixels, 2 * style.pixels);
    const glyphs: Record<string, Glyph> = {};
    for (const text of [...CHARACTERS, ...LIGATURES]) {
      for (let quarter = 0; quarter < 4; quarter++) {
        const glyph = drawGlyph(canvas, text, quarter, style, pixels);
        if (glyph !== null) glyphs[text + quarter] = glyph;
      }
    }
    return { ...style, font: `${style.pixels}px "${style.family}"`, glyphs };
  });
  const metrics = Object.fromEntries([BOLD_FONT, REGULAR_FONT].map((family) => [family, measure(family)]));
  return await packSprites({ styles, metrics }, pixels.all());
}

/** All cards. */
export async function cardSprites(): Promise<Uint8Array<ArrayBuffer>> {
  const pixels = new Pixels();
  const index: Record<string, Sprite> = {};
  for (const width of new Set(CARD_WIDTHS)) {
    for (const { key, image } of cardPictures(width, width === 70)) {
      const { width: columns, height } = image;
      const on = (color: string) => {
        const canvas = createCanvas2D(columns, height);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, columns, height);
        canvas.drawImage(image, 0, 0);
        return canvas.getImageData(0, 0, columns, height).data;
      };
      const [black, white] = [on("black"), on("white")];
      // On black a colour is left times its alpha; on white it is lighter by what is missing of the alpha.
      for (let i = 0; i < black.length; i += 4) black[i + 3] = 255 - (white[i] - black[i]);
      index[key] = { width: columns, height, at: pixels.add(black) };
    }
  }
  return await packSprites(index, pixels.all());
}

/** Draws a letter; null if it leaves no ink. */
function drawGlyph(
  canvas: Canvas2D,
  text: string,
  quarter: number,
  { family, pixels: size, color }: (typeof STYLES)[number],
  pixels: Pixels,
): Glyph | null {
  const margin = size, width = 4 * size, height = 2 * size, baseline = Math.ceil(1.4 * size);
  const isWhite = color === "#ffffff";
  canvas.fillStyle = isWhite ? "black" : "white";
  canvas.fillRect(0, 0, width, height);
  canvas.fillStyle = color;
  canvas.font = `${size}px "${family}"`;
  canvas.textBaseline = "alphabetic";
  canvas.fillText(text, margin + quarter / 4, baseline);
  const { data } = canvas.getImageData(0, 0, width, height);
  const coverage = Uint8Array.from(
    { length: width * height },
    (_, i) => isWhite ? data[4 * i] : 255 - data[4 * i],
  );
  let [left, top, right, bottom] = [width, height, -1, -1];
  coverage.forEach((value, i) => {
    if (value === 0) return;
    const x = i % width, y = Math.floor(i / width);
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  });
  if (right < 0) return null;
  const cut = new Uint8Array((right - left + 1) * (bottom - top + 1));
  for (let y = top; y <= bottom; y++) {
    cut.set(coverage.subarray(y * width + left, y * width + right + 1), (y - top) * (right - left + 1));
  }
  return {
    ...{ width: right - left + 1, height: bottom - top + 1, at: pixels.add(cut) },
    ...{ left: left - margin, top: top - baseline },
  };
}

/** At a size of as many pixels as the font has units, widths are whole. */
function measure(family: string): Metrics {
  const canvas = createCanvas2D(8, 8) as Canvas2D & {
    measureText(text: string): { width: number };
  };
  canvas.font = `${UNITS}px "${family}"`;
  const widthOf = (text: string) => Math.round(canvas.measureText(text).width);
  const advances = Object.fromEntries([...CHARACTERS, ...LIGATURES].map((text) => [text, widthOf(text)]));
  const kerning: Record<string, number> = {};
  for (const a of CHARACTERS) {
    for (const b of CHARACTERS) {
      if (LIGATURES.some((each) => each === a + b)) continue;
      const more = widthOf(a + b) - advances[a] - advances[b];
      if (more !== 0) kerning[a + b] = more;
    }
  }
  return { advances, kerning };
}

/** Pixels one after the other. */
class Pixels {
  readonly #parts: (Uint8Array | Uint8ClampedArray)[] = [];
  #length = 0;

  /** Adds pixels; returns the offset of their beginning. */
  add(part: Uint8Array | Uint8ClampedArray): number {
    const at = this.#length;
    this.#parts.push(part);
    this.#length += part.length;
    return at;
  }

  all(): Uint8Array {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}
