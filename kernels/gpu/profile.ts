/**
 * GPU time by kernel, from timestamp queries around every dispatch.
 *
 * @module
 */

/** One launch as measured by the device. */
export interface ProfileRow {
  readonly kernel: string;
  readonly startNs: number;
  readonly elapsedNs: number;
}

const MAX_DISPATCHES = 2048;

/** Off until `start`; while on, every dispatch has a pass of its own with two timestamps. */
export class Profile {
  readonly #device: GPUDevice;
  #querySet: GPUQuerySet | null = null;
  #kernels: string[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get isOn(): boolean {
    return this.#querySet !== null;
  }

  /** Throws where the device has no timestamp queries. */
  start(): void {
    if (!this.#device.features.has("timestamp-query")) {
      throw new Error("Cannot profile: the adapter has no timestamp-query, time whole steps instead");
    }
    this.#querySet = this.#device.createQuerySet({ type: "timestamp", count: 2 * MAX_DISPATCHES });
    this.#kernels = [];
  }

  /** What a pass for this kernel must carry; empty when off or when the query set is full. */
  passDescriptor(kernel: string): GPUComputePassDescriptor {
    if (this.#querySet === null || this.#kernels.length === MAX_DISPATCHES) return {};
    const index = 2 * this.#kernels.length;
    this.#kernels.push(kernel);
    return {
      timestampWrites: {
        querySet: this.#querySet,
        beginningOfPassWriteIndex: index,
        endOfPassWriteIndex: index + 1,
      },
    };
  }

  /** Ends the measurement; all recorded work must have been submitted. Rows are in launch order. */
  async stop(): Promise<ProfileRow[]> {
    const querySet = this.#querySet;
    this.#querySet = null;
    const count = this.#kernels.length;
    if (querySet === null || count === 0) return [];
    const size = count * 16;
    const resolved = this.#device.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    const staging = this.#device.createBuffer({
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    const encoder = this.#device.createCommandEncoder();
    encoder.resolveQuerySet(querySet, 0, 2 * count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    this.#device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const ticksNs = new BigUint64Array(staging.getMappedRange());
    const rows = this.#kernels.map((kernel, index) => ({
      kernel,
      startNs: Number(ticksNs[2 * index] - ticksNs[0]),
      elapsedNs: Number(ticksNs[2 * index + 1] - ticksNs[2 * index]),
    }));
    staging.unmap();
    for (const resource of [querySet, resolved, staging]) resource.destroy();
    return rows;
  }
}

/** Sums rows by kernel, most expensive first. */
export function summarizeProfile(
  rows: readonly ProfileRow[],
): { kernel: string; count: number; totalNs: number }[] {
  const byKernel = new Map<string, { kernel: string; count: number; totalNs: number }>();
  for (const { kernel, elapsedNs } of rows) {
    const entry = byKernel.get(kernel) ?? { kernel, count: 0, totalNs: 0 };
    entry.count++;
    entry.totalNs += elapsedNs;
    byKernel.set(kernel, entry);
  }
  return [...byKernel.values()].sort((a, b) => b.totalNs - a.totalNs);
}
