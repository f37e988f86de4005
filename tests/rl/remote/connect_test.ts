/** Reaching NATS: addresses, credentials, and servers that cannot be used. */
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectPlainly } from "@nats-io/transport-node";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { commandLine, UsageError } from "../../../rl/cli/mod.ts";
import { readAddress } from "../../../rl/remote/address.ts";
import { ExchangeEnded } from "../../../rl/remote/exchange.ts";
import { connectTo } from "../../../rl/remote/mod.ts";
import { NatsServer, withNats } from "../../nats.ts";

const connect = (url: string) => connectTo(url, { flag: "--nats", note: () => {} });

Deno.test("addresses are read with their port, and without what is secret in what is shown", () => {
  const { servers, shown, user, password, token, isTls } = readAddress(
    "nats://me:se%40cret@a,b:4223",
    "--nats",
  );
  assertEquals([servers, shown, isTls], [["a:4222", "b:4223"], "nats://a:4222,nats://b:4223", false]);
  assertEquals([user, password, token], ["me", "se@cret", undefined]);
  assertEquals(readAddress("tls://tok@[::1]", "--nats"), {
    ...{ servers: ["[::1]:4222"], isTls: true, shown: "tls://[::1]:4222" },
    ...{ user: undefined, password: undefined, token: "tok" },
  });
  assertEquals(readAddress("a:80", "--nats").servers, ["a:80"]);
  for (
    const text of ["", "http://a", "nats://", "nats://a b", "nats://a/x", "nats://a:99999", "a,,b", "%:b@c"]
  ) {
    assertThrows(() => readAddress(text, "--workers"), UsageError, "Cannot use --workers");
  }
});

Deno.test("a command line is kept without the passwords in it", () => {
  const args = ["--workers", "nats://u:p@host:1,nats://token@b", "--out", "a@b"];
  assertEquals(commandLine("train", args), "./ponder train --workers nats://host:1,nats://b --out a@b");
});

Deno.test("a server that is not there, or has no JetStream, is named with its remedy", withNats, async () => {
  await using plain = await NatsServer.start({ args: [] });
  await assertRejects(() => connect(plain.url), Error, "it has no JetStream for this account");
  await plain.end();
  await assertRejects(
    () => connect(plain.url),
    Error,
    `Cannot reach NATS at ${plain.url}: no server answers there (connection refused), start one with: nats-server -js`,
  );
});

Deno.test("users, tokens and nkeys log in, and wrong ones are refused in a sentence", withNats, async () => {
  const seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
  const nkey = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
  const cases: [config: string, good: string, bad: string, creds?: string][] = [
    [`authorization { user: u, password: "p@q" }`, "u:p%40q@", "u:x@"],
    [`authorization { token: secret }`, "secret@", "other@"],
    [`authorization { users: [ { nkey: ${nkey} } ] }`, "", "", seed],
  ];
  for (const [config, good, bad, creds] of cases) {
    await using server = await NatsServer.start({ config });
    const at = (login: string) => server.url.replace("//", `//${login}`);
    await assertRejects(() => connect(at(bad)), Error, "it refuses the credentials");
    const file = creds === undefined ? undefined : await Deno.makeTempFile();
    if (file !== undefined) await Deno.writeTextFile(file, creds!);
    await using exchange = await connectTo(at(good), { flag: "--nats", note: () => {}, natsCreds: file });
    assertEquals([await exchange.runs(), exchange.place], [[], server.url]);
    if (file !== undefined) await Deno.remove(file);
  }
});

Deno.test(
  "an object whose pieces do not come is not waited for when the connection breaks",
  withNats,
  async () => {
    await using server = await NatsServer.start();
    const notes: string[] = [];
    await using exchange = await connectTo(server.url, { flag: "--nats", note: (text) => notes.push(text) });
    const run = await exchange.open("a", { jobTimeoutMs: 1000 });
    const bytes = crypto.getRandomValues(new Uint8Array(3 << 10));
    await run.put("whole", bytes);
    assertEquals(await run.get("whole"), bytes);
    const other = await connectPlainly({ servers: server.url });
    const manager = await jetstreamManager(other);
    await manager.streams.purge("OBJ_ponder_a", { filter: "$O.ponder_a.C.>" });
    await other.close();
    const ended = assertRejects(
      () => run.get("whole"),
      ExchangeEnded,
      "begin the worker again when that is mended",
    );
    // By then it waits for the pieces.
    await new Promise((resolve) => setTimeout(resolve, 200));
    await server.end();
    while (notes.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(notes, [`NATS at ${server.url} does not answer (the connection broke); waiting for it`]);
    await exchange.close();
    await ended;
  },
);
