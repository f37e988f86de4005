/** What the terminal says of itself. */

/** Asks the terminal for its columns. 80 if there is no terminal, or if it does not know, as in some containers. */
export function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}

/** Asks the terminal for its lines. 24 if there is no terminal, or if it does not know. */
export function terminalRows(): number {
  try {
    return Deno.consoleSize().rows || 24;
  } catch {
    return 24;
  }
}

/** Columns that results may have: the terminal's, or any number when they go to a file or a program. */
export const outputColumns = (): number => Deno.stdout.isTerminal() ? terminalColumns() : Infinity;
