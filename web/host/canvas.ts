/// <reference lib="dom" />
/**
 * The canvas factory in a browser, in pages and in Workers: it stands for `envs/shared/canvas.ts`. Letters and cards are
 * those that Deno drew when the page was bundled, so that a policy sees the same bytes. Importing this module waits for the
 * letters; {@linkcode loadPictures} loads the cards.
 *
 * @module
 */
// The URLs of sprites: the bundler makes a file of each.
import cardFile from "./cards.sprites.json" with { type: "text" };
import glyphFile from "./glyphs.sprites.json" with { type: "text" };
import type { Canvas2D, CanvasImage } from "../../envs/shared/canvas.ts";
import {
  type GlyphIndex,
  type GlyphStyle,
  LIGATURES,
  type PictureIndex,
  UNITS,
  unpackSprites,
} from "./sprite_file.ts";

export type { Canvas2D, CanvasImage };

/** See `envs/shared/canvas.ts`. */
export const BOLD_FONT = "Ponder DejaVu Sans Bold";
/** See `envs/shared/canvas.ts`. */
export const REGULAR_FONT = "Ponder DejaVu Sans";

/** What the browser writes with when a font, size or colour has no sprites. */
const FALLBACKS: Readonly<Record<string, string>> = {
  [BOLD_FONT]: 'bold $1 "DejaVu Sans", Verdana, sans-serif',
  [REGULAR_FONT]: '$1 "DejaVu Sans", Verdana, sans-serif',
};

async function load<Index>(file: string): Promise<{ index: Index; pixels: Uint8Array }> {
  const response = await fetch(new URL(file, import.meta.url));
  if (!response.ok) throw new Error(`Cannot load ${file}: ${response.status} ${response.statusText}`);
  return await unpackSprites<Index>(new Uint8Array(await response.arrayBuffer()));
}

const letters = await load<GlyphIndex>(glyphFile);

/** Colours times their alpha, four bytes a pixel. */
interface Picture extends CanvasImage {
  readonly data: Uint8Array;
}

let pictures: Promise<void> | null = null;
let known: ReadonlyMap<string, Picture> | null = null;

/** Loads the pictures of cards, once. Environments that show cards draw only afterwards. */
export function loadPictures(): Promise<void> {
  return pictures ??= load<PictureIndex>(cardFile).then(({ index, pixels }) => {
    known = new Map(
      Object.entries(index).map(([key, { width, height, at }]) => [
        key,
        { width, height, data: pixels.subarray(at, at + 4 * width * height) },
      ]),
    );
  });
}

/** Finds the picture that Deno rasterised. */
export function rasterizeSvg(specifier: string, width: number): CanvasImage {
  if (known === null) {
    throw new Error(`Cannot draw ${specifier}: its pictures are not there yet, await loadPictures() first`);
  }
  const picture = known.get(`${specifier} ${width}`);
  if (picture !== undefined) return picture;
  throw new Error(`Cannot draw ${specifier}: no picture is ${width} pixels wide, in Deno it is drawn`);
}

/** Pages come with the letters of two typefaces only. */
export function loadFont(file: string): string {
  throw new Error(`Cannot load the font ${file}: other typefaces need Deno, use look=published`);
}

/** Makes a drawing context, sizes in pixels. */
export function createCanvas2D(width: number, height: number): Canvas2D {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  const fillText = context.fillText.bind(context);
  const drawImage = context.drawImage.bind(context) as (image: unknown, x: number, y: number) => void;
  return Object.assign(context as unknown as Canvas2D, {
    fillText(text: string, x: number, y: number): void {
      const { font, fillStyle, textBaseline } = context;
      const style = letters.index.styles.find((each) => each.font === font && each.color === fillStyle);
      const isDrawn = style !== undefined && textBaseline === "alphabetic" && Number.isInteger(y) &&
        /^[ -~]*$/.test(text);
      if (isDrawn) return write(context, style, text, x, y);
      const [, size, family] = /^(\S+) "?([^"]*)"?$/.exec(font) ?? [];
      context.font = FALLBACKS[family]?.replace("$1", size) ?? font;
      fillText(text, x, y);
      context.font = font;
    },
    drawImage(image: CanvasImage, x: number, y: number): void {
      if ("data" in image) paste(context, image as Picture, x, y);
      else drawImage(image, x, y);
    },
  });
}

/** Divides by 255 as Skia does when it draws letters. */
const divide = (value: number): number => (value + 255) >> 8;

function write(
  context: OffscreenCanvasRenderingContext2D,
  { color, family, pixels: size, glyphs }: GlyphStyle,
  text: string,
  x: number,
  y: number,
): void {
  const { advances, kerning } = letters.index.metrics[family];
  const ink = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  const area = context.getImageData(0, 0, context.canvas.width, context.canvas.height);
  let units = 0;
  for (let i = 0; i < text.length;) {
    const drawn = LIGATURES.find((each) => text.startsWith(each, i)) ?? text[i];
    const quarters = Math.floor(4 * (x + units * size / UNITS) + 0.5);
    const glyph = glyphs[drawn + (quarters & 3)];
    if (glyph !== undefined) {
      for (let row = 0; row < glyph.height; row++) {
        for (let column = 0; column < glyph.width; column++) {
          const to = [(quarters >> 2) + glyph.left + column, y + glyph.top + row];
          if (to[0] < 0 || to[1] < 0 || to[0] >= area.width || to[1] >= area.height) continue;
          const coverage = letters.pixels[glyph.at + row * glyph.width + column];
          const at = 4 * (to[1] * area.width + to[0]);
          for (let c = 0; c < 3; c++) {
            area.data[at + c] = divide(ink[c] * coverage + area.data[at + c] * (255 - coverage));
          }
        }
      }
    }
    i += drawn.length;
    units += advances[drawn] + (i < text.length ? kerning[text[i - 1] + text[i]] ?? 0 : 0);
  }
  context.putImageData(area, 0, 0);
}

function paste(
  context: OffscreenCanvasRenderingContext2D,
  { width, height, data }: Picture,
  x: number,
  y: number,
): void {
  const area = context.getImageData(x, y, width, height);
  for (let i = 0; i < area.data.length; i += 4) {
    // Skia's way for pictures, which rounds otherwise than for letters.
    const rest = 255 - data[i + 3];
    for (let c = 0; c < 3; c++) area.data[i + c] = data[i + c] + Math.round(area.data[i + c] * rest / 255);
    area.data[i + 3] = 255;
  }
  context.putImageData(area, x, y);
}
