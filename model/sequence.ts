/**
 * Lays prompts and responses out as the arrays of a batch. They say where each position's embedding comes from, which positions it
 * may see, and which positions predict the response.
 *
 * @module
 */
import { roundUp } from "../kernels/gpu/mod.ts";
import { deriveSizes, type VlmConfig } from "./config.ts";
import type { Picture } from "./picture.ts";

/** A piece of a prompt: token ids, or an image of imageSize x imageSize pixels. */
export type Segment =
  | { readonly kind: "text"; readonly ids: readonly number[] }
  | { readonly kind: "image"; readonly picture: Picture };

/** A prompt and the model's response, which is empty if there is none yet. */
export interface Sequence {
  /** Texts and images in order; not empty. */
  readonly prompt: readonly Segment[];
  /** Token ids. */
  readonly response: readonly number[];
}

/** A batch laid out for the model. Rows are padded on the right to T, responses to R. */
export interface Layout {
  /** Sequences. */
  readonly B: number;
  /** Positions of the longest sequence, rounded up. */
  readonly T: number;
  /** Tokens of the longest response, rounded up; 0 without responses. */
  readonly R: number;
  /** (images, imageSize, imageSize, 3) bytes, in the order of their first segments: equal images are encoded once. */
  readonly pixels: Uint8Array;
  /** (images, P, C) image tokens, if they are known; there are then no pixels. */
  readonly features?: Float32Array;
  /** Distinct images, and repetitions of the first up to a multiple of `IMAGE_BUCKET`. */
  readonly images: number;
  /** (B*T) token id, or -row-1 of the image tokens. */
  readonly sources: Int32Array;
  /** (B*T) */
  readonly positions: Int32Array;
  /** (B) positions of the prompt, images included. */
  readonly prefix: Uint32Array;
  /** (B) positions of prompt and response. */
  readonly length: Uint32Array;
  /**
   * (B*max(R,1)) row of (B*T) whose last hidden state is read: the position that predicts each response token; -1 for
   * padding. The first of a sequence is the last prompt position. The value is read there too.
   */
  readonly readouts: Int32Array;
  /** (B*R) the response's token ids, 0 for padding. */
  readonly targets: Uint32Array;
  /** (B*R) 1 for response tokens, 0 for padding. */
  readonly mask: Float32Array;
}

/** Sizes are rounded up to this many positions, so that few distinct shapes occur. */
const POSITION_BUCKET = 4;
/** Above this number distinct images are rounded up to its multiples, up to the number of all images. */
const IMAGE_BUCKET = 8;

/**
 * Lays out a batch. An image of P = 1 token, two words of prompt and three of response become T = 8 positions:
 *
 *     position     0      1      2      3      4      5      6      7
 *     holds        image  id 7   id 8   id 4   id 5   id 2   padding
 *     sources      -1     7      8      4      5      2      0      0
 *     predicts                   id 4   id 5   id 2
 *
 * so prefix is 3 and length 6, readouts are [2, 3, 4, -1], targets [4, 5, 2, 0] and mask [1, 1, 1, 0], R being 4. The
 * hidden state at position 2, the prompt's last, gives the value as well.
 *
 * @throws {RangeError} when a sequence is longer than the context, its prompt is empty, an image has another size, or an
 * id is not in the vocabulary.
 *
 * @example A prompt of three tokens, a response of two
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { layOut, modelPresets } from "@ponder/ponder/model";
 *
 * const config = { ...modelPresets.nano, vocabularySize: 256 };
 * const prompt = [{ kind: "text", ids: [5, 6, 7] }] as const;
 * const layout = layOut([{ prompt, response: [8, 9] }], config);
 * assertEquals([layout.B, layout.R], [1, 2]);
 * ```
 */
export function layOut(
  sequences: readonly Sequence[],
  config: VlmConfig,
  featuresOf: (pictures: readonly Picture[]) => Float32Array | null = () => null,
): Layout {
  const { imageTokens } = deriveSizes(config);
  const B = sequences.length;
  const prefix = Uint32Array.from(sequences, ({ prompt }) => promptLength(prompt, config));
  const length = Uint32Array.from(sequences, ({ response }, b) => prefix[b] + response.length);
  const longest = length.reduce((a, b) => Math.max(a, b), 0);
  const longestResponse = sequences.reduce((n, { response }) => Math.max(n, response.length), 0);
  if (longest > config.contextLength) {
    throw new RangeError(
      `Cannot lay out a sequence of ${longest} positions: the context holds ${config.contextLength}, ` +
        "use a model with a longer one (--preset), or shorter texts",
    );
  }
  const T = Math.min(roundUp(longest, POSITION_BUCKET), config.contextLength);
  const R = roundUp(longestResponse, 2);

  const { indexOf, ...pictures } = collectImages(
    sequences.flatMap(({ prompt }) => prompt.flatMap((part) => part.kind === "image" ? [part.picture] : [])),
    config,
    featuresOf,
  );

  const sources = new Int32Array(B * T);
  const positions = new Int32Array(B * T);
  const perSequence = Math.max(R, 1);
  const readouts = new Int32Array(B * perSequence).fill(-1);
  const targets = new Uint32Array(B * R);
  const mask = new Float32Array(B * R);
  let image = 0;
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
      else {
        const firstRow = indexOf[image++] * imageTokens;
        for (let i = 0; i < imageTokens; i++) sources[t++] = -(firstRow + i) - 1;
      }
    }
    readouts[b * perSequence] = t - 1;
    response.forEach((id, r) => {
      readouts[b * perSequence + r] = t - 1;
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
    ...pictures,
    sources,
    positions,
    prefix,
    length,
    readouts,
    targets,
    mask,
  };
}

/**
 * Positions of a prompt, images included.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { modelPresets, promptLength } from "@ponder/ponder/model";
 *
 * const config = { ...modelPresets.nano, vocabularySize: 256 };
 * assertEquals(promptLength([{ kind: "text", ids: [5, 6, 7] }], config), 3);
 * ```
 */
export function promptLength(prompt: readonly Segment[], config: VlmConfig): number {
  const imageTokens = imageTokensOf(config);
  return prompt.reduce((n, part) => n + (part.kind === "image" ? imageTokens : part.ids.length), 0);
}

/** Image tokens by config. A minibatch asks for every prompt, and checking a config takes longer than adding up. */
const imageTokens = new WeakMap<VlmConfig, number>();

function imageTokensOf(config: VlmConfig): number {
  let tokens = imageTokens.get(config);
  if (tokens === undefined) imageTokens.set(config, tokens = deriveSizes(config).imageTokens);
  return tokens;
}

/** The distinct images of a batch, or their features, and which of them each image is. */
function collectImages(
  all: readonly Picture[],
  { imageSize }: VlmConfig,
  featuresOf: (pictures: readonly Picture[]) => Float32Array | null,
) {
  const imageBytes = imageSize ** 2 * 3;
  const distinct: Picture[] = [];
  const known = new Map<string, number>();
  const indexOf = all.map((picture) => {
    const { pixels, id } = picture;
    if (pixels.length !== imageBytes) {
      throw new RangeError(
        `Cannot use an image of ${pixels.length} bytes: ${imageSize} x ${imageSize} RGB has ${imageBytes}`,
      );
    }
    const index = known.get(id) ?? distinct.push(picture) - 1;
    known.set(id, index);
    return index;
  });
  const images = distinct.length <= IMAGE_BUCKET
    ? distinct.length
    : Math.min(roundUp(distinct.length, IMAGE_BUCKET), all.length);
  const filled = Array.from({ length: images }, (_, index) => distinct[index] ?? distinct[0]);
  const features = images === 0 ? null : featuresOf(filled);
  if (features !== null) return { pixels: new Uint8Array(0), features, images, indexOf };
  const pixels = new Uint8Array(images * imageBytes);
  filled.forEach((picture, index) => pixels.set(picture.pixels, index * imageBytes));
  return { pixels, images, indexOf };
}
