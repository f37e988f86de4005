/**
 * The server of `./ponder watch`, on this machine alone.
 *
 * @module
 */

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
