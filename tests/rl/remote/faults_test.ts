/** What a server may be or do that is not a fault of the run: too old, too small, frozen, with other credentials all at once. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { findEnvironment } from "../../../envs/mod.ts";
import { resolveConfig } from "../../../rl/config.ts";
import { connectTo } from "../../../rl/remote/mod.ts";
import { NatsServer, withNats } from "../../nats.ts";
import { metricsOf, TempFolder, trainHere } from "../tiny_run.ts";
import { SHORT, trainAt, WorkersHere } from "./run_at.ts";

const connect = (url: string) => connectTo(url, { flag: "--nats", note: () => {} });

/** Greets as a server with this description, and answers pings. */
function pretend(info: Readonly<Record<string, unknown>>): { url: string } & Disposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const encoder = new TextEncoder(), decoder = new TextDecoder();
  const serve = async (socket: Deno.Conn) => {
    const greeting = { server_id: "x", proto: 1, headers: true, host: "127.0.0.1", port, ...info };
    await socket.write(encoder.encode(`INFO ${JSON.stringify(greeting)} \r\n`));
    for await (const bytes of socket.readable) {
      if (decoder.decode(bytes).includes("PING")) await socket.write(encoder.encode("PONG\r\n"));
    }
  };
  void (async () => {
    for await (const socket of listener) void serve(socket).catch(() => {});
  })().catch(() => {});
  return { url: `nats://127.0.0.1:${port}`, [Symbol.dispose]: () => listener.close() };
}

Deno.test("a server that is too old, or takes small messages alone, is named", withNats, async () => {
  for (
    const [info, state] of [
      [{ version: "2.9.3", max_payload: 2 ** 20 }, "it is nats-server 2.9.3, use 2.9.4 or later"],
      [{ version: "1.4.1", max_payload: 2 ** 20 }, "it is nats-server 1.4.1, use 2.9.4 or later"],
      [
        { version: "2.10.0-beta.1", max_payload: 1000 },
        "it takes messages of 1000 bytes, raise its max_payload",
      ],
    ] as const
  ) {
    using server = pretend(info);
    await assertRejects(() => connect(server.url), Error, `Cannot use NATS at ${server.url}: ${state}`);
  }
});

Deno.test(
  "small messages, a frozen server and new credentials: the same bytes, or a sentence and a run that goes on",
  withNats,
  async () => {
    using temp = new TempFolder();
    const login = (password: string) => `max_payload: 4096, authorization { user: u, password: ${password} }`;
    await using server = await NatsServer.start({ config: login("one") });
    const at = (password: string) => ({ url: server.url.replace("//", `//u:${password}@`) });
    const settings = { ...SHORT, envSteps: 48 };
    const [alone, shared] = [`${temp.path}/alone`, `${temp.path}/shared`];
    await trainHere(alone, resolveConfig(settings, findEnvironment("NumberLine")));
    const workers = new WorkersHere(at("one"), ["one"]);
    const ended = assertRejects(() => workers.failed, Error, "has ended (");
    let lines = 0;
    const failures: unknown[] = [];
    const onLine = async (stage: string) => {
      if (stage !== "rl") return;
      lines++;
      if (lines === 1) {
        server.signal("SIGSTOP");
        await new Promise((resolve) => setTimeout(resolve, 1500));
        server.signal("SIGCONT");
      }
      if (lines === 2) {
        await server.end("SIGTERM");
        await server.begin(login("two"));
      }
    };
    const error = await assertRejects(
      () =>
        trainAt(at("one"), shared, settings, {
          onLine: (stage) => void onLine(stage).catch((e) => failures.push(e)),
        }),
      Error,
    ) as Error;
    assertStringIncludes(error.message, "go on with --resume");
    assertStringIncludes(error.message, "the connection to NATS at");
    await ended;
    await workers[Symbol.asyncDispose]();
    assertEquals([failures, lines], [[], 2]);
    await using others = new WorkersHere(at("two"), ["two"]);
    const result = await Promise.race([
      trainAt(at("two"), shared, { ...settings, resume: true }),
      others.failed,
    ]);
    assert(result.afterRl !== null);
    assertEquals(metricsOf(shared), metricsOf(alone));
  },
);
