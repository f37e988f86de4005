/**
 * `bench`: times every kernel, the large shapes that other libraries run too, and whole training steps.
 *
 * @module
 */
import { debugLevel, type Gpu, openGpu } from "../kernels/gpu/mod.ts";
import {
  type Command,
  commandLine,
  defineOptions,
  processConsole,
  Progress,
  runCommand,
  UsageError,
  type Values,
} from "../rl/cli/mod.ts";
import { peakMemory } from "../rl/memory.ts";
import { busyNs } from "./busy.ts";
import { benchCases } from "./cases.ts";
import { measureCeiling } from "./ceiling.ts";
import { openPeers } from "./peers/mod.ts";
import { type Bar, barChart, type BarSettings } from "./report/chart.ts";
import { compareRuns, parseRun } from "./report/compare.ts";
import { writePage } from "./report/saved.ts";
import { formatComparison, formatProfiles, formatRun, formatTuning } from "./report/table.ts";
import { fastestRows } from "./report/targets.ts";
import { benchCase, type BenchContext } from "./run.ts";
import { selectCases } from "./select.ts";
import { benchStep, type StepSpec, stepSpecs } from "./steps.ts";
import type { TuningTime } from "./tune.ts";
import { openTunedGpu, tuneGpu } from "./tuning.ts";
import type { BenchRow, BenchRun } from "./types.ts";

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
      "cases: shapes of the tests; headline: that peers run too; large: for GPUs only; steps: whole steps",
  },
  variant: { type: "string", meaning: "time only this variant of kernels" },
  peers: {
    type: "boolean",
    default: false,
    meaning: "also time jax-js and tfjs-webgpu on the same adapter (downloads them the first time)",
  },
  profile: { type: "boolean", default: false, meaning: "also measure GPU time by kernel" },
  json: { type: "boolean", default: false, meaning: "print the run as JSON on stdout" },
  compare: { type: "string", meaning: "a saved run to set beside the one that follows, nothing is timed" },
  rounds: { type: "integer", default: 7, min: 1, max: 1000, meaning: "measurements of each row" },
  sampleMs: {
    type: "number",
    default: 30,
    min: 0.1,
    unit: "ms",
    meaning: "a measurement repeats its launch about this long",
  },
  out: { type: "string", default: "runs/bench", meaning: "folder that keeps JSON and charts" },
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
  command: "deno task bench",
  summary:
    "Time kernels against the machine's measured ceiling, naive against fast, and whole training steps.",
  positional: "[AFTER.json with --compare]",
  maxPositional: 1,
  examples: [
    "deno task bench --only matmul",
    "deno task bench --suite headline,steps --peers",
    "deno task bench --only steps --profile",
    "deno task bench --compare runs/bench/before.json runs/bench/after.json",
    "deno task bench --tune",
  ],
  options: benchOptions,
  async run({ values, positional }) {
    if (values.compare !== undefined) return await compare(values.compare, positional[0]);
    if (values.tune) return await retune();
    if (values.report) return await writeReport();
    if (positional.length > 0) {
      throw new UsageError(`Unexpected argument "${positional[0]}": a file goes with --compare`);
    }
    const work = select(values);
    if (values.peers && Deno.env.get(CHILD) === undefined) return await runWithPeers();
    const gpu = await openTunedGpu({ note: console.error });
    try {
      return await bench(gpu, forAdapter(gpu, work), values);
    } finally {
      gpu.destroy();
    }
  },
};

interface Work {
  readonly cases: ReturnType<typeof selectCases>;
  readonly steps: readonly StepSpec[];
}

/** What was asked for; wrong names end with exit code 2 before anything runs. */
function select({ only, suite, variant }: BenchOptions): Work {
  for (const name of suite) {
    if (!(SUITES as readonly string[]).includes(name)) {
      throw new UsageError(`Unknown suite "${name}" in --suite: known are ${SUITES.join(", ")}`);
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

/** What an adapter can do in minutes. */
function forAdapter({ isSoftware, adapterName }: Gpu, work: Work): Work {
  const cases = work.cases.filter(({ suite }) => !isSoftware || suite !== "large");
  if (cases.length + work.steps.length > 0) return { ...work, cases };
  throw new UsageError(`Cannot bench the suite large on ${adapterName}: it is no GPU`);
}

/**
 * Runs this command again with a copy of the lock file: loading peers writes them into the lock, and everybody's next
 * installation would download what is no dependency of the toolkit.
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

async function bench(gpu: Gpu, { cases, steps }: Work, options: BenchOptions): Promise<number> {
  const { rounds, sampleMs } = options;
  const progress = new Progress();
  const warnings: string[] = [];
  const failures: string[] = [];
  const warn = (message: string) => {
    warnings.push(message);
    progress.note(message);
  };
  const fail = (message: string) => {
    failures.push(message);
    warn(message);
  };
  const threads = navigator.hardwareConcurrency;
  const settings = {
    ...{ rounds, sampleMs, threads },
    busyClock: gpu.isSoftware ? busyNs : () => null,
    warmUpMs: gpu.isSoftware ? 0 : 500,
  };
  if (gpu.isSoftware && busyNs() === null) {
    warn("No CPU times: they need all permissions (-A) and Linux; wall times of a busy machine say little");
  }
  let profile = options.profile;
  if (profile && !gpu.device.features.has("timestamp-query")) {
    profile = false;
    warn("No profile: the adapter has no timestamp-query");
  }
  const startedAt = new Date().toISOString();
  const peers = options.peers ? await openPeers(warn) : [];
  const ceiling = await measureCeiling(gpu, settings);
  const context: BenchContext = {
    gpu,
    ceiling,
    settings,
    peers,
    variant: options.variant,
    profile,
    warn,
    fail,
  };
  const rows: BenchRow[] = [];
  const runSoFar = (): BenchRun => ({
    command: commandLine("bench"),
    startedAt,
    adapter: gpu.adapterName,
    deno: Deno.version.deno,
    threads,
    peakBytes: peakMemory(),
    tuned: Object.fromEntries(gpu.tuned),
    peers: peers.map(({ name, version }) => `${name} ${version}`),
    ceiling,
    rows,
    warnings,
  });
  const total = cases.length + steps.length;
  let done = 0;
  const show = (name: string) => progress.update({ stage: "bench", step: done, total, fields: { at: name } });
  try {
    for (const benchCaseOf of cases) {
      const { kernel, name } = benchCaseOf.kernelCase;
      show(`${kernel} ${name}`);
      // A machine's cores are shared with other work, a GPU is not.
      const near = gpu.isSoftware ? await measureCeiling(gpu, { ...settings, rounds: 3 }) : ceiling;
      rows.push(...await benchCase(benchCaseOf, { ...context, ceiling: near }));
      await save(runSoFar(), options);
      done++;
    }
    for (const spec of steps) {
      show(spec.name);
      rows.push(...await benchStep(await spec.make(gpu), context));
      await save(runSoFar(), options);
      done++;
    }
    show("end");
  } finally {
    progress.close();
  }
  await report(runSoFar(), options);
  return failures.length === 0 ? 0 : 1;
}

/** Draws what a run holds as `<path>.svg` and `<path>_peers.svg`; returns the files written. */
export async function drawCharts(run: BenchRun, path: string): Promise<string[]> {
  const drawn: string[] = [];
  const draw = async (file: string, bars: readonly Bar[], settings: BarSettings) => {
    if (bars.length < 2) return; // one bar compares nothing
    await Deno.writeTextFile(file, await barChart(bars, settings));
    drawn.push(file);
  };
  await draw(`${path}.svg`, barsOf(run), {
    title: `Share of the ceiling on ${run.adapter}`,
    xLabel: "of copy or multiply-add rate",
    xFormat: "%",
  });
  await draw(`${path}_peers.svg`, peerBarsOf(run), {
    title: `Speed over ${run.peers.join(", ")} on ${run.adapter}`,
    xLabel: "times as fast, median and quartiles",
  });
  return drawn;
}

/** Saves the run, also while it goes on: one that is stopped keeps what it has. Returns its path without extension. */
async function save(run: BenchRun, { out, name }: BenchOptions): Promise<string> {
  await Deno.mkdir(out, { recursive: true });
  const path = `${out}/${name ?? run.startedAt.slice(0, 19).replaceAll(":", "-")}`;
  await Deno.writeTextFile(`${path}.json`, JSON.stringify(run, null, 2) + "\n");
  return path;
}

/** Saves the run and its charts; prints the table, or JSON instead. */
async function report(run: BenchRun, options: BenchOptions): Promise<void> {
  const path = await save(run, options);
  const saved = [`${path}.json`, ...await drawCharts(run, path)];
  if (options.json) return processConsole.out(JSON.stringify(run, null, 2) + "\n");
  const profiles = formatProfiles(run.rows);
  processConsole.out(`${formatRun(run)}\n${profiles && `\n${profiles}\n`}`);
  processConsole.err(`\nSaved ${saved.join(", ")}\n`);
}

/** How many times faster our fastest variant is than each peer. */
function peerBarsOf(run: BenchRun): Bar[] {
  return fastestRows(run).flatMap(({ kernel, name, overPeers }) =>
    Object.entries(overPeers).map(([peer, { median, low, high }]) => ({
      group: kernel === "steps" ? name : `${kernel} ${name}`,
      series: `over ${peer}`,
      value: median,
      low,
      high,
    }))
  );
}

/** Measures which variants suit this adapter and keeps the result for every command. */
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

/** The large shapes and steps; where only others ran, those. */
function barsOf({ rows }: BenchRun): Bar[] {
  const large = rows.filter(({ suite }) => suite !== "cases");
  return (large.length > 0 ? large : rows).flatMap(({ kernel, name, variant, share }) =>
    share === null ? [] : [{
      group: kernel === "steps" ? name : `${kernel} ${name}`,
      series: kernel === "steps" && variant === "ponder" ? "whole step" : variant,
      value: share,
    }]
  );
}

async function compare(before: string, after: string | undefined): Promise<number> {
  if (after === undefined) {
    throw new UsageError("--compare needs two files: --compare BEFORE.json AFTER.json");
  }
  const [a, b] = [await readRun(before), await readRun(after)];
  processConsole.out(`${formatComparison(compareRuns(a, b), a, b)}\n`);
  return 0;
}

async function readRun(path: string): Promise<BenchRun> {
  try {
    return parseRun(await Deno.readTextFile(path), path);
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    throw new UsageError(`Cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

if (import.meta.main) {
  Deno.exit(await runCommand(benchCommand, Deno.args, { debug: debugLevel > 0 }));
}
