/** Pictures of any size, for your own environments. */

import { type Canvas2D, createCanvas2D } from "./canvas.ts";
import { dropAlpha } from "./frame.ts";
import type { Observation } from "../types.ts";

/** Red, green and blue, 0 to 255 each. */
export type Color = readonly [red: number, green: number, blue: number];

/** Makes a picture of `width` x `height` pixels. `paint` draws on white, with the standard Canvas 2D calls. */
export function picture(width: number, height: number, paint: (canvas: Canvas2D) => void): Observation {
  const canvas = createCanvas2D(width, height);
  canvas.fillStyle = "white";
  canvas.fillRect(0, 0, width, height);
  paint(canvas);
  return { width, height, data: dropAlpha(canvas.getImageData(0, 0, width, height).data) };
}

/**
 * Makes a picture of cells, each a square of one colour. A text is a row, a character is a cell. It needs no canvas.
 *
 * Throws `RangeError` when rows differ in length, a character has no colour, or a cell has no pixels.
 *
 * @example
 * ```ts
 * import { gridPicture } from "@ponder/ponder/envs";
 *
 * const { width, height } = gridPicture(["A.", ".G"], {
 *   ".": [255, 255, 255],
 *   A: [200, 0, 0],
 *   G: [0, 160, 0],
 * }, { cellPixels: 16 });
 * console.log(width, height); // 32 32
 * ```
 */
export function gridPicture(
  rows: readonly string[],
  colors: Readonly<Record<string, Color>>,
  { cellPixels = 16 }: { cellPixels?: number } = {},
): Observation {
  const columns = rows[0]?.length ?? 0;
  if (columns === 0 || !Number.isInteger(cellPixels) || cellPixels < 1) {
    throw new RangeError(
      `Cannot draw a grid: ${rows.length} rows of ${columns} cells of ${cellPixels} pixels, use at least 1 of each`,
    );
  }
  const width = columns * cellPixels, height = rows.length * cellPixels;
  const data = new Uint8Array(width * height * 3);
  for (const [y, row] of rows.entries()) {
    if (row.length !== columns) {
      throw new RangeError(`Cannot draw a grid: row ${y} has ${row.length} cells, the first has ${columns}`);
    }
    const top = y * cellPixels * width * 3;
    for (let x = 0; x < columns; x++) {
      const color = colors[row[x]];
      if (color === undefined) {
        throw new RangeError(`Cannot draw a grid: ${JSON.stringify(row[x])} has no colour, give it one`);
      }
      for (let i = 0; i < cellPixels; i++) data.set(color, top + (x * cellPixels + i) * 3);
    }
    const line = data.subarray(top, top + width * 3);
    for (let i = 1; i < cellPixels; i++) data.set(line, top + i * width * 3);
  }
  return { width, height, data };
}
