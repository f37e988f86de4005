/**
 * The exchange over NATS with JetStream: a queue of jobs, a queue of results and a store of objects for each run. Only this file,
 * `nats_login.ts` and `nats_run.ts` know the client library.
 *
 * For a run NAME there are the streams `ponder_NAME_jobs` and `ponder_NAME_results`, both work queues on the subjects
 * `ponder.NAME.jobs` and `ponder.NAME.results`, and the object store `ponder_NAME`. Notes for people go over the plain subject
 * `ponder.NAME.notes`. Everything is kept in files, so that a server that restarts goes on. Servers from 2.9.4 on have all
 * that is used.
 *
 * @module
 */
import { JetStreamApiError, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { Credentials, NatsAddress } from "./address.ts";
import { type Exchange, ExchangeEnded, type RunExchange } from "./exchange.ts";
import { connectionError, listening, loginOf, messageOf, permissionError } from "./nats_login.ts";
import { NatsRun, TIMEOUT_MS } from "./nats_run.ts";

/** Milliseconds between tries while the server is away. */
const RETRY_MS = 500;
/** Error codes of the server: no room left, for messages or for the stream. */
const FULL_CODES = [10023, 10028, 10047, 10077, 10167];

/** How to reach a server. */
export interface NatsSettings {
  readonly address: NatsAddress;
  readonly credentials?: Credentials;
  /** Name of this client, as the server lists it. */
  readonly client: string;
  /** Milliseconds without the server after which work is given up. */
  readonly patienceMs: number;
  /** What the user does once the server can be used again, for instance "go on with --resume". */
  readonly remedy: string;
  readonly note: (text: string) => void;
}

/**
 * Connects to a server.
 *
 * @throws {Error} when no server answers, it refuses the credentials, or it has no JetStream.
 */
export async function connectNats(settings: NatsSettings): Promise<Exchange> {
  const { address, credentials, client } = settings;
  let connection: NatsConnection;
  try {
    connection = await listening(() =>
      connect(
        {
          servers: [...address.servers],
          name: client,
          ...loginOf(address, credentials),
          // The process may reach the named servers alone.
          ignoreClusterUpdates: true,
          resolve: false,
          reconnect: true,
          maxReconnectAttempts: -1,
          reconnectTimeWait: RETRY_MS,
          pingInterval: 5000,
          maxPingOut: 2,
          timeout: TIMEOUT_MS,
        } as Parameters<typeof connect>[0],
      )
    );
  } catch (error) {
    throw await connectionError(error, address, credentials);
  }
  try {
    requireUsable(connection, address);
  } catch (error) {
    await connection.close();
    throw error;
  }
  try {
    const manager = await jetstreamManager(connection, { timeout: TIMEOUT_MS });
    await manager.getAccountInfo();
    return new NatsExchange(connection, manager, settings);
  } catch (error) {
    await connection.close();
    throw permissionError("use JetStream", address.shown, error) ?? new Error(
      `Cannot use NATS at ${address.shown}: it has no JetStream for this account (${
        messageOf(error)
      }), start it with: nats-server -js, or enable it for the account`,
      { cause: error },
    );
  }
}

/** The oldest server that has all that is used. */
const OLDEST = [2, 9, 4];
/** Least bytes that a server must take in a message. */
const LEAST_PAYLOAD = 4096;

/** Checks what a server says of itself. Throws an `Error` when it is too old, or takes small messages alone. */
function requireUsable({ info }: NatsConnection, { shown }: NatsAddress): void {
  const numbers = /^v?(\d+)\.(\d+)\.(\d+)/.exec(info?.version ?? "")?.slice(1).map(Number) ?? OLDEST;
  const first = numbers.findIndex((number, i) => number !== OLDEST[i]);
  if (first >= 0 && numbers[first] < OLDEST[first]) {
    throw new Error(
      `Cannot use NATS at ${shown}: it is nats-server ${info!.version}, use ${OLDEST.join(".")} or later`,
    );
  }
  if (info !== undefined && info.max_payload < LEAST_PAYLOAD) {
    throw new Error(
      `Cannot use NATS at ${shown}: it takes messages of ${info.max_payload} bytes, raise its max_payload to at least ` +
        LEAST_PAYLOAD,
    );
  }
}

class NatsExchange implements Exchange {
  readonly place: string;
  /** Why the connection has ended. */
  #reason: Error | null = null;
  /** Give up what needs the connection as it is. */
  readonly #giveUp = new Set<(reason: Error) => void>();

  constructor(
    readonly connection: NatsConnection,
    readonly manager: JetStreamManager,
    readonly settings: NatsSettings,
  ) {
    this.place = settings.address.shown;
    void this.#followStatus();
    void this.connection.closed().then((reason) => {
      this.#reason = reason instanceof Error ? reason : null;
      this.#interrupt();
    });
  }

  /** Tells what the server refuses without an answer to anybody: acknowledgements and notes. Interrupts when it goes. */
  async #followStatus(): Promise<void> {
    let isTold = false;
    for await (const status of this.connection.status()) {
      if (status.type === "disconnect") this.#interrupt();
      const refusal = status.type === "error" ? permissionError("go on", this.place, status.error) : null;
      if (refusal === null || isTold) continue;
      isTold = true;
      this.settings.note(refusal.message);
    }
  }

  #interrupt(): void {
    for (const giveUp of this.#giveUp) giveUp(new Error("the connection broke"));
  }

  async connected<T>(work: () => Promise<T>): Promise<T> {
    const { promise: broken, reject: giveUp } = Promise.withResolvers<never>();
    this.#giveUp.add(giveUp);
    try {
      return await Promise.race([work(), broken]);
    } finally {
      this.#giveUp.delete(giveUp);
    }
  }

  async runs(): Promise<string[]> {
    const names: string[] = [];
    await this.patiently("list the runs", async () => {
      names.length = 0;
      for await (const name of this.manager.streams.names()) {
        const match = /^ponder_(.+)_jobs$/.exec(name);
        if (match !== null) names.push(match[1]);
      }
    });
    return names.sort();
  }

  async open(name: string, make?: { jobTimeoutMs: number }): Promise<RunExchange> {
    const run = new NatsRun(this, name, make?.jobTimeoutMs ?? null);
    if (make !== undefined) await run.ensure();
    return run;
  }

  /** Does `work` until it succeeds, as long as only the connection is at fault. */
  async patiently<T>(what: string, work: () => Promise<T>, isStopped = () => false): Promise<T> {
    const { note, patienceMs, remedy } = this.settings;
    const sinceMs = performance.now();
    let isTold = false;
    while (true) {
      try {
        const result = await work();
        if (isTold) note(`NATS at ${this.place} answers again`);
        return result;
      } catch (error) {
        if (isStopped()) throw error;
        this.requireOpen(what);
        if (error instanceof JetStreamApiError) throw this.#refusal(what, error);
        const refusal = permissionError(what, this.place, error);
        if (refusal !== null) throw refusal;
        const waitedMs = performance.now() - sinceMs;
        if (waitedMs > patienceMs) {
          throw new Error(
            `Cannot ${what}: NATS at ${this.place} has not answered for ${Math.round(waitedMs / 1000)} s (${
              messageOf(error)
            }), ${remedy} when it is back`,
            { cause: error },
          );
        }
        if (!isTold) note(`NATS at ${this.place} does not answer (${messageOf(error)}); waiting for it`);
        isTold = true;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  requireOpen(what: string): void {
    if (!this.connection.isClosed()) return;
    const reason = this.#reason === null ? "it was closed" : messageOf(this.#reason);
    throw new ExchangeEnded(
      `Cannot ${what}: the connection to NATS at ${this.place} has ended (${reason}), ${this.settings.remedy} when that is mended`,
      { cause: this.#reason },
    );
  }

  #refusal(what: string, error: JetStreamApiError): Error {
    const { code, message } = error as JetStreamApiError & { code: number };
    if (FULL_CODES.includes(code) || /insufficient|maximum bytes/i.test(message)) {
      return new StoreFull(
        `Cannot ${what} at ${this.place}: its storage is full (${message}), free some or raise max_file_store; ` +
          `then ${this.settings.remedy}`,
        { cause: error },
      );
    }
    return new Error(`Cannot ${what} at ${this.place}: ${message} (${code})`, { cause: error });
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The server has no room left. */
export class StoreFull extends Error {}
