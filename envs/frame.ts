/** Frames: 300 x 300 RGB pictures, drawn once a state and kept. */

import { type Canvas2D, createCanvas2D } from "./canvas.ts";
import type { Observation } from "./types.ts";

/** Side of a frame in pixels, as published. */
export const FRAME_PIXELS = 300;

/** Frames kept, 270 kB each: more than the 36 states of the published NumberLine, 17 MB in all. */
const CACHED_FRAMES = 64;

const cache = new Map<string, Observation>();
let canvas: Canvas2D | undefined;

/**
 * The frame of the state named `key`, painted on white by `paint` unless one of the last 64 different frames has that
 * key. All environments share the frames: equal keys must mean equal pictures, and a caller must not write to `data`.
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

function dropAlpha(rgba: Uint8ClampedArray): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from];
    rgb[to + 1] = rgba[from + 1];
    rgb[to + 2] = rgba[from + 2];
  }
  return rgb;
}
