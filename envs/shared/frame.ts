/** Frames: 300 x 300 RGB pictures. Each is drawn once for its state, and kept. */

import { type Canvas2D, createCanvas2D } from "./canvas.ts";
import type { Observation } from "../types.ts";

/** Side of a frame in pixels, as published. */
export const FRAME_PIXELS = 300;

/** Frames kept, 270 kB each: more than the 36 states of the published NumberLine, 17 MB in all. */
const CACHED_FRAMES = 64;

const cache = new Map<string, Observation>();
let canvas: Canvas2D | undefined;

/**
 * Returns the frame of the state named `key`. `paint` draws it on white, unless one of the last 64 different frames has that key.
 * All environments share the frames. Equal keys must mean equal pictures, and a caller must not write to `data`.
 */
export function frame(key: string, paint: (canvas: Canvas2D) => void): Observation {
  let observation = cache.get(key);
  if (observation === undefined) {
    canvas ??= createCanvas2D(FRAME_PIXELS, FRAME_PIXELS);
    canvas.fillStyle = "white";
    canvas.fillRect(0, 0, FRAME_PIXELS, FRAME_PIXELS);
    paint(canvas);
    const { data: rgba } = canvas.getImageData(0, 0, FRAME_PIXELS, FRAME_PIXELS);
    observation = Object.freeze({ width: FRAME_PIXELS, height: FRAME_PIXELS, data: dropAlpha(rgba) });
  }
  // A Map iterates in order of insertion: putting a used frame back at the end keeps the oldest one first.
  cache.delete(key);
  cache.set(key, observation);
  if (cache.size > CACHED_FRAMES) cache.delete(cache.keys().next().value!);
  return observation;
}

/**
 * Makes RGB of RGBA, four pixels at a time as 32-bit words. That is four times as fast as byte by byte. It assumes a
 * little-endian host, as every WebGPU host is.
 */
export function dropAlpha(rgba: Uint8ClampedArray): Uint8Array {
  const from = new Uint32Array(rgba.buffer, rgba.byteOffset, rgba.length / 4);
  const to = new Uint32Array(Math.ceil(from.length / 4) * 3);
  for (let i = 0, j = 0; i < from.length; i += 4, j += 3) {
    const second = from[i + 1], third = from[i + 2];
    to[j] = (from[i] & 0xffffff) | (second << 24);
    to[j + 1] = ((second >>> 8) & 0xffff) | (third << 16);
    to[j + 2] = ((third >>> 16) & 0xff) | (from[i + 3] << 8);
  }
  // The last words may be of fewer than four pixels: beyond the end there are zeros.
  return new Uint8Array(to.buffer, 0, from.length * 3);
}
