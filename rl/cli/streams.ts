import { foldLines } from "./format.ts";
import { terminalColumns } from "./terminal.ts";

/** The streams that a command writes to; tests replace them. */
export interface Console {
  /** Writes results. */
  readonly out: (text: string) => void;
  /** Writes messages and progress. */
  readonly err: (text: string) => void;
}

/** A message as a terminal shows it. */
function folded(message: unknown): unknown {
  const isText = typeof message === "string" && !message.includes("\x1b");
  return isText && Deno.stderr.isTerminal() ? foldLines(message, terminalColumns()) : message;
}

const encoder = new TextEncoder();

/** Writes all of `text`. A pipe may take less than it is given at once. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = encoder.encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
}

/** Runs `write` and ignores its failure: a message that nobody can read must not end hours of training. */
function dropping(write: () => void): void {
  try {
    write();
  } catch {
    // The reader is gone, or the disk of a log is full.
  }
}

/**
 * Stdout and stderr of this process. `out` throws if results cannot be written. `err` drops messages that cannot be written.
 */
export const processConsole: Console = {
  out: (text) => writeAll(Deno.stdout, text),
  err: (text) => dropping(() => writeAll(Deno.stderr, text)),
};

/**
 * Makes `console.error` and `console.warn` drop what cannot be written, as {@linkcode processConsole} does, and break lines
 * between words on a terminal.
 */
export function dropUnwritableMessages(): void {
  for (const name of ["error", "warn"] as const) {
    const write = console[name].bind(console);
    console[name] = (...data: unknown[]) => dropping(() => write(...data.map(folded)));
  }
}
