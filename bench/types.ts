/**
 * The types of a benchmark run: rows of medians and spreads, and the machine that they were taken on. A run is saved as JSON.
 *
 * @module
 */

import type { Spread } from "../kernels/measure.ts";

/** GPU time of one kernel within a row, from timestamp queries. */
export interface KernelShare {
  readonly kernel: string;
  /** Number of dispatches in one launch or step. */
  readonly count: number;
  /** Time of all of them together, in microseconds. */
  readonly totalUs: number;
}

/** One contender at one shape. */
export interface BenchRow {
  /**
   * `cases` are those of the tests, `headline` the shapes by which people compare libraries, `large` shapes that fill a GPU,
   * `steps` whole steps.
   */
  readonly suite: "cases" | "headline" | "large" | "steps";
  /** Folder under `kernels/`, or `steps`. */
  readonly kernel: string;
  /** Shape and options. */
  readonly name: string;
  /** A variant of ours, or a peer with its version. */
  readonly variant: string;
  readonly isPeer: boolean;
  /** Wall time of one launch in microseconds. */
  readonly wallUs: Spread;
  /**
   * CPU time of one launch in microseconds, per thread that plays the GPU. Null on a real GPU, and if the system does not tell.
   * It leaves out waiting for a core, but other work that takes caches and memory bandwidth can still double it.
   */
  readonly busyUs: Spread | null;
  /** Number of launches in one measurement. */
  readonly launches: number;
  /** Floating-point operations of one launch; 0 if unknown. */
  readonly flops: number;
  /** Bytes that one launch moves; 0 if unknown. */
  readonly bytes: number;
  /** Tokens of one launch, if rates in tokens are usual. */
  readonly tokens?: number;
  /** Share of the machine's ceiling (see `shareOfCeiling`). */
  readonly share: number | null;
  /** The ceilings measured right before this row, since those of a shared machine move. Whole steps and older runs lack them. */
  readonly ceiling?: Ceiling;
  /** How many times faster than the first variant, from pairs of neighbouring measurements. Null for the first itself. */
  readonly overNaive: Spread | null;
  /** How many times faster than each peer. Empty for peers themselves, and if there are none. */
  readonly overPeers: Readonly<Record<string, Spread>>;
  /** Largest |got - want| / (1 + |want|). `want` is the reference; for peers it is our result. */
  readonly error: number | null;
  readonly profile?: readonly KernelShare[];
}

/** A contender of ours that has no row, because it failed its check or could not run. */
export interface FailedRow extends Pick<BenchRow, "suite" | "kernel" | "name" | "variant"> {
  /** What went wrong. */
  readonly reason: string;
}

/** The machine's measured ceilings. */
export interface Ceiling {
  /** Rate of copying 16 MiB by the best of a few kernels, in GB/s of read and written bytes. */
  readonly copy: { readonly wall: number; readonly busy: number | null };
  /** The same rate for words that are overwritten in place. On some machines that is cheaper than a copy. */
  readonly update: { readonly wall: number; readonly busy: number | null };
  /** Rate of multiply-adds on registers, in GFLOP/s. */
  readonly multiplyAdd: { readonly wall: number; readonly busy: number | null };
}

/** One run of the benchmark. */
export interface BenchRun {
  readonly command: string;
  /** Time of the start, as ISO 8601. */
  readonly startedAt: string;
  readonly adapter: string;
  readonly deno: string;
  readonly threads: number;
  /** Largest resident set of the process that was sampled, in bytes, with peers. Older runs lack it. */
  readonly peakBytes?: number;
  /** Variants that tuning chose instead of the adapter's usual ones, by kernel. Older runs lack it. */
  readonly tuned?: Readonly<Record<string, string>>;
  readonly peers: readonly string[];
  readonly ceiling: Ceiling;
  readonly rows: readonly BenchRow[];
  /** What failed. Older runs have it among the warnings. */
  readonly failures?: readonly FailedRow[];
  /** What was left out, and why. */
  readonly warnings: readonly string[];
}

/** Makes the key of a row's shape: suite, kernel and case. */
export const shapeKey = ({ suite, kernel, name }: Pick<BenchRow, "suite" | "kernel" | "name">): string =>
  `${suite} / ${kernel} / ${name}`;
