/**
 * `bench`: times every kernel, the large shapes that other libraries run too, and whole training steps.
 *
 * @module
 */
import { debugLevel, type Gpu, openGpu } from "../kernels/gpu/mod.ts";
import {
  type Command,
  defineOptions,
  processConsole,
  runCommand,
  UsageError,
  userPath,
  type Values,
} from "../rl/cli/mod.ts";
import { readText } from "../model/files.ts";
import { benchCases } from "./cases.ts";
import { compareRuns, parseRun } from "./report/compare.ts";
import { writePage } from "./report/saved.ts";
import { formatComparison, formatTuning } from "./report/table.ts";
import { runPretrained } from "./pretrained/run.ts";
import { selectCases } from "./select.ts";
import { runSession, type Work } from "./session.ts";
import { stepSpecs } from "./steps.ts";
import type { TuningTime } from "./tune.ts";
import { openTunedGpu, tuneGpu } from "./tuning.ts";
import type { BenchRun } from "./types.ts";

/** Runs that are kept with the code, and the page about them. */
const KEPT_RUNS = "results/bench";
const PAGE = "docs/performance.md";

const SUITES = ["cases", "headline", "large", "steps"] as const;

/** The options of `bench`. */
export const benchOptions = defineOptions({
  only: { type: "list", default: [], meaning: "kernels by folder, steps, or parts of cases' names" },
  suite: {
    type: "list",
    default: SUITES,
    meaning:
      "cases: shapes of the tests; headline: that peers run too; large: for GPUs only; steps: whole steps; pretrained, by itself: models of real size",
  },
  variant: { type: "string", meaning: "time only this variant of kernels" },
  peers: {
    type: "boolean",
    default: false,
    meaning: "also time jax-js and tfjs-webgpu on the same adapter (downloads them the first time)",
  },
  profile: { type: "boolean", default: false, meaning: "also measure GPU time by kernel" },
  json: { type: "boolean", default: false, meaning: "print the run as JSON on stdout" },
  compare: { type: "path", meaning: "a saved run to set beside the one that follows, nothing is timed" },
  rounds: { type: "integer", default: 7, min: 1, max: 1000, meaning: "measurements of each row" },
  sampleMs: {
    type: "number",
    default: 30,
    min: 0.1,
    unit: "ms",
    meaning: "a measurement repeats its launch about this long",
  },
  out: { type: "path", default: "runs/bench", meaning: "folder that keeps JSON and charts" },
  name: {
    type: "string",
    meaning: "name of the files in it, without extension; the time of day when absent",
  },
  tune: {
    type: "boolean",
    default: false,
    meaning: "choose the variants of this adapter again, by measurement, and nothing else",
  },
  report: {
    type: "boolean",
    default: false,
    meaning: "write docs/performance.md from the runs in results/bench, nothing is timed",
  },
});

type BenchOptions = Values<typeof benchOptions>;

/** Marks the process that may load peers. */
const CHILD = "PONDER_BENCH_PEERS";

/** The `bench` command. */
export const benchCommand: Command<typeof benchOptions> = {
  command: "./ponder bench",
  summary:
    "Time kernels against the machine's measured ceiling, naive against fast, and whole training steps.",
  positional: "[AFTER.json with --compare]",
  maxPositional: 1,
  examples: [
    "./ponder bench --only matmul",
    "./ponder bench --suite headline,steps --peers",
    "./ponder bench --only steps --profile",
    "./ponder bench --compare runs/bench/before.json runs/bench/after.json",
    "./ponder bench --tune",
  ],
  options: benchOptions,
  async run({ values, positional }) {
    if (values.compare !== undefined) return await compare(values.compare, positional[0]);
    if (values.tune) return await retune();
    if (values.report) return await writeReport();
    if (values.suite.includes("pretrained")) {
      if (values.suite.length > 1 || positional.length > 0 || values.only.length > 0) {
        throw new UsageError("--suite pretrained goes by itself: leave out other suites, --only and files");
      }
      return await runPretrained(values);
    }
    if (positional.length > 0) {
      throw new UsageError(`Unexpected argument "${positional[0]}": a file goes with --compare`);
    }
    const work = select(values);
    if (values.peers && Deno.env.get(CHILD) === undefined) return await runWithPeers();
    const gpu = await openTunedGpu({ note: console.error });
    try {
      return await runSession(gpu, forAdapter(gpu, work), values);
    } finally {
      gpu.destroy();
    }
  },
};

/** Selects what was asked for. Wrong names end with exit code 2 before anything runs. */
function select({ only, suite, variant }: BenchOptions): Work {
  for (const name of suite) {
    if (!(SUITES as readonly string[]).includes(name)) {
      const known = [...SUITES, "pretrained"].join(", ");
      throw new UsageError(`Unknown suite "${name}" in --suite: known are ${known}`);
    }
  }
  try {
    const terms = only.filter((term) => !stepSpecs.some(({ name }) => name.includes(term)));
    const isOnlySteps = only.length > 0 && terms.every((term) => term === "steps");
    const cases = isOnlySteps ? [] : selectCases(benchCases, { only: terms, suites: suite, variant });
    const steps = !suite.includes("steps") || variant !== undefined
      ? []
      : stepSpecs.filter(({ name }) =>
        only.length === 0 || only.some((term) => term === "steps" || name.includes(term))
      );
    if (cases.length + steps.length === 0) {
      throw new RangeError("Cannot bench: no case fits --only, --suite and --variant together");
    }
    return { cases, steps };
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

/** Leaves out what an adapter cannot do in minutes. */
function forAdapter({ isSoftware, adapterName }: Gpu, work: Work): Work {
  const cases = work.cases.filter(({ suite }) => !isSoftware || suite !== "large");
  if (cases.length + work.steps.length > 0) return { ...work, cases };
  throw new UsageError(`Cannot bench the suite large on ${adapterName}: it is no GPU`);
}

/**
 * Runs this command again with a copy of the lock file. Loading peers writes them into the lock. In the real one they would be
 * downloaded at everybody's next installation, although the toolkit does not depend on them.
 */
async function runWithPeers(): Promise<number> {
  const lock = await Deno.makeTempFile({ prefix: "bench-peers-", suffix: ".lock" });
  try {
    await Deno.copyFile(new URL("../deno.lock", import.meta.url), lock);
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", `--lock=${lock}`, "--frozen=false", import.meta.url, ...Deno.args],
      env: { [CHILD]: "1" },
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }).output();
    return code;
  } finally {
    await Deno.remove(lock);
  }
}

/** Measures which variants suit this adapter, and keeps the result for every command. */
async function retune(): Promise<number> {
  const gpu = await openGpu();
  try {
    const times: TuningTime[] = [];
    await tuneGpu(gpu, { note: console.error, again: true, onTime: (time) => times.push(time) });
    processConsole.out(`${formatTuning(times)}\n`);
    return 0;
  } finally {
    gpu.destroy();
  }
}

async function writeReport(): Promise<number> {
  await writePage(KEPT_RUNS, PAGE);
  processConsole.err(`Wrote ${PAGE}\n`);
  return 0;
}

async function compare(before: string, after: string | undefined): Promise<number> {
  if (after === undefined) {
    throw new UsageError("--compare needs two files: --compare BEFORE.json AFTER.json");
  }
  const [a, b] = [await readRun(before), await readRun(userPath(after))];
  processConsole.out(`${formatComparison(compareRuns(a, b), a, b)}\n`);
  return 0;
}

async function readRun(path: string): Promise<BenchRun> {
  try {
    return parseRun(await readText(path), path);
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    throw new UsageError((error as Error).message, { cause: error });
  }
}

if (import.meta.main) {
  Deno.exit(await runCommand(benchCommand, Deno.args, { debug: debugLevel > 0 }));
}
