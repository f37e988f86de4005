/**
 * Files of sprites: letters and cards as Deno draws them, to be put together in a browser. They are made when the page is
 * bundled, by `web/sprites.ts`.
 *
 * @module
 */

/** A rectangle of pixels in the file. */
export interface Sprite {
  readonly width: number;
  readonly height: number;
  /** Byte that its rows begin at. */
  readonly at: number;
}

/** A letter at one of the four places between two pixels that it may begin at: its coverage, a byte a pixel. */
export interface Glyph extends Sprite {
  /** From the pixel that it begins in, and from the baseline. */
  readonly left: number;
  readonly top: number;
}

/** A font in a size and a colour; how soft edges are depends on the colour. */
export interface GlyphStyle {
  /** As `font` of a canvas says. */
  readonly font: string;
  /** `#rrggbb`. */
  readonly color: string;
  /** Key into the metrics. */
  readonly family: string;
  readonly pixels: number;
  /** By letters and quarter: `A0`. */
  readonly glyphs: Readonly<Record<string, Glyph>>;
}

/** How far letters are from each other, in parts of {@linkcode UNITS} of the font's size. */
export interface Metrics {
  readonly advances: Readonly<Record<string, number>>;
  /** By pair, what is added between them; absent for none. */
  readonly kerning: Readonly<Record<string, number>>;
}

/** What a file of letters says of its pixels. */
export interface GlyphIndex {
  readonly styles: readonly GlyphStyle[];
  readonly metrics: Readonly<Record<string, Metrics>>;
}

/** What a file of pictures says: pictures by specifier and width, four bytes a pixel, the colours times their alpha. */
export type PictureIndex = Readonly<Record<string, Sprite>>;

/** Units of a font: its size has so many. */
export const UNITS = 2048;

/** Letters that are drawn as one, the longest first. */
export const LIGATURES = ["ffi", "ffl", "ff", "fi", "fl"] as const;

/** Packs an index and pixels, compressed. */
export async function packSprites(index: unknown, pixels: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const text = new TextEncoder().encode(JSON.stringify(index));
  const all = new Uint8Array(4 + text.length + pixels.length);
  new DataView(all.buffer).setUint32(0, text.length, true);
  all.set(text, 4);
  all.set(pixels, 4 + text.length);
  return await through(all, new CompressionStream("deflate"));
}

/** Reads what {@linkcode packSprites} packed. */
export async function unpackSprites<Index>(
  packed: Uint8Array<ArrayBuffer>,
): Promise<{ index: Index; pixels: Uint8Array }> {
  const all = await through(packed, new DecompressionStream("deflate"));
  const length = new DataView(all.buffer).getUint32(0, true);
  const index = JSON.parse(new TextDecoder().decode(all.subarray(4, 4 + length)));
  return { index, pixels: all.subarray(4 + length) };
}

async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: CompressionStream | DecompressionStream,
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}
