/**
 * Tuning as launches see it: which variant of each kernel this adapter takes. How it is measured is in
 * `bench/tune.ts`; this file loads no references and no cases.
 *
 * @module
 */
import type { Gpu } from "./gpu/mod.ts";

/** What tuning found out; plain data, to be kept as JSON. */
export interface Tuning {
  /** Kernel folders that were measured; the others are still to come. */
  readonly folders: readonly string[];
  /** The variant to take, by kernel folder, if one is clearly faster than what the kind of adapter suggests. */
  readonly chosen: Readonly<Record<string, string>>;
  /** Variants that computed something else or could not run, by kernel folder. */
  readonly rejected: Readonly<Record<string, readonly string[]>>;
}

/** Nothing measured: every kernel takes the adapter's usual variant. */
export const UNTUNED: Tuning = { folders: [], chosen: {}, rejected: {} };

/** Has launches on this GPU follow what tuning found. */
export function applyTuning(gpu: Gpu, { chosen, rejected }: Pick<Tuning, "chosen" | "rejected">): void {
  gpu.tuned.clear();
  gpu.rejected.clear();
  for (const [folder, variant] of Object.entries(chosen)) gpu.tuned.set(folder, variant);
  for (const [folder, variants] of Object.entries(rejected)) gpu.rejected.set(folder, variants);
}
