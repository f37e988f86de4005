/** Resizing to the byte, against what the Python Imaging Library's own tests expect of it. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { resample } from "../../../rl/pretrained/resample.ts";

/** Two bright and two dark squares. */
function squares(size: number, bright = 0xe1) {
  const data = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const isBright = (x < size / 2) === (y < size / 2);
      data.fill(isBright ? bright : 255 - bright, (y * size + x) * 3, (y * size + x + 1) * 3);
    }
  }
  return { width: size, height: size, data };
}

/** The upper left quarter of a grey picture, in hexadecimal, a row a text. */
function quarter({ width, height, data }: { width: number; height: number; data: Uint8Array }): string[] {
  return Array.from(
    { length: height / 2 },
    (_, y) =>
      Array.from({ length: width / 2 }, (_, x) => data[(y * width + x) * 3].toString(16).padStart(2, "0"))
        .join(" "),
  );
}

// Source: Tests/test_image_resample.py of python-pillow/Pillow
const cases:
  readonly (readonly [name: string, filter: number, from: number, to: number, quarter: readonly string[]])[] =
    [
      ["reduce, bilinear", 2, 8, 4, ["e1 c9", "c9 b7"]],
      ["reduce, bicubic", 3, 12, 6, ["e1 e3 d4", "e3 e5 d6", "d4 d6 c9"]],
      ["reduce, Lanczos", 1, 16, 8, ["e1 e0 e4 d7", "e0 df e3 d6", "e4 e3 e7 da", "d7 d6 d9 ce"]],
      ["enlarge, bilinear", 2, 2, 4, ["e1 b0", "b0 98"]],
      ["enlarge, bicubic", 3, 4, 8, ["e1 e5 ee b9", "e5 e9 f3 bc", "ee f3 fd c1", "b9 bc c1 a2"]],
      ["enlarge, Lanczos", 1, 6, 12, [
        "e1 e0 db ed f5 b8",
        "e0 df da ec f3 b7",
        "db db d6 e7 ee b5",
        "ed ec e6 fb ff bf",
        "f5 f4 ee ff ff c4",
        "b8 b7 b4 bf c4 a0",
      ]],
    ];
for (const [name, filter, from, to, right] of cases) {
  Deno.test(`the bytes are those of the Python library: ${name}`, () => {
    assertEquals(quarter(resample(squares(from), to, to, filter)), right);
  });
}

Deno.test("channels and axes stay apart, one colour stays itself, and a size that fits changes nothing", () => {
  const data = Uint8Array.from({ length: 5 * 3 * 3 }, (_, i) => i % 3 === 0 ? 250 : i % 3 === 1 ? 7 : 100);
  for (const filter of [1, 2, 3]) {
    const { width, height, data: wide } = resample({ width: 5, height: 3, data }, 11, 2, filter);
    assertEquals([width, height], [11, 2]);
    assert(wide.every((value, i) => value === data[i % 3]));
  }
  const noise = Uint8Array.from({ length: 75 }, (_, i) => (i * 97) % 256);
  const same = resample({ width: 5, height: 5, data: noise }, 5, 5, 1);
  assertEquals(same.data, noise);
  assert(same.data !== noise, "a copy");
});

Deno.test("unknown filters and sizes that cannot be are refused", () => {
  const picture = squares(2);
  assertThrows(() => resample(picture, 2, 2, 5), RangeError, "filter 5 is unknown");
  assertThrows(() => resample(picture, 0, 2, 1), RangeError, "to 0 x 2: use whole numbers");
});
