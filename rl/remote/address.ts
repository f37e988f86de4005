/**
 * Where NATS is, and how to log in.
 *
 * @module
 */
import { type Given, shown as quoted, UsageError, withoutSecrets } from "../cli/mod.ts";
import type { natsOptions } from "../run_options.ts";

/** Servers, without what is secret. */
export interface NatsAddress {
  /** `host:port` each. */
  readonly servers: readonly string[];
  readonly isTls: boolean;
  /** As messages say it. */
  readonly shown: string;
  /** From the URL. */
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
}

/** What a client proves itself with. */
export interface Credentials {
  /** Text of a creds file, or an nkey seed. */
  readonly creds?: string;
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

const DEFAULT_PORT = 4222;

/**
 * Reads URLs of servers of one cluster: `nats://host:4222`, `tls://user:password@host`, several with commas between them.
 * What the URL lacks of user, password and token comes from `PONDER_NATS_USER`, `PONDER_NATS_PASSWORD` and
 * `PONDER_NATS_TOKEN`.
 *
 * @throws {UsageError} when a part is no such URL.
 */
export function readAddress(text: string, flag: string): NatsAddress {
  const urls = text.split(",").map((part) => {
    const [, scheme = "nats", rest = ""] = /^(?:([a-z]+):\/\/)?(.*)$/.exec(part.trim()) ?? [];
    const url = URL.parse(`nats://${rest}`);
    const isGood = url !== null && (scheme === "nats" || scheme === "tls") && url.hostname !== "" &&
      ["", "/"].includes(url.pathname) && url.search === "" && url.hash === "";
    if (!isGood) {
      throw new UsageError(
        `Cannot use ${flag} ${
          quoted(withoutSecrets(part))
        }: write it as nats://host:4222, or tls://host:4222`,
      );
    }
    return { scheme, url };
  });
  const [{ url: first }] = urls;
  const [name, password] = [first.username, first.password].map((word) => decoded(word, flag));
  const env = (key: string) => Deno.env.get(`PONDER_NATS_${key}`) || undefined;
  const servers = urls.map(({ url }) => `${url.hostname}:${url.port || DEFAULT_PORT}`);
  return {
    servers,
    isTls: urls.some(({ scheme }) => scheme === "tls"),
    shown: urls.map(({ scheme }, i) => `${scheme}://${servers[i]}`).join(","),
    user: password !== "" ? name : env("USER"),
    password: password !== "" ? password : env("PASSWORD"),
    token: name !== "" && password === "" ? name : env("TOKEN"),
  };
}

/** A user name or password as it is meant. Its text stays out of the message. */
function decoded(word: string, flag: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    throw new UsageError(`Cannot use ${flag}: a % in its user name or password is written as %25`);
  }
}

/**
 * Reads the files that hold credentials.
 *
 * @throws {UsageError} when one is missing, or holds something else.
 */
export async function readCredentials(given: Given<typeof natsOptions>): Promise<Credentials> {
  const creds = await readFile("--nats-creds", given.natsCreds, {
    marks: ["-----BEGIN NATS USER JWT-----", /^\s*SU[A-Z2-7]{56}\s*$/],
    meaning: "neither a .creds file nor the seed of a user's nkey",
  });
  const certificate = { marks: ["-----BEGIN CERTIFICATE-----"], meaning: "no certificate in PEM form" };
  const ca = await readFile("--nats-ca", given.natsCa, certificate);
  const cert = await readFile("--nats-cert", given.natsCert, certificate);
  const key = await readFile("--nats-key", given.natsKey, {
    marks: ["PRIVATE KEY-----"],
    meaning: "no private key in PEM form",
  });
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("Cannot use --nats-cert and --nats-key without each other: give both");
  }
  const hasTls = ca !== undefined || cert !== undefined;
  return { creds, ...hasTls && { tls: { ca, cert, key } } };
}

async function readFile(
  flag: string,
  path: string | undefined,
  { marks, meaning }: { readonly marks: readonly (string | RegExp)[]; readonly meaning: string },
): Promise<string | undefined> {
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    const state = error instanceof Deno.errors.NotFound ? "there is no such file" : (error as Error).message;
    throw new UsageError(`Cannot use ${flag} ${quoted(path)}: ${state}`, { cause: error });
  }
  if (marks.some((mark) => typeof mark === "string" ? text.includes(mark) : mark.test(text))) return text;
  throw new UsageError(`Cannot use ${flag} ${quoted(path)}: it holds ${meaning}`);
}
