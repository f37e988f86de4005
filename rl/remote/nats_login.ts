/**
 * Logging in to NATS: what the client library needs, and what a refusal means.
 *
 * @module
 */
import { credsAuthenticator, nkeyAuthenticator } from "@nats-io/transport-node";
import { clip } from "../cli/mod.ts";
import type { Credentials, NatsAddress } from "./address.ts";

/** What the client library needs to log in. */
export function loginOf(
  { servers, isTls, user, password, token }: NatsAddress,
  { creds, tls }: Credentials = {},
): Record<string, unknown> {
  return {
    ...loginByName({ user, password, token }, creds),
    ...isTls || tls ? verifying(servers, tls) : {},
  };
}

function loginByName(
  { user, password, token }: Pick<NatsAddress, "user" | "password" | "token">,
  creds: string | undefined,
): Record<string, unknown> {
  if (creds !== undefined) {
    // The library knows a .creds file by the line's end after its last line.
    const bytes = new TextEncoder().encode(isSeed(creds) ? creds.trim() : `${creds.trim()}\n`);
    return { authenticator: isSeed(creds) ? nkeyAuthenticator(bytes) : credsAuthenticator(bytes) };
  }
  return { ...user !== undefined && { user, pass: password }, ...token !== undefined && { token } };
}

const isSeed = (creds: string) => /^SU[A-Z2-7]+$/.test(creds.trim());

/**
 * TLS for the server that is dialled. Without help the library, which may not resolve names here, compares every certificate with
 * `localhost`. It reads these fields anew for each server.
 */
function verifying(servers: readonly string[], tls: Credentials["tls"]): Record<string, unknown> {
  let dialled = servers[0];
  const hostname = () => hostOf(dialled).hostname;
  return {
    reconnectToServer: (pool: readonly { readonly listen: string }[]) => {
      dialled = pool[0].listen;
      return null;
    },
    tls: {
      ...tls,
      get host() {
        return hostname();
      },
      get servername() {
        return isAddress(hostname()) ? "" : hostname();
      },
    },
  };
}

function hostOf(server: string): { hostname: string; port: number } {
  const at = server.lastIndexOf(":");
  return { hostname: server.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(server.slice(at + 1)) };
}

const isAddress = (host: string) => host.includes(":") || /^[\d.]+$/.test(host);

/** Alerts of TLS that servers sent after the client library had taken its listeners off the socket. */
const alerts = new Set<(text: string) => void>();
let overhears = false;

/**
 * A server that refuses a client resets the connection, or sends an alert of TLS, at a moment when the client library has taken its
 * listeners off the socket. The socket's own error would end the process.
 */
function overhear(): void {
  if (overhears) return;
  overhears = true;
  addEventListener("error", (event) => {
    const { code, syscall, message = "" } = (event.error ?? {}) as {
      code?: string;
      syscall?: string;
      message?: string;
    };
    const isReset = ["ECONNRESET", "EPIPE"].includes(code ?? "") && ["read", "write"].includes(syscall ?? "");
    const [, alert] = /^received fatal alert: (\w+)/.exec(message) ?? [];
    if (!isReset && alert === undefined) return;
    event.preventDefault();
    if (alert !== undefined) { for (const hear of alerts) hear(alert); }
  });
}

/** An alert of TLS, which only a server that refuses this machine's certificate sends. */
class TlsAlert extends Error {}

/** Connects by `connect`. It also rejects when the server sends an alert, for which the library would wait in vain. */
export async function listening<Connection extends { close(): Promise<void> }>(
  connect: () => Promise<Connection>,
): Promise<Connection> {
  overhear();
  const { promise: alerted, reject } = Promise.withResolvers<never>();
  const hear = (text: string) => reject(new TlsAlert(text));
  alerts.add(hear);
  const connected = connect();
  try {
    return await Promise.race([connected, alerted]);
  } catch (error) {
    connected.then((late) => late.close(), () => {});
    throw error;
  } finally {
    alerts.delete(hear);
  }
}

/** Says why no connection came about. */
export async function connectionError(
  error: unknown,
  { shown, servers, isTls }: NatsAddress,
  { tls }: Credentials = {},
): Promise<Error> {
  const name = error instanceof Error ? error.name : "";
  const text = messageOf(error);
  const because = (message: string) => new Error(message, { cause: error });
  const secure = isTls || tls !== undefined;
  const isOfCertificate = /certificate|altnames/i.test(text);
  const fault = secure || isOfCertificate ? await certificateFault(servers, tls?.ca) : null;
  if (/unable to parse credentials|^nkeys: /.test(text)) {
    return because(`Cannot log in to NATS at ${shown}: --nats-creds is damaged (${text}), get it again`);
  }
  if (/Authorization|UserAuthentication|PermissionViolation/.test(name) || /authorization|nkey/i.test(text)) {
    return because(
      `Cannot log in to NATS at ${shown}: it refuses the credentials (${text}), check user, password, token or --nats-creds`,
    );
  }
  if (error instanceof TlsAlert || fault === WANTS_OURS) {
    return because(
      tls?.cert === undefined
        ? `Cannot log in to NATS at ${shown}: it wants a certificate of this machine (${text}), give --nats-cert and --nats-key`
        : `Cannot log in to NATS at ${shown}: it refuses the certificate of --nats-cert (${text}), give one that has not expired, ` +
          "that its authority has signed, and that --nats-key belongs to",
    );
  }
  if (/does not support 'tls'/.test(text)) {
    return because(
      `Cannot reach NATS at ${shown} over TLS: the server has none, write nats:// and leave out --nats-ca and --nats-cert`,
    );
  }
  // Without TLS of ours the library compares the certificate with a name that is not the server's.
  if (!secure && (fault !== null || isOfCertificate)) {
    return because(
      `Cannot reach NATS at ${shown}: the server wants TLS${
        fault === null ? "" : `, and ${fault}`
      }; write tls://`,
    );
  }
  if (fault !== null) return because(`Cannot reach NATS at ${shown} over TLS: ${fault}`);
  if (tls?.cert !== undefined && !/refused|timeout/i.test(text)) {
    return because(
      `Cannot reach NATS at ${shown} over TLS: ${text}, check that --nats-cert and --nats-key belong together`,
    );
  }
  return because(
    `Cannot reach NATS at ${shown}: no server answers there (${text}), start one with: nats-server -js`,
  );
}

/** A server's certificate is right, and it wants one of this machine. */
const WANTS_OURS = "it wants a certificate of this machine";
/** Milliseconds in which a server says that. */
const ALERT_MS = 500;
/** Milliseconds in which it is found out. */
const PROBE_MS = 3000;

/** What is wrong with a server's certificate, which the client library does not say; null if nothing is, or nobody answers. */
async function certificateFault(servers: readonly string[], ca: string | undefined): Promise<string | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), PROBE_MS);
  try {
    return await Promise.race([probe(servers, ca), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function probe(servers: readonly string[], ca: string | undefined): Promise<string | null> {
  for (const server of servers) {
    const { hostname, port } = hostOf(server);
    try {
      const socket = await Deno.connect({ hostname, port });
      // The server greets in clear text before it takes TLS.
      await socket.read(new Uint8Array(1 << 16));
      using secure = await Deno.startTls(socket, { hostname, caCerts: ca === undefined ? [] : [ca] });
      await secure.handshake();
      const silence = new Promise<null>((resolve) => setTimeout(() => resolve(null), ALERT_MS));
      const said = secure.read(new Uint8Array(1 << 10));
      said.catch(() => {});
      await Promise.race([said, silence]);
    } catch (error) {
      const text = messageOf(error);
      if (/certificate expired/.test(text)) return `the certificate of ${server} has expired, renew it`;
      if (/not valid for name/.test(text)) {
        const names = /only valid for (.*)$/.exec(text)?.[1].replace(/\w+\("?([^")]*)"?\)/g, "$1") ??
          "others";
        return `the certificate of ${server} is not for ${hostname} but for ${names}, use a name that it has`;
      }
      if (/received fatal alert/.test(text)) return WANTS_OURS;
      if (/UnknownIssuer/.test(text)) {
        return `no authority that this machine knows has signed the certificate of ${server}, name yours with --nats-ca`;
      }
    }
  }
  return null;
}

/** What a user of NATS must be allowed, for people. */
const PERMISSIONS = "let it publish and subscribe to ponder.>, $JS.API.>, $JS.ACK.>, $O.> and _INBOX.>";

/** An error that says what a user of NATS lacks; null if `error` is of another kind. */
export function permissionError(what: string, place: string, error: unknown): Error | null {
  const text = messageOf(error);
  if (!/permissions violation/i.test(text)) return null;
  return new Error(`Cannot ${what} at ${place}: this user may not (${text}), ${PERMISSIONS}`, {
    cause: error,
  });
}

/** The message of an error, in one line. */
export const messageOf = (error: unknown): string => {
  const { message = "", cause } = (error ?? {}) as Error;
  return clip((message || messageOfCause(cause) || String(error)).replace(/\s+/g, " "), 200);
};
const messageOfCause = (cause: unknown): string => cause instanceof Error ? cause.message : "";
