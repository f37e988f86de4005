/**
 * From prompts and responses to the arrays a batch needs: where each position's embedding comes from, what it may
 * see, and which positions predict the response.
 *
 * @module
 */
import { roundUp } from "../kernels/gpu/mod.ts";
import { deriveSizes, type VlmConfig } from "./config.ts";

/** A piece of a prompt: token ids, or an image of imageSize x imageSize RGB bytes. */
export type Segment =
  | { readonly kind: "text"; readonly ids: readonly number[] }
  | { readonly kind: "image"; readonly pixels: Uint8Array };

/** A prompt and what the model answered, or nothing yet. */
export interface Sequence {
  readonly prompt: readonly Segment[];
  readonly response: readonly number[];
}

/** A batch laid out for the model. Rows are padded on the right to T, responses to R. */
export interface Layout {
  readonly B: number;
  readonly T: number;
  readonly R: number;
  /** (images, imageSize, imageSize, 3) bytes, in the order of their segments. */
  readonly pixels: Uint8Array;
  readonly images: number;
  /** (B*T) token id, or -row-1 of the image tokens. */
  readonly sources: Int32Array;
  /** (B*T) */
  readonly positions: Int32Array;
  /** (B) positions of the prompt, images included. */
  readonly prefix: Uint32Array;
  /** (B) positions of prompt and response. */
  readonly length: Uint32Array;
  /** (B*R) row of the hidden states that predicts a response token, -1 for padding. */
  readonly predictors: Int32Array;
  /** (B*R) the response's token ids, 0 for padding. */
  readonly targets: Uint32Array;
  /** (B*R) 1 for response tokens, 0 for padding. */
  readonly mask: Float32Array;
  /** (B) row of the hidden state at the last prompt position, where the value is read. */
  readonly lastPrompt: Int32Array;
}

/** Sizes are rounded up to this many positions, so that few distinct shapes occur. */
const POSITION_BUCKET = 4;

/**
 * Lays out a batch.
 *
 * @throws {RangeError} when a sequence is longer than the context or has an empty prompt, an image is of another size,
 * or an id is not in the vocabulary.
 */
export function layOut(sequences: readonly Sequence[], config: VlmConfig): Layout {
  const { imageTokens } = deriveSizes(config);
  const imageBytes = config.imageSize ** 2 * 3;
  const B = sequences.length;
  const prefix = Uint32Array.from(
    sequences,
    ({ prompt }) =>
      prompt.reduce((n, part) => n + (part.kind === "image" ? imageTokens : part.ids.length), 0),
  );
  const length = Uint32Array.from(sequences, ({ response }, b) => prefix[b] + response.length);
  const longest = length.reduce((a, b) => Math.max(a, b), 0);
  const longestResponse = sequences.reduce((n, { response }) => Math.max(n, response.length), 0);
  if (longest > config.contextLength) {
    throw new RangeError(
      `Cannot lay out a sequence of ${longest} positions: the context holds ${config.contextLength}`,
    );
  }
  const T = Math.min(roundUp(longest, POSITION_BUCKET), config.contextLength);
  const R = roundUp(longestResponse, 2);

  const images = sequences.flatMap(({ prompt }) => prompt.filter((part) => part.kind === "image"));
  const pixels = new Uint8Array(images.length * imageBytes);
  images.forEach((image, index) => {
    if (image.pixels.length !== imageBytes) {
      throw new RangeError(
        `Cannot use an image of ${image.pixels.length} bytes: ${config.imageSize} x ${config.imageSize} RGB has ${imageBytes}`,
      );
    }
    pixels.set(image.pixels, index * imageBytes);
  });

  const sources = new Int32Array(B * T);
  const positions = new Int32Array(B * T);
  const predictors = new Int32Array(B * R).fill(-1);
  const targets = new Uint32Array(B * R);
  const mask = new Float32Array(B * R);
  const lastPrompt = new Int32Array(B);
  let imageRow = 0;
  sequences.forEach(({ prompt, response }, b) => {
    if (prefix[b] === 0) throw new RangeError(`Cannot lay out sequence ${b}: its prompt is empty`);
    let t = b * T;
    const known = (id: number) => {
      if (id >= 0 && id < config.vocabularySize) return id;
      throw new RangeError(
        `Cannot lay out token ${id} of sequence ${b}: the vocabulary has ids 0 to ${
          config.vocabularySize - 1
        }`,
      );
    };
    for (const part of prompt) {
      if (part.kind === "text") { for (const id of part.ids) sources[t++] = known(id); }
      else for (let i = 0; i < imageTokens; i++) sources[t++] = -(imageRow++) - 1;
    }
    lastPrompt[b] = t - 1;
    response.forEach((id, r) => {
      predictors[b * R + r] = t - 1;
      targets[b * R + r] = id;
      mask[b * R + r] = 1;
      sources[t++] = known(id);
    });
    for (let position = 0; position < T; position++) positions[b * T + position] = position;
  });
  return {
    B,
    T,
    R,
    pixels,
    images: images.length,
    sources,
    positions,
    prefix,
    length,
    predictors,
    targets,
    mask,
    lastPrompt,
  };
}
