import { assertEquals, assertThrows } from "@std/assert";
import { renderToTerminal } from "../../commands/terminal_image.ts";

const RED = [255, 0, 0],
  BLUE = [0, 0, 255],
  WHITE = [255, 255, 255],
  BLACK = [0, 0, 0],
  GRAY = [128, 128, 128];

function frameOf(rows: number[][][]) {
  return { width: rows[0].length, height: rows.length, data: Uint8Array.from(rows.flat(2)) };
}

Deno.test("in colour a character holds two pixels, upper one in front, and each line ends with a reset", () => {
  const frame = frameOf([[RED, RED], [BLUE, BLUE], [WHITE, BLACK], [BLACK, WHITE]]);
  assertEquals(renderToTerminal(frame, 2, { colors: true }).split("\n"), [
    "\x1b[38;2;255;0;0;48;2;0;0;255m▀▀\x1b[0m",
    "\x1b[38;2;255;255;255;48;2;0;0;0m▀\x1b[38;2;0;0;0;48;2;255;255;255m▀\x1b[0m",
  ]);
});

Deno.test("without colours darkness is ink, and white at the end of a line is left out", () => {
  const rows = [[BLACK, GRAY, WHITE, WHITE], [BLACK, GRAY, WHITE, WHITE], [WHITE, WHITE, WHITE, BLACK], [
    WHITE,
    WHITE,
    WHITE,
    BLACK,
  ]];
  assertEquals(renderToTerminal(frameOf(rows), 4, { colors: false }), "@=\n   @");
});

Deno.test("a frame keeps its shape at any width", () => {
  const frame = { width: 300, height: 150, data: new Uint8Array(300 * 150 * 3) };
  for (const columns of [1, 40, 81]) {
    const lines = renderToTerminal(frame, columns, { colors: false }).split("\n");
    assertEquals(lines.length, Math.max(1, Math.round(columns / 4)));
    assertEquals(lines[0], "@".repeat(columns));
  }
  assertThrows(() => renderToTerminal(frame, 0), RangeError, "columns is 0");
});
