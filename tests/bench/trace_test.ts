import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { chromeTrace, type TraceEvent } from "../../bench/chrome_trace.ts";
import { formatTrace, submissionsOf, timesOf, type TracedStep, traceTraining } from "../../bench/trace.ts";
import { numberLine } from "../../envs/mod.ts";
import { ppo } from "../../rl/algorithms/mod.ts";
import {
  metricsOf,
  outcomeOf,
  startCommand,
  TempFolder,
  TINY_FLAGS,
  tinyConfig,
  trainHere,
} from "../rl/tiny_run.ts";
import { gpuTest } from "../gpu.ts";

const row = (kernel: string, recordedMs: number, startNs: number, elapsedNs: number) => ({
  kernel,
  recordedMs,
  startNs,
  elapsedNs,
  bound: [{ kind: "read", words: 100 }, { kind: "read", words: 100 }, { kind: "write", words: 100 }] as const,
});

/** 10 ms of wall time, in it two submissions of 2 and 4 ms of GPU time. */
const STEP: TracedStep = {
  name: "rollout step",
  startMs: 1000,
  endMs: 1010,
  rows: [
    row("matmul/naive", 1001, 0, 1e6),
    row("elementwise/add", 1001.5, 1.5e6, 0.5e6),
    row("matmul/naive", 1005, 4e6, 4e6),
  ],
  waits: [{ startMs: 1002, endMs: 1004 }, { startMs: 1005.5, endMs: 1009.9 }],
  missed: 0,
  hasTimestamps: true,
};

/** Whether complete events of each track are nested or apart, never overlapping. */
function assertNested(events: readonly TraceEvent[]): void {
  for (const tid of new Set(events.map((event) => event.tid))) {
    const complete = events.filter((event) => event.tid === tid && event.ph === "X");
    const sorted = complete.toSorted((a, b) => a.ts - b.ts || b.dur! - a.dur!);
    const open: { name: string; end: number }[] = [];
    for (const { name, ts, dur } of sorted) {
      // Sums of floats: a nanosecond is none.
      while (open.length > 0 && open.at(-1)!.end <= ts + 1e-3) open.pop();
      const end = ts + dur!;
      assert(dur! >= 0, `${name} ends before it begins`);
      assert(open.length === 0 || end <= open.at(-1)!.end + 1e-3, `${name} leaves ${open.at(-1)?.name}`);
      open.push({ name, end });
    }
  }
}

Deno.test("GPU work is the span of each submission, dispatches those of its kernels", () => {
  assertEquals(submissionsOf(STEP).map(({ rows }) => rows.length), [2, 1]);
  assertEquals(timesOf(STEP), { wallMs: 10, gpuMs: 6, dispatchMs: 5.5 });
  assertEquals(timesOf({ ...STEP, hasTimestamps: false }).gpuMs, 5.5);
});

Deno.test("the table has a line a kernel, rates, and the share of an iteration that is GPU work", () => {
  const minibatch = { ...STEP, name: "minibatch", endMs: 1012 };
  const text = formatTrace([STEP, minibatch], { envs: 32, minibatch: 64, epochs: 2 }, 256);
  assertStringIncludes(text, "rollout step: 10.0 ms, of them 6.0 ms (60.0%) GPU work");
  // 2 products of 1000 multiply-adds in 5 ms; 1200 bytes in 0.5 ms
  assert(/matmul\/naive +2 +5000 +90\.9% +0\.000800 GFLOP\/s/.test(text), text);
  assert(/elementwise\/add +1 +500 +9\.1% +0\.0024 GB\/s/.test(text), text);
  assertStringIncludes(text, "8 x rollout step, 8 x minibatch): about 176 ms, 54.5% of it GPU work");
});

Deno.test("the trace nests phases in steps and dispatches in submissions, and none ends after its wait", () => {
  const { traceEvents } = chromeTrace([STEP]);
  assertNested(traceEvents);
  const named = (name: string) => traceEvents.filter((event) => event.name === name && event.ph === "X");
  const onHost = ["prepare", "encode", "wait for the GPU", "use results"].map((name) => named(name).length);
  assertEquals(onHost, [2, 2, 2, 1]);
  assertEquals(named("submission").map(({ dur }) => Math.round(dur!)), [2000, 4000]);
  // The second submission ends with its wait, the first before.
  const ends = named("submission").map(({ ts, dur }) => ts + dur!);
  assertAlmostEquals(ends[1], 9900, 1e-6);
  assert(ends[0] <= 4000);
});

gpuTest("a real trace covers its steps, on both tracks", async (gpu) => {
  const config = tinyConfig();
  const steps = await traceTraining(gpu, numberLine, config, ppo);
  assertEquals(steps.map(({ name }) => name), ["SFT step", "rollout step", "minibatch"]);
  for (const step of steps) {
    const { wallMs, gpuMs, dispatchMs } = timesOf(step);
    assert(
      dispatchMs > 0 && gpuMs >= dispatchMs * 0.999 && gpuMs <= wallMs,
      `${dispatchMs} ${gpuMs} ${wallMs}`,
    );
    assertEquals(submissionsOf(step).reduce((sum, { rows }) => sum + rows.length, 0), step.rows.length);
  }
  assertNested(chromeTrace(steps).traceEvents);
  assertEquals(gpu.profile.isOn, false);
});

gpuTest("train --profile prints the table, keeps profile.json, and trains as without", async () => {
  using temp = new TempFolder();
  const out = `${temp.path}/run`;
  const outcome = await outcomeOf(
    startCommand("train", [...TINY_FLAGS, "--out", out, "--json", "--profile"]),
  );
  assertEquals(outcome.code, 0, outcome.err);
  for (const text of ["SFT step: ", "matmul/", "GFLOP/s", "RL iteration", "ui.perfetto.dev"]) {
    assertStringIncludes(outcome.err, text);
  }
  JSON.parse(outcome.out);
  const trace = JSON.parse(Deno.readTextFileSync(`${out}/profile.json`));
  assertNested(trace.traceEvents);
  assert(trace.traceEvents.some(({ name }: TraceEvent) => name === "minibatch"));
  // A traced run can be replaced like any other.
  const traced = metricsOf(out);
  await trainHere(out, tinyConfig({ overwrite: true }));
  assertEquals(metricsOf(out), traced);
  assert([...Deno.readDirSync(out)].every(({ name }) => name !== "profile.json"));
});
