/**
 * Lets the event loop turn once, which is when signals are seen. In Deno a GPU readback completes without that, so
 * a loop of updates would not notice Ctrl-C until its end.
 */
export function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
