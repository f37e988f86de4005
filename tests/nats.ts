/**
 * Tests with a NATS server: each starts its own, on a free port, with a store of its own. Without `nats-server` they are skipped
 * and a line says so; `REQUIRE_NATS=1` lets them run, and fail, all the same.
 */
export { NatsServer, WorkerProcess } from "./nats_server.ts";

async function hasServer(): Promise<boolean> {
  try {
    return (await new Deno.Command("nats-server", { args: ["--version"], stdout: "null" }).output()).success;
  } catch {
    return false;
  }
}

const isSkipped = Deno.env.get("REQUIRE_NATS") !== "1" && !await hasServer();
if (isSkipped) {
  console.error(
    "No nats-server: the tests of workers in this file are SKIPPED; with REQUIRE_NATS=1 they fail",
  );
}

/** What `Deno.test` takes for a test with a server. */
export const withNats = { sanitizeResources: false, sanitizeOps: false, ignore: isSkipped } as const;
