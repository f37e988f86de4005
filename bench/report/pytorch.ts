/**
 * What `scripts/peer_pytorch.py --json` prints, and how it compares with a row of ours.
 *
 * @module
 */
import type { BenchRow } from "../types.ts";

/** A run of PyTorch. */
export interface PytorchRun {
  readonly torch: string;
  readonly device: string;
  readonly command: string;
  readonly rows: readonly {
    readonly name: string;
    readonly threads: number;
    readonly ms: { readonly median: number; readonly low: number; readonly high: number };
  }[];
}

/** Ends the name of a rollout of ours. */
const ROLLOUT_STEPS = / x (\d+) steps$/;

/** PyTorch's time for the work of one of our steps and how many times faster ours is, by wall time; null if it has none. */
export function besidePytorch(
  { name, wallUs }: BenchRow,
  pytorch: PytorchRun,
): { us: number; threads: number; ratio: number } | null {
  const theirs = pytorch.rows.find((row) => row.name === name.replace(ROLLOUT_STEPS, ""));
  if (theirs === undefined) return null;
  // A rollout of ours has several steps of what PyTorch times one of.
  const us = theirs.ms.median * 1e3 * Number(name.match(ROLLOUT_STEPS)?.[1] ?? 1);
  return { us, threads: theirs.threads, ratio: us / wallUs.median };
}
