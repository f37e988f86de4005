/**
 * Lets the event loop turn once: signals arrive then. In Deno a GPU readback completes without a turn, so that a loop of
 * updates alone would not notice Ctrl-C until its end.
 */
export function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
