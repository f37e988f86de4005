/**
 * One run of the benchmark. It measures what was asked for, and saves after each case.
 *
 * @module
 */
import { clearErrors } from "../kernels/check.ts";
import type { Gpu } from "../kernels/gpu/mod.ts";
import { writeFileAtomic } from "../model/files.ts";
import { commandLine, type Console, processConsole, Progress } from "../rl/cli/mod.ts";
import { peakMemory } from "../rl/memory.ts";
import { busyNs } from "./busy.ts";
import { measureCeiling } from "./ceiling.ts";
import { openPeers } from "./peers/mod.ts";
import { drawCharts } from "./report/charts.ts";
import { formatProfiles, formatRun, titleOf } from "./report/table.ts";
import { type BenchCase, benchCase, type BenchContext } from "./run.ts";
import { benchStep, type StepSpec } from "./steps.ts";
import type { BenchRow, BenchRun, FailedRow } from "./types.ts";

/** What a run measures. */
export interface Work {
  readonly cases: readonly BenchCase[];
  readonly steps: readonly StepSpec[];
}

/** How a run measures, and how it is saved. */
export interface SessionSettings {
  /** Number of measurements of each row. */
  readonly rounds: number;
  /** A measurement repeats its launch for about this long, in milliseconds. */
  readonly sampleMs: number;
  /** Time only this variant, if a case has it. */
  readonly variant?: string;
  /** Also time other libraries. */
  readonly peers: boolean;
  /** Also measure GPU time by kernel. */
  readonly profile: boolean;
  /** Print the run as JSON instead of a table. */
  readonly json: boolean;
  /** Folder that keeps JSON and charts. */
  readonly out: string;
  /** Name of the files in it, without extension; the time of day when absent. */
  readonly name?: string;
}

/** The outputs of a run for people. */
export interface SessionOutput {
  readonly console?: Console;
  readonly progress?: Progress;
}

/**
 * Measures cases and steps, then saves and prints the run. If something fails, it is shown as failed, and the rest goes on.
 *
 * @returns The exit code: 1 if something failed, else 0.
 */
export async function runSession(
  gpu: Gpu,
  { cases, steps }: Work,
  settings: SessionSettings,
  { console = processConsole, progress = new Progress() }: SessionOutput = {},
): Promise<number> {
  const { rounds, sampleMs } = settings;
  const warnings: string[] = [];
  const failures: FailedRow[] = [];
  const warn = (message: string) => {
    warnings.push(message);
    progress.note(message);
  };
  const fail = (failure: FailedRow) => {
    failures.push(failure);
    progress.note(`Failed: ${failure.reason}`);
  };
  const threads = navigator.hardwareConcurrency;
  const measuring = {
    ...{ rounds, sampleMs, threads },
    busyClock: gpu.isSoftware ? busyNs : () => null,
    warmUpMs: gpu.isSoftware ? 0 : 500,
  };
  if (gpu.isSoftware && busyNs() === null) {
    warn("No CPU times: they need all permissions (-A) and Linux; wall times of a busy machine say little");
  }
  let profile = settings.profile;
  if (profile && !gpu.device.features.has("timestamp-query")) {
    profile = false;
    warn("No profile: the adapter has no timestamp-query");
  }
  const startedAt = new Date().toISOString();
  const peers = settings.peers ? await openPeers(warn) : [];
  const ceiling = await measureCeiling(gpu, measuring);
  const context: BenchContext = {
    gpu,
    ceiling,
    settings: measuring,
    peers,
    variant: settings.variant,
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
    failures,
    warnings,
  });
  const total = cases.length + steps.length;
  let done = 0;
  /** Measures one case or step. It counts as done if nothing in it failed. */
  const measure = async (what: Omit<FailedRow, "reason">, work: () => Promise<BenchRow[]>) => {
    const { kernel, name } = what;
    progress.update({ stage: "bench", step: done, total, fields: { at: titleOf({ kernel, name }) } });
    const failedBefore = failures.length;
    try {
      rows.push(...await work());
    } catch (error) {
      await clearErrors(gpu);
      fail({ ...what, reason: (error as Error).message });
    }
    if (failures.length === failedBefore) done++;
    await save(runSoFar(), settings);
  };
  try {
    for (const benchCaseOf of cases) {
      const { suite, kernelCase: { kernel, name, variants } } = benchCaseOf;
      const variant = settings.variant ?? variants.join(", ");
      await measure({ suite, kernel, name, variant }, async () => {
        // A software adapter shares its cores with other work, so its ceiling is measured again near each case.
        const near = gpu.isSoftware ? await measureCeiling(gpu, { ...measuring, rounds: 3 }) : ceiling;
        return await benchCase(benchCaseOf, { ...context, ceiling: near });
      });
    }
    for (const spec of steps) {
      const what = { suite: "steps", kernel: "steps", name: spec.name, variant: "ponder" } as const;
      await measure(what, async () => await benchStep(await spec.make(gpu), context));
    }
    progress.update({ stage: "bench", step: done, total, fields: { at: "end" } });
  } finally {
    progress.close();
  }
  await report(runSoFar(), settings, console);
  if (failures.length === 0) return 0;
  console.err(`\n${done} of ${total} measured, the others failed\n`);
  return 1;
}

/** Saves the run so far, so that a run that is stopped keeps what it has. Returns the path without extension. */
async function save(run: BenchRun, { out, name }: SessionSettings): Promise<string> {
  await Deno.mkdir(out, { recursive: true });
  const path = `${out}/${name ?? run.startedAt.slice(0, 19).replaceAll(":", "-")}`;
  await writeFileAtomic(`${path}.json`, JSON.stringify(run, null, 2) + "\n");
  return path;
}

/** Saves the run and its charts, and prints the table or JSON. */
async function report(run: BenchRun, settings: SessionSettings, console: Console): Promise<void> {
  const path = await save(run, settings);
  const saved = [`${path}.json`, ...await drawCharts(run, path)];
  if (settings.json) return console.out(JSON.stringify(run, null, 2) + "\n");
  const profiles = formatProfiles(run.rows);
  console.out(`${formatRun(run)}\n${profiles && `\n${profiles}\n`}`);
  console.err(`\nSaved ${saved.join(", ")}\n`);
}
