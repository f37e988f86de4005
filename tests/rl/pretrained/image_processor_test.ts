/** Pictures as the family's image processor makes them. */
import { assertEquals, assertThrows } from "@std/assert";
import { imagePrompt, readImageProcessor, tilesOf } from "../../../rl/pretrained/image_processor.ts";

/** As SmolVLM-256M's, with sides of an eighth. */
const SMOL = {
  do_convert_rgb: true,
  do_image_splitting: true,
  do_normalize: true,
  do_pad: true,
  do_rescale: true,
  do_resize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
  image_processor_type: "Idefics3ImageProcessor",
  max_image_size: { longest_edge: 64 },
  resample: 1,
  rescale_factor: 0.00392156862745098,
  size: { longest_edge: 256 },
};

const noise = (width: number, height: number) => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7919) % 251),
});

Deno.test("a picture of the model's size is left as it is, one tile whatever the file says", () => {
  const frame = noise(64, 64);
  const processor = readImageProcessor({ ...SMOL, size: { longest_edge: 64 } }, 64);
  const { rows, columns, pictures } = tilesOf(frame, processor);
  assertEquals([rows, columns, pictures.length], [0, 0, 1]);
  assertEquals(pictures[0].pixels, frame.data);
  assertEquals(tilesOf(frame, readImageProcessor(undefined, 64)).pictures[0].pixels, frame.data);
});

Deno.test("a square picture that is split costs 17 times the tokens of one tile", () => {
  const { rows, columns, pictures } = tilesOf(noise(75, 75), readImageProcessor(SMOL, 64, true));
  assertEquals([rows, columns, pictures.length], [4, 4, 17]);
  assertEquals(pictures.every(({ pixels }) => pixels.length === 64 * 64 * 3), true);
});

Deno.test("tiles are cut row by row, the whole comes last", () => {
  // Left half black, right half white: 128 x 64 of two tiles, without a first resize.
  const data = new Uint8Array(128 * 64 * 3);
  for (let i = 0; i < data.length; i++) data[i] = (Math.floor(i / 3) % 128) < 64 ? 0 : 255;
  const processor = readImageProcessor({ ...SMOL, do_resize: false }, 64, true);
  const { rows, columns, pictures } = tilesOf({ width: 128, height: 64, data }, processor);
  assertEquals([rows, columns], [1, 2]);
  assertEquals(pictures.map(({ pixels }) => pixels[0]), [0, 255, 0]);
  assertEquals(pictures[2].pixels.at(-1), 255);
});

Deno.test("wide and high pictures keep their proportions when they are split", () => {
  const shape = (width: number, height: number) => {
    const { rows, columns } = tilesOf(noise(width, height), readImageProcessor(SMOL, 64, true));
    return [rows, columns];
  };
  assertEquals(shape(100, 50), [2, 4]);
  assertEquals(shape(30, 90), [4, 2]);
});

Deno.test("the prompt's text is the family's", () => {
  assertEquals(
    imagePrompt({ rows: 0, columns: 0 }, 2),
    "<fake_token_around_image><global-img><image><image><fake_token_around_image>",
  );
  assertEquals(
    imagePrompt({ rows: 2, columns: 1 }, 1),
    "<fake_token_around_image><row_1_col_1><image>\n<fake_token_around_image><row_2_col_1><image>\n" +
      "\n<fake_token_around_image><global-img><image><fake_token_around_image>",
  );
});

Deno.test("a processor of another family is refused by the field that says so", () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ image_mean: [0.48, 0.46, 0.41] }, "image_mean is a list of 3"],
    [{ do_normalize: false }, "do_normalize is false"],
    [{ rescale_factor: 1 }, "rescale_factor is 1"],
    [{ max_image_size: { longest_edge: 32 } }, "the model's 64"],
    [{ resample: 0 }, "resample is 0"],
    [{ size: { longest_edge: 1e9 } }, "size.longest_edge is 1000000000"],
    [{ size: { height: 64, width: 64 } }, "size.longest_edge is undefined"],
  ];
  for (const [change, message] of cases) {
    assertThrows(() => readImageProcessor({ ...SMOL, ...change }, 64), RangeError, message);
  }
});
