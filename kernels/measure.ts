/**
 * Timing: contenders take turns, a measurement of each a round, so that whatever else the machine does hits all of
 * them alike.
 *
 * @module
 */
import type { Gpu } from "./gpu/mod.ts";

/** Median and quartiles of repeated measurements. */
export interface Spread {
  readonly median: number;
  /** First quartile. */
  readonly low: number;
  /** Third quartile. */
  readonly high: number;
}

/** Something that can be launched and waited for. */
export interface Contender {
  /** Launches `count` times and waits until the work is done. */
  run(count: number): Promise<void>;
  /** Milliseconds that waiting takes although nothing is left to do; 0 when absent. Measured after each `run`. */
  waitMs?(): Promise<number>;
}

/** One measurement: both in microseconds a launch. */
export interface Measurement {
  readonly wallUs: number;
  readonly busyUs: number | null;
}

/** All measurements of one contender. */
export interface Measurements {
  readonly launches: number;
  readonly samples: readonly Measurement[];
}

/** CPU nanoseconds spent so far by the threads that play the GPU, or null if there are none or it is unknown. */
export type BusyClock = () => number | null;

/** How long and how often to measure. */
export interface MeasureSettings {
  /** Measurements of each contender. */
  readonly rounds: number;
  /** A measurement repeats the launch until it takes about this long. */
  readonly sampleMs: number;
  /** Threads that share the GPU's work on a software adapter. */
  readonly threads: number;
  readonly busyClock: BusyClock;
  /** Work before the first measurement: a GPU's clock rises over a second of it, and falls as soon without. None when absent. */
  readonly warmUpMs?: number;
}

/** No measurement has more launches: beyond, recording them costs more than is learnt. */
const MAX_LAUNCHES = 1000;

/** Measures contenders in turns. They have run before: nothing compiles any more. */
export async function measureInTurns(
  contenders: readonly Contender[],
  { rounds, sampleMs, threads, busyClock, warmUpMs = 0 }: MeasureSettings,
): Promise<Measurements[]> {
  await warmUp(contenders[0], warmUpMs);
  const launches: number[] = [];
  for (const contender of contenders) {
    const elapsedMs = async (count: number) => (await measureOnce(contender, count, busyClock)).elapsedMs;
    const once = await elapsedMs(1);
    // One launch is mostly waiting when launches are short: look again at several.
    const estimateMs = once > sampleMs / 4 ? once : await elapsedMs(16) / 16;
    launches.push(Math.max(1, Math.min(MAX_LAUNCHES, Math.round(sampleMs / Math.max(estimateMs, 1e-4)))));
  }
  const samples: Measurement[][] = contenders.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      const count = launches[index];
      const { elapsedMs, busyNs } = await measureOnce(contender, count, busyClock);
      samples[index].push({
        wallUs: elapsedMs * 1e3 / count,
        // Per worker: on an idle machine with work for all threads it equals the wall time.
        busyUs: busyNs === null ? null : busyNs / 1e3 / count / threads,
      });
    }
  }
  return launches.map((count, index) => ({ launches: count, samples: samples[index] }));
}

/** Runs more and more launches at a time, so that short ones too keep a GPU busy. */
async function warmUp(contender: Contender, warmUpMs: number): Promise<void> {
  const startMs = performance.now();
  for (let count = 1; performance.now() - startMs < warmUpMs;) {
    const beforeMs = performance.now();
    await contender.run(count);
    if (performance.now() - beforeMs < warmUpMs / 50) count = Math.min(2 * count, MAX_LAUNCHES);
  }
}

async function measureOnce(
  contender: Contender,
  count: number,
  busyClock: BusyClock,
): Promise<{ elapsedMs: number; busyNs: number | null }> {
  const busyStartNs = busyClock();
  const startMs = performance.now();
  await contender.run(count);
  const elapsedMs = performance.now() - startMs;
  // Before the wait, which launches a tiny kernel of its own.
  const busyEndNs = busyClock();
  const waitMs = contender.waitMs === undefined ? 0 : await contender.waitMs();
  return {
    elapsedMs: Math.max(elapsedMs - waitMs, 1e-3),
    busyNs: busyStartNs === null || busyEndNs === null ? null : busyEndNs - busyStartNs,
  };
}

/** A contender that launches on our runtime. Reading four words waits for everything before them. */
export function launchContender(gpu: Gpu, launch: () => void): Contender {
  return {
    async run(count) {
      for (let index = 0; index < count; index++) launch();
      await gpu.read(gpu.placeholder);
    },
  };
}

/**
 * Median and quartiles (linear between neighbours).
 *
 * @throws {RangeError} without values.
 */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) {
    throw new RangeError("Cannot take a median: there are no values, measure at least once");
  }
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => {
    const position = share * (sorted.length - 1);
    const below = Math.floor(position);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

/** Spread of the quotients of pairs: neighbouring measurements share the machine's mood. */
export function ratioSpread(numerators: readonly number[], denominators: readonly number[]): Spread {
  return spreadOf(numerators.map((value, index) => value / denominators[index]));
}
