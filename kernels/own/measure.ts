/**
 * How long a kernel takes.
 *
 * @module
 */
import type { Gpu } from "../gpu/gpu.ts";
import { launchContender, measureInTurns, spreadOf } from "../measure.ts";

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
  const contender = launchContender(gpu, launch);
  await contender.run(1); // compiles
  const alone = { threads: 1, busyClock: () => null };
  const [{ launches, samples }] = await measureInTurns([contender], { rounds, sampleMs, warmUpMs, ...alone });
  const { median, low, high } = spreadOf(samples.map(({ wallUs }) => wallUs));
  return { medianUs: median, lowUs: low, highUs: high, rounds, launches };
}
