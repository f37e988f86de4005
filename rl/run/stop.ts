/** Stopping long work. The first Ctrl-C asks the work to save and end; the second ends the process at once. */

/** Thrown out of work that the user stopped. */
export class Stopped extends Error {}

/** Signals that ask for a stop. A closed terminal sends SIGHUP, a job scheduler SIGTERM. */
const stopSignals = (): readonly Deno.Signal[] =>
  Deno.build.os === "windows" ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Was the command started to outlive its terminal, as by `nohup`? A process that Deno starts does not inherit that SIGHUP is
 * ignored. A variable tells it.
 */
const outlivesTerminal = () => Deno.env.get("PONDER_SIGHUP") === "ignore";

/**
 * A signal that comes again within this time is an echo. The terminal sends Ctrl-C to `deno task` and to its command, and
 * `deno task` passes its own on.
 */
const ECHO_MS = 500;

/** Milliseconds between looks at the parent process. */
const PARENT_INTERVAL_MS = 1000;

/** What a signal asks for: to save and end, to exit at once, or nothing. */
export type StopRequest = "stop" | "exit" | "nothing";

/**
 * Decides what each signal asks for. The first one asks to stop. The same signal again, later than an echo, asks to exit at
 * once. SIGHUP never asks to exit: a closing terminal sends it several times, and together with other signals.
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
 * The process that this one must not outlive; null if there is none. `PONDER_PARENT` names it. Without that, the parent is
 * watched if it is `deno task`. `deno task` sets `INIT_CWD`; `./ponder` starts no second process and sets `PONDER_CWD`.
 */
function watchedParent(): number | null {
  const named = Number(Deno.env.get("PONDER_PARENT"));
  if (named > 0) return named;
  const isTask = Deno.env.get("INIT_CWD") && !Deno.env.get("PONDER_CWD");
  return isTask ? Deno.ppid : null;
}

/**
 * Runs `work`, which can ask whether it should stop. `onStop` is called once, when a signal asks for that or the parent
 * process ends.
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
  const listeners = stopSignals().map((signal) => {
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
  // The system gives a process another parent when its own ends.
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
