/**
 * Connecting to NATS for a command.
 *
 * @module
 */
import type { Given } from "../cli/mod.ts";
import type { natsOptions } from "../run_options.ts";
import { type NatsAddress, readAddress, readCredentials } from "./address.ts";
import type { Exchange } from "./exchange.ts";

/** Milliseconds without the server after which work is given up. */
const PATIENCE_MS = 600_000;

/** What connecting needs beside the address. */
export interface ConnectSettings extends Given<typeof natsOptions> {
  readonly flag: "--nats" | "--workers";
  readonly note: (text: string) => void;
}

/**
 * Connects to NATS at the address that the user gave. The client library is loaded only now.
 *
 * @throws {UsageError} when the address is none.
 * @throws {Deno.errors.NotCapable} when this process may not use the network.
 * @throws {Error} when no server answers, it refuses the credentials, or it has no JetStream.
 */
export async function connectTo(text: string, settings: ConnectSettings): Promise<Exchange> {
  const address = readAddress(text, settings.flag);
  const credentials = await readCredentials(settings);
  await requireNetwork(address, settings.flag);
  const { connectNats } = await import("./nats.ts");
  const [who, remedy] = settings.flag === "--nats"
    ? ["worker", "begin the worker again"]
    : ["learner", "go on with --resume"];
  const client = `ponder ${who} ${Deno.pid}`;
  return await connectNats({
    ...{ address, credentials, client, remedy },
    ...{ patienceMs: PATIENCE_MS, note: settings.note },
  });
}

async function requireNetwork({ servers, shown }: NatsAddress, flag: string): Promise<void> {
  for (const host of servers) {
    const { state } = await Deno.permissions.query({ name: "net", host });
    if (state === "granted") continue;
    throw new Deno.errors.NotCapable(
      `Cannot reach ${shown}: this process may not use the network, use ./ponder ${
        flag === "--nats" ? "worker" : "train"
      } ${flag}; see SECURITY.md`,
    );
  }
}
