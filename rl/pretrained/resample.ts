/**
 * Resizing as the Python Imaging Library does it, to the byte: image processors of pretrained models are defined by it.
 *
 * Source: https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Resample.c
 *
 * @module
 */
import type { Observation } from "../../envs/mod.ts";

/** A filter: its weight at a distance in pixels, and from where on that is 0. */
interface Filter {
  readonly support: number;
  readonly at: (x: number) => number;
}

const sinc = (x: number) => x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);

/** By the number that `resample` has in a `preprocessor_config.json`. */
export const FILTERS: Readonly<Record<number, Filter>> = {
  1: { support: 3, at: (x) => x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0 }, // Lanczos
  2: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) }, // bilinear
  3: { support: 2, at: cubic }, // bicubic
  4: { support: 0.5, at: (x) => x > -0.5 && x <= 0.5 ? 1 : 0 }, // box
};

/** Keys's kernel with a = -0.5. */
function cubic(x: number): number {
  const d = Math.abs(x);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
}

/** Fraction bits of weights. */
const BITS = 22;
const ONE = 2 ** BITS;

/** Weights of the source pixels from `first` on that make a pixel. */
interface Taps {
  readonly first: number;
  readonly weights: readonly number[];
}

function tapsOf(source: number, target: number, { support, at }: Filter): Taps[] {
  const scale = source / target;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  return Array.from({ length: target }, (_, pixel) => {
    const center = (pixel + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - reach + 0.5));
    const end = Math.min(source, Math.trunc(center + reach + 0.5));
    const raw = Array.from({ length: end - first }, (_, i) => at((first + i - center + 0.5) / stretch));
    const sum = raw.reduce((a, b) => a + b, 0);
    // Rounded half away from zero, as the library's cast does.
    const weights = raw.map((weight) => Math.trunc(weight / sum * ONE + (weight / sum < 0 ? -0.5 : 0.5)));
    return { first, weights };
  });
}

/**
 * Resizes a picture: rows first, then columns, with bytes in between.
 *
 * @param resample A key of {@linkcode FILTERS}.
 * @throws {RangeError} If the filter is unknown, or a size is no whole number of at least 1.
 */
export function resample(
  { width, height, data }: Observation,
  columns: number,
  rows: number,
  filter: number,
): Observation {
  if (!Object.hasOwn(FILTERS, filter)) {
    throw new RangeError(
      `Cannot resize a picture: filter ${filter} is unknown, known: 1 (Lanczos), 2 (bilinear), 3 (bicubic)`,
    );
  }
  for (const size of [columns, rows]) {
    if (!Number.isInteger(size) || size < 1) {
      throw new RangeError(
        `Cannot resize a picture to ${columns} x ${rows}: use whole numbers of at least 1`,
      );
    }
  }
  let pixels = data;
  if (columns !== width) {
    pixels = pass(pixels, {
      lines: height,
      taps: tapsOf(width, columns, FILTERS[filter]),
      line: width * 3,
      step: 3,
    });
  }
  if (rows === height) return { width: columns, height: rows, data: pixels === data ? data.slice() : pixels };
  const taps = tapsOf(height, rows, FILTERS[filter]);
  const output = new Uint8Array(columns * rows * 3);
  const stride = columns * 3;
  taps.forEach(({ first, weights }, row) => {
    for (let i = 0; i < stride; i++) {
      let sum = ONE / 2;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * pixels[(first + k) * stride + i];
      output[row * stride + i] = toByte(sum);
    }
  });
  return { width: columns, height: rows, data: output };
}

/** Resizes every row. */
function pass(
  pixels: Uint8Array,
  { lines, taps, line, step }: { lines: number; taps: readonly Taps[]; line: number; step: number },
): Uint8Array {
  const output = new Uint8Array(lines * taps.length * step);
  for (let y = 0, to = 0; y < lines; y++) {
    for (const { first, weights } of taps) {
      for (let channel = 0; channel < step; channel++, to++) {
        let sum = ONE / 2;
        for (let k = 0, from = y * line + first * step + channel; k < weights.length; k++, from += step) {
          sum += weights[k] * pixels[from];
        }
        output[to] = toByte(sum);
      }
    }
  }
  return output;
}

function toByte(sum: number): number {
  return Math.max(0, Math.min(255, Math.floor(sum / ONE)));
}
