/**
 * Profiles: the GPU time of every dispatch from timestamp queries, and the times at which the host recorded it or waited. If the
 * device has no timestamp queries, every dispatch is submitted and waited for alone.
 *
 * @module
 */
import type { Binding } from "./bindings.ts";

/** One launch as measured. */
export interface ProfileRow {
  /** The kernel's name. */
  readonly kernel: string;
  /** On the device's clock, the first launch at 0; on the host's without timestamp queries. */
  readonly startNs: number;
  /** Nanoseconds that it took. */
  readonly elapsedNs: number;
  /** The slices it bound, in order. */
  readonly bound: readonly { readonly kind: "read" | "write" | "texels"; readonly words: number }[];
  /** When the host recorded it, on the clock of `performance.now()`. */
  readonly recordedMs: number;
}

/** A time in which the host did nothing but wait for the GPU, on the clock of `performance.now()`. */
export interface ProfileWait {
  /** When the wait began. */
  readonly startMs: number;
  /** When it ended. */
  readonly endMs: number;
}

const MAX_DISPATCHES = 2048;

/** Off until `start`; while on, every dispatch has a pass of its own with two timestamps. */
export class Profile {
  readonly #device: GPUDevice;
  #isOn = false;
  #querySet: GPUQuerySet | null = null;
  #kernels: string[] = [];
  #launches: (Pick<ProfileRow, "kernel" | "bound" | "recordedMs"> & { elapsedMs: number })[] = [];
  #waits: ProfileWait[] = [];
  /** Dispatches of the last measurement that there was no room for. */
  missed = 0;

  /** A profile that is off. */
  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Whether launches are timed. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** Whether dispatches are timed by the device itself. */
  get hasTimestamps(): boolean {
    return this.#device.features.has("timestamp-query");
  }

  /** Call when everything recorded has been submitted: a pass that is already open has no timestamps. */
  start(): void {
    if (this.hasTimestamps) {
      this.#querySet = this.#device.createQuerySet({ type: "timestamp", count: 2 * MAX_DISPATCHES });
    }
    this.#isOn = true;
    [this.#kernels, this.#launches, this.#waits, this.missed] = [[], [], [], 0];
  }

  /** What a pass for this kernel must carry; empty when off or when the query set is full. */
  passDescriptor(kernel: string): GPUComputePassDescriptor {
    if (!this.#isOn) return {};
    if (this.#kernels.length === MAX_DISPATCHES) {
      this.missed++;
      return {};
    }
    const index = 2 * this.#kernels.length;
    this.#kernels.push(kernel);
    if (this.#querySet === null) return {};
    return {
      timestampWrites: {
        querySet: this.#querySet,
        beginningOfPassWriteIndex: index,
        endOfPassWriteIndex: index + 1,
      },
    };
  }

  /** Notes the dispatch whose pass was just ended; `finish` submits it and waits. */
  dispatched(bindings: readonly Binding[], finish: () => void): void {
    const recordedMs = performance.now();
    if (this.#querySet === null) finish();
    if (this.#launches.length === this.#kernels.length) return;
    this.#launches.push({
      kernel: this.#kernels[this.#launches.length],
      bound: bindings.flatMap((binding) =>
        binding.kind === "params" ? [] : [{ kind: binding.kind, words: binding.slice.length }]
      ),
      recordedMs,
      elapsedMs: performance.now() - recordedMs,
    });
  }

  /** Call when the host begins to wait; what it returns, when it goes on. */
  beginWait(): () => void {
    const startMs = performance.now();
    return () => void (this.#isOn && this.#waits.push({ startMs, endMs: performance.now() }));
  }

  /** The host's waits of the last measurement, in order. */
  get waits(): readonly ProfileWait[] {
    return this.#waits;
  }

  /** Ends the measurement; all recorded work must have been submitted. Rows are in launch order. */
  async stop(): Promise<ProfileRow[]> {
    const querySet = this.#querySet;
    this.#querySet = null;
    this.#isOn = false;
    const launches = this.#launches;
    this.#launches = [];
    if (querySet === null) {
      return launches.map(({ elapsedMs, ...launch }) => ({
        ...launch,
        startNs: (launch.recordedMs - launches[0].recordedMs) * 1e6,
        elapsedNs: elapsedMs * 1e6,
      }));
    }
    const ticksNs = launches.length === 0 ? [] : await this.#readTicks(querySet, 2 * launches.length);
    querySet.destroy();
    return launches.map(({ kernel, bound, recordedMs }, index) => ({
      kernel,
      bound,
      recordedMs,
      startNs: Number(ticksNs[2 * index] - ticksNs[0]),
      elapsedNs: Number(ticksNs[2 * index + 1] - ticksNs[2 * index]),
    }));
  }

  async #readTicks(querySet: GPUQuerySet, count: number): Promise<ArrayLike<bigint>> {
    const size = count * 8;
    const resolved = this.#device.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    const staging = this.#device.createBuffer({
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    const encoder = this.#device.createCommandEncoder();
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    this.#device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const ticksNs = new BigUint64Array(staging.getMappedRange().slice(0));
    staging.unmap();
    for (const resource of [resolved, staging]) resource.destroy();
    return ticksNs;
  }
}

/** All launches of one kernel. */
export interface ProfileSummary {
  /** The kernel's name. */
  readonly kernel: string;
  /** Launches. */
  readonly count: number;
  /** Nanoseconds of all launches. */
  readonly totalNs: number;
}

/** Sums rows by kernel, most expensive first. */
export function summarizeProfile(
  rows: readonly Pick<ProfileRow, "kernel" | "elapsedNs">[],
): ProfileSummary[] {
  const byKernel = new Map<string, { kernel: string; count: number; totalNs: number }>();
  for (const { kernel, elapsedNs } of rows) {
    const entry = byKernel.get(kernel) ?? { kernel, count: 0, totalNs: 0 };
    entry.count++;
    entry.totalNs += elapsedNs;
    byKernel.set(kernel, entry);
  }
  return [...byKernel.values()].sort((a, b) => b.totalNs - a.totalNs);
}
