/**
 * Signs of life of a worker while it does a job.
 *
 * @module
 */
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { eventLoopTurn } from "../event_loop.ts";

/** Milliseconds between signs of life: less than the shortest time after which another worker gets a job. */
export const LIFE_MS = 500;

/**
 * Lets timers fire after a readback, once in `everyMs` milliseconds. In Deno a readback completes without a turn of the event
 * loop, so that a long response would give no sign of life before its end.
 */
export function withTurns<G extends Pick<Gpu, "read">>(gpu: G, everyMs: number = LIFE_MS / 2): G {
  const read = gpu.read.bind(gpu);
  let lastMs = performance.now();
  gpu.read = async (...slices) => {
    const arrays = await read(...slices);
    if (performance.now() - lastMs >= everyMs) {
      await eventLoopTurn();
      lastMs = performance.now();
    }
    return arrays;
  };
  return gpu;
}
