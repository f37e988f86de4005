/**
 * The exchange over NATS with JetStream: a queue of jobs, a queue of results and a store of objects for each run. Nothing else
 * in ponder knows the client library.
 *
 * For a run NAME there are the streams `ponder_NAME_jobs` and `ponder_NAME_results`, both work queues on the subjects
 * `ponder.NAME.jobs` and `ponder.NAME.results`, and the object store `ponder_NAME`. Notes for people go over the plain subject
 * `ponder.NAME.notes`. Everything is kept in files, so that a server that restarts goes on. Servers from 2.9.4 on have all
 * that is used.
 *
 * @module
 */
import {
  AckPolicy,
  type Consumer,
  DiscardPolicy,
  jetstream,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstreamManager,
  type JsMsg,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import { type ObjectStore, Objm } from "@nats-io/obj";
import { connect, credsAuthenticator, type NatsConnection, nkeyAuthenticator } from "@nats-io/transport-node";
import type { Credentials, NatsAddress } from "./address.ts";
import type { Exchange, ExchangeState, RunExchange, Taken } from "./exchange.ts";
import { clip } from "../cli/mod.ts";

/** Milliseconds that an answer of the server may take. */
const TIMEOUT_MS = 5000;
/** Milliseconds that one request for a job or a result waits at the server. */
const TAKE_MS = 5000;
/** Milliseconds between tries while the server is away. */
const RETRY_MS = 500;
/** Bytes of a piece of an object; below the server's usual limit of 1 MB a message. */
const PIECE_BYTES = 512 * 1024;
/** Error codes of the server: no room left, for messages or for the stream. */
const FULL_CODES = [10023, 10028, 10047, 10077, 10167];

const NANOSECONDS = 1e6;

/** How to reach a server. */
export interface NatsSettings {
  readonly address: NatsAddress;
  readonly credentials?: Credentials;
  /** Name of this client, as the server lists it. */
  readonly client: string;
  /** Milliseconds without the server after which work is given up. */
  readonly patienceMs: number;
  readonly note: (text: string) => void;
}

/**
 * Connects to a server.
 *
 * @throws {Error} when no server answers, it refuses the credentials, or it has no JetStream.
 */
export async function connectNats(settings: NatsSettings): Promise<Exchange> {
  const { address, credentials, client } = settings;
  overhearResets();
  let connection: NatsConnection;
  try {
    connection = await connect(
      {
        servers: [...address.servers],
        name: client,
        ...loginOf(address, credentials),
        ...address.isTls || credentials?.tls ? { tls: credentials?.tls ?? {} } : {},
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
    );
  } catch (error) {
    throw connectionError(error, address);
  }
  try {
    const manager = await jetstreamManager(connection, { timeout: TIMEOUT_MS });
    await manager.getAccountInfo();
    return new NatsExchange(connection, manager, settings);
  } catch (error) {
    await connection.close();
    throw new Error(
      `Cannot use NATS at ${address.shown}: it has no JetStream for this account (${
        messageOf(error)
      }), start it with: nats-server -js`,
      { cause: error },
    );
  }
}

let overhears = false;

/**
 * A server that refuses a client resets the connection at a moment when the client library has taken its listeners off the
 * socket. The library reports the refusal itself; the socket's own error would end the process.
 */
function overhearResets(): void {
  if (overhears) return;
  overhears = true;
  addEventListener("error", (event) => {
    const { code, syscall } = (event.error ?? {}) as { code?: string; syscall?: string };
    if (["ECONNRESET", "EPIPE"].includes(code ?? "") && ["read", "write"].includes(syscall ?? "")) {
      event.preventDefault();
    }
  });
}

/** What the client library needs to log in. */
function loginOf(
  { user, password, token }: NatsAddress,
  { creds }: Credentials = {},
): Record<string, unknown> {
  if (creds !== undefined) {
    const bytes = new TextEncoder().encode(creds.trim());
    const isSeed = /^SU[A-Z2-7]+$/.test(creds.trim());
    return { authenticator: isSeed ? nkeyAuthenticator(bytes) : credsAuthenticator(bytes) };
  }
  return { ...user !== undefined && { user, pass: password }, ...token !== undefined && { token } };
}

function connectionError(error: unknown, { shown }: NatsAddress): Error {
  const name = error instanceof Error ? error.name : "";
  const text = messageOf(error);
  if (/Authorization|UserAuthentication|PermissionViolation/.test(name) || /authorization|nkey/i.test(text)) {
    return new Error(
      `Cannot log in to NATS at ${shown}: it refuses the credentials (${text}), check user, password, token or --nats-creds`,
      { cause: error },
    );
  }
  if (/certificate|tls|ssl/i.test(text)) {
    return new Error(`Cannot reach NATS at ${shown} over TLS: ${text}, check --nats-ca and the URL`, {
      cause: error,
    });
  }
  return new Error(
    `Cannot reach NATS at ${shown}: no server answers there (${text}), start one with: nats-server -js`,
    { cause: error },
  );
}

const messageOf = (error: unknown): string => {
  const { message = "", cause } = (error ?? {}) as Error;
  return clip((message || messageOfCause(cause) || String(error)).replace(/\s+/g, " "), 200);
};
const messageOfCause = (cause: unknown): string => cause instanceof Error ? cause.message : "";

class NatsExchange implements Exchange {
  readonly place: string;

  constructor(
    readonly connection: NatsConnection,
    readonly manager: JetStreamManager,
    readonly settings: NatsSettings,
  ) {
    this.place = settings.address.shown;
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
    const { note, patienceMs } = this.settings;
    const sinceMs = performance.now();
    let isTold = false;
    while (true) {
      try {
        const result = await work();
        if (isTold) note(`NATS at ${this.place} answers again`);
        return result;
      } catch (error) {
        if (this.connection.isClosed() || isStopped()) throw error;
        if (error instanceof JetStreamApiError) throw this.#refusal(what, error);
        if ((error as Error)?.name === "PermissionViolationError") {
          throw new Error(
            `Cannot ${what} at ${this.place}: this user may not (${
              messageOf(error)
            }), let it publish and subscribe to ponder.>, $JS.API.>, $O.> and _INBOX.>`,
            { cause: error },
          );
        }
        const waitedMs = performance.now() - sinceMs;
        if (waitedMs > patienceMs) {
          throw new Error(
            `Cannot ${what}: NATS at ${this.place} has not answered for ${Math.round(waitedMs / 1000)} s (${
              messageOf(error)
            }), go on with --resume when it is back`,
            { cause: error },
          );
        }
        if (!isTold) note(`NATS at ${this.place} does not answer (${messageOf(error)}); waiting for it`);
        isTold = true;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  #refusal(what: string, error: JetStreamApiError): Error {
    const { code, message } = error as JetStreamApiError & { code: number };
    if (FULL_CODES.includes(code) || /insufficient|maximum bytes/i.test(message)) {
      return new StoreFull(
        `Cannot ${what} at ${this.place}: its storage is full (${message}), free some or raise max_file_store; ` +
          "then go on with --resume",
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

class NatsRun implements RunExchange {
  readonly #exchange: NatsExchange;
  readonly #client: JetStreamClient;
  readonly #subjects: { readonly jobs: string; readonly results: string; readonly notes: string };
  readonly #streams: { readonly jobs: string; readonly results: string };
  readonly #jobTimeoutMs: number | null;
  #consumers = new Map<string, Consumer>();
  #objects: ObjectStore | null = null;

  constructor(exchange: NatsExchange, readonly name: string, jobTimeoutMs: number | null) {
    this.#exchange = exchange;
    this.#client = jetstream(exchange.connection, { timeout: TIMEOUT_MS });
    this.#subjects = {
      jobs: `ponder.${name}.jobs`,
      results: `ponder.${name}.results`,
      notes: `ponder.${name}.notes`,
    };
    this.#streams = { jobs: `ponder_${name}_jobs`, results: `ponder_${name}_results` };
    this.#jobTimeoutMs = jobTimeoutMs;
  }

  get #manager(): JetStreamManager {
    return this.#exchange.manager;
  }

  async ensure(): Promise<void> {
    await this.#exchange.patiently(`make the queues of ${this.name}`, async () => {
      for (const kind of ["jobs", "results"] as const) {
        const stream = this.#streams[kind];
        await this.#manager.streams.add({
          name: stream,
          subjects: [this.#subjects[kind]],
          retention: RetentionPolicy.Workqueue,
          storage: StorageType.File,
          discard: DiscardPolicy.New,
        });
        await this.#manager.consumers.add(stream, {
          durable_name: CONSUMERS[kind],
          ack_policy: AckPolicy.Explicit,
          ack_wait: (kind === "jobs" ? this.#jobTimeoutMs! : 60_000) * NANOSECONDS,
          max_ack_pending: 100_000,
        });
      }
      this.#objects = await new Objm(this.#exchange.connection).create(`ponder_${this.name}`, {
        storage: StorageType.File,
      });
    });
  }

  async remove(): Promise<void> {
    await this.#exchange.patiently(`remove the queues of ${this.name}`, async () => {
      for (const stream of [this.#streams.jobs, this.#streams.results, `OBJ_ponder_${this.name}`]) {
        await this.#manager.streams.delete(stream).catch(ignoreMissing);
      }
    });
  }

  async empty(): Promise<void> {
    await this.#exchange.patiently(`empty the queues of ${this.name}`, async () => {
      for (const stream of Object.values(this.#streams)) {
        await this.#manager.streams.purge(stream).catch(ignoreMissing);
      }
    });
  }

  async publish(kind: "jobs" | "results", id: string, bytes: Uint8Array): Promise<void> {
    await this.#exchange.patiently(
      kind === "jobs" ? "send a job" : "send a result",
      () => this.#client.publish(this.#subjects[kind], bytes, { msgID: id, timeout: TIMEOUT_MS }),
    );
  }

  async take(kind: "jobs" | "results"): Promise<Taken | null> {
    const consumer = this.#consumers.get(kind) ??
      await this.#client.consumers.get(this.#streams[kind], CONSUMERS[kind]);
    this.#consumers.set(kind, consumer);
    let message: JsMsg | null;
    try {
      message = await consumer.next({ expires: TAKE_MS });
    } catch (error) {
      this.#consumers.delete(kind);
      throw error;
    }
    if (message === null) return null;
    return {
      bytes: new Uint8Array(message.data),
      done: () => message.ack(),
      working: () => message.working(),
      giveBack: () => message.nak(),
    };
  }

  async state(): Promise<ExchangeState> {
    const { num_waiting, num_pending, num_ack_pending } = await this.#manager.consumers.info(
      this.#streams.jobs,
      CONSUMERS.jobs,
    );
    return { waiting: num_waiting, queued: num_pending, inWork: num_ack_pending };
  }

  async #store(): Promise<ObjectStore> {
    return this.#objects ??= await new Objm(this.#exchange.connection).open(`ponder_${this.name}`);
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#exchange.patiently(`store ${name}`, async () => {
      await (await this.#store()).putBlob({ name, options: { max_chunk_size: PIECE_BYTES } }, bytes);
    });
  }

  async get(name: string): Promise<Uint8Array<ArrayBuffer> | null> {
    return await this.#exchange.patiently(
      `read ${name}`,
      async () => {
        const bytes = await (await this.#store()).getBlob(name);
        return bytes === null ? null : new Uint8Array(bytes);
      },
    );
  }

  async forget(name: string): Promise<void> {
    await (await this.#store()).delete(name).catch(() => {});
  }

  tell(text: string): void {
    this.#exchange.connection.publish(this.#subjects.notes, text);
  }

  async listen(onNote: (text: string) => void): Promise<void> {
    for await (const message of this.#exchange.connection.subscribe(this.#subjects.notes)) {
      onNote(clip(message.string(), 400));
    }
  }
}

const CONSUMERS = { jobs: "workers", results: "learner" } as const;

function ignoreMissing(error: unknown): void {
  if (
    error instanceof JetStreamApiError && [10059, 10037, 10014].includes((error as { code: number }).code)
  ) return;
  throw error;
}
