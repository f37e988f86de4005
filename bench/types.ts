/**
 * What a benchmark run is: rows of medians and spreads, and the machine they were taken on. Saved as JSON.
 *
 * @module
 */

import type { Spread } from "../kernels/measure.ts";

/** GPU time of one kernel within a row, from timestamp queries. */
export interface KernelShare {
  readonly kernel: string;
  /** Dispatches of one launch or step. */
  readonly count: number;
  /** Microseconds of all of them. */
  readonly totalUs: number;
}

/** One contender at one shape. */
export interface BenchRow {
  /** `cases` are those the tests run, `headline` the shapes that people compare libraries by, `large` those that fill a GPU, `steps` whole steps. */
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
   * CPU time of one launch in microseconds, over the threads that play the GPU; null on a real GPU and if the
   * system does not tell. Waiting for
   * a core is not in it, but other work that takes caches and memory bandwidth can still double it.
   */
  readonly busyUs: Spread | null;
  /** Launches of one measurement. */
  readonly launches: number;
  /** Floating-point operations and bytes of one launch. */
  readonly flops: number;
  readonly bytes: number;
  /** Tokens of one launch if rates in tokens are usual. */
  readonly tokens?: number;
  /** Share of the machine's ceiling (see `shareOfCeiling`). */
  readonly share: number | null;
  /** The ceilings measured right before this row: a shared machine's move; absent from whole steps and older runs. */
  readonly ceiling?: Ceiling;
  /** How many times faster than the first variant, from pairs of neighbouring measurements; null for the first. */
  readonly overNaive: Spread | null;
  /** How many times faster than each peer; empty for peers and without them. */
  readonly overPeers: Readonly<Record<string, Spread>>;
  /** Largest |got - want| / (1 + |want|) against the reference, or for peers against our result. */
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
  /** Copy of 16 MiB by the best of a few kernels, read and written bytes, in GB/s. */
  readonly copy: { readonly wall: number; readonly busy: number | null };
  /** The same for words that are read and overwritten in place: on some machines that is cheaper than a copy. */
  readonly update: { readonly wall: number; readonly busy: number | null };
  /** Multiply-adds on registers, in GFLOP/s. */
  readonly multiplyAdd: { readonly wall: number; readonly busy: number | null };
}

/** One run of the benchmark. */
export interface BenchRun {
  readonly command: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly adapter: string;
  readonly deno: string;
  readonly threads: number;
  /** The process's largest resident set, sampled, in bytes, peers included; absent from older runs. */
  readonly peakBytes?: number;
  /** Variants that tuning chose over the adapter's usual ones, by kernel; absent from older runs. */
  readonly tuned?: Readonly<Record<string, string>>;
  readonly peers: readonly string[];
  readonly ceiling: Ceiling;
  readonly rows: readonly BenchRow[];
  /** What failed; absent from older runs, which have it among the warnings. */
  readonly failures?: readonly FailedRow[];
  /** What was left out, and why. */
  readonly warnings: readonly string[];
}

/** The name that identifies a row's shape: suite, kernel and case. */
export const shapeKey = ({ suite, kernel, name }: Pick<BenchRow, "suite" | "kernel" | "name">): string =>
  `${suite} / ${kernel} / ${name}`;
