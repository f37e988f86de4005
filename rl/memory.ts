let peakBytes = 0;

/**
 * Measures the process's resident set, and returns the largest that was seen so far, in bytes. It is called after each update,
 * when the set is largest, and at the end. Deno shows the system's own figure only with all permissions.
 * A browser shows none: 0.
 */
export function peakMemory(): number {
  peakBytes = Math.max(peakBytes, globalThis.Deno?.memoryUsage().rss ?? 0);
  return peakBytes;
}

/** Bytes of memory that this machine has; a browser does not say, and infinity stands for that. */
export function machineMemory(): number {
  return globalThis.Deno?.systemMemoryInfo().total ?? Infinity;
}
