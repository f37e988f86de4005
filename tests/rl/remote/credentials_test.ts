/**
 * Every way to log in to NATS, right and wrong, with a real server. Certificates and keys in `data/` are made for these tests alone:
 * an authority, certificates of one key for 100 years, and some that expired in 2020; an operator with accounts and users.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connectTo } from "../../../rl/remote/mod.ts";
import { trainCommand } from "../../../commands/train.ts";
import { NatsServer, withNats } from "../../nats.ts";
import { metricsOf, runHere, TempFolder, TINY_FLAGS } from "../tiny_run.ts";
import { SHORT, trainAt, WorkersHere } from "./run_at.ts";

const DATA = new URL("data/", import.meta.url).pathname;
const pem = (name: string) => `${DATA}tls/${name}.pem`;
const creds = (name: string) => ({ natsCreds: `${DATA}jwt/${name}.creds` });
/** The part of a server's configuration that lets it show a certificate. */
const showing = (name: string, more = "") =>
  `tls { cert_file: "${pem(name)}", key_file: "${pem("key")}"${more} }`;
const AUTHORITY = { natsCa: pem("ca") };
const own = (name: string) => ({ ...AUTHORITY, natsCert: pem(name), natsKey: pem("key") });

type Given = Parameters<typeof connectTo>[1];
const connect = (url: string, given: Partial<Given> = {}) =>
  connectTo(url, { flag: "--nats", note: () => {}, ...given });
const tls = ({ host }: NatsServer) => `tls://${host}`;

/** Connects and leaves. */
async function logsIn(url: string, given: Partial<Given>): Promise<void> {
  await using exchange = await connect(url, given);
  assertEquals(await exchange.runs(), []);
}

const refuses = (url: string, given: Partial<Given>, ...parts: string[]) =>
  assertRejects(() => connect(url, given), Error).then((error) => {
    for (const part of parts) assertStringIncludes((error as Error).message, part);
  });

Deno.test(
  "a server's certificate is compared with the name of each server that is dialled",
  withNats,
  async () => {
    await using both = await NatsServer.start({ config: showing("server") });
    await logsIn(tls(both), AUTHORITY);
    await logsIn(tls(both).replace("127.0.0.1", "localhost"), AUTHORITY);
    await refuses(
      tls(both),
      {},
      "over TLS: no authority that this machine knows",
      "name yours with --nats-ca",
    );
    await refuses(tls(both), { natsCa: pem("foreign") }, "no authority that this machine knows");
    await refuses(both.url, {}, "no authority that this machine knows", "write tls://");
    await using address = await NatsServer.start({ config: showing("ip") });
    await logsIn(tls(address), AUTHORITY);
    // The first of the two is not there.
    await logsIn(`tls://localhost:1,${address.host}`, AUTHORITY);
    await refuses(
      tls(address).replace("127.0.0.1", "localhost"),
      AUTHORITY,
      "is not for localhost but for 127.0.0.1, use a name that it has",
    );
    await using elsewhere = await NatsServer.start({ config: showing("elsewhere") });
    await refuses(tls(elsewhere), AUTHORITY, "is not for 127.0.0.1 but for elsewhere.example");
    await using expired = await NatsServer.start({ config: showing("expired") });
    await refuses(tls(expired), AUTHORITY, `the certificate of ${expired.host} has expired, renew it`);
    await using plain = await NatsServer.start();
    await refuses(tls(plain), AUTHORITY, "over TLS: the server has none, write nats://");
  },
);

Deno.test(
  "a server that wants certificates of machines takes theirs, and refuses none and others",
  withNats,
  async () => {
    const mutual = showing("server", `, ca_file: "${pem("ca")}", verify: true`);
    await using server = await NatsServer.start({ config: mutual });
    await logsIn(tls(server), own("client"));
    const users = `, authorization { user: u, password: p }`;
    await using both = await NatsServer.start({ config: `${mutual}${users}` });
    await logsIn(`tls://u:p@${both.host}`, own("client"));
    await refuses(`tls://u:x@${both.host}`, own("client"), "it refuses the credentials");
    await refuses(
      tls(server),
      AUTHORITY,
      "it wants a certificate of this machine",
      "--nats-cert and --nats-key",
    );
    // The library notices some refusals only after its time is up, so these wait together.
    await Promise.all(
      [own("foreign"), own("client-expired"), { ...own("client"), natsCert: pem("ca") }].map((given) =>
        refuses(
          tls(server),
          given,
          "it refuses the certificate of --nats-cert",
          "has not expired",
          "--nats-key",
        )
      ),
    );
  },
);

Deno.test(
  "credentials of an operator's user log in; of a stranger, expired and without JetStream they do not",
  withNats,
  async () => {
    await using server = await NatsServer.start({
      config: Deno.readTextFileSync(`${DATA}jwt/operator.conf`),
    });
    await logsIn(server.url, creds("worker"));
    for (const name of ["stranger", "expired"]) {
      await refuses(server.url, creds(name), "it refuses the credentials (Authorization Violation)");
    }
    await refuses(server.url, {}, "it refuses the credentials");
    await refuses(
      server.url,
      creds("no-jetstream"),
      "it has no JetStream for this account",
      "enable it for the account",
    );
  },
);

Deno.test("files that hold no credentials are named before anybody connects", withNats, async () => {
  using temp = new TempFolder();
  const file = (text: string) => {
    const path = `${temp.path}/${crypto.randomUUID()}`;
    Deno.writeTextFileSync(path, text);
    return path;
  };
  const nowhere = "nats://127.0.0.1:1";
  const some = Deno.readTextFileSync(`${DATA}jwt/worker.creds`);
  for (
    const [given, state] of [
      [{ natsCreds: file("") }, "it holds neither a .creds file nor the seed of a user's nkey"],
      [{ natsCreds: `${temp.path}/none` }, "there is no such file"],
      [{ natsCa: pem("key") }, "it holds no certificate in PEM form"],
      [{ ...own("client"), natsKey: pem("client") }, "it holds no private key in PEM form"],
      [{ natsCert: pem("client") }, "without each other"],
    ] as const
  ) await refuses(nowhere, given, "Cannot use --nats-", state);
  await using server = await NatsServer.start();
  await using users = await NatsServer.start({ config: Deno.readTextFileSync(`${DATA}jwt/operator.conf`) });
  const wrongSeed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VX";
  for (const text of [some.slice(0, 500), wrongSeed]) {
    await refuses(users.url, { natsCreds: file(text) }, "--nats-creds is damaged");
  }
  // A command says so in a sentence, and leaves no folder.
  const out = `${temp.path}/run`;
  const train = (...args: string[]) => runHere(trainCommand, ...TINY_FLAGS, "--out", out, ...args);
  const usage = await train("--workers", server.url, "--nats-ca", pem("key"));
  assertEquals([usage.code, usage.err.includes("--nats-ca")], [2, true], usage.err);
  const refused = await train("--workers", users.url);
  assertEquals([refused.code, refused.err.includes("it refuses the credentials")], [1, true], refused.err);
  await assertRejects(() => Deno.stat(out), Deno.errors.NotFound);
});

/** The subjects that the page about more machines asks for. */
function documentedSubjects(): string[] {
  const page = Deno.readTextFileSync(new URL("../../../docs/how_to/more_machines.md", import.meta.url));
  const [, sentence] = /A user needs to publish and subscribe to (.*?`)\. /.exec(page)!;
  return [...sentence.matchAll(/`([^`]+)`/g)].map(([, subject]) => subject);
}

Deno.test(
  "a user with the permissions of the page, and no others, trains with a worker; one with fewer is told",
  withNats,
  async () => {
    using temp = new TempFolder();
    const subjects = documentedSubjects();
    assertEquals(subjects.length, 5);
    const userOf = (name: string, allowed: readonly string[]) => {
      const list = JSON.stringify(allowed);
      return `{ user: ${name}, password: p, permissions: { publish: ${list}, subscribe: ${list} } }`;
    };
    const fewer = subjects.map((missing) => subjects.filter((subject) => subject !== missing));
    const users = [userOf("whole", subjects), ...fewer.map((allowed, i) => userOf(`lacks${i}`, allowed))];
    await using server = await NatsServer.start({
      config: `authorization { users: [ ${users.join(", ")} ] }`,
    });
    const at = (user: string) => server.url.replace("//", `//${user}:p@`);
    const url = at("whole");
    await using workers = new WorkersHere({ url }, ["one"]);
    const out = `${temp.path}/run`;
    const run = trainAt({ url }, out, SHORT);
    const { afterRl } = await Promise.race([run, workers.failed]);
    assert(afterRl !== null && metricsOf(out).includes('"after":"rl"'));
    assertEquals(Deno.readTextFileSync(`${out}/config.json`).includes(":p@"), false);
    for (const [i, subject] of subjects.entries()) {
      const notes: string[] = [];
      const ended = everything(at(`lacks${i}`), (text) => notes.push(text));
      if (subject !== "$JS.ACK.>") {
        await assertRejects(() => ended, Error, "this user may not", subject);
        continue;
      }
      // Acknowledgements are sent without an answer: the refusal comes as a note.
      await ended;
      assertStringIncludes(notes.join(), 'this user may not (Permissions Violation for Publish to "$JS.ACK.');
    }
  },
);

/** Does all that a learner and a worker do at a server. */
async function everything(url: string, note: (text: string) => void): Promise<void> {
  await using exchange = await connect(url, { note });
  const run = await exchange.open("trial", { jobTimeoutMs: 1000 });
  await run.put("object", new Uint8Array(10));
  assertEquals((await run.get("object"))?.length, 10);
  await run.publish("jobs", "1", Uint8Array.of(1));
  const taken = await run.take("jobs");
  taken!.done();
  run.tell("hello");
  // Its answer comes after the refusals of what went before.
  await run.remove();
}
