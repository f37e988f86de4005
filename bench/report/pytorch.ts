/**
 * The output of `scripts/peer_pytorch.py --json`, and its comparison with our rows.
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

/** The end of the name of our rollouts. */
const ROLLOUT_STEPS = / x (\d+) steps$/;

/** Finds PyTorch's time for the work of one of our steps, and how many times faster ours is, by wall time. Null if it has none. */
export function besidePytorch(
  { name, wallUs }: BenchRow,
  pytorch: PytorchRun,
): { us: number; threads: number; ratio: number } | null {
  const theirs = pytorch.rows.find((row) => row.name === name.replace(ROLLOUT_STEPS, ""));
  if (theirs === undefined) return null;
  // Our rollout has several steps; PyTorch times one.
  const us = theirs.ms.median * 1e3 * Number(name.match(ROLLOUT_STEPS)?.[1] ?? 1);
  return { us, threads: theirs.threads, ratio: us / wallUs.median };
}
