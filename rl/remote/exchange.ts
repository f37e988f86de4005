/**
 * What learner and workers need of the engine between them: queues and a store for each run.
 *
 * @module
 */

/** A message that was taken from a queue. It comes to somebody else if it is neither done nor being worked on for long. */
export interface Taken {
  readonly bytes: Uint8Array;
  /** It need not come again. */
  done(): void;
  /** It is still being worked on. */
  working(): void;
  /** Somebody else should have it at once. */
  giveBack(): void;
}

/** How many jobs there are, and workers without one. */
export interface ExchangeState {
  /** Workers that wait for a job. */
  readonly waiting: number;
  /** Jobs that nobody has taken. */
  readonly queued: number;
  /** Jobs that somebody works on. */
  readonly inWork: number;
}

/** The queues and the store of one run. */
export interface RunExchange {
  readonly name: string;
  /** Makes what is missing of it. */
  ensure(): Promise<void>;
  /** Drops all messages of both queues. */
  empty(): Promise<void>;
  /** Removes queues and store. */
  remove(): Promise<void>;
  /** Adds a message to a queue. One with an id of before is dropped. */
  publish(kind: "jobs" | "results", id: string, bytes: Uint8Array): Promise<void>;
  /** Takes a message from a queue; null if none came for some seconds. Rejects while the server is away. */
  take(kind: "jobs" | "results"): Promise<Taken | null>;
  /** Rejects while the server is away, and with {@linkcode ExchangeEnded} when it will not be back. */
  state(): Promise<ExchangeState>;
  /** Stores an object. */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** Reads an object; null if there is none. */
  get(name: string): Promise<Uint8Array<ArrayBuffer> | null>;
  /** Removes an object, if it is there. */
  forget(name: string): Promise<void>;
  /** Tells people at the other side. It may be lost. */
  tell(text: string): void;
  /** Calls back with what the other side tells people, until the exchange is closed. */
  listen(onNote: (text: string) => void): Promise<void>;
}

/** The connection has ended for good. Nothing can be done at this exchange any more. */
export class ExchangeEnded extends Error {}

/** A connection to the engine. */
export interface Exchange extends AsyncDisposable {
  /** Where it is, as messages say it. */
  readonly place: string;
  /** Lists the runs that have queues. */
  runs(): Promise<string[]>;
  /** Opens a run; with `make`, it makes what is missing of it. */
  open(name: string, make?: { readonly jobTimeoutMs: number }): Promise<RunExchange>;
  close(): Promise<void>;
}
