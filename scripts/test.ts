/**
 * `./ponder test [PATH...]` runs the tests in several processes of `deno test` at a time. A test waits for the GPU about as long as it
 * computes, and processes share neither environment variables nor the clock of their work. The output is that of
 * `deno test`: every file in one piece, then all errors, then one closing line. With a flag of `deno test`, such as
 * `--filter TEXT`, one process runs everything. What follows `--` goes to the tests: with `-- --all` they leave nothing out.
 */
import { formatDuration } from "../rl/cli/format.ts";
import { TEST } from "./test_arguments.ts";
import { type Outcome, readOutcome, summary } from "./test_outcome.ts";

/** They begin first, so that none is left alone at the end. The order saves time and changes nothing else. */
const LONGEST = [
  "tests/web/steps_test.ts",
  "tests/web/kernels_test.ts",
  "tests/web/playground_test.ts",
  "tests/rl/remote/episodes_test.ts",
  "tests/rl/remote/faults_test.ts",
  "tests/rl/remote/workers_test.ts",
  "tests/rl/run/resume_test.ts",
  "tests/docs_test.ts",
  "tests/examples_test.ts",
  "tests/rl/run/resume_algorithms_test.ts",
  "tests/rl/run/device_faults_test.ts",
  "tests/rl/algorithms/runs_test.ts",
  "tests/rl/run/train_test.ts",
  "tests/rl/watch/page_test.ts",
  "tests/rl/run/kills_test.ts",
  "tests/rl/run/damage_test.ts",
  "tests/rl/run/recording_test.ts",
  "tests/rl/run/training_test.ts",
  "tests/bench/trace_test.ts",
  "tests/rl/remote/pretrained_test.ts",
  "tests/commands/moved_files_test.ts",
  "tests/rl/remote/acting_weights_test.ts",
  "tests/rl/remote/credentials_test.ts",
  "tests/rl/remote/network_cut_test.ts",
  "tests/rl/remote/tuning_test.ts",
  "tests/rl/pretrained/runs_test.ts",
  "tests/commands/damaged_run_test.ts",
  "tests/kernels/attention_test.ts",
  "tests/bench/bench_test.ts",
  "tests/bench/soak_test.ts",
  "tests/rl/baseline_test.ts",
  "tests/kernels/softmax_logprob_test.ts",
  "tests/rl/run/untaken_test.ts",
  "tests/rl/run/extend_test.ts",
];
/** Files of one process, so that its start costs little beside them. */
const FILES_OF_A_PROCESS = 6;

const ROOT = new URL("../", import.meta.url);
const startMs = performance.now();

if (Deno.args.some((arg) => arg === "--help" || arg === "-h")) {
  console.log(
    "Usage: ./ponder test [PATH...] [-- --all]\n\nEvery test, or those of files and folders, in several processes at a time:\n" +
      "one more than there are cores, or as many as DENO_JOBS says.\n" +
      "With -- --all they also run what repeats other tests, and take longer.\n" +
      "With flags of `deno test`, such as --filter TEXT, one process runs them.",
  );
  Deno.exit(0);
}
const dashes = Deno.args.includes("--") ? Deno.args.indexOf("--") : Deno.args.length;
const [given, forTests] = [Deno.args.slice(0, dashes), Deno.args.slice(dashes)];
if (given.some((arg) => arg.startsWith("-"))) Deno.exit(await inOneProcess([...TEST, ...Deno.args]));
const files = filesOf(given.length > 0 ? given : ["tests"]);
if (files.length <= 1) Deno.exit(await inOneProcess([...TEST, ...Deno.args]));
Deno.exit(await inManyProcesses(files));

/** The test files among files and folders, by their paths from the root. */
function filesOf(paths: readonly string[]): string[] {
  const found = (path: string): string[] => {
    // What is not there is named by Deno.
    if (!isFolder(path)) return [path];
    const folder = path.replace(/\/*$/, "");
    return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) =>
      isDirectory || name.endsWith("_test.ts") ? found(`${folder}/${name}`) : []
    );
  };
  return [...new Set(paths.flatMap((path) => found(path.replace(/^\.\//, ""))))].sort();
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(new URL(path, ROOT)).isDirectory;
  } catch {
    return false;
  }
}

/** Calls Deno with the streams of this process. */
async function inOneProcess(args: readonly string[]): Promise<number> {
  return (await new Deno.Command(Deno.execPath(), { args: [...args], cwd: ROOT }).spawn().status).code;
}

/** The first code that is not 0 of several processes, each with some of the files. */
async function inManyProcesses(files: readonly string[]): Promise<number> {
  // Else all would install the packages at once.
  const installed = await inOneProcess(["install", "--frozen", "--quiet"]);
  if (installed !== 0) return installed;
  const jobs = Number(Deno.env.get("DENO_JOBS")) || navigator.hardwareConcurrency + 1;
  console.error(`${files.length} files of tests, ${jobs} processes at a time; each prints when it is done\n`);
  const running = new Set<Deno.ChildProcess>();
  const run = async (args: readonly string[]) => {
    const child = new Deno.Command(Deno.execPath(), {
      args: [...args],
      cwd: ROOT,
      env: {
        [Deno.stdout.isTerminal() && !Deno.noColor ? "FORCE_COLOR" : "NO_COLOR"]: "1",
        // There are as many processes as cores. Mesa's software Vulkan need not share out each launch among threads too: small
        // launches then cost half as much again of the system's time. The results are the same.
        LP_NUM_THREADS: Deno.env.get("LP_NUM_THREADS") ?? "0",
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    running.add(child);
    const { code, stdout, stderr } = await child.output();
    running.delete(child);
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, out: decode(stdout), err: decode(stderr) };
  };
  const end = () => running.forEach((child) => child.kill());
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    if (Deno.build.os === "windows" && signal === "SIGTERM") continue;
    Deno.addSignalListener(signal, () => {
      end();
      Deno.exit(130);
    });
  }

  const outcomes: Outcome[] = [];
  let code = 0;
  let isBroken = false;
  const left = groupsOf(files);
  const work = async () => {
    while (left.length > 0 && !isBroken) {
      const group = left.shift()!;
      const { code: its, out, err } = await run([...TEST, "--no-check", ...group, ...forTests]);
      if (isBroken) return;
      const outcome = readOutcome(out, its, group);
      outcomes.push(outcome);
      if (outcome.report !== "") console.log(outcome.report + "\n");
      const said = err.replace(/^.*error.*: Test failed\s*(Stack backtrace:[^]*)?$/m, "").trim();
      if (said !== "") console.error(said);
      if (code === 0) code = its || Number(outcome.counts.failed > 0);
    }
  };
  // Types are checked beside the first tests, those of the examples with their test.
  const examples = files.includes("tests/examples_test.ts") ? ["examples"] : [];
  const check = async () => {
    const { code: its, err } = await run(["check", "--frozen", "--quiet", ...files, ...examples]);
    if (its === 0) return await work();
    isBroken = true;
    end();
    console.error(err.trim());
    code = its;
  };
  await Promise.all([check(), ...Array.from({ length: Math.max(1, jobs - 1) }, work)]);
  if (isBroken) return code;
  console.log(summary(outcomes, formatDuration(performance.now() - startMs)));
  return code;
}

/** The files of each process. */
function groupsOf(files: readonly string[]): string[][] {
  const groups = LONGEST.filter((file) => files.includes(file)).map((file) => [file]);
  const others = files.filter((file) => !LONGEST.includes(file));
  for (let i = 0; i < others.length; i += FILES_OF_A_PROCESS) {
    groups.push(others.slice(i, i + FILES_OF_A_PROCESS));
  }
  return groups;
}
