/**
 * The slices a tape holds: counted, because a view, a gradient that is passed on and a detached tensor share one.
 *
 * @module
 */
import type { Gpu, HostData, Slice } from "../../kernels/gpu/mod.ts";

/** Pooled slices with their numbers of holders; a slice goes back to the pool with its last holder. */
export class HeldSlices {
  readonly #gpu: Gpu;
  readonly #holders = new Map<Slice, number>();
  readonly #uploaded = new Map<HostData, Slice>();
  #scratch: Slice[] = [];

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Takes a slice from the pool. With 0 holders it goes back at the next `release` unless it is retained before. */
  acquire(words: number, label: string, holders = 1): Slice {
    const slice = this.#gpu.acquire(words, label);
    this.#holders.set(slice, holders);
    return slice;
  }

  /** Takes a slice from the pool, filled with host data or what `derive` makes of it, for one holder. */
  upload<Data extends HostData>(data: Data, label: string, derive?: (data: Data) => HostData): Slice {
    const slice = this.#gpu.upload(data, label, derive);
    this.#holders.set(slice, 1);
    return slice;
  }

  /** Like {@linkcode HeldSlices.upload}, but the same array gets the same slice until `releaseAll`. */
  uploadOnce(data: HostData, label: string): Slice {
    const slice = this.#uploaded.get(data) ?? this.upload(data, label);
    this.#uploaded.set(data, slice);
    return slice;
  }

  /** One more holder. Slices from elsewhere (parameters) are not counted, and ignored here and in `release`. */
  retain(slice: Slice): void {
    const holders = this.#holders.get(slice);
    if (holders !== undefined) this.#holders.set(slice, holders + 1);
  }

  /** One holder less. */
  release(slice: Slice): void {
    const holders = this.#holders.get(slice);
    if (holders === undefined) return;
    if (holders > 1) {
      this.#holders.set(slice, holders - 1);
    } else {
      this.#holders.delete(slice);
      this.#gpu.release(slice);
    }
  }

  /** Takes over a slice that `other` holds, for that many holders; a slice that it does not hold is left alone. */
  adopt(other: HeldSlices, slice: Slice, holders: number): void {
    if (other.#holders.delete(slice)) this.#holders.set(slice, holders);
  }

  /** Whether a slice has one holder, who may change what it holds. */
  isHeldOnce(slice: Slice): boolean {
    return this.#holders.get(slice) === 1;
  }

  /** Gives a slice back if nobody came to hold it. */
  releaseUnheld(slice: Slice): void {
    if (this.#holders.get(slice) === 0) this.release(slice);
  }

  /** Takes a slice that the next `releaseScratch` gives back. */
  scratch(words: number, label: string): Slice {
    const slice = this.#gpu.acquire(words, label);
    this.#scratch.push(slice);
    return slice;
  }

  releaseScratch(): void {
    this.#scratch.forEach((slice) => this.#gpu.release(slice));
    this.#scratch = [];
  }

  /** Gives back everything, however many hold it. */
  releaseAll(): void {
    for (const slice of this.#holders.keys()) this.#gpu.release(slice);
    this.#holders.clear();
    this.#uploaded.clear();
    this.releaseScratch();
  }
}
