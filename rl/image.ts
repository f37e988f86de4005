/**
 * Pictures: an exact area-weighted box filter from an environment's frame to the model's picture, and PNG files.
 *
 * @module
 */
import { convertIndexedToRgb, decode, encode, hasPngSignature } from "fast-png";
import type { Observation } from "../envs/types.ts";
import { type Picture, pictureOf } from "../model/mod.ts";
import { printable } from "./cli/shown.ts";
import { drawingChunks } from "./png.ts";

/**
 * How `size` boxes cover `source` pixels of one axis. The unit is 1/size of a source pixel. A box is then `source` units long
 * and a source pixel `size` units. All overlaps are whole numbers, and their sums are exact.
 */
interface BoxAxis {
  /** First source pixel under each box. */
  readonly first: Int32Array;
  /** `overlaps.subarray(offset[box], offset[box + 1])` belongs to the pixels from `first[box]` on. */
  readonly offset: Int32Array;
  /** Overlaps of boxes with pixels, in units. The overlaps of one box sum to `source`. */
  readonly overlaps: Float64Array;
}

const axes = new Map<string, BoxAxis>();

function boxAxis(source: number, size: number): BoxAxis {
  const key = `${source} ${size}`;
  let axis = axes.get(key);
  if (axis !== undefined) return axis;
  const first = new Int32Array(size), offset = new Int32Array(size + 1), overlaps: number[] = [];
  for (let box = 0; box < size; box++) {
    const from = box * source, to = from + source;
    first[box] = Math.floor(from / size);
    for (let pixel = first[box]; pixel * size < to; pixel++) {
      overlaps.push(Math.min(to, (pixel + 1) * size) - Math.max(from, pixel * size));
    }
    offset[box + 1] = overlaps.length;
  }
  axes.set(key, axis = { first, offset, overlaps: Float64Array.from(overlaps) });
  return axis;
}

/**
 * Resizes a frame to `columns` x `rows` x 3 bytes, row-major. Each pixel is the mean of the part of the frame under it,
 * weighted by area and rounded to the nearest integer (halves up). The sums are whole numbers, so the result is the
 * same on every machine. The new size may be larger than the frame's.
 *
 * @throws {RangeError} for an illegal size, or when `data` is not `width` x `height` x 3 bytes.
 */
export function boxResize(observation: Observation, columns: number, rows: number): Uint8Array {
  const { width, height, data } = observation;
  for (const [name, value] of Object.entries({ columns, rows, width, height })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(`Cannot resize a frame: ${name} is ${value}, use a whole number of at least 1`);
    }
  }
  if (data.length !== width * height * 3) {
    throw new RangeError(
      `Cannot resize a frame: ${width} x ${height} pixels have ${data.length} bytes, give 3 for each pixel`,
    );
  }
  const across = boxAxis(width, columns), down = boxAxis(height, rows);
  const area = width * height;
  const stride = width * 3;
  const sums = new Float64Array(stride); // one row of boxes, its columns not yet joined
  const image = new Uint8Array(columns * rows * 3);
  for (let y = 0, to = 0; y < rows; y++) {
    sums.fill(0);
    for (let k = down.offset[y], from = down.first[y] * stride; k < down.offset[y + 1]; k++, from += stride) {
      const overlap = down.overlaps[k];
      for (let i = 0; i < stride; i++) sums[i] += overlap * data[from + i];
    }
    for (let x = 0; x < columns; x++, to += 3) {
      let red = 0, green = 0, blue = 0;
      for (let k = across.offset[x], i = across.first[x] * 3; k < across.offset[x + 1]; k++, i += 3) {
        const overlap = across.overlaps[k];
        red += overlap * sums[i];
        green += overlap * sums[i + 1];
        blue += overlap * sums[i + 2];
      }
      image[to] = Math.floor((red + area / 2) / area);
      image[to + 1] = Math.floor((green + area / 2) / area);
      image[to + 2] = Math.floor((blue + area / 2) / area);
    }
  }
  return image;
}

/** Resizes a frame to the model's `size` x `size` x 3 bytes, by `boxResize`. A frame that is not square is stretched. */
export function boxDownsample(observation: Observation, size: number): Uint8Array {
  return boxResize(observation, size, size);
}

const pictures = new WeakMap<Uint8Array, Map<number, Picture>>();

/**
 * Makes the model's picture of a frame, by `boxDownsample`, once for each frame and size. Environments return the same `data`
 * for equal states. The picture is found again by that array, and forgotten with it. Frames that look alike at this size give
 * the same picture. It is shared: do not write to its pixels.
 */
export function modelPicture(observation: Observation, size: number): Picture {
  let sizes = pictures.get(observation.data);
  if (sizes === undefined) pictures.set(observation.data, sizes = new Map());
  let picture = sizes.get(size);
  if (picture === undefined) sizes.set(size, picture = pictureOf(boxDownsample(observation, size)));
  return picture;
}

/**
 * Reads the pixels of a PNG file of any kind, as RGB. Transparent parts are laid over white. Errors call it by its name.
 *
 * @throws {SyntaxError} when the bytes are no PNG, or a damaged one.
 *
 * @example
 * ```ts
 * import { decodePicture, encodePicture } from "./mod.ts";
 *
 * const png = encodePicture({ width: 2, height: 1, data: Uint8Array.of(255, 0, 0, 0, 0, 255) });
 * const { width, height, data } = decodePicture(png);
 * console.log(width, height, data); // 2 1 [255, 0, 0, 0, 0, 255]
 * ```
 */
export function decodePicture(png: Uint8Array, name = "the picture"): Observation {
  if (png.length < 8 || !hasPngSignature(png)) {
    throw new SyntaxError(`Cannot read ${name}: it is no PNG file, convert it to PNG`);
  }
  let image: ReturnType<typeof decode>;
  let channels: Uint8Array;
  try {
    image = decode(drawingChunks(png));
    channels = asBytes(image);
  } catch (error) {
    throw new SyntaxError(`Cannot read ${name}: ${printable((error as Error).message)}, save it again`, {
      cause: error,
    });
  }
  const { width, height } = image;
  const count = channels.length / (width * height); // grey, grey and alpha, RGB, or RGBA
  const hasAlpha = count % 2 === 0;
  const colors = hasAlpha ? count - 1 : count;
  const pixels = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    const alpha = hasAlpha ? channels[i * count + colors] : 255;
    for (let c = 0; c < 3; c++) {
      const color = channels[i * count + (colors === 1 ? 0 : c)];
      pixels[3 * i + c] = Math.round((color * alpha + 255 * (255 - alpha)) / 255);
    }
  }
  return { width, height, data: pixels };
}

/** One byte for each channel. Palettes are looked up; 16 bits keep their upper byte; fewer than 8 are spread over 0 to 255. */
function asBytes(image: ReturnType<typeof decode>): Uint8Array {
  const { data, depth, palette } = image;
  if (palette !== undefined) return convertIndexedToRgb(image);
  if (depth === 16) return Uint8Array.from(data, (value) => value >> 8);
  if (depth === 8) return data as Uint8Array;
  const levels = 2 ** depth;
  const greys = Array.from({ length: levels }, (_, level) => [255 * level / (levels - 1)]);
  return convertIndexedToRgb({ ...image, palette: greys });
}

/**
 * Makes a PNG file of a picture. {@linkcode decodePicture} reads the same pixels back.
 *
 * @throws {RangeError} when `data` is not `width` x `height` x 3 bytes.
 *
 * @example
 * ```ts
 * import { numberLine } from "@ponder/ponder/envs";
 * import { encodePicture } from "@ponder/ponder/rl";
 *
 * const { observation } = numberLine.make().reset({ seed: 1 });
 * console.log(encodePicture(observation).length, "bytes");
 * ```
 */
export function encodePicture({ width, height, data }: Observation): Uint8Array {
  return encode({ width, height, channels: 3, data });
}
