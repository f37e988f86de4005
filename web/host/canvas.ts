/// <reference lib="dom" />
/**
 * The canvas factory in a browser, in pages and in Workers: it stands for `envs/shared/canvas.ts`. The fonts are
 * files beside the bundle; importing this module waits until they can be drawn with.
 *
 * @module
 */
// Their URLs: the bundler makes a file of each.
import bold from "@fontsource/dejavu-sans/files/dejavu-sans-latin-700-normal.woff2" with { type: "text" };
import regular from "@fontsource/dejavu-sans/files/dejavu-sans-latin-400-normal.woff2" with { type: "text" };
import type { Canvas2D, CanvasImage } from "../../envs/shared/canvas.ts";

export type { Canvas2D, CanvasImage };

/** See `envs/shared/canvas.ts`. */
export const BOLD_FONT = "Ponder DejaVu Sans Bold";
/** See `envs/shared/canvas.ts`. */
export const REGULAR_FONT = "Ponder DejaVu Sans";

const scope = globalThis as unknown as {
  readonly fonts?: FontFaceSet;
  readonly document?: { readonly fonts: FontFaceSet };
};
const fonts = scope.fonts ?? scope.document?.fonts;
await Promise.all([[BOLD_FONT, bold], [REGULAR_FONT, regular]].map(async ([family, file]) => {
  fonts?.add(await new FontFace(family, `url(${new URL(file, import.meta.url)})`).load());
}));

/** Makes a drawing context, sizes in pixels. */
export function createCanvas2D(width: number, height: number): Canvas2D {
  return new OffscreenCanvas(width, height).getContext("2d", {
    willReadFrequently: true,
  }) as unknown as Canvas2D;
}

/** Pages come with two typefaces only. */
export function loadFont(file: string): string {
  throw new Error(`Cannot load the font ${file}: other typefaces need Deno, use look=published`);
}

/** Browsers cannot rasterise SVG at once, nor in a Worker: environments that show cards have no pictures there. */
export function rasterizeSvg(specifier: string): CanvasImage {
  throw new Error(
    `Cannot draw ${specifier}: pictures of cards need Deno, use NumberLine, Household or an environment of your own`,
  );
}
