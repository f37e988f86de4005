/**
 * Getting results back to the host, in one place.
 *
 * In Deno an awaited `mapAsync` costs a fixed 10 ms: it polls the device until the work is done and then sleeps. The
 * mapping is complete before that sleep, so `getMappedRange` right after `mapAsync` already works. Doing so on a
 * buffer that was never mapped before aborts the process, hence `prime`. In browsers the early `getMappedRange`
 * throws and the promise is awaited.
 *
 * @module
 */
import type { Slice } from "./storage.ts";

interface Staging {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
}

/** A recorded readback; call one of the two after the submission. */
export interface PendingReadback {
  map(): Promise<Float32Array[]>;
  /** Only on hosts with the synchronous path (Deno). */
  mapSync(): Float32Array[];
}

const MIN_STAGING_BYTES = 1 << 16;

/** Most words that can be read synchronously from the start. */
export const PRIMED_WORDS = MIN_STAGING_BYTES / 4;

/** Staging buffers by size class, all primed. */
export class Readback {
  readonly #device: GPUDevice;
  readonly #free: Staging[] = [];
  #mapsSynchronously = "Deno" in globalThis;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  async prime(): Promise<void> {
    this.#free.push(await this.#create(MIN_STAGING_BYTES));
  }

  /** Records copies of slices into a staging buffer. */
  record(encoder: GPUCommandEncoder, slices: readonly Slice[]): PendingReadback {
    const bytes = slices.reduce((sum, slice) => sum + slice.length * 4, 0);
    const index = this.#free.findIndex((candidate) => candidate.bytes >= bytes);
    // A buffer that was not mapped before takes the awaited path the first time.
    const isPrimed = index >= 0;
    const staging = isPrimed ? this.#free.splice(index, 1)[0] : this.#allocate(bytes);
    let offset = 0;
    for (const slice of slices) {
      encoder.copyBufferToBuffer(
        slice.storage.buffer,
        slice.offset * 4,
        staging.buffer,
        offset,
        slice.length * 4,
      );
      offset += slice.length * 4;
    }
    const collect = () => {
      const mapped = new Float32Array(staging.buffer.getMappedRange(0, Math.max(bytes, 4)));
      let start = 0;
      const arrays = slices.map((slice) => mapped.slice(start, start += slice.length));
      staging.buffer.unmap();
      this.#free.push(staging);
      this.#free.sort((a, b) => a.bytes - b.bytes);
      return arrays;
    };
    return {
      map: async () => {
        const done = staging.buffer.mapAsync(GPUMapMode.READ);
        if (isPrimed && this.#mapsSynchronously) {
          done.catch(() => {});
          try {
            return collect();
          } catch {
            this.#mapsSynchronously = false;
          }
        }
        await done;
        return collect();
      },
      mapSync: () => {
        if (!isPrimed) throw new Error("Cannot read back synchronously: the staging buffer was never mapped");
        staging.buffer.mapAsync(GPUMapMode.READ).catch(() => {});
        return collect();
      },
    };
  }

  /** Blocks until all submitted work is done. */
  waitSync(): void {
    const encoder = this.#device.createCommandEncoder();
    const pending = this.record(encoder, []);
    this.#device.queue.submit([encoder.finish()]);
    pending.mapSync();
  }

  #allocate(bytes: number): Staging {
    const size = Math.max(MIN_STAGING_BYTES, 2 ** Math.ceil(Math.log2(Math.max(bytes, 1))));
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return { buffer: this.#device.createBuffer({ label: "staging", size, usage }), bytes: size };
  }

  async #create(bytes: number): Promise<Staging> {
    const staging = this.#allocate(bytes);
    await staging.buffer.mapAsync(GPUMapMode.READ);
    staging.buffer.unmap();
    return staging;
  }
}
