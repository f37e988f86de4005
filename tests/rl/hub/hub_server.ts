/** A server on this machine that behaves as the hub does: a list, redirects to another host, ranges, refusals, cuts. */
import { createHash } from "node:crypto";

/** How the server misbehaves, and what it saw. */
export interface HubServer extends AsyncDisposable {
  readonly endpoint: string;
  /** Requests of files at the storage's host, with the range that each asked for. */
  readonly fetched: { name: string; range: string | null }[];
  /** Authorization that the storage's host was sent; there should be none. */
  readonly leaked: string[];
  /** Bytes after which the next responses end; each is used once. */
  readonly cuts: number[];
  /** Bytes of the next responses after which nothing more is sent, on an open connection; each is used once. */
  readonly silences: number[];
  /** Called when the server has fallen silent. */
  onSilence: () => void;
  /** Where the next files that are asked for are said to be; each is used once. */
  readonly locations: string[];
  /** Statuses that come before the next list. */
  readonly statuses: number[];
  /** Content that arrives in place of a file's. */
  readonly wrong: Map<string, Uint8Array>;
  /** Whether the storage takes ranges. */
  takesRanges: boolean;
}

/** The commit of the only revision, `main`. */
export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** Serves a model `owner/model` with these files; `owner/gated` needs the token. */
export async function serveHub(
  files: Readonly<Record<string, Uint8Array>>,
  token = "hf_secret",
): Promise<HubServer> {
  const isLarge = (name: string) => name.endsWith(".safetensors");
  const storage = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const name = decodeURIComponent(new URL(request.url).pathname.slice(1));
    const authorization = request.headers.get("authorization");
    if (authorization !== null) server.leaked.push(authorization);
    const range = request.headers.get("range");
    server.fetched.push({ name, range });
    const bytes = server.wrong.get(name) ?? files[name];
    const start = server.takesRanges && range !== null ? Number(/^bytes=(\d+)-$/.exec(range)![1]) : 0;
    if (start > 0 && start >= bytes.length) return new Response(null, { status: 416 });
    const rest = bytes.slice(start);
    const cut = server.cuts.shift();
    const silence = cut === undefined ? server.silences.shift() : undefined;
    // Fewer bytes than announced: the connection is then closed in the middle of the body.
    const body = silence !== undefined
      ? silentAfter(rest.slice(0, silence), () => server.onSilence())
      : cut === undefined
      ? rest
      : new Blob([rest.slice(0, cut)]).stream();
    const headers = {
      "content-length": String(rest.length),
      ...start > 0 && { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` },
    };
    return new Response(body, { status: start > 0 ? 206 : 200, headers });
  });
  const hub = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    const status = server.statuses.shift();
    if (status !== undefined) return new Response("no", { status });
    if (pathname.includes("owner/gated") && request.headers.get("authorization") !== `Bearer ${token}`) {
      return new Response("gated", { status: 401 });
    }
    if (/^\/api\/models\/owner\/(model|gated)\/revision\/main$/.test(pathname)) {
      const siblings = Object.entries(files).map(([rfilename, bytes]) => ({
        rfilename,
        size: bytes.length,
        blobId: createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex"),
        ...isLarge(rfilename) &&
          { lfs: { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") } },
      }));
      return Response.json({ sha: COMMIT, siblings });
    }
    const [, name] = /^\/owner\/(?:model|gated)\/resolve\/[0-9a-f]{40}\/(.+)$/.exec(pathname) ?? [];
    if (name === undefined || files[name] === undefined) return new Response("no", { status: 404 });
    const location = server.locations.shift();
    if (location !== undefined) return new Response(null, { status: 302, headers: { location } });
    // As the hub does: first to another path of its own, then to where files are stored.
    if (!pathname.includes("gated")) {
      return new Response(null, {
        status: 302,
        headers: { location: `http://127.0.0.1:${storage.addr.port}/${name}` },
      });
    }
    return new Response(null, {
      status: 307,
      headers: { location: pathname.replace("owner/gated", "owner/model") },
    });
  });
  const server: HubServer = {
    endpoint: `http://127.0.0.1:${hub.addr.port}`,
    fetched: [],
    leaked: [],
    cuts: [],
    silences: [],
    onSilence: () => {},
    statuses: [],
    locations: [],
    wrong: new Map(),
    takesRanges: true,
    async [Symbol.asyncDispose]() {
      await Promise.all([hub.shutdown(), storage.shutdown()]);
    },
  };
  return await Promise.resolve(server);
}

/** A body of these bytes that does not end, until its reader goes. */
function silentAfter(bytes: Uint8Array, onSilence: () => void): ReadableStream<Uint8Array> {
  let isSent = bytes.length === 0;
  return new ReadableStream({
    pull(controller) {
      if (!isSent) {
        isSent = true;
        controller.enqueue(bytes);
        return;
      }
      onSilence();
      return new Promise(() => {});
    },
  }, { highWaterMark: 0 });
}
