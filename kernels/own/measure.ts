/**
 * How long a kernel takes.
 *
 * @module
 */
import type { Gpu } from "../gpu/gpu.ts";

/** How {@linkcode measureKernel} measures. */
export interface MeasureKernelOptions {
  /** Measurements; 15 by default. */
  readonly rounds?: number;
  /** Milliseconds of a measurement, which repeats the launch until it takes about so long; 40 by default. */
  readonly sampleMs?: number;
  /** Milliseconds of work before the first measurement: a GPU's clock rises under load. 200 by default. */
  readonly warmUpMs?: number;
}

/** What {@linkcode measureKernel} measured: wall time in microseconds a launch. */
export interface KernelTime {
  /** The median of all rounds. */
  readonly medianUs: number;
  /** The lower quartile. */
  readonly lowUs: number;
  /** The upper quartile. */
  readonly highUs: number;
  /** Measurements. */
  readonly rounds: number;
  /** Launches of each measurement. */
  readonly launches: number;
}

/** No measurement has more launches: beyond, recording them costs more than is learnt. */
const MAX_LAUNCHES = 1000;

/**
 * Times a launch: warms up, then takes the median over rounds of many launches each, which hides the cost of waiting.
 * Check what is timed first. Operands that fit a cache stay in it from one launch to the next.
 *
 * @throws {RangeError} when `rounds` is no whole number of at least 1.
 *
 * @example
 * ```ts
 * import { matmul, measureKernel, openGpu } from "@ponder/ponder/kernels";
 *
 * const gpu = await openGpu();
 * const [A, B, C] = ["A", "B", "C"].map((name) => gpu.allocate(256 * 256, name));
 * const { medianUs } = await measureKernel(
 *   gpu,
 *   () => matmul(gpu, { A, B, C }, { M: 256, N: 256, K: 256 }),
 *   { rounds: 3, sampleMs: 5, warmUpMs: 10 },
 * );
 * console.log(`${(2 * 256 ** 3 / medianUs / 1e3).toFixed(1)} GFLOP/s`);
 * gpu.destroy();
 * ```
 */
export async function measureKernel(
  gpu: Gpu,
  launch: () => void,
  { rounds = 15, sampleMs = 40, warmUpMs = 200 }: MeasureKernelOptions = {},
): Promise<KernelTime> {
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new RangeError(`Cannot measure ${rounds} rounds: use a whole number of at least 1`);
  }
  const elapsedMs = async (count: number) => {
    const startMs = performance.now();
    for (let index = 0; index < count; index++) launch();
    // Four words: it waits for everything before them.
    await gpu.read(gpu.placeholder);
    return performance.now() - startMs;
  };
  await elapsedMs(1); // compiles
  const startMs = performance.now();
  let launches = 1;
  let takenMs = await elapsedMs(launches);
  // One launch is mostly waiting when launches are short: grow step by step.
  while (performance.now() - startMs < warmUpMs || (takenMs < sampleMs / 2 && launches < MAX_LAUNCHES)) {
    const growth = Math.min(8, sampleMs / Math.max(takenMs, 1e-3));
    launches = Math.max(1, Math.min(MAX_LAUNCHES, Math.round(launches * growth)));
    takenMs = await elapsedMs(launches);
  }
  const samplesUs: number[] = [];
  for (let round = 0; round < rounds; round++) samplesUs.push(await elapsedMs(launches) * 1e3 / launches);
  samplesUs.sort((a, b) => a - b);
  const at = (share: number) => quantile(samplesUs, share);
  return { medianUs: at(0.5), lowUs: at(0.25), highUs: at(0.75), rounds, launches };
}

/** Linear between neighbours. */
function quantile(sorted: readonly number[], share: number): number {
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}
