/**
 * From an environment's frame to the pictures that a pretrained model was trained with: the image processor of its family.
 *
 * Source: `Idefics3ImageProcessor` of https://github.com/huggingface/transformers
 *
 * @module
 */
import type { Observation } from "../../envs/mod.ts";
import { type Picture, pictureOf, quote } from "../../model/mod.ts";
import { resample } from "./resample.ts";

/** What a `preprocessor_config.json` says, as far as it differs from model to model. */
export interface ImageProcessor {
  /** The longer side is resized to this first; null if it is not. */
  readonly longestEdge: number | null;
  /** Side of the square that the vision encoder sees. */
  readonly tile: number;
  /** The filter, as `FILTERS` numbers it. */
  readonly filter: number;
  /** Whether a picture becomes tiles in rows and columns, and the whole beside them. */
  readonly splits: boolean;
}

/** A frame as tiles, in the order of the prompt: row by row, then the whole; the whole alone if it is not split. */
export interface Tiles {
  /** 0 if the picture is not split. */
  readonly rows: number;
  /** 0 if the picture is not split. */
  readonly columns: number;
  readonly pictures: readonly Picture[];
}

/** Fields that must have the value of the family: the model maps bytes to -1 to 1 by itself. */
const FAMILY = {
  do_rescale: true,
  do_normalize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
};
const MAX_EDGE = 8192;

/**
 * Reads a `preprocessor_config.json`, or makes the plain processor if the folder has none: one square of the model's size.
 *
 * @param json The file's content, parsed; undefined if there is none.
 * @param imageSize Side of the pictures that the model sees.
 * @param splits Whether to split pictures; one tile when absent, whatever the file says.
 * @throws {RangeError} If it is of another family, or does not fit the model.
 */
export function readImageProcessor(json: unknown, imageSize: number, splits = false): ImageProcessor {
  if (json === undefined) return { longestEdge: null, tile: imageSize, filter: 1, splits };
  const config = (json ?? {}) as Record<string, unknown>;
  const refuse = (name: string, value: unknown, right: string): never => {
    throw new RangeError(
      `Cannot use preprocessor_config.json: ${name} is ${quote(value)}, this family of models has ${right}`,
    );
  };
  for (const [name, right] of Object.entries(FAMILY)) {
    const value = config[name] ?? right;
    if (JSON.stringify(value) !== JSON.stringify(right)) refuse(name, value, JSON.stringify(right));
  }
  const rescale = config.rescale_factor ?? 1 / 255;
  if (typeof rescale !== "number" || Math.abs(rescale * 255 - 1) > 1e-6) {
    refuse("rescale_factor", rescale, "1/255");
  }
  const edge = (name: string): number | null => {
    if (config[name] === undefined) return null;
    const value = (config[name] as { longest_edge?: unknown } | null)?.longest_edge;
    const isEdge = Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_EDGE;
    return isEdge ? value as number : refuse(`${name}.longest_edge`, value, `a number up to ${MAX_EDGE}`);
  };
  const tile = edge("max_image_size") ?? imageSize;
  if (tile !== imageSize) refuse("max_image_size.longest_edge", tile, `the model's ${imageSize}`);
  const { resample: filter = 1 } = config;
  if (![1, 2, 3, 4].includes(filter as number)) {
    refuse("resample", filter, "1 (Lanczos), 2 (bilinear), 3 (bicubic) or 4 (box)");
  }
  const longestEdge = config.do_resize === false ? null : edge("size");
  return { longestEdge, tile, filter: filter as number, splits };
}

/** The model's pictures of a frame. */
export function tilesOf(frame: Observation, { longestEdge, tile, filter, splits }: ImageProcessor): Tiles {
  let picture = frame;
  if (longestEdge !== null) {
    const [width, height] = withLongestEdge(frame, longestEdge);
    picture = resample(frame, width, height, filter);
  }
  const whole = (source: Observation) => pictureOf(resample(source, tile, tile, filter).data);
  if (!splits) return { rows: 0, columns: 0, pictures: [whole(picture)] };
  // Sides become multiples of a tile.
  const [width, height] = multiplesOf(picture, tile);
  picture = resample(picture, width, height, filter);
  const [rows, columns] = [height / tile, width / tile];
  if (rows === 1 && columns === 1) return { rows: 0, columns: 0, pictures: [pictureOf(picture.data)] };
  const pictures: Picture[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      pictures.push(pictureOf(cut(picture, row, column, tile)));
    }
  }
  return { rows, columns, pictures: [...pictures, whole(picture)] };
}

/** Sides in proportion, the shorter one even. */
function withLongestEdge({ width, height }: Observation, edge: number): [width: number, height: number] {
  const even = (side: number) => Math.max(1, side + side % 2);
  const ratio = width / height;
  return width >= height ? [edge, even(Math.trunc(edge / ratio))] : [even(Math.trunc(edge * ratio)), edge];
}

/** The longer side becomes the next multiple of a tile, the other follows in proportion and is rounded up as well. */
function multiplesOf({ width, height }: Observation, tile: number): [width: number, height: number] {
  const up = (side: number) => Math.ceil(side / tile) * tile;
  const ratio = width / height;
  if (width >= height) return [up(width), up(Math.trunc(up(width) / ratio))];
  return [up(Math.trunc(up(height) * ratio)), up(height)];
}

function cut({ width, data }: Observation, row: number, column: number, tile: number): Uint8Array {
  const pixels = new Uint8Array(tile * tile * 3);
  for (let y = 0; y < tile; y++) {
    const from = ((row * tile + y) * width + column * tile) * 3;
    pixels.set(data.subarray(from, from + tile * 3), y * tile * 3);
  }
  return pixels;
}

/** How a prompt says where pictures stand. */
export interface ImageTokens {
  /** Stands once for each image token. */
  readonly image: string;
  /** Stands around every tile. */
  readonly around: string;
  /** Stands before the whole picture. */
  readonly whole: string;
}

/** SmolVLM's. */
export const SMOLVLM_IMAGE_TOKENS: ImageTokens = {
  image: "<image>",
  around: "<fake_token_around_image>",
  whole: "<global-img>",
};

/**
 * The prompt's text for a picture of `rows` x `columns` tiles (0 x 0 if it is not split), as the family's processor writes it.
 * `count` image tokens stand for each tile.
 */
export function imagePrompt(
  { rows, columns }: Pick<Tiles, "rows" | "columns">,
  count: number,
  { image, around, whole }: ImageTokens = SMOLVLM_IMAGE_TOKENS,
): string {
  const tokens = image.repeat(count);
  let text = "";
  for (let row = 1; row <= rows; row++) {
    for (let column = 1; column <= columns; column++) text += `${around}<row_${row}_col_${column}>${tokens}`;
    text += "\n";
  }
  return `${text}${rows > 0 ? "\n" : ""}${around}${whole}${tokens}${around}`;
}
