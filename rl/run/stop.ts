/** Stopping long work: the first Ctrl-C asks it to come to an end and save, the second ends the process at once. */

/** Thrown out of work that the user stopped. */
export class Stopped extends Error {}

/** Signals that ask for a stop. A closed terminal sends SIGHUP, a job scheduler SIGTERM. */
const STOP_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Whether the command was started to outlive its terminal, as by `nohup`. A process that Deno starts no longer ignores SIGHUP
 * by itself, so that it has to be told.
 */
const outlivesTerminal = () => Deno.env.get("PONDER_SIGHUP") === "ignore";

/** A repetition within this time is an echo: `deno task` hands on the Ctrl-C that the terminal sends to both processes. */
const ECHO_MS = 500;

/** Milliseconds between looks at the parent process. */
const PARENT_INTERVAL_MS = 1000;

/** What a signal asks for. */
export type StopRequest = "stop" | "exit" | "nothing";

/**
 * Tells what each signal asks for. The first one asks to stop. The same one again, later than an echo, asks to exit at
 * once. SIGHUP never does: a closing terminal sends it several times, and beside other signals.
 */
export class StopRequests {
  #first: { signal: string; timeMs: number } | null = null;

  /** The meaning of `signal` at `timeMs` of any clock. */
  next(signal: string, timeMs: number): StopRequest {
    if (this.#first === null) {
      this.#first = { signal, timeMs };
      return "stop";
    }
    const isRepeated = signal === this.#first.signal && signal !== "SIGHUP";
    return isRepeated && timeMs - this.#first.timeMs >= ECHO_MS ? "exit" : "nothing";
  }
}

/**
 * The process that this one must not outlive, null if there is none. `PONDER_PARENT` names it. `deno task` names itself
 * by `INIT_CWD`, without the `PONDER_CWD` of `./ponder`, which starts no second process.
 */
function watchedParent(): number | null {
  const named = Number(Deno.env.get("PONDER_PARENT"));
  if (named > 0) return named;
  const isTask = Deno.env.get("INIT_CWD") && !Deno.env.get("PONDER_CWD");
  return isTask ? Deno.ppid : null;
}

/**
 * Runs `work`, which is told whether it was asked to stop; `onStop` is called when that happens. A signal asks for it,
 * and so does the end of the parent process.
 */
export async function stoppable<T>(
  onStop: () => void,
  work: (isStopped: () => boolean) => Promise<T>,
): Promise<T> {
  let isStopped = false;
  const stop = () => {
    if (isStopped) return;
    isStopped = true;
    onStop();
  };
  const requests = new StopRequests();
  const ignored = outlivesTerminal() ? "SIGHUP" : null;
  const listeners = STOP_SIGNALS.map((signal) => {
    const listener = () => {
      if (signal === ignored) return;
      const request = requests.next(signal, performance.now());
      if (request === "exit") Deno.exit(1);
      if (request === "stop") stop();
    };
    Deno.addSignalListener(signal, listener);
    return [signal, listener] as const;
  });
  const parent = watchedParent();
  // A process whose parent ends is given another.
  const watch = parent === null ? undefined : setInterval(() => {
    if (Deno.ppid !== parent) stop();
  }, PARENT_INTERVAL_MS);
  try {
    return await work(() => isStopped);
  } finally {
    clearInterval(watch);
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
  }
}
