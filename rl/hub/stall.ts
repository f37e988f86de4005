/**
 * Giving up on a server that says nothing any more.
 *
 * @module
 */

/** The hub could not be asked, or stopped answering. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";

  /** `state` says what failed. */
  constructor(readonly state: string) {
    super(state);
  }
}

/** Calls back after so many milliseconds, unless what it returns is called before. */
export type Timer = (ms: number, onTime: () => void) => () => void;

const systemTimer: Timer = (ms, onTime) => {
  const id = setTimeout(onTime, ms);
  return () => clearTimeout(id);
};

/** Ends a request in which nothing arrives for a while. */
export class Stall implements Disposable {
  readonly #ms: number;
  readonly #timer: Timer;
  readonly #abort = new AbortController();
  #cancel: () => void = () => {};

  /** `ms` is how long nothing may arrive. */
  constructor(ms: number, timer: Timer = systemTimer) {
    this.#ms = ms;
    this.#timer = timer;
    this.arrived();
  }

  /** For the request. It ends with a `ConnectionError`. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Something arrived: the time begins anew. */
  arrived(): void {
    this.#cancel();
    this.#cancel = this.#timer(this.#ms, () => {
      const seconds = `${this.#ms / 1000} seconds`;
      this.#abort.abort(new ConnectionError(`nothing arrived for ${seconds}`));
    });
  }

  /** The request is over. */
  [Symbol.dispose](): void {
    this.#cancel();
  }
}
