/** Contact sheets: frames of environments side by side, as a PNG. */

import { encode } from "fast-png";
import { BOLD_FONT, createCanvas2D } from "./shared/canvas.ts";
import { FRAME_PIXELS } from "./shared/frame.ts";
import type { Environment, Observation } from "./types.ts";

export interface SheetSettings {
  /** Frames of each environment; 6 by default. */
  readonly columns?: number;
  /** Seed of the first episode; 0 by default. */
  readonly seed?: number;
}

const GAP_PIXELS = 12;
const TITLE_PIXELS = 40;

/**
 * Makes a PNG with a row for each environment: its name above the frames of solved episodes, one after the other. Without a solver
 * the episodes are random. Throws `RangeError` unless `columns` is an integer from 1 to 50 and every frame is 300 x 300.
 */
export function contactSheet(
  envs: readonly Environment[],
  { columns = 6, seed = 0 }: SheetSettings = {},
): Uint8Array {
  if (!Number.isInteger(columns) || columns < 1 || columns > 50) {
    throw new RangeError(`Cannot make a contact sheet: columns is ${columns}, use an integer from 1 to 50`);
  }
  const width = GAP_PIXELS + columns * (FRAME_PIXELS + GAP_PIXELS);
  const rowHeight = TITLE_PIXELS + FRAME_PIXELS + GAP_PIXELS;
  const sheet: Observation = {
    width,
    height: rowHeight * envs.length,
    data: new Uint8Array(width * rowHeight * envs.length * 3),
  };
  for (const [row, env] of envs.entries()) {
    const top = row * rowHeight;
    paste(sheet, title(env.name, width, rowHeight), 0, top);
    for (const [column, frame] of solvedFrames(env, columns, seed).entries()) {
      if (frame.width !== FRAME_PIXELS || frame.height !== FRAME_PIXELS) {
        throw new RangeError(
          `Cannot put ${env.name} on a contact sheet: its frame is ${frame.width} x ${frame.height}, ` +
            `use ${FRAME_PIXELS} x ${FRAME_PIXELS}`,
        );
      }
      paste(sheet, frame, GAP_PIXELS + column * (FRAME_PIXELS + GAP_PIXELS), top + TITLE_PIXELS);
    }
  }
  return encode({ ...sheet, channels: 3 });
}

/** The next `count` frames of episodes that the solver plays (random actions if there is none), each with the next seed. */
function solvedFrames(env: Environment, count: number, seed: number): Observation[] {
  const frames: Observation[] = [];
  let isOver = true;
  while (frames.length < count) {
    if (isOver) {
      frames.push(env.reset({ seed: seed++ }).observation);
      isOver = false;
      continue;
    }
    const { observation, terminated, truncated } = env.step(env.solve?.() ?? env.randomAction());
    isOver = terminated || truncated;
    // If the last action changes nothing that is shown, one frame is enough.
    if (observation !== frames.at(-1)) frames.push(observation);
  }
  return frames;
}

function title(name: string, width: number, height: number): Observation {
  const canvas = createCanvas2D(width, height);
  canvas.fillStyle = "rgb(235, 235, 235)";
  canvas.fillRect(0, 0, width, height);
  canvas.fillStyle = "black";
  canvas.font = `22px "${BOLD_FONT}"`;
  canvas.textBaseline = "alphabetic";
  canvas.fillText(name, GAP_PIXELS, 29);
  const rgba = canvas.getImageData(0, 0, width, height).data;
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, (_, i) => rgba[pixel(i)]) };
}

/** The place of byte `i` of an RGB picture in the RGBA picture. */
function pixel(i: number): number {
  return Math.floor(i / 3) * 4 + i % 3;
}

function paste(sheet: Observation, picture: Observation, x: number, y: number): void {
  const stride = picture.width * 3;
  for (let row = 0; row < picture.height; row++) {
    const line = picture.data.subarray(row * stride, (row + 1) * stride);
    sheet.data.set(line, ((y + row) * sheet.width + x) * 3);
  }
}
