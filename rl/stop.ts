/** Stopping long work: the first Ctrl-C asks it to come to an end, the second ends the process. */

/** Thrown out of work that the user stopped. */
export class Stopped extends Error {}

/** Runs `work`, which is told whether the user asked to stop; `onStop` is called when that happens. */
export async function stoppable<T>(
  onStop: () => void,
  work: (isStopped: () => boolean) => Promise<T>,
): Promise<T> {
  let isStopped = false;
  const stop = () => {
    if (isStopped) Deno.exit(1);
    isStopped = true;
    onStop();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  try {
    return await work(() => isStopped);
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
  }
}
