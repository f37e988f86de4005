/**
 * The learner's end of the queues: sends jobs, and hands each result to whoever waits for it, once.
 *
 * @module
 */
import { Stopped } from "../run/stop.ts";
import { ExchangeEnded, type ExchangeState, type RunExchange } from "./exchange.ts";
import { readResult, type Result } from "./jobs.ts";
import { decodeMessage } from "./message.ts";

/** How often workers may fail at a job before the run ends. */
const MOST_FAILURES = 3;
/** Milliseconds between looks at how many workers there are. */
const LOOK_MS = 1000;
/** Milliseconds without the server after which the run is given up. */
const PATIENCE_MS = 600_000;
/** Milliseconds without any result after which people are told what is waited for. */
const TELL_MS = 10_000;

/** What workers did for a run. */
export interface RemoteWork {
  /** Jobs whose results were used. */
  jobs: number;
  /** Results that were dropped, since their job was answered already. */
  duplicates: number;
  /** Results that were refused. */
  refused: number;
  /** Milliseconds that workers worked on the results that were used. */
  workerMs: number;
  /** Milliseconds in which the learner waited for results. */
  waitedMs: number;
  /** Bytes of jobs. */
  jobBytes: number;
  /** Bytes of results that answered a job. */
  resultBytes: number;
  /** Bytes of weights. */
  weightBytes: number;
  /** Jobs by the name of the worker whose result was used. */
  readonly workers: Map<string, number>;
}

/** What the queue needs. */
export interface JobQueueSettings {
  readonly run: RunExchange;
  /** Where the server is, as messages say it. */
  readonly place: string;
  readonly note: (text: string) => void;
  readonly isStopped: () => boolean;
  /** Stores again what a server has lost, but for the jobs. */
  readonly restore: () => Promise<void>;
}

interface Pending {
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

/** Jobs under way. */
export class JobQueue {
  readonly work: RemoteWork = {
    ...{ jobs: 0, duplicates: 0, refused: 0, workerMs: 0, waitedMs: 0 },
    ...{ jobBytes: 0, resultBytes: 0, weightBytes: 0 },
    workers: new Map(),
  };
  /** Workers that were there at the last look. */
  workers = 0;
  readonly #settings: JobQueueSettings;
  readonly #pending = new Map<string, Pending>();
  /** Tells the jobs of this process from those of others that worked on the run. */
  readonly #session = crypto.randomUUID().slice(0, 8);
  #count = 0;
  #lastResultMs = performance.now();
  #toldMs = 0;
  /** Since when the server has not answered; null if it does. */
  #awaySinceMs: number | null = null;
  #failure: Error | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;

  constructor(settings: JobQueueSettings) {
    this.#settings = settings;
  }

  /** Begins to listen. */
  async start(): Promise<void> {
    const { run, note } = this.#settings;
    void this.#receive();
    void run.listen(note).catch(() => {});
    this.#timer = setInterval(() => void this.#look().catch(() => {}), LOOK_MS);
    await this.#look().catch(() => {});
  }

  /** Stops listening. */
  stop(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  /**
   * Has a job done, and returns what `accept` makes of its result. If it throws, another worker gets the job.
   *
   * @throws {Error} when three workers failed at it, or the server was gone for long.
   * @throws {Stopped} when the user stops the run.
   */
  async done<T>(
    encode: (id: string) => Promise<Uint8Array>,
    accept: (result: Result) => T | Promise<T>,
  ): Promise<T> {
    const id = `${this.#session}-${this.#count++}`;
    const bytes = await encode(id);
    for (let failures = 0;; failures++) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#settings.isStopped()) throw new Stopped();
      const result = new Promise<Result>((resolve, reject) => {
        this.#pending.set(id, { id, bytes, resolve, reject });
      });
      // It may fail before anybody waits for it.
      result.catch(() => {});
      this.work.jobBytes += bytes.length;
      await this.#settings.run.publish("jobs", `${id}-${failures}`, bytes);
      const answer = await result;
      try {
        const accepted = await accept(answer);
        const { name } = answer.worker;
        this.work.jobs++;
        this.work.workerMs += answer.ms;
        this.work.workers.set(name, (this.work.workers.get(name) ?? 0) + 1);
        return accepted;
      } catch (error) {
        this.work.refused++;
        const { message } = error as Error;
        if (failures + 1 < MOST_FAILURES) {
          this.#settings.note(`${message}; another worker gets job ${id}`);
          continue;
        }
        throw new Error(
          `Cannot go on with job ${id}: it failed ${MOST_FAILURES} times, at last: ${message}`,
          {
            cause: error,
          },
        );
      }
    }
  }

  /** Takes results from the queue, and hands each to the job that waits for it. */
  async #receive(): Promise<void> {
    while (!this.#isClosed) {
      try {
        const taken = await this.#settings.run.take("results");
        if (taken === null) continue;
        await this.#sort(taken.bytes);
        taken.done();
      } catch {
        // The server is away, or has lost the queue; `#look` mends that.
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  }

  async #sort(bytes: Uint8Array): Promise<void> {
    let result: Result;
    try {
      result = readResult(await decodeMessage(bytes));
    } catch (error) {
      this.work.refused++;
      this.#settings.note(`${(error as Error).message}; it is dropped`);
      return;
    }
    const pending = this.#pending.get(result.id);
    if (pending === undefined) {
      this.work.duplicates++;
      return;
    }
    this.#pending.delete(result.id);
    this.#lastResultMs = performance.now();
    this.work.resultBytes += bytes.length;
    pending.resolve(result);
  }

  /** Counts workers, sends again what a server has lost, and tells people what is waited for. */
  async #look(): Promise<void> {
    if (this.#isClosed) return;
    const { isStopped, note, place, run } = this.#settings;
    if (isStopped()) return this.#fail(new Stopped());
    const nowMs = performance.now();
    let state: ExchangeState;
    try {
      state = await run.state();
      this.#awaySinceMs = null;
    } catch (error) {
      if (error instanceof ExchangeEnded) return this.#fail(error);
      if (/not found/i.test((error as Error).message)) return await this.#restore();
      this.#awaySinceMs ??= nowMs;
      if (nowMs - this.#awaySinceMs > PATIENCE_MS) {
        const state = `NATS at ${place} is gone, go on with --resume when it is back`;
        this.#fail(new Error(`Cannot go on with ${run.name}: ${state}`));
      }
      return;
    }
    this.workers = state.waiting + state.inWork;
    if (this.#pending.size === 0) this.#lastResultMs = nowMs;
    const isLost = state.queued === 0 && state.inWork === 0 && nowMs - this.#lastResultMs > TELL_MS / 2;
    if (isLost) await this.#sendAgain();
    if (nowMs - Math.max(this.#lastResultMs, this.#toldMs) < TELL_MS) return;
    this.#toldMs = nowMs;
    note(
      this.workers === 0
        ? `Waiting for workers: ./ponder worker --nats ${place} --run ${run.name}`
        : `Waiting for ${this.#pending.size} jobs; ${this.workers} workers are connected`,
    );
  }

  /** Makes everything anew at a server that has lost it. */
  async #restore(): Promise<void> {
    const { note, run, restore } = this.#settings;
    note(`NATS has lost the run ${run.name}; it gets everything once more`);
    await run.ensure();
    await restore();
    await this.#sendAgain();
  }

  async #sendAgain(): Promise<void> {
    this.#lastResultMs = performance.now();
    for (const { bytes, id } of [...this.#pending.values()]) {
      await this.#settings.run.publish("jobs", `${id}-again-${Math.round(performance.now())}`, bytes);
    }
  }

  #fail(error: Error): void {
    this.#failure = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
