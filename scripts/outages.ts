/**
 * `outages`: trains one run through workers, and kills or freezes a random process at random moments: a worker, the learner, or the
 * NATS server. What was killed comes back. Then it compares the run with one that acted alone and undisturbed.
 *
 * These must be equal: `config.json`, every byte of `metrics.jsonl`, the weights and moments of both checkpoints. `check` must
 * find the run whole. A job that was done twice, or whose result was lost, would change the bytes.
 *
 * @module
 */
import { Random } from "../envs/shared/random.ts";
import { writeFileAtomic } from "../model/files.ts";
import {
  type Command,
  commandLine,
  defineOptions,
  Progress,
  runCommand,
  taskArguments,
} from "../rl/cli/mod.ts";
import { NatsServer, netArguments, WorkerProcess } from "../tests/nats_server.ts";
import { contentOf } from "./kills.ts";

/** A run of small iterations; its length is added. */
const TINY =
  "--max-new-tokens 6 --sft-steps 12 --sft-batch 8 --demonstrations 32 --perception-gate 0 --envs 6 " +
  "--rollout-steps 4 --minibatch 12 --epochs 1 --eval-episodes 12 --kl-stop 100";
/** Environment steps of an iteration, and iterations for every outage. */
const STEPS = 24;
const ITERATIONS_PER_OUTAGE = 4;
/** Seconds without a sign of life after which another worker gets a job. */
const JOB_TIMEOUT = 2;
const WORKERS = 3;

/** What happens to whom. */
const KINDS = [
  "kill a worker",
  "freeze a worker",
  "kill the learner",
  "kill the server",
  "restart the server",
] as const;

/** What the outages ended in. */
export interface Outages {
  readonly outages: number;
  /** How often each kind happened. */
  readonly kinds: Readonly<Record<string, number>>;
  /** Files that differ from those of the undisturbed run. */
  readonly differences: readonly string[];
  /** What the learner said of its jobs at the end. */
  readonly work: string;
}

function spawn(args: readonly string[], folder: string): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: folder,
    env: { NO_COLOR: "1", INIT_CWD: "", PONDER_CWD: "", PONDER_TUNING: "off" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Iterations that a run's metrics hold. */
async function iterationsOf(run: string): Promise<number> {
  const metrics = await Deno.readTextFile(`${run}/metrics.jsonl`).catch(() => "");
  return metrics.split('"stage":"rl"').length - 1;
}

/** Shows how far a run has come, until it is disposed of. */
function show(progress: Progress, stage: string, run: string, total: number): Disposable {
  const timer = setInterval(() => {
    void iterationsOf(run).then((step) => progress.update({ stage, step, total }));
  }, 500);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Has `outages` outages happen to one run in `folder`, drawn by a seed and spread over the whole run. */
export async function sufferOutages(
  { outages, seed, folder, progress }: {
    readonly outages: number;
    readonly seed: number;
    readonly folder: string;
    readonly progress: Progress;
  },
): Promise<Outages> {
  const random = new Random(seed, "outages");
  const iterations = outages * ITERATIONS_PER_OUTAGE;
  const flags = `${TINY} --env-steps ${iterations * STEPS}`.split(" ");
  await using server = await NatsServer.start();
  const workers = Array.from({ length: WORKERS }, (_, i) => new WorkerProcess(server, `worker-${i}`));
  let names = WORKERS;
  const run = `${folder}/shared`;
  const command = (isFirst: boolean) => [
    ...netArguments("train", server.host),
    ...isFirst ? flags : ["--resume"],
    ...[
      "--out",
      run,
      "--workers",
      server.url,
      "--workers-name",
      "outages",
      "--job-timeout",
      String(JOB_TIMEOUT),
    ],
  ];
  const kinds: Record<string, number> = {};
  let learner = spawn(command(true), folder), hasEnded = false, said = "";
  const follow = (child: Deno.ChildProcess) => {
    hasEnded = false;
    const output = child.output().then(({ stderr }) => said = new TextDecoder().decode(stderr));
    void child.status.then(() => hasEnded = child === learner);
    return output;
  };
  let output = follow(learner);
  const hasBegun = async () => await Deno.stat(`${run}/config.json`).then(() => true, () => false);
  while (!await hasBegun() && !hasEnded) await pause(100);
  let shown = show(progress, "iterations under outages", run, iterations);
  /** Starts again what found no server when it was started: that is exit 1, and a person's turn. */
  const startAgain = async (): Promise<boolean> => {
    for (const [i, worker] of workers.entries()) {
      if (worker.hasEnded) workers[i] = new WorkerProcess(server, `worker-${names++}`);
    }
    if (!hasEnded) return true;
    await output;
    if (!/Cannot reach NATS/.test(said)) return false;
    learner = spawn(command(false), folder);
    output = follow(learner);
    return true;
  };
  for (let done = 0; done < outages; done++) {
    // The first ones come in the warm start.
    const due = (done - 1) * ITERATIONS_PER_OUTAGE + random.integer(ITERATIONS_PER_OUTAGE);
    await pause(200 + random.integer(500));
    while (await iterationsOf(run) < due && await startAgain()) await pause(100);
    if (!await startAgain()) break;
    const kind = KINDS[random.integer(KINDS.length)], victim = random.integer(WORKERS);
    kinds[kind] = (kinds[kind] ?? 0) + 1;
    progress.note(`${done + 1} of ${outages}: ${kind}`);
    switch (kind) {
      case "kill a worker":
        workers[victim].signal("SIGKILL");
        await workers[victim].outcome();
        workers[victim] = new WorkerProcess(server, `worker-${names++}`);
        break;
      case "freeze a worker": {
        const frozen = workers[victim];
        frozen.signal("SIGSTOP");
        setTimeout(() => frozen.signal("SIGCONT"), random.integer(3000 * JOB_TIMEOUT));
        break;
      }
      case "kill the learner":
        if (!hasEnded) learner.kill("SIGKILL");
        await output;
        learner = spawn(command(false), folder);
        output = follow(learner);
        break;
      default:
        await server.end(kind === "kill the server" ? "SIGKILL" : "SIGTERM");
        await pause(random.integer(1500));
        await server.begin();
    }
  }
  do await output; while (hasEnded && /Cannot reach NATS/.test(said) && await startAgain());
  const { code } = await learner.status;
  shown[Symbol.dispose]();
  for (const worker of workers) {
    worker.signal("SIGCONT");
    await worker[Symbol.asyncDispose]();
  }
  const differences: string[] = code === 0 ? [] : [`exit ${code}: ${said}`];
  shown = show(progress, "iterations of the same run, alone", `${folder}/alone`, iterations);
  const alone = spawn([...taskArguments("train"), ...flags, "--out", `${folder}/alone`], folder);
  const { success, stderr } = await alone.output();
  shown[Symbol.dispose]();
  if (!success) throw new Error(`Cannot begin: ${new TextDecoder().decode(stderr)}`);
  const [expected, content] = [await contentOf(`${folder}/alone`, folder), await contentOf(run, folder)];
  differences.push(...Object.keys(expected).filter((file) => content[file] !== expected[file]));
  if (!(await spawn([...taskArguments("check"), run], folder).output()).success) differences.push("check");
  const work = /^.*jobs by.*$/m.exec(said)?.[0] ?? "";
  return { outages: Object.values(kinds).reduce((sum, count) => sum + count, 0), kinds, differences, work };
}

const options = defineOptions({
  outages: { type: "integer", default: 30, min: 1, meaning: "how many" },
  seed: { type: "integer", default: 0, min: 0, meaning: "seed of what happens when and to whom" },
  out: { type: "path", meaning: "also save the result as JSON in this file" },
});

/** The `outages` command. */
export const outagesCommand: Command<typeof options> = {
  command: "./ponder outages",
  summary: "Kill and freeze workers, learner and NATS server at random moments of one run. " +
    "Then compare its bytes with those of a run alone: exit code 1 if they differ. It needs nats-server.",
  examples: ["./ponder outages", "./ponder outages --outages 6 --seed 1"],
  options,
  async run({ values: { outages, seed, out } }) {
    const folder = await Deno.makeTempDir({ prefix: "ponder_outages_" });
    const progress = new Progress();
    try {
      const startedAt = new Date().toISOString();
      const result = await sufferOutages({ outages, seed, folder, progress });
      progress.close();
      if (out !== undefined) {
        const content = { command: commandLine("outages"), startedAt, ...result };
        await writeFileAtomic(out, JSON.stringify(content, null, 1) + "\n");
      }
      console.error(`${result.outages} outages ${JSON.stringify(result.kinds)}; ${result.work}`);
      const isSame = result.differences.length === 0;
      console.error(
        isSame ? "The run ended in the same bytes" : `DIFFERENT: ${result.differences.join(", ")}`,
      );
      return isSame && result.outages >= outages ? 0 : 1;
    } finally {
      progress.close();
      await Deno.remove(folder, { recursive: true });
    }
  },
};

if (import.meta.main) Deno.exit(await runCommand(outagesCommand, Deno.args));
