import { assertEquals, assertThrows } from "@std/assert";
import { gridPicture, picture } from "../../../envs/mod.ts";

Deno.test("a grid picture has a square of pixels for each cell, row by row", () => {
  const { width, height, data } = gridPicture(["ab", "ba", "aa"], { a: [1, 2, 3], b: [4, 5, 6] }, {
    cellPixels: 2,
  });
  assertEquals([width, height], [4, 6]);
  const [a, b] = [[1, 2, 3], [4, 5, 6]];
  const rows = [[a, a, b, b], [a, a, b, b], [b, b, a, a], [b, b, a, a], [a, a, a, a], [a, a, a, a]];
  assertEquals([...data], rows.flat(2));
});

Deno.test("a grid that cannot be drawn says why", () => {
  assertThrows(() => gridPicture(["a?"], { a: [0, 0, 0] }), RangeError, '"?" has no colour');
  assertThrows(
    () => gridPicture(["aa", "a"], { a: [0, 0, 0] }),
    RangeError,
    "row 1 has 1 cells, the first has 2",
  );
  assertThrows(() => gridPicture([], {}), RangeError, "0 rows of 0 cells");
  assertThrows(() => gridPicture(["a"], { a: [0, 0, 0] }, { cellPixels: 0 }), RangeError, "of 0 pixels");
});

Deno.test("a picture of any size holds what was painted, to the last pixel", () => {
  for (const [width, height] of [[1, 1], [3, 1], [5, 5], [7, 3], [2, 2]]) {
    const { data } = picture(width, height, (canvas) => {
      canvas.fillStyle = "rgb(10, 20, 30)";
      canvas.fillRect(0, 0, 1, height);
    });
    const expected = Array.from(
      { length: width * height },
      (_, i) => i % width === 0 ? [10, 20, 30] : [255, 255, 255],
    );
    assertEquals([...data], expected.flat(), `${width} x ${height}`);
  }
});
