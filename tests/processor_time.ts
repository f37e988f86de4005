/** Processor time of this process: bounds on work that hold on a busy machine too, where the clock on the wall does not. */
import process from "node:process";

/** Milliseconds of processor time that this process has used so far, all its threads together. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

/**
 * Milliseconds of processor time of the fastest of up to twenty runs, fewer once one is under `limitMs`: the bound is on
 * the work, not on what else the machine does.
 */
export function fastestMs(limitMs: number, work: () => unknown): number {
  let elapsedMs = Infinity;
  for (let tries = 0; tries < 20 && elapsedMs >= limitMs; tries++) {
    const start = processorMs();
    work();
    elapsedMs = Math.min(elapsedMs, processorMs() - start);
  }
  return elapsedMs;
}
