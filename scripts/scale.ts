/**
 * `scale`: measures what acting through workers costs, and simulates from that how a run scales from 1 to 1,000 workers.
 *
 *     measure     two responses of different widths, one minibatch, the sizes of messages, and the engine's times on loopback
 *     simulate    an iteration: weights to all workers, then for every turn jobs, responses and results, then the updates
 *
 * With `--write` it keeps what it measured in `results/scale.json`. Without measuring, `--simulate` prints the tables of
 * `docs/scale.md` from that file.
 *
 * @module
 */
import { findEnvironment } from "../envs/mod.ts";
import { openGpu } from "../kernels/gpu/mod.ts";
import { findAlgorithm } from "../rl/algorithms/mod.ts";
import { type Command, defineOptions, runCommand } from "../rl/cli/mod.ts";
import { resolveConfig } from "../rl/config.ts";
import { shareGradient } from "../rl/gradients.ts";
import { objectiveSettings } from "../rl/objective.ts";
import { rlOptimizer } from "../rl/optimizers.ts";
import { newPolicy } from "../rl/policies/mod.ts";
import { encodeJob, encodeResult } from "../rl/remote/jobs.ts";
import { connectTo } from "../rl/remote/mod.ts";
import { collectRollout, samplerState, VectorEnv } from "../rl/rollout.ts";
import { NatsServer } from "../tests/nats_server.ts";
import { measureOverhead } from "./overhead.ts";

/** What a model costs. Times are in milliseconds. */
export interface ModelCost {
  readonly name: string;
  /** How its numbers came about. */
  readonly basis: string;
  /** Time of a response of all rows: `fixed + perRow * rows`. */
  readonly fixedMs: number;
  readonly perRowMs: number;
  /** Time of an iteration's updates. */
  readonly updateMs: number;
  /** Bytes of the weights that learn, of a job and a result without rows, and of a row in each. */
  readonly weightBytes: number;
  readonly jobBytes: number;
  readonly jobRowBytes: number;
  readonly resultBytes: number;
  readonly resultRowBytes: number;
}

/** What the engine costs on loopback. */
export interface EngineCost {
  /** Milliseconds from sending a job to having its result, when it is done at once. */
  readonly roundTripMs: number;
  /** Milliseconds that storing and reading a megabyte takes. */
  readonly putMsPerMb: number;
  readonly getMsPerMb: number;
}

/** Everything that was measured. */
export interface ScaleCosts {
  readonly command: string;
  readonly adapter: string;
  readonly engine: EngineCost;
  readonly models: readonly ModelCost[];
}

/** A network between learner, server and workers. */
export interface Network {
  readonly name: string;
  /** Milliseconds there and back. */
  readonly rttMs: number;
  /** Bytes a millisecond that leave the server in all, and that reach a worker. */
  readonly serverBytesPerMs: number;
  readonly workerBytesPerMs: number;
}

/** The networks of the tables. */
export const NETWORKS: readonly Network[] = [
  { name: "10 Gbit/s, 0.2 ms", rttMs: 0.2, serverBytesPerMs: 1.25e6, workerBytesPerMs: 1.25e6 },
  {
    name: "internet, 100 Mbit/s a worker, 1 Gbit/s at the server, 60 ms",
    rttMs: 60,
    serverBytesPerMs: 125e3,
    workerBytesPerMs: 12.5e3,
  },
];

/** Numbers of workers in the tables. */
export const WORKERS = [1, 2, 5, 10, 30, 100, 300, 1000] as const;

/** A simulated run: environments, steps of each in an iteration, steps of a minibatch, passes over them, and learners. */
export interface Batch {
  readonly rows: number;
  readonly turns: number;
  readonly minibatch: number;
  readonly epochs: number;
  readonly learners: number;
}

/** The run of the tables; with as many learners as workers, or with one. */
export const BATCH: Batch = { rows: 1024, turns: 8, minibatch: 1024, epochs: 2, learners: 1 };

/** The parts of an iteration. */
export interface SimulatedIteration {
  readonly seconds: number;
  /** What takes longest. */
  readonly bottleneck: "weights" | "messages" | "responses" | "updates" | "gradients";
  readonly bytes: number;
}

/**
 * Simulates an iteration of `rows` environments over `workers` workers: the learner stores the weights and every worker reads
 * them over the server's one link; then, turn by turn, jobs go out, are done side by side, and come back; then the learner
 * updates, alone or with others. Of each minibatch every other learner then reads the weights and sends a gradient.
 */
export function simulate(
  model: ModelCost,
  engine: EngineCost,
  { rttMs, serverBytesPerMs, workerBytesPerMs }: Network,
  workers: number,
  { rows, turns, minibatch, epochs, learners }: Batch = BATCH,
): SimulatedIteration {
  const busy = Math.min(workers, rows);
  const width = Math.ceil(rows / busy);
  const megabytes = model.weightBytes / 1e6;
  const read = (readers: number) =>
    megabytes * engine.getMsPerMb + rttMs +
    Math.max(model.weightBytes * readers / serverBytesPerMs, model.weightBytes / workerBytesPerMs);
  const put = megabytes * engine.putMsPerMb + model.weightBytes / serverBytesPerMs + rttMs;
  const jobs = busy * (model.jobBytes + model.resultBytes) +
    rows * (model.jobRowBytes + model.resultRowBytes);
  // The learner's one process handles messages one after the other.
  const messages = turns * (rttMs + busy * engine.roundTripMs + jobs / serverBytesPerMs);
  const responses = turns * (model.fixedMs + model.perRowMs * width);
  const updates = model.updateMs * rows / MEASURED_STEPS * turns / learners;
  // The learner stores weights and reads all gradients; the others read weights and store a gradient each, side by side.
  const others = learners - 1, exchanges = others === 0 ? 0 : epochs * Math.ceil(rows * turns / minibatch);
  const gradients = exchanges * (put + read(others) + put + others * megabytes * engine.getMsPerMb +
    others * (engine.roundTripMs + 2 * model.weightBytes / serverBytesPerMs));
  const parts = { weights: put + read(busy), messages, responses, updates, gradients };
  const [bottleneck] = Object.entries(parts).reduce((most, part) => part[1] > most[1] ? part : most);
  return {
    seconds: Object.values(parts).reduce((sum, ms) => sum + ms, 0) / 1e3,
    bottleneck: bottleneck as SimulatedIteration["bottleneck"],
    bytes: model.weightBytes * (1 + busy) + turns * jobs + exchanges * model.weightBytes * (1 + 3 * others),
  };
}

/** Steps that `updateMs` is for. */
const MEASURED_STEPS = 64;

/** The tables of a file of costs, as Markdown: how many times as fast as with one worker, and what takes longest. */
export function tables({ engine, models }: ScaleCosts): string {
  const kinds = NETWORKS.flatMap((network) => [false, true].map((isShared) => ({ network, isShared })));
  return kinds.map(({ network, isShared }) => {
    const rows = models.flatMap((model) => {
      const one = simulate(model, engine, network, 1).seconds;
      const cells = WORKERS.map((workers) => {
        // A share has at least a row.
        const learners = isShared ? Math.min(workers, BATCH.minibatch) : 1;
        const { seconds, bottleneck } = simulate(model, engine, network, workers, { ...BATCH, learners });
        return `${(one / seconds).toFixed(1)} ${bottleneck}`;
      });
      return [`| ${[model.name, one.toFixed(one < 10 ? 2 : 0), ...cells].join(" | ")} |`];
    });
    const head = ["model", "s with one", ...WORKERS.map(String)];
    return `${isShared ? "Acting and learning" : "Acting"} over ${network.name}:\n\n| ${
      head.join(" | ")
    } |\n| ${head.map(() => "---").join(" | ")} |\n${rows.join("\n")}`;
  }).join("\n\n");
}

async function median(times: number, work: () => Promise<unknown>): Promise<number> {
  const ms: number[] = [];
  for (let i = 0; i < times; i++) {
    const startMs = performance.now();
    await work();
    ms.push(performance.now() - startMs);
  }
  return ms.sort((a, b) => a - b)[times >> 1];
}

async function measureModel(preset: "nano" | "mini", times: number): Promise<[ModelCost, string]> {
  const gpu = await openGpu();
  try {
    const environment = findEnvironment("NumberLine");
    const config = resolveConfig({ preset }, environment);
    const policy = newPolicy(gpu, environment, config);
    rlOptimizer(policy, config);
    const settings = { temperature: config.temperature, maxNewTokens: config.maxNewTokens, greedy: false };
    const timeOf = async (rows: number) => {
      const { slots } = new VectorEnv(environment, rows, 0);
      const respond = () => policy.respond(slots, { ...settings, random: samplerState(rows, 0, 0) });
      await respond();
      return await median(times, respond);
    };
    const [few, many] = [await timeOf(16), await timeOf(64)];
    const perRowMs = Math.max(0, (many - few) / 48);
    const rollout = await collectRollout(policy, new VectorEnv(environment, MEASURED_STEPS, 0), {
      ...config,
      steps: 1,
      stepsBefore: 0,
    });
    const objective = objectiveSettings(findAlgorithm("ppo").objective(config));
    const samples = rollout.transitions.map((transition) => ({ transition, advantage: 1, valueTarget: 0 }));
    const tokens = samples.reduce((sum, { transition }) => sum + transition.response.length, 0);
    const whole = { settings: objective, steps: MEASURED_STEPS, tokens, correctedTokens: 0 };
    const parts = preset === "nano" ? 1 : 4;
    const size = MEASURED_STEPS / parts;
    const gradient = async () => {
      for (let i = 0; i < parts; i++) {
        await shareGradient(policy, samples.slice(i * size, (i + 1) * size), whole);
      }
    };
    await gradient();
    const updateMs = config.epochs * await median(times, gradient);
    const { list } = policy.parameters;
    const learning = list.filter(({ name }) => policy.parameters.get(name).requiresGradient);
    const job = async (rows: number) => {
      const { slots } = new VectorEnv(environment, rows, 0);
      const fields = { id: "0123abcd-100", version: 10, episodes: "training" as const, ...settings };
      return (await encodeJob({
        ...fields,
        rows: slots.map(({ played }) => played),
        random: samplerState(rows, 0, 0),
      })).length;
    };
    const result = async (rows: number) => {
      const responses = rollout.transitions.slice(0, rows).map((
        { response, logprobs, entropies, value },
      ) => ({ ids: response, logprobs, entropies, value }));
      const worker = { name: "host-12345", ponder: "0.2.0+0123456789ab", adapter: gpu.adapterName };
      const digest = "0".repeat(32);
      return (await encodeResult({
        id: "0123abcd-100",
        worker,
        weights: `${digest} ${digest}`,
        ms: 100,
        outcome: { responses, prompts: digest },
      })).length;
    };
    const perRow = async (bytes: (rows: number) => Promise<number>) =>
      (await bytes(60) - await bytes(20)) / 40;
    const [jobRowBytes, resultRowBytes] = [await perRow(job), await perRow(result)];
    return [{
      name: preset,
      basis: `measured, ${(policy.parameters.count / 1e6).toFixed(1)}M parameters`,
      fixedMs: Math.max(0, few - 16 * perRowMs),
      perRowMs,
      updateMs,
      weightBytes: 4 * learning.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
      jobBytes: await job(20) - 20 * jobRowBytes,
      jobRowBytes,
      resultBytes: await result(20) - 20 * resultRowBytes,
      resultRowBytes,
    }, gpu.adapterName];
  } finally {
    gpu.destroy();
  }
}

async function measureEngine(times: number): Promise<EngineCost> {
  await using server = await NatsServer.start();
  const at = () => connectTo(server.url, { flag: "--nats", note: () => {} });
  await using learner = await at();
  await using worker = await at();
  const mine = await learner.open("scale", { jobTimeoutMs: 10_000 });
  const theirs = await worker.open("scale");
  let isOver = false;
  const serve = (async () => {
    while (!isOver) {
      const taken = await theirs.take("jobs");
      if (taken === null) continue;
      await theirs.publish("results", crypto.randomUUID(), taken.bytes);
      taken.done();
    }
  })();
  let count = 0;
  const bytes = new Uint8Array(3000);
  const roundTripMs = await median(times, async () => {
    await mine.publish("jobs", `${count++}`, bytes);
    const taken = await mine.take("results");
    taken?.done();
  });
  isOver = true;
  await mine.publish("jobs", "last", bytes);
  await serve;
  const object = crypto.getRandomValues(new Uint8Array(65536));
  const megabytes = 8;
  const large = new Uint8Array(megabytes * 1e6);
  for (let i = 0; i + object.length <= large.length; i += object.length) large.set(object, i);
  const putMs = await median(5, () => mine.put("x", large));
  const getMs = await median(5, () => theirs.get("x"));
  await mine.remove();
  return { roundTripMs, putMsPerMb: putMs / megabytes, getMsPerMb: getMs / megabytes };
}

/** FLOPs of SmolVLM-256M's language model a token over those of `mini`, by their parameters without embeddings. */
const SMOLVLM = {
  name: "SmolVLM-256M, LoRA",
  parameters: 228e6,
  adapterParameters: 1.2e6,
  tokens: 64 + 40 + 24,
};

const FILE = new URL("../results/scale.json", import.meta.url);

async function measureCosts(): Promise<ScaleCosts> {
  console.error("1 of 3: the engine");
  const engine = await measureEngine(200);
  console.error("2 of 3: nano");
  const [nano, adapter] = await measureModel("nano", 5);
  console.error("3 of 3: mini");
  const [mini] = await measureModel("mini", 3);
  const share = SMOLVLM.parameters / 15e6 * SMOLVLM.tokens / 36;
  const smol: ModelCost = {
    ...mini,
    name: SMOLVLM.name,
    basis: `not measured: the times of mini by parameters and tokens, x ${share.toFixed(0)}`,
    fixedMs: mini.fixedMs * share,
    perRowMs: mini.perRowMs * share,
    updateMs: mini.updateMs * share,
    weightBytes: 4 * SMOLVLM.adapterParameters,
  };
  return { command: "./ponder scale --write", adapter, engine, models: [nano, mini, smol] };
}

const options = defineOptions({
  simulate: {
    type: "boolean",
    default: false,
    meaning: "print the tables from results/scale.json, without measuring",
  },
  write: { type: "boolean", default: false, meaning: "keep what is measured in results/scale.json" },
  overhead: {
    type: "boolean",
    default: false,
    meaning: "compare whole iterations with one worker and without, in turns",
  },
  preset: { type: "string", default: "nano", choices: ["nano", "mini"], meaning: "model of --overhead" },
  turns: { type: "integer", default: 3, min: 1, meaning: "runs of each kind, of --overhead" },
  iterations: { type: "integer", default: 6, min: 1, meaning: "RL iterations of a run, of --overhead" },
});

/** The `scale` command. */
export const scaleCommand: Command<typeof options> = {
  command: "./ponder scale",
  summary: "Measure what acting through workers costs, and simulate runs with 1 to 1,000 of them. " +
    "Measuring takes about two minutes on two cores, and needs nats-server.",
  examples: [
    "./ponder scale",
    "./ponder scale --simulate",
    "./ponder scale --overhead --preset mini --turns 1 --iterations 2",
  ],
  options,
  async run({ values }) {
    if (values.overhead) {
      const { withWorker, alone } = await measureOverhead(values);
      const share = (withWorker / alone - 1) * 100;
      console.log(
        `An iteration with one worker takes ${share.toFixed(1)}% longer: ${withWorker.toFixed(3)} s, alone ${
          alone.toFixed(3)
        } s`,
      );
    } else if (values.simulate) {
      console.log(tables(JSON.parse(await Deno.readTextFile(FILE))));
    } else {
      const costs = await measureCosts();
      const text = JSON.stringify(costs, null, 1) + "\n";
      console.log(`${text}${tables(costs)}`);
      if (values.write) await Deno.writeTextFile(FILE, text);
    }
  },
};

if (import.meta.main) Deno.exit(await runCommand(scaleCommand, Deno.args));
