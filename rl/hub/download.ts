/**
 * Downloads a model from the hub into the cache that the hub's own tools use. Files that are there are not asked for again. A
 * download that was cut goes on at its end. A file gets its name only once its size and its digest are right.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { exists, syncFolder, writeFileAtomic } from "../../model/files.ts";
import { shown, UsageError } from "../cli/mod.ts";
import { type Hub, isModelName } from "./hub.ts";
import { ConnectionError, Stall, type Timer } from "./stall.ts";

/** How far a download is. */
export interface DownloadProgress {
  /** File that is being downloaded. */
  readonly file: string;
  /** Bytes of all files that are here. */
  readonly done: number;
  /** Bytes of all files. */
  readonly total: number;
}

/** How to download. */
export interface DownloadSettings {
  /** Branch, tag or commit. Default `main`. */
  readonly revision?: string;
  /** Told about every piece that arrives. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Milliseconds before the first try again; each later one waits twice as long. Default 1000. */
  readonly retryMs?: number;
  /** If nothing arrives for so many milliseconds, the download is tried again and goes on at its end. Default 30,000. */
  readonly stallMs?: number;
  /** Measures that time; tests replace it. */
  readonly timer?: Timer;
}

/** A file of a model, as the hub lists it. */
interface RemoteFile {
  readonly name: string;
  readonly size: number;
  /** SHA-256 of a large file; SHA-1 of a small one, as git counts it. */
  readonly digest: string;
}

/** What is needed of a model: weights, how to read them, and what is said about it. */
const WANTED =
  /^(?:(?:adapter_)?config|generation_config|(?:pre)?processor_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|chat_template)\.json$|^chat_template\.jinja$|\.safetensors$|\.safetensors\.index\.json$|^(?:README\.md|LICEN[CS]E.*)$/;
/** Is a file of this name a part of a model, as `import` takes it? */
export const isModelFile = (name: string): boolean => PLAIN_NAME.test(name) && WANTED.test(name);

const PLAIN_NAME = /^\w[\w.-]*$/;
const MAX_REDIRECTS = 5;
/** Tries in a row that bring no byte. */
const MAX_TRIES = 5;
const MAX_LIST_BYTES = 32 << 20;

/**
 * Downloads what is needed of a model, and resolves to the folder that has it. Without a connection the copy of an earlier
 * download serves. A server that sends nothing for `stallMs` counts as a connection that failed.
 *
 * @param name Such as `HuggingFaceTB/SmolVLM-256M-Instruct`.
 * @throws {Deno.errors.NotFound} If the hub has no such model or revision, or it is not here while offline.
 * @throws {Deno.errors.NotCapable} If it may not be read: private or gated.
 * @throws {Deno.errors.InvalidData} If what arrives is not what the hub lists.
 * @throws {UsageError} If the name or the revision cannot be one.
 * @throws {Error} If the connection fails again and again.
 */
export async function downloadModel(
  hub: Hub,
  name: string,
  settings: DownloadSettings = {},
): Promise<string> {
  const { revision = "main", onProgress = () => {} } = settings;
  if (!isModelName(name)) {
    throw new UsageError(`Cannot import ${shown(name)}: a model on the hub is called OWNER/NAME`);
  }
  if (!/^\w[\w.-]*(?:\/[\w.-]+)*$/.test(revision) || revision.includes("..")) {
    throw new UsageError(`Cannot import revision ${shown(revision)}: use a branch, a tag or a commit`);
  }
  const folder = `${hub.cache}/models--${name.replaceAll("/", "--")}`;
  const here = await snapshotHere(folder, revision);
  const connection = new Connection(hub, name, settings);
  let listing: { commit: string; files: RemoteFile[] };
  try {
    if (hub.isOffline) throw new ConnectionError("HF_HUB_OFFLINE is set");
    listing = await connection.list(revision);
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    if (here !== null) return here;
    const state = hub.isOffline ? error.state : `${hub.endpoint} cannot be reached (${error.state})`;
    throw new Deno.errors.NotFound(
      `Cannot import ${name}: it is not in ${hub.cache}, and ${state}; connect, or name a folder that has it`,
      { cause: error },
    );
  }
  const { commit, files } = listing;
  if (!files.some((file) => file.name.endsWith(".safetensors"))) {
    throw new Deno.errors.NotFound(
      `Cannot import ${name}: the hub has no .safetensors file of it, use a revision that has`,
    );
  }
  const blobs = `${folder}/blobs`;
  await Deno.mkdir(blobs, { recursive: true });
  const total = files.reduce((bytes, { size }) => bytes + size, 0);
  let before = 0;
  for (const file of files) {
    const progress = (bytes: number) => onProgress({ file: file.name, done: before + bytes, total });
    const blob = `${blobs}/${file.digest}`;
    if (await sizeOf(blob) !== file.size) await connection.download(commit, file, blob, progress);
    before += file.size;
    progress(0);
  }
  const snapshot = `${folder}/snapshots/${commit}`;
  await Deno.mkdir(snapshot, { recursive: true });
  for (const { name, digest } of files) await link(`../../blobs/${digest}`, `${snapshot}/${name}`);
  // Written last: a name that is here leads to a copy that is whole.
  await writeFileAtomic(`${folder}/refs/${revision}`, commit);
  return snapshot;
}

/** The folder of an earlier download; null if there is none. A commit is its own name. */
async function snapshotHere(folder: string, revision: string): Promise<string | null> {
  const isCommit = /^[0-9a-f]{40}$/.test(revision);
  try {
    const commit = isCommit ? revision : (await Deno.readTextFile(`${folder}/refs/${revision}`)).trim();
    const snapshot = `${folder}/snapshots/${commit}`;
    return /^[0-9a-f]{40}$/.test(commit) && await exists(`${snapshot}/config.json`) ? snapshot : null;
  } catch {
    return null;
  }
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await Deno.stat(path)).size;
  } catch {
    return null;
  }
}

async function link(target: string, path: string): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  await Deno.symlink(target, temporary);
  await Deno.rename(temporary, path);
}

/** What arrived could not be kept. */
class DiskError extends Error {
  override readonly name = "DiskError";
}

/** Asks the hub about one model. */
class Connection {
  readonly #hub: Hub;
  readonly #model: string;
  readonly #retryMs: number;
  readonly #stall: () => Stall;

  constructor(hub: Hub, model: string, { retryMs = 1000, stallMs = 30_000, timer }: DownloadSettings) {
    this.#hub = hub;
    this.#model = model;
    this.#retryMs = retryMs;
    this.#stall = () => new Stall(stallMs, timer);
  }

  /** The commit of a revision, and the files of it that are needed. */
  async list(revision: string): Promise<{ commit: string; files: RemoteFile[] }> {
    const path = `api/models/${this.#model}/revision/${encodeURIComponent(revision)}?blobs=true`;
    const text = await this.#retrying(async () => {
      using stall = this.#stall();
      return await readText(await this.#get(`${this.#hub.endpoint}/${path}`, {}, stall), stall);
    });
    try {
      const { sha, siblings } = JSON.parse(text);
      if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha)) throw new SyntaxError("no commit");
      return { commit: sha, files: (siblings as unknown[]).flatMap(readSibling) };
    } catch (error) {
      throw new Deno.errors.InvalidData(
        `Cannot import ${this.#model}: ${this.#hub.endpoint} does not answer as a hub does ` +
          `(${(error as Error).message}), check HF_ENDPOINT`,
      );
    }
  }

  /** Downloads a file to `path`; what an earlier try left beside it is kept. */
  async download(
    commit: string,
    file: RemoteFile,
    path: string,
    progress: (bytes: number) => void,
  ): Promise<void> {
    const part = `${path}.incomplete`;
    const url = `${this.#hub.endpoint}/${this.#model}/resolve/${commit}/${file.name}`;
    await this.#retrying(async () => {
      const start = await sizeOf(part);
      if (start === file.size) return; // an empty file is fetched once too
      if (start !== null && start > file.size) await Deno.remove(part);
      await this.#fetchPart(url, part, file, progress);
    }, async () => await sizeOf(part) ?? 0);
    const found = await digestOf(part, file.digest.length);
    if (await sizeOf(part) !== file.size || found !== file.digest) {
      await Deno.remove(part);
      throw new Deno.errors.InvalidData(
        `Cannot import ${this.#model}: ${file.name} arrived with the digest ${found}, the hub lists ${file.digest}; ` +
          "it was removed, import again",
      );
    }
    await Deno.rename(part, path);
    await syncFolder(path.slice(0, path.lastIndexOf("/")));
  }

  async #fetchPart(
    url: string,
    part: string,
    file: RemoteFile,
    progress: (bytes: number) => void,
  ): Promise<void> {
    const start = await sizeOf(part) ?? 0;
    using stall = this.#stall();
    const response = await this.#get(url, start > 0 ? { Range: `bytes=${start}-` } : {}, stall);
    const isRest = response.status === 206 &&
      response.headers.get("content-range")?.startsWith(`bytes ${start}-`) === true;
    using output = await Deno.open(part, { write: true, create: true, append: isRest, truncate: !isRest });
    let done = isRest ? start : 0;
    try {
      for await (const bytes of response.body ?? []) {
        stall.arrived();
        done += bytes.length;
        if (done > file.size) {
          throw new Deno.errors.InvalidData(
            `Cannot import ${this.#model}: ${file.name} is longer than the ${file.size} bytes that the hub lists`,
          );
        }
        await writeAll(output, bytes, part);
        progress(done);
      }
    } catch (error) {
      if (error instanceof Deno.errors.InvalidData || error instanceof DiskError) throw error;
      throw new ConnectionError(messageOf(error));
    }
    await output.sync();
    if (done < file.size) throw new ConnectionError(`it ended after ${done} of ${file.size} bytes`);
  }

  /** A response that is no redirect and no refusal. The token goes to the hub's own host alone. */
  async #get(url: string, headers: Record<string, string>, stall: Stall): Promise<Response> {
    const origin = new URL(this.#hub.endpoint).origin;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const isHub = new URL(url).origin === origin;
      const all = new Headers(headers);
      if (isHub && this.#hub.token !== null) all.set("Authorization", `Bearer ${this.#hub.token}`);
      let response: Response;
      try {
        response = await fetch(url, { headers: all, redirect: "manual", signal: stall.signal });
        stall.arrived();
      } catch (error) {
        if (error instanceof Deno.errors.NotCapable) throw this.#denied(url, error);
        throw new ConnectionError(messageOf(error));
      }
      if (response.ok) return response;
      await response.body?.cancel();
      const location = response.headers.get("location");
      if (response.status >= 300 && response.status < 400 && location !== null) {
        const next = URL.canParse(location, url) ? new URL(location, url).href : null;
        if (next === null || !/^https?:/.test(next)) {
          throw new Deno.errors.InvalidData(
            `Cannot import ${this.#model}: the hub redirects to ${
              shown(location)
            }, which is no http or https address`,
          );
        }
        url = next;
        continue;
      }
      this.#refuse(response, url);
    }
    throw new Deno.errors.InvalidData(`Cannot import ${this.#model}: the hub redirects without end`);
  }

  /** `./ponder` lets `import` reach the hub's own hosts alone. */
  #denied(url: string, cause: Error): Error {
    const { host } = new URL(url);
    return new Deno.errors.NotCapable(
      `Cannot import ${this.#model}: the hub sends us to ${host}, which this command may not reach; if you trust it, ` +
        "import with: ./ponder import",
      { cause },
    );
  }

  #refuse({ status }: Response, url: string): never {
    const { endpoint, token } = this.#hub;
    switch (status) {
      case 401:
      case 403:
        throw new Deno.errors.NotCapable(
          `Cannot import ${this.#model}: ${endpoint} does not let you read it (${status}); check its name, ` +
            (token === null ? "and set HF_TOKEN if it is private or gated" : "and what HF_TOKEN may read"),
        );
      case 404:
        throw new Deno.errors.NotFound(
          `Cannot import ${this.#model}: ${endpoint} has no ${
            shown(new URL(url).pathname)
          }, check the name and the revision`,
        );
      case 416:
        throw new ConnectionError("the hub cannot send the rest");
      default:
        if (status >= 500 || status === 429 || status === 408) throw new ConnectionError(`status ${status}`);
        throw new Error(`Cannot import ${this.#model}: the hub answered with status ${status}`);
    }
  }

  /** Tries again when the connection fails, until `MAX_TRIES` in a row have brought nothing. */
  async #retrying<T>(
    work: () => Promise<T>,
    bytesHere: () => Promise<number> = () => Promise.resolve(0),
  ): Promise<T> {
    for (let tries = 1, had = await bytesHere();; tries++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        const has = await bytesHere();
        if (has > had) tries = 1;
        had = has;
        if (tries >= MAX_TRIES) {
          error.message =
            `Cannot import ${this.#model}: the connection failed ${tries} times (${error.message}), ` +
            "import again to go on";
          throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, this.#retryMs * 2 ** (tries - 1)));
      }
    }
  }
}

/** Reads an entry of the list; null if the file is not needed. Throws if the entry cannot be right. */
function readSibling(sibling: unknown): RemoteFile[] {
  const { rfilename: name, size, blobId, lfs } = (sibling ?? {}) as {
    rfilename?: unknown;
    size?: unknown;
    blobId?: unknown;
    lfs?: { sha256?: unknown; size?: unknown };
  };
  if (typeof name !== "string" || !isModelFile(name)) return [];
  const digest = lfs?.sha256 ?? blobId;
  const bytes = lfs?.size ?? size;
  const isDigest = typeof digest === "string" && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(digest);
  if (!isDigest || !Number.isSafeInteger(bytes) || (bytes as number) < 0) {
    throw new SyntaxError(`${name} has no size or digest`);
  }
  return [{ name, size: bytes as number, digest }];
}

async function readText(response: Response, stall: Stall): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  try {
    for await (const bytes of response.body ?? []) {
      stall.arrived();
      text += decoder.decode(bytes, { stream: true });
      if (text.length > MAX_LIST_BYTES) {
        throw new Deno.errors.InvalidData("Cannot import: the list is too long");
      }
    }
  } catch (error) {
    if (error instanceof Deno.errors.InvalidData) throw error;
    throw new ConnectionError(messageOf(error));
  }
  return text + decoder.decode();
}

/** SHA-256 of a file, or its SHA-1 as git counts it, by the length of the digest that it is compared with. */
async function digestOf(path: string, length: number): Promise<string> {
  const hash = createHash(length === 64 ? "sha256" : "sha1");
  if (length !== 64) hash.update(`blob ${await sizeOf(path)}\0`);
  using file = await Deno.open(path);
  const buffer = new Uint8Array(1 << 20);
  for (let count; (count = await file.read(buffer)) !== null;) hash.update(buffer.subarray(0, count));
  return hash.digest("hex");
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array, path: string): Promise<void> {
  try {
    for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
  } catch (cause) {
    throw new DiskError(`Cannot write ${path}: ${messageOf(cause)}, free some space and import again`, {
      cause,
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
