/**
 * What the GPU runtime asks of its host beyond WebGPU: environment variables and a line of log. The only file of
 * `kernels/` that knows Deno; in a browser every answer is the default.
 *
 * @module
 */

/** Is this Deno? Its WGSL knows subgroup functions without `enable subgroups;`, and refuses that line. */
export const isDeno: boolean = "Deno" in globalThis;

/** The environment variable, or undefined if there is none, it is unset, or it may not be read. */
export function environment(name: string): string | undefined {
  try {
    return globalThis.Deno?.env.get(name);
  } catch {
    return undefined;
  }
}

/**
 * The `DEBUG` ladder, read once: 1 pipelines, 2 WGSL, 3 dispatches with shapes and microseconds, 4 NaN scan.
 * Each rung includes those below it.
 */
export const debugLevel: number = Number(environment("DEBUG") ?? 0) || 0;

/** Writes one line of debug output to stderr, away from a command's `--json` output. */
export function debugLog(line: string): void {
  console.error(line);
}
