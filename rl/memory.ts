let peakBytes = 0;

/**
 * Measures the process's resident set, and returns the largest that was seen so far, in bytes. It is called after each update,
 * when the set is largest, and at the end. Deno shows the system's own figure only with all permissions.
 */
export function peakMemory(): number {
  peakBytes = Math.max(peakBytes, Deno.memoryUsage().rss);
  return peakBytes;
}
