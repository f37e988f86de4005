/**
 * The server of `./ponder watch`, on this machine alone.
 *
 * @module
 */

import { readPage } from "./page.ts";
import { findRuns } from "./runs.ts";
import { makeSite } from "./site.ts";

/** Port of the page when none is named. */
export const DEFAULT_PORT = 8787;

/** Ports that are tried, one after the other. */
const PORTS_TRIED = 20;

/** A server that runs. */
export interface RunningSite extends AsyncDisposable {
  readonly url: string;
  /** Resolves when it has been shut down. */
  readonly finished: Promise<void>;
  close(): Promise<void>;
}

/**
 * Serves on 127.0.0.1. A port that is in use gives way to the next one; 0 takes any.
 *
 * @throws {Deno.errors.AddrInUse} when twenty ports in a row are in use.
 */
export function serveSite(
  handler: (request: Request) => Promise<Response>,
  { port, note }: { port: number; note: (text: string) => void },
): RunningSite {
  for (let tried = port;; tried++) {
    let server: Deno.HttpServer<Deno.NetAddr>;
    try {
      server = Deno.serve({ hostname: "127.0.0.1", port: tried, onListen: () => {} }, handler);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      if (tried + 1 < port + PORTS_TRIED && tried < 65535) continue;
      throw new Deno.errors.AddrInUse(
        `Cannot serve on ports ${port} to ${tried}: all are in use, choose another with --port`,
        { cause: error },
      );
    }
    if (tried !== port && port !== 0) note(`Port ${port} is in use, taking ${tried}`);
    const close = () => server.shutdown();
    return {
      ...{ url: `http://127.0.0.1:${server.addr.port}/`, finished: server.finished, close },
      [Symbol.asyncDispose]: close,
    };
  }
}

/**
 * Makes sure that the process may serve.
 *
 * @throws {Deno.errors.NotCapable} saying which commands may.
 */
export async function requireServing(): Promise<void> {
  const { state } = await Deno.permissions.query({ name: "net", host: "127.0.0.1" });
  if (state !== "granted") {
    throw new Deno.errors.NotCapable(
      "Cannot serve a page: this process may not use the network; start it as ./ponder, not deno task, or use watch",
    );
  }
}

/**
 * Serves the page of one run that trains in this process.
 *
 * @throws {Error} when the process may not serve, saying what may.
 */
export async function serveRun(folder: string, note: (text: string) => void): Promise<RunningSite> {
  await requireServing();
  const runs = () => findRuns([folder]).catch(() => []);
  const server = serveSite(makeSite({ page: await readPage(), runs }), { port: DEFAULT_PORT, note });
  note(`Watch it at ${server.url}`);
  return server;
}
