/**
 * Frames as text, for `play`.
 *
 * @module
 */

import type { Observation } from "../envs/types.ts";
import { boxResize } from "../rl/image.ts";

/** Characters from no ink to much. Frames are dark on white, so that a white pixel is a blank. */
const INK = " .:-=+*#%@";

/** Sets the terminal's own colours again. */
const RESET = "\x1b[0m";

/** How to show a frame. */
export interface TerminalImageSettings {
  /** True for 24-bit colours, false for plain ASCII. Default: true unless `NO_COLOR` is set. */
  readonly colors?: boolean;
}

/**
 * Writes a frame as text, `columns` characters wide, without a line feed at the end. In colour each character is a half block,
 * which holds two pixels, one above the other. A character cell is assumed to be twice as high as wide.
 *
 * @throws {RangeError} when `columns` is not a whole number of at least 1.
 */
export function renderToTerminal(
  observation: Observation,
  columns: number,
  { colors = !Deno.noColor }: TerminalImageSettings = {},
): string {
  const lines = Math.max(1, Math.round(columns * observation.height / observation.width / 2));
  return colors ? halfBlocks(observation, columns, lines) : ascii(observation, columns, lines);
}

function halfBlocks(observation: Observation, columns: number, lines: number): string {
  const pixels = boxResize(observation, columns, lines * 2);
  const colorAt = (x: number, y: number) => {
    const i = (y * columns + x) * 3;
    return `${pixels[i]};${pixels[i + 1]};${pixels[i + 2]}`;
  };
  return Array.from({ length: lines }, (_, line) => {
    let text = "", last = "";
    for (let x = 0; x < columns; x++) {
      const codes = `\x1b[38;2;${colorAt(x, 2 * line)};48;2;${colorAt(x, 2 * line + 1)}m`;
      text += codes === last ? "▀" : codes + "▀";
      last = codes;
    }
    return text + RESET;
  }).join("\n");
}

function ascii(observation: Observation, columns: number, lines: number): string {
  const pixels = boxResize(observation, columns, lines);
  return Array.from({ length: lines }, (_, line) => {
    let text = "";
    for (let i = line * columns * 3; i < (line + 1) * columns * 3; i += 3) {
      // Luma of ITU-R BT.709.
      const luma = (0.2126 * pixels[i] + 0.7152 * pixels[i + 1] + 0.0722 * pixels[i + 2]) / 255;
      text += INK[Math.round((1 - luma) * (INK.length - 1))];
    }
    return text.trimEnd();
  }).join("\n");
}
