/**
 * The canvas factory: the one file of `envs/` that is not plain JavaScript. A browser bundle replaces it by one that returns an
 * `OffscreenCanvas` context and rasterises SVG. Its font must be loaded under the same family name.
 */

import { createCanvas, GlobalFonts } from "@napi-rs/canvas";
import { Resvg } from "@resvg/resvg-js";
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { dirname } from "node:path";
import cards from "@heruka_urgyen/react-playing-cards/package.json" with { type: "json" };
import fonts from "dejavu-fonts-ttf/package.json" with { type: "json" };

/** A raster image that `drawImage` takes; sizes in pixels. */
export interface CanvasImage {
  /** Pixels a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** The part of the standard `CanvasRenderingContext2D` that the environments draw with. */
export interface Canvas2D {
  /** Colour that is filled with. */
  fillStyle: unknown;
  /** Font of texts, as in CSS. */
  font: string;
  /** What `y` means for texts. */
  textBaseline: string;
  /** Fills a rectangle. */
  fillRect(x: number, y: number, width: number, height: number): void;
  /** Writes a text. */
  fillText(text: string, x: number, y: number): void;
  /** Draws a picture. */
  drawImage(image: CanvasImage, x: number, y: number): void;
  /** The pixels, 4 bytes each: RGBA. */
  getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
}

/** Family name of DejaVu Sans Bold. It differs from any copy on the system, so that frames are the same everywhere. */
export const BOLD_FONT = "Ponder DejaVu Sans Bold";
/** Family name of DejaVu Sans, for the same reason. */
export const REGULAR_FONT = "Ponder DejaVu Sans";

const FONT_FILES = { [BOLD_FONT]: "DejaVuSans-Bold.ttf", [REGULAR_FONT]: "DejaVuSans.ttf" };

/** Packages that hold assets. Deno installs them with any program that imports this module, since it imports their manifests. */
const ASSET_PACKAGES: readonly { readonly name: string }[] = [cards, fonts];

/**
 * Path of a file in one of the asset packages, given as `package/path`. In a package that is taken through `links`,
 * `import.meta.resolve` answers with an `npm:` URL, which is no file; the package's manifest is found either way.
 */
function assetPath(specifier: string): string {
  const name = ASSET_PACKAGES.map(({ name }) => name).find((name) => specifier.startsWith(`${name}/`));
  const manifest = name && findPackageJSON(import.meta.resolve(name), import.meta.url);
  if (!manifest) {
    throw new Error(`Cannot find the package of ${specifier}: not installed, run "deno install"`);
  }
  return dirname(manifest) + specifier.slice(name.length);
}

/** Makes a drawing context, sizes in pixels. Throws `Error` when a font cannot be loaded. */
export function createCanvas2D(width: number, height: number): Canvas2D {
  for (const [family, file] of Object.entries(FONT_FILES)) register(family, file);
  return createCanvas(width, height).getContext("2d") as Canvas2D;
}

/**
 * Loads another typeface of the DejaVu family by its file, such as `DejaVuSerif-Bold.ttf`. Returns the family name to draw with.
 * Throws `Error` when it cannot be loaded.
 */
export function loadFont(file: string): string {
  const family = `Ponder ${file}`;
  register(family, file);
  return family;
}

function register(family: string, file: string): void {
  if (GlobalFonts.has(family)) return;
  const path = assetPath(`dejavu-fonts-ttf/ttf/${file}`);
  if (GlobalFonts.registerFromPath(path, family) === null) {
    throw new Error(`Cannot load the font ${file}: ${path} is missing or damaged, run "deno install"`);
  }
}

/**
 * Rasterises an SVG file of an npm package, `width` pixels wide, after `edit` has changed its text. It uses its own SVG reader,
 * since Skia's knows no `<symbol>`. Throws `Error` when the file cannot be read.
 */
export function rasterizeSvg(specifier: string, width: number, edit: (svg: string) => string): CanvasImage {
  let svg: string;
  try {
    svg = readFileSync(assetPath(specifier), "utf8");
  } catch (cause) {
    throw new Error(`Cannot read the picture ${specifier}: file missing, run "deno install"`, { cause });
  }
  const raster = new Resvg(edit(svg), { fitTo: { mode: "width", value: width } }).render();
  const canvas = createCanvas(raster.width, raster.height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(raster.width, raster.height);
  image.data.set(raster.pixels);
  context.putImageData(image, 0, 0);
  return canvas;
}
