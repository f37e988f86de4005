/**
 * The canvas factory: the one file of `envs/` that is not plain JavaScript. A browser bundle swaps it for one that
 * returns an `OffscreenCanvas` context and has the font loaded under the same family name.
 */

import { createCanvas, GlobalFonts } from "@napi-rs/canvas";
import { fileURLToPath } from "node:url";

/** The part of the standard `CanvasRenderingContext2D` that the environments draw with. */
export interface Canvas2D {
  fillStyle: unknown;
  font: string;
  textBaseline: string;
  fillRect(x: number, y: number, width: number, height: number): void;
  fillText(text: string, x: number, y: number): void;
  getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
}

/** Family name of DejaVu Sans Bold, apart from any copy that the system has, so that frames are the same everywhere. */
export const BOLD_FONT = "Ponder DejaVu Sans Bold";

/** Makes a drawing context, sizes in pixels. Throws `Error` when the font cannot be loaded. */
export function createCanvas2D(width: number, height: number): Canvas2D {
  if (!GlobalFonts.has(BOLD_FONT)) {
    const path = fileURLToPath(import.meta.resolve("dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf"));
    if (GlobalFonts.registerFromPath(path, BOLD_FONT) === null) {
      throw new Error(
        `Cannot load the font DejaVu Sans Bold: ${path} is missing or damaged, run "deno install"`,
      );
    }
  }
  return createCanvas(width, height).getContext("2d");
}
