/** Runs that act through workers: real processes, a real server, and everything that happens to them. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { findEnvironment } from "../../../envs/mod.ts";
import type { Gpu } from "../../../kernels/gpu/mod.ts";
import { resolveConfig } from "../../../rl/config.ts";
import { connectTo, work } from "../../../rl/remote/mod.ts";
import type { RunExchange } from "../../../rl/remote/exchange.ts";
import { NatsServer, withNats, WorkerProcess } from "../../nats.ts";
import { metricsOf, TempFolder, TINY, trainHere } from "../tiny_run.ts";
import { trainAt } from "./run_at.ts";

/** The queues of a run, to put hostile things in. */
async function queuesOf(server: NatsServer, name: string): Promise<[RunExchange, () => Promise<void>]> {
  const exchange = await connectTo(server.url, { flag: "--nats", note: () => {} });
  return [await exchange.open(name), () => exchange.close()];
}

const FAULTS = {
  ...TINY,
  envs: 6,
  rolloutSteps: 4,
  minibatch: 12,
  envSteps: 168,
  evalEpisodes: 6,
  jobTimeout: 2,
};

Deno.test(
  "killed, frozen and late workers, hostile messages and a restarted server change no byte of a run",
  withNats,
  async () => {
    using temp = new TempFolder();
    await using server = await NatsServer.start();
    const [alone, shared] = [`${temp.path}/alone`, `${temp.path}/shared`];
    const notes: string[] = [];
    let lines = 0;
    await using first = new WorkerProcess(server, "first");
    await using frozen = new WorkerProcess(server, "frozen");
    let third: WorkerProcess | null = null;
    let isOver = false;
    /** A worker that finds no server when it starts ends: the third one must be there before the others go. */
    const thirdHasCome = async () => {
      while (!isOver && !notes.some((note) => note.startsWith("Worker third has come"))) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const onLine = async (stage: string) => {
      if (stage !== "rl") return;
      switch (++lines) {
        case 1: {
          const [run, close] = await queuesOf(server, "shared");
          await run.publish("results", "a", new TextEncoder().encode("no message"));
          await run.publish("jobs", "b", new Uint8Array(100));
          await close();
          break;
        }
        case 2:
          frozen.signal("SIGSTOP");
          break;
        case 3:
          third = new WorkerProcess(server, "third");
          break;
        case 4:
          await thirdHasCome();
          first.signal("SIGKILL");
          frozen.signal("SIGCONT");
          break;
        case 5:
          await thirdHasCome();
          await server.end();
          await server.begin();
          break;
      }
    };
    const failures: unknown[] = [];
    const training = trainAt(server, shared, FAULTS, {
      onNote: (text) => notes.push(text),
      onLine: (stage) => void onLine(stage).catch((error) => failures.push(error)),
    });
    const { jobTimeout: _, ...settings } = FAULTS;
    await trainHere(alone, resolveConfig(settings, findEnvironment("NumberLine")));
    await training;
    isOver = true;
    await using _third = third!;
    assertEquals(failures, []);
    assertEquals(metricsOf(shared), metricsOf(alone), notes.join("\n"));
    const said = notes.join("\n");
    assertStringIncludes(said, "Cannot read a message");
    for (const name of ["first", "frozen", "third"]) assertStringIncludes(said, `Worker ${name} has come`);
    assert(/\d+ jobs by [23] workers/.test(said), said);
    // The run is over: workers that wait for it end.
    assertEquals((await (third as unknown as WorkerProcess).outcome()).code, 0);
  },
);

Deno.test(
  "two learners that let acting lag, stopped and resumed with the worker waiting, write the bytes of one alone",
  withNats,
  async () => {
    using temp = new TempFolder();
    await using server = await NatsServer.start();
    await using _worker = new WorkerProcess(server, "one");
    const settings = { ...TINY, envSteps: 64, learners: 2, staleness: 1 };
    const shared = `${temp.path}/shared`;
    let lines = 0;
    const first = trainAt(server, shared, settings, {
      onLine: (stage) => lines += Number(stage === "rl"),
      isStopped: () => lines >= 2,
    });
    await trainHere(`${temp.path}/alone`, resolveConfig(settings, findEnvironment("NumberLine")));
    assertEquals((await first).afterRl, null);
    await trainAt(server, shared, { ...settings, resume: true });
    assertEquals(metricsOf(shared), metricsOf(`${temp.path}/alone`));
    const rl = metricsOf(shared).split("\n").filter((line) => line.includes('"stage":"rl"'));
    assertEquals(rl.length, 4);
    // The first iteration acts with the weights that learn from it, the second with those from before.
    const [fresh, stale] = rl.map((line) => JSON.parse(line).behaviourRatio as number);
    assert(Math.abs(fresh - 1) < 1e-4 && Math.abs(stale - 1) > 1e-3, `${fresh} ${stale}`);
  },
);

Deno.test(
  "a worker of other sources is refused by name, and a run under a name that is taken",
  withNats,
  async () => {
    using temp = new TempFolder();
    await using server = await NatsServer.start();
    const notes: string[] = [];
    let isStopped = false;
    const run = trainAt(server, `${temp.path}/a/run`, { ...TINY, sftSteps: 1 }, {
      onNote: (text) => notes.push(text),
      isStopped: () => isStopped,
    });
    await using exchange = await connectTo(server.url, { flag: "--nats", note: () => {} });
    const stranger = {
      ...{ exchange, once: true, name: "stranger", program: "0.0.1", note: () => {}, isStopped: () => false },
      openGpu: () => Promise.resolve({ adapterName: "none", destroy: () => {} } as unknown as Gpu),
      knownVariants: () => Promise.resolve([]),
      modelOf: (name: string) => name,
      environmentOf: () => Promise.resolve(findEnvironment("NumberLine")),
    };
    await assertRejects(() => work(stranger), Error, "this is 0.0.1; use the same sources on every machine");
    while (!notes.some((note) => note === "Refused worker stranger: it is ponder 0.0.1")) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await assertRejects(
      () => trainAt(server, `${temp.path}/b/run`, { ...TINY, sftSteps: 1 }),
      Error,
      "Cannot use the name run at nats://127.0.0.1:",
    );
    isStopped = true;
    assertEquals((await run).afterRl, null);
    // It is whole, and another learner may take it over from there.
    assertEquals((await exchange.runs()).includes("run"), true);
  },
);

Deno.test(
  "a server without room ends a run with a sentence, and the run goes on without it",
  withNats,
  async () => {
    using temp = new TempFolder();
    await using server = await NatsServer.start({
      args: [],
      config: "jetstream { max_file_store: 20000 }",
    });
    const settings = { ...TINY, sftSteps: 1, envSteps: 16 };
    const out = `${temp.path}/run`;
    await assertRejects(() => trainAt(server, out, settings), Error, "its storage is full");
    const config = resolveConfig({ ...settings, resume: true }, findEnvironment("NumberLine"));
    assertEquals((await trainHere(out, config)).envSteps, 16);
  },
);
