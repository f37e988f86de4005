import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  type Layout,
  layOut,
  multiply,
  pictureOf,
  type Segment,
  sum,
  Tape,
  type Vlm,
} from "../../model/mod.ts";
import { projectImages } from "../../model/projector.ts";
import { encodeImages } from "../../model/vision.ts";
import { embed, reshape } from "../../model/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { loadGoldens } from "./goldens/load.ts";
import { goldenVlm } from "./goldens/model.ts";
import { goldenImages } from "./goldens/weights.ts";

/** Images of 4 tokens, a context of 32, a width of 32. */
const { config } = loadGoldens();
const C = config.width;
const imageBytes = config.imageSize ** 2 * 3;
const pixels = goldenImages(3, config.imageSize);
const pixelsOf = (index: number) => pixels.slice(index * imageBytes, (index + 1) * imageBytes);
const image = (index: number): Segment => ({
  kind: "image",
  picture: pictureOf(pixelsOf(index)),
});
const text = (...ids: number[]): Segment => ({ kind: "text", ids });

/** Two rows: text, image, text, image; and an image between texts. Both have responses. */
const sequences = [
  { prompt: [text(7, 8), image(0), text(9), image(1)], response: [20, 21, 22] },
  { prompt: [text(5), image(2), text(6)], response: [23] },
];

function rows(layout: Layout, field: "sources" | "positions"): number[][] {
  const { B, T } = layout;
  return Array.from({ length: B }, (_, b) => [...layout[field].subarray(b * T, (b + 1) * T)]);
}

Deno.test("layOut's own example is right", () => {
  const oneToken = { ...config, imageSize: 8, patchSize: 8, mergeFactor: 1 };
  const pixels = new Uint8Array(8 * 8 * 3);
  const prompt: Segment[] = [{ kind: "image", picture: pictureOf(pixels) }, text(7, 8)];
  const layout = layOut([{ prompt, response: [4, 5, 2] }], oneToken);
  assertEquals(rows(layout, "sources"), [[-1, 7, 8, 4, 5, 2, 0, 0]]);
  assertEquals([layout.prefix[0], layout.length[0], layout.R], [3, 6, 4]);
  assertEquals([...layout.readouts], [2, 3, 4, -1]);
  assertEquals([...layout.targets], [4, 5, 2, 0]);
  assertEquals([...layout.mask], [1, 1, 1, 0]);
});

Deno.test("segments take their positions in order, images their rows in the order of their segments", () => {
  const layout = layOut(sequences, config);
  assertEquals([layout.B, layout.T, layout.R, layout.images], [2, 16, 4, 3]);
  assertEquals(rows(layout, "sources"), [
    [7, 8, -1, -2, -3, -4, 9, -5, -6, -7, -8, 20, 21, 22, 0, 0],
    [5, -9, -10, -11, -12, 6, 23, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ]);
  assertEquals(rows(layout, "positions")[1], Array.from({ length: 16 }, (_, t) => t));
  assertEquals(layout.pixels, pixels);
});

Deno.test("a response token is predicted at the position before it, the value at the last prompt position", () => {
  const layout = layOut(sequences, config);
  assertEquals([...layout.prefix], [11, 6]);
  assertEquals([...layout.length], [14, 7]);
  assertEquals([...layout.readouts], [10, 11, 12, -1, 16 + 5, -1, -1, -1]);
  assertEquals([...layout.targets], [20, 21, 22, 0, 23, 0, 0, 0]);
  assertEquals([...layout.mask], [1, 1, 1, 0, 1, 0, 0, 0]);
});

Deno.test({
  name: "embedding rows come from the sources that the layout names",
  ...onGpu,
  fn: async () => {
    const vlm: Vlm = goldenVlm(await testGpu());
    const layout = layOut(sequences, config);
    using tape = new Tape(vlm.gpu, { record: false });
    const tokens = vlm.parameters.get("language.token_embedding.weight");
    const positions = vlm.parameters.get("language.position_embedding.weight");
    // Each image is encoded on its own, so that a mix-up of images in the batch shows.
    const images = [0, 1, 2].map((index) => {
      const pixels = pixelsOf(index);
      return projectImages(
        tape,
        vlm.parameters,
        config,
        encodeImages(tape, vlm.parameters, config, { pixels, images: 1 }),
      );
    });
    const together = reshape(
      tape,
      projectImages(tape, vlm.parameters, config, encodeImages(tape, vlm.parameters, config, layout)),
      [12, C],
    );
    const X = embed(tape, { tokens, positions, images: together }, {
      ...layout,
      shape: [layout.B, layout.T],
    });
    const [got, tokenRows, positionRows, ...imageRows] = await vlm.gpu.read(
      X.data,
      tokens.data,
      positions.data,
      ...images.map(({ data }) => data),
    );
    const row = (words: Float32Array, index: number) => words.subarray(index * C, (index + 1) * C);
    const wanted: [at: number, position: number, source: Float32Array][] = [
      [0, 0, row(tokenRows, 7)],
      [2, 2, row(imageRows[0], 0)],
      [5, 5, row(imageRows[0], 3)],
      [6, 6, row(tokenRows, 9)],
      [7, 7, row(imageRows[1], 0)],
      [11, 11, row(tokenRows, 20)],
      [16 + 0, 0, row(tokenRows, 5)],
      [16 + 4, 4, row(imageRows[2], 3)],
      [16 + 5, 5, row(tokenRows, 6)],
    ];
    for (const [at, position, source] of wanted) {
      const want = source.map((value, c) => value + row(positionRows, position)[c]);
      assertEquals(row(got, at), want, `row ${at}`);
    }
  },
});

Deno.test("equal images are encoded once, whichever sequences show them", () => {
  const layout = layOut([
    { prompt: [image(1), image(0)], response: [] },
    { prompt: [image(1), text(3)], response: [] },
  ], config);
  assertEquals(layout.images, 2);
  assertEquals(rows(layout, "sources"), [[-1, -2, -3, -4, -5, -6, -7, -8], [-1, -2, -3, -4, 3, 0, 0, 0]]);
  assertEquals(layout.pixels.slice(0, imageBytes), pixelsOf(1));
  assertEquals(layout.pixels.slice(imageBytes), pixelsOf(0));
});

Deno.test("images that differ in one byte stay apart, and many are rounded up to whole eights", () => {
  const variant = (index: number): Segment => {
    const pixels = new Uint8Array(imageBytes);
    pixels[imageBytes - 1 - index] = 1;
    return { kind: "image", picture: pictureOf(pixels) };
  };
  const imagesOf = (...indices: number[]) =>
    layOut(indices.map((index) => ({ prompt: [variant(index)], response: [] })), config).images;
  assertEquals(imagesOf(0, 1, 2), 3);
  const nine = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  assertEquals(imagesOf(...nine), 9);
  assertEquals(imagesOf(...nine, ...nine), 16);
  assertEquals(imagesOf(...nine, 0, 0), 11);
});

Deno.test({
  name: "a shared image gets the gradients of all who show it",
  ...onGpu,
  fn: async () => {
    const vlm: Vlm = goldenVlm(await testGpu());
    const batch = (second: number) =>
      layOut([
        { prompt: [image(0), text(4)], response: [5, 6] },
        { prompt: [image(second), text(7, 8)], response: [9] },
      ], config);
    const shared = batch(0), apart = batch(1);
    assertEquals([shared.images, apart.images], [1, 2]);
    apart.pixels.copyWithin(imageBytes, 0, imageBytes);
    const gradients: Float32Array[] = [];
    for (const layout of [shared, apart]) {
      vlm.parameters.train(() => true);
      using tape = new Tape(vlm.gpu, { record: true });
      const { logprob } = vlm.responseLogprobs(tape, vlm.hidden(tape, layout), layout, 1);
      const mask = tape.constant(layout.mask, [layout.B, layout.R], "mask");
      tape.backward(sum(tape, multiply(tape, logprob, mask)));
      gradients.push(...await vlm.gpu.read(vlm.parameters.gradients!));
    }
    const scale = gradients[1].reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
    assert(scale > 0.1);
    gradients[0].forEach((x, i) => assertAlmostEquals(x, gradients[1][i], 1e-5 * scale, `word ${i}`));
  },
});

Deno.test("positions are rounded up to few distinct sizes, but not beyond the context", () => {
  const T = (length: number) =>
    layOut([{ prompt: [text(...new Array(length).fill(4))], response: [] }], config).T;
  assertEquals([1, 4, 5, 31, 32].map(T), [4, 4, 8, 32, 32]);
  const short = { ...config, contextLength: 30 };
  assertEquals(layOut([{ prompt: [text(...new Array(29).fill(4))], response: [] }], short).T, 30);
});

Deno.test("a sequence that does not fit the context is refused", () => {
  const prompt = [image(0), text(...new Array(26).fill(4))];
  assertEquals(layOut([{ prompt, response: [4, 4] }], config).length[0], 32);
  assertThrows(
    () => layOut([{ prompt, response: [4, 4, 4] }], config),
    RangeError,
    "Cannot lay out a sequence of 33 positions: the context holds 32",
  );
});

Deno.test("an empty prompt is refused", () => {
  assertThrows(
    () => layOut([sequences[0], { prompt: [text()], response: [4] }], config),
    RangeError,
    "Cannot lay out sequence 1: its prompt is empty",
  );
});

Deno.test("an image of another size is refused", () => {
  assertThrows(
    () =>
      layOut([{ prompt: [{ kind: "image", picture: pictureOf(new Uint8Array(48)) }], response: [] }], config),
    RangeError,
    "Cannot use an image of 48 bytes: 32 x 32 RGB has 3072",
  );
});

Deno.test("an id outside the vocabulary is refused in prompts and responses", () => {
  for (const [prompt, response] of [[[32], []], [[4], [-1]]]) {
    assertThrows(
      () => layOut([{ prompt: [text(...prompt)], response }], config),
      RangeError,
      "of sequence 0: the vocabulary has ids 0 to 31",
    );
  }
});
