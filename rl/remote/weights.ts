/**
 * Weights by version: all of them once, then those that have changed since, exact or rounded.
 *
 * @module
 */
import {
  assertFinite,
  decodeSafetensors,
  encodeSafetensors,
  type HostTensor,
  quoteName,
  safetensorsPieces,
  tensorToWrite,
} from "../../model/mod.ts";
import type { ActingWeights } from "../actors.ts";
import type { Policy } from "../policy.ts";
import { heldTensors } from "../run/pretrained_checkpoint.ts";
import type { RunExchange } from "./exchange.ts";
import { hexDigest } from "./jobs.ts";

/** Name of an object that holds the weights of a version. */
export const weightsName = (version: number): string => `weights-${version}`;

/**
 * Publishes a policy's weights. Version 0 is whole and exact. Later ones hold the tensors that differ from it; in the form `bf16`
 * they hold all that learn, rounded.
 */
export class WeightPublisher {
  readonly #exchange: RunExchange;
  /** Values of version 0. */
  #first: Map<string, HostTensor> | null = null;
  /** Values of the latest version, of tensors that may have changed. */
  #latest = new Map<string, HostTensor>();
  /** Tensors that differ from version 0 since some version. */
  readonly #changed = new Set<string>();
  /** Tensors that could learn when the latest version was taken. */
  #learning = new Set<string>();
  readonly #digests = new Map<number, string>();
  readonly #bytes = new Map<number, Uint8Array<ArrayBuffer>>();
  #version = -1;
  #form: ActingWeights = "f32";
  #sentBytes = 0;

  /** Versions from `kept` before the latest on stay readable. */
  constructor(exchange: RunExchange, readonly kept: number) {
    this.#exchange = exchange;
  }

  /** The latest version. */
  get version(): number {
    return this.#version;
  }

  /** The digests of a version's objects, as results name them. */
  digest(version: number): string {
    return this.#digests.get(version) ?? "none";
  }

  /** Bytes of all versions so far. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Publishes the policy's weights if they have changed, or have another form than before. Returns their version. */
  async publish({ parameters, gpu }: Policy, form: ActingWeights): Promise<number> {
    const learning = new Set(
      parameters.list.map(({ name }) => name).filter((name) => parameters.get(name).requiresGradient),
    );
    let hasChanged = false;
    if (this.#first === null) {
      this.#first = await heldTensors(gpu, parameters);
      this.#latest = new Map(this.#first);
      assertFinite(this.#first);
      await this.#put(0, encodeSafetensors(this.#first));
    } else {
      const names = [...new Set([...this.#learning, ...learning])];
      const words = await gpu.read(...names.map((name) => parameters.get(name).data));
      const fresh = names.filter((name, i) => !isEqual(words[i], this.#latest.get(name)!.data));
      names.forEach((name, i) => {
        if (!fresh.includes(name)) return;
        this.#changed.add(name);
        this.#latest.set(name, { shape: this.#first!.get(name)!.shape, data: words[i].slice() });
      });
      hasChanged = fresh.length > 0;
    }
    this.#learning = learning;
    if (hasChanged || form !== this.#form) {
      await this.#put(this.#version + 1, await this.#encode(form === "f32" ? new Set() : learning));
    }
    this.#form = form;
    return this.#version;
  }

  /** The tensors that a version holds: those to round, and the exact ones that differ from version 0. */
  async #encode(rounded: ReadonlySet<string>): Promise<Uint8Array<ArrayBuffer>> {
    const names = [...new Set([...this.#changed, ...rounded])];
    const tensors = new Map(names.map((name) => [name, this.#latest.get(name)!]));
    assertFinite(tensors);
    const entries = Array.from(
      tensors,
      ([name, tensor]) => tensorToWrite(name, tensor, rounded.has(name) ? "BF16" : "F32"),
    );
    return new Uint8Array(await new Response(ReadableStream.from(safetensorsPieces(entries))).arrayBuffer());
  }

  /** Stores again what a server has lost. */
  async restore(): Promise<void> {
    for (const [version, bytes] of this.#bytes) await this.#exchange.put(weightsName(version), bytes);
  }

  async #put(version: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const digest = await hexDigest(bytes);
    const old = version - 1 - this.kept;
    if (old > 0) {
      await this.#exchange.forget(weightsName(old));
      this.#bytes.delete(old);
      this.#digests.delete(old);
    }
    await this.#exchange.put(weightsName(version), bytes);
    this.#bytes.set(version, bytes);
    this.#digests.set(version, version === 0 ? digest : `${this.#digests.get(0)} ${digest}`);
    this.#version = version;
    this.#sentBytes += bytes.length;
  }
}

/** Weights of one version, as a worker got them. */
export interface ReceivedWeights {
  readonly tensors: ReadonlyMap<string, HostTensor>;
  readonly digest: string;
}

/** Reads weights by version. Version 0 is kept, since the others hold only what differs. */
export class WeightReader {
  #first: ReceivedWeights | null = null;

  constructor(readonly exchange: RunExchange) {}

  /** The file of version 0, to load a policy from. */
  async first(): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await this.#get(0);
    this.#first = { tensors: readTensors(bytes), digest: await hexDigest(bytes) };
    return bytes;
  }

  /** Reads a version. Throws a `RangeError` when it is not there any more, or does not fit version 0. */
  async read(version: number): Promise<ReceivedWeights> {
    if (this.#first === null) await this.first();
    const { tensors, digest } = this.#first!;
    if (version === 0) return this.#first!;
    const bytes = await this.#get(version);
    const changed = readTensors(bytes);
    for (const [name, { data }] of changed) {
      if (tensors.get(name)?.data.length === data.length) continue;
      throw new RangeError(
        `Cannot use weights ${version}: ${
          quoteName(name)
        } is no tensor of this model, begin the worker again`,
      );
    }
    return { tensors: new Map([...tensors, ...changed]), digest: `${digest} ${await hexDigest(bytes)}` };
  }

  async #get(version: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await this.exchange.get(weightsName(version));
    if (bytes !== null) return bytes;
    throw new RangeError(
      `Cannot find weights ${version} of ${this.exchange.name}: the run has gone on without them`,
    );
  }
}

function readTensors(bytes: Uint8Array<ArrayBuffer>): Map<string, HostTensor> {
  const { tensors } = decodeSafetensors(bytes);
  assertFinite(tensors);
  return tensors;
}

function isEqual(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
