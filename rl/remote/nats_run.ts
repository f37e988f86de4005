/**
 * The queues and the store of one run at a NATS server.
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
  type JsMsg,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import { type ObjectStore, Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { clip } from "../cli/mod.ts";
import type { ExchangeState, RunExchange, Taken } from "./exchange.ts";

/** Milliseconds that an answer of the server may take. */
export const TIMEOUT_MS = 5000;
/** Milliseconds that one request for a job or a result waits at the server. */
const TAKE_MS = 5000;
/** Milliseconds that the next piece of an object may take. */
const PIECE_MS = 15_000;
/** Bytes of a piece of an object, if the server takes such messages; its usual limit is 1 MB. */
const PIECE_BYTES = 512 * 1024;
/** Bytes of a message's headers, at most. */
const HEADER_BYTES = 512;
const NANOSECONDS = 1e6;

/** The connection that a run is at. */
interface At {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  /** Does `work` until it succeeds, as long as only the connection is at fault. */
  patiently<T>(what: string, work: () => Promise<T>): Promise<T>;
  /** Does `work`, and rejects when the connection breaks meanwhile. */
  connected<T>(work: () => Promise<T>): Promise<T>;
  /** Throws `ExchangeEnded` if the connection has ended for good. */
  requireOpen(what: string): void;
}

/** The queues and the store of one run. */
export class NatsRun implements RunExchange {
  readonly #exchange: At;
  readonly #client: JetStreamClient;
  readonly #subjects: { readonly jobs: string; readonly results: string; readonly notes: string };
  readonly #streams: { readonly jobs: string; readonly results: string };
  readonly #jobTimeoutMs: number | null;
  #consumers = new Map<string, Consumer>();
  #objects: ObjectStore | null = null;

  constructor(exchange: At, readonly name: string, jobTimeoutMs: number | null) {
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

  /** Bytes of a message that the server takes. It may be another one after a reconnection. */
  get #mostBytes(): number {
    return (this.#exchange.connection.info?.max_payload ?? 2 ** 20) - HEADER_BYTES;
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
    if (bytes.length > Math.min(LARGEST_MESSAGE, this.#mostBytes)) {
      // A message of the server's own limit is not sure to pass; an object is sent in pieces.
      const name = `large-${crypto.randomUUID()}`;
      await this.put(name, bytes);
      bytes = new TextEncoder().encode(`${LARGE}${name}`);
    }
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
    const large = largeName(message.data);
    const bytes = large === null ? new Uint8Array(message.data) : await this.get(large);
    return {
      // Somebody else has done it, if it is gone.
      bytes: bytes ?? new Uint8Array(0),
      done: () => {
        message.ack();
        if (large !== null) void this.forget(large);
      },
      working: () => message.working(),
      giveBack: () => message.nak(),
    };
  }

  async state(): Promise<ExchangeState> {
    this.#exchange.requireOpen(`go on with ${this.name}`);
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
      await (await this.#store()).putBlob({
        name,
        options: { max_chunk_size: Math.min(PIECE_BYTES, this.#mostBytes) },
      }, bytes);
    });
  }

  async get(name: string): Promise<Uint8Array<ArrayBuffer> | null> {
    return await this.#exchange.patiently(
      `read ${name}`,
      () => this.#exchange.connected(() => this.#read(name)),
    );
  }

  /** Reads an object piece by piece. The library waits for ever for pieces that are gone, or that a broken connection lost. */
  async #read(name: string): Promise<Uint8Array<ArrayBuffer> | null> {
    const object = await (await this.#store()).get(name);
    if (object === null) return null;
    object.error.catch(() => {});
    const reader = object.data.getReader();
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    try {
      while (true) {
        const { done, value } = await within(PIECE_MS, reader.read());
        if (done) return new Uint8Array(await new Blob(pieces).arrayBuffer());
        pieces.push(value as Uint8Array<ArrayBuffer>);
      }
    } finally {
      void reader.cancel().catch(() => {});
    }
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

/** What `promise` gives; rejects if that takes longer. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`nothing came for ${ms / 1000} s`)), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Beginning of a message that names an object, which is the message. */
const LARGE = "ponder-object ";
/** Bytes of a message beyond which it is sent as an object. */
const LARGEST_MESSAGE = 256 * 1024;

/** The object that a message stands for; null if it is one itself. */
function largeName(bytes: Uint8Array): string | null {
  if (bytes.length > 100) return null;
  const text = new TextDecoder().decode(bytes);
  return text.startsWith(LARGE) ? text.slice(LARGE.length) : null;
}

const CONSUMERS = { jobs: "workers", results: "learner" } as const;

function ignoreMissing(error: unknown): void {
  if (
    error instanceof JetStreamApiError && [10059, 10037, 10014].includes((error as { code: number }).code)
  ) return;
  throw error;
}
