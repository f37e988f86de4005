/** The process's largest resident set, sampled: Deno grants the system's own figure only with all permissions. */
export class PeakMemory {
  readonly #timer: ReturnType<typeof setInterval>;
  #peakBytes = 0;

  /** Samples every `intervalMs` in which the event loop turns. */
  constructor(intervalMs = 200) {
    this.#timer = setInterval(() => this.sample(), intervalMs);
  }

  /** Looks now, and returns the largest seen so far, in bytes. */
  sample(): number {
    this.#peakBytes = Math.max(this.#peakBytes, Deno.memoryUsage().rss);
    return this.#peakBytes;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
