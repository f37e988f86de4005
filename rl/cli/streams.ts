/** Where a command writes; tests replace it. */
export interface Console {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

const encoder = new TextEncoder();

/** Writes all of `text`: a pipe may take less than it is handed. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = encoder.encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
}

/** Runs `write`, dropping what cannot be written: a message that nobody can read must not end hours of training. */
function dropping(write: () => void): void {
  try {
    write();
  } catch {
    // The reader is gone, or the disk of a log is full.
  }
}

/**
 * Stdout and stderr of this process. Results go to `out`, which throws if they cannot be written. Messages and progress
 * go to `err`, which drops them then.
 */
export const processConsole: Console = {
  out: (text) => writeAll(Deno.stdout, text),
  err: (text) => dropping(() => writeAll(Deno.stderr, text)),
};

/** Has `console.error` and `console.warn` drop what cannot be written, as {@linkcode processConsole} does. */
export function dropUnwritableMessages(): void {
  for (const name of ["error", "warn"] as const) {
    const write = console[name].bind(console);
    console[name] = (...data: unknown[]) => dropping(() => write(...data));
  }
}
