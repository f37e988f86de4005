import { assert, assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { benchCommand } from "../../bench/bench.ts";
import { benchCases } from "../../bench/cases.ts";
import { barChart } from "../../bench/report/chart.ts";
import { compareRuns } from "../../bench/report/compare.ts";
import { compareToGpuTargets } from "../../bench/report/gpu_targets.ts";
import { writePage } from "../../bench/report/saved.ts";
import {
  formatComparison,
  formatRatio,
  formatRun,
  formatTuning,
  formatUs,
  rateOf,
} from "../../bench/report/table.ts";
import { compareToTargets } from "../../bench/report/targets.ts";
import { forwardFlops, miniPpoSpec, stepSpecs, syntheticBatch } from "../../bench/steps.ts";
import type { BenchRow, BenchRun } from "../../bench/types.ts";
import { modelPresets, Vlm } from "../../model/mod.ts";
import { runCommand } from "../../rl/cli/mod.ts";
import { TempFolder } from "../rl/tiny_run.ts";
import { onGpu, testGpu } from "../gpu.ts";

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = "", err = "";
  const console = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const code = await runCommand(benchCommand, args, { console });
  return { code, out, err };
}

const spread = (median: number) => ({ median, low: median * 0.99, high: median * 1.01 });

const row: BenchRow = {
  suite: "headline",
  kernel: "matmul",
  name: "512x512x512",
  variant: "texture",
  isPeer: false,
  wallUs: spread(4000),
  busyUs: spread(2000),
  launches: 5,
  flops: 2 * 512 ** 3,
  bytes: 12 * 512 ** 2,
  share: 0.5,
  overNaive: spread(40),
  overPeers: { "jax-js": spread(10.5) },
  error: 0,
};

const runOf = (...rows: BenchRow[]): BenchRun => ({
  command: "./ponder bench",
  startedAt: "2026-01-01T00:00:00.000Z",
  adapter: "some adapter",
  deno: "2.9.6",
  threads: 2,
  peers: ["jax-js 1"],
  ceiling: {
    copy: { wall: 5, busy: 8 },
    update: { wall: 6, busy: 10 },
    multiplyAdd: { wall: 100, busy: 150 },
  },
  rows,
  warnings: [],
});

Deno.test("wrong kernels, variants, suites and stray files end with exit code 2 and say what there is", async () => {
  const wrong = [
    [["--only", "matmull"], "matmul"],
    [["--variant", "fastest"], "naive, rows, texture"],
    [["--only", "SFT step", "--variant", "texture"], "no case fits --only, --suite and --variant together"],
    [["--suite", "case"], "known are cases, headline, large, steps, pretrained"],
    [["--suite", "pretrained,steps"], "--suite pretrained goes by itself"],
    [["a.json"], `Unexpected argument "a.json"`],
    [["--compare", "a.json"], "--compare needs two files"],
    [["--compare", "no.json", "such.json"], "Cannot read no.json"],
  ] as const;
  for (const [args, message] of wrong) {
    const { code, err } = await run(...args);
    assertEquals(code, 2, args.join(" "));
    assertStringIncludes(err, message);
  }
});

Deno.test("--help names every option", async () => {
  const { code, out } = await run("--help");
  assertEquals(code, 0);
  for (
    const flag of [
      "--only",
      "--json",
      "--peers",
      "--profile",
      "--compare",
      "--variant",
      "--suite",
      "--tune",
      "--report",
    ]
  ) {
    assertStringIncludes(out, flag);
  }
});

Deno.test("the table shows times, rates by what binds, ratios and ceilings", () => {
  const text = formatRun(runOf(row));
  for (const part of ["4.00 ms", "67.1 GFLOP/s", "134 GFLOP/s", "50.0%", "40.0x ±1.0%", "10.5x ±1.0%"]) {
    assertStringIncludes(text, part);
  }
  assertStringIncludes(text, "copy 5.0 GB/s (CPU 8.0), in-place update 6.0 GB/s (CPU 10.0)");
  const copying = { ...row, flops: 1, bytes: 4e6 };
  assertEquals(rateOf(copying, 1000, runOf().ceiling), "4.00 GB/s");
  const rollout = { ...row, name: "rollout nano", tokens: 3584 };
  assertEquals(rateOf(rollout, 358_400, runOf().ceiling), "10.0k tokens/s");
});

Deno.test("numbers for people", () => {
  assertEquals([0.5, 12.34, 4560, 1.5e6].map(formatUs), ["0.500 us", "12.3 us", "4.56 ms", "1.50 s"]);
  assertEquals(formatRatio({ median: 2, low: 1.6, high: 2.4 }), "2.00x ±20%");
});

const step = (name: string, wallMs: number, more: Partial<BenchRow> = {}): BenchRow => ({
  ...row,
  suite: "steps",
  kernel: "steps",
  name,
  variant: "ponder",
  wallUs: spread(wallMs * 1e3),
  overNaive: null,
  overPeers: {},
  ...more,
});

Deno.test("targets are held against the fastest variant, each over all its rows", () => {
  const naive = { ...row, variant: "naive", busyUs: spread(80_000), overPeers: { "jax-js": spread(0.3) } };
  const both = { "jax-js": spread(12), "tfjs-webgpu": spread(11) };
  const other = {
    ...row,
    name: "256x256x256",
    overPeers: { "jax-js": spread(20), "tfjs-webgpu": spread(9) },
  };
  const found = (rows: BenchRow[]) =>
    Object.fromEntries(
      compareToTargets(runOf(...rows)).map(({ text, measured, isMet }) => [text.split(":")[0], {
        measured,
        isMet,
      }]),
    );
  const one = found([naive, { ...row, overPeers: both }]);
  assertEquals(one.matmul, { measured: { cpu: "11.0x", wall: null }, isMet: true });
  assertEquals(one["matmul, all transposes"], { measured: { cpu: "134 GFLOP/s", wall: null }, isMet: true });
  assertEquals(one.rollout, { measured: { cpu: null, wall: null }, isMet: null });
  const two = found([
    { ...row, overPeers: both },
    other,
    step("rollout nano x 8 steps", 100, { tokens: 900 }),
  ]);
  assertEquals(two.matmul, { measured: { cpu: "9.00x to 11.0x", wall: null }, isMet: false });
  assertEquals(two.rollout, { measured: { cpu: null, wall: "9000 tokens/s" }, isMet: false });
  // 8 MB in 2 ms of CPU and 4 ms of wall time, where a copy moves 8 and 5 GB/s
  const norm = found([{ ...row, kernel: "layernorm", bytes: 8e6 }]);
  assertEquals(norm.layernorm, { measured: { cpu: "50%", wall: "40%" }, isMet: false });
});

Deno.test("a target is reached where both clocks say so", () => {
  const ours = { ...row, overPeers: { "jax-js": spread(12), "tfjs-webgpu": spread(11) } };
  const peer = (variant: string, wallMs: number): BenchRow => ({
    ...row,
    variant,
    isPeer: true,
    wallUs: spread(wallMs * 1e3),
  });
  const matmulOf = (...peers: BenchRow[]) =>
    compareToTargets(runOf(ours, ...peers)).find(({ text }) => text.startsWith("matmul:"));
  const [fast, slow] = [peer("jax-js 1", 36), peer("jax-js 1", 48)];
  const other = peer("tfjs-webgpu 4", 44);
  assertEquals(matmulOf(slow, other)?.measured, { cpu: "11.0x", wall: "11.0x" });
  assertEquals([matmulOf(slow, other)?.isMet, matmulOf(fast, other)?.isMet], [true, false]);
});

Deno.test("a real GPU is held against the card's peaks and PyTorch on it", () => {
  const alone = { busyUs: null, suite: "large" as const };
  const product = { ...row, ...alone, name: "4096x4096x4096", flops: 2 * 4096 ** 3, wallUs: spread(4108.6) };
  const gelu = { ...row, ...alone, kernel: "elementwise", bytes: 3350e6, wallUs: spread(2000) };
  const ppo = step("PPO minibatch nano batch 64", 4, { busyUs: null });
  const rollout = step("rollout nano x 8 steps", 40, { busyUs: null });
  const ms = (name: string, median: number) => ({ name, threads: 1, ms: spread(median) });
  const pytorch = {
    torch: "2",
    device: "cuda",
    command: "",
    rows: [ms("PPO minibatch nano batch 64", 10), ms("rollout nano", 9)],
  };
  const run = { ...runOf(product, gelu, ppo, rollout), adapter: "NVIDIA H100 80GB HBM3" };
  const found = compareToGpuTargets(run, pytorch).map(({ measured, isMet }) => [measured.wall, isMet]);
  assertEquals(found, [["50%", true], [null, null], ["50%", false], [null, null], ["2.50x", true], [
    "1.80x",
    false,
  ]]);
  // Nobody told of another card's peaks.
  const [elsewhere] = compareToGpuTargets({ ...run, adapter: "other" }, null);
  assertEquals(elsewhere.isMet, null);
});

Deno.test("memory is held against its target where a process ran that step alone", () => {
  const mini = step("PPO minibatch mini batch 8 x 128 tokens", 1000);
  const memoryOf = (peakBytes: number, ...rows: BenchRow[]) =>
    compareToTargets({ ...runOf(...rows), peakBytes }).find(({ text }) => text.includes("alone"));
  assertEquals(memoryOf(2 ** 30, mini), {
    text: "PPO minibatch of mini, alone: at most 1.86 GiB (2 GB)",
    measured: { cpu: null, wall: "1.00 GiB" },
    isMet: true,
  });
  assertEquals(memoryOf(2 ** 31, mini)?.isMet, false);
  assertEquals(memoryOf(2 ** 30, mini, row)?.isMet, null);
  assertEquals(memoryOf(2 ** 30, step("PPO minibatch nano", 1000))?.isMet, null);
});

Deno.test("the page shows targets, kernels, and steps beside PyTorch", async () => {
  using folder = new TempFolder();
  const page = `${folder.path}/performance.md`;
  const save = (name: string, value: unknown) =>
    Deno.writeTextFileSync(`${folder.path}/runs/${name}`, JSON.stringify(value));
  await assertRejects(() => writePage(`${folder.path}/runs`, page), Deno.errors.NotFound, "has no saved run");
  Deno.mkdirSync(`${folder.path}/runs`);
  const peer = step("SFT step", 400, { variant: "jax-js 1", isPeer: true, busyUs: null });
  const ours = [
    step("SFT step", 40, { overPeers: { "jax-js": spread(10) } }),
    step("rollout nano x 8 steps", 800),
  ];
  save("cpu.json", runOf(row, ...ours, peer));
  save("cpu_peers.svg", "");
  const torchRow = (name: string, ms: number) => ({
    name,
    threads: 2,
    ms: { median: ms, low: ms, high: ms },
  });
  const rows = [torchRow("SFT step", 20), torchRow("rollout nano", 50)];
  save("cpu-pytorch.json", { torch: "2.0", device: "cpu", command: "python3 peer.py", rows });
  await writePage(`${folder.path}/runs`, page);
  const text = Deno.readTextFileSync(page);
  const cells = text.split("\n").map((line) => line.split("|").map((cell) => cell.trim()).join("|"));
  for (
    const line of [
      "|matmul 512x512x512|texture|4.00 ms ±1.0%|67.1 GFLOP/s|134 GFLOP/s|50.0%|40.0x ±1.0%|10.5x ±1.0%|",
      "|matmul, all transposes: 60 GFLOP/s|134 GFLOP/s||yes|",
      "|rollout: 10000 tokens/s||0 tokens/s|no|",
    ]
  ) assert(cells.includes(line), `${line} in\n${text}`);
  for (const part of ["400 ms|10.0x ±1.0%|20.0 ms at 2 threads|0.50x|", "|400 ms at 2 threads|0.50x|"]) {
    assert(cells.some((line) => line.endsWith(part)), `${part} in\n${text}`);
  }
  assertStringIncludes(text, "![cpu_peers.svg](../results/bench/cpu_peers.svg)");
  assert(!text.includes("cpu.svg"), "there is no such chart");
  assert(text.includes("\n## cpu: some adapter\n"));
  // Written again from the same files it is the same page.
  await writePage(`${folder.path}/runs`, page);
  assertEquals(Deno.readTextFileSync(page), text);

  save("one.json", { ...runOf(step("PPO minibatch mini", 1000)), peakBytes: 2 ** 30 });
  await writePage(`${folder.path}/runs`, page);
  const withOne = Deno.readTextFileSync(page).split(": some adapter, PPO minibatch mini alone\n")[1];
  assertStringIncludes(withOne, "peak memory 1.00 GiB");
  assert(!withOne.includes("not measured"), "a run of one step shows the targets about it");

  save("cpu-pytorch.json", {});
  await assertRejects(() => writePage(`${folder.path}/runs`, page), SyntaxError, "scripts/peer_pytorch.py");
});

Deno.test("docs/performance.md is what the command writes from the runs that are kept", async () => {
  using folder = new TempFolder();
  const root = new URL("../../", import.meta.url);
  await writePage(new URL("results/bench", root).pathname, `${folder.path}/page.md`);
  assertEquals(
    Deno.readTextFileSync(new URL("docs/performance.md", root)),
    Deno.readTextFileSync(`${folder.path}/page.md`),
  );
});

Deno.test("tuning's table tells the usual choice and what was far behind", () => {
  const [{ kernelCase, folder }] = benchCases;
  const time = (variant: string | null, elapsedUs: number) => ({ folder, kernelCase, variant, elapsedUs });
  const text = formatTuning([time("naive", Infinity), time(null, 12.34)]);
  assertStringIncludes(text, "naive    far behind");
  assertStringIncludes(text, "(usual)     12.3 us");
});

Deno.test("a comparison names verdicts, basis and how the ceilings moved", () => {
  const before = runOf(row);
  const after = { ...runOf({ ...row, busyUs: spread(1000) }), adapter: "another" };
  const text = formatComparison(compareRuns(before, after), before, after);
  assertStringIncludes(text, "2.00x");
  assertStringIncludes(text, "1 faster");
  assertStringIncludes(text, "By CPU time");
  assertStringIncludes(text, "copy 1.00x");
  assertStringIncludes(text, "The adapters differ: some adapter and another.");
});

Deno.test("bars are one rectangle a value, with a legend for several series", async () => {
  const bars = [
    { group: "matmul <512>", series: "naive", value: 0.01 },
    { group: "matmul <512>", series: "texture", value: 0.5, low: 0.4, high: 0.6 },
  ];
  const svg = await barChart(bars, { title: "Share & more", xLabel: "of ceiling", xFormat: "%" });
  assertEquals([...svg.matchAll(/aria-roledescription="bar"/g)].length, 2);
  for (const text of ["matmul &lt;512&gt;", "Share &amp; more", "naive", "texture"]) {
    assertStringIncludes(svg, text);
  }
  assertEquals(svg, await barChart(bars, { title: "Share & more", xLabel: "of ceiling", xFormat: "%" }));
  await assertRejects(() => barChart([], { title: "", xLabel: "" }), RangeError, "there are none");
  await assertRejects(
    () => barChart([{ group: "a", series: "b", value: NaN }], { title: "", xLabel: "" }),
    RangeError,
    "Cannot draw b at a",
  );
});

Deno.test({
  name: "a synthetic batch repeats itself, and the work of a nano step is that of its matrices",
  ...onGpu,
  async fn() {
    const vlm = new Vlm(await testGpu(), { ...modelPresets.nano, vocabularySize: 96 });
    const shape = { batch: 64, promptTokens: 6, responseTokens: 14 };
    const batch = syntheticBatch(vlm, shape);
    assertEquals(batch.slice(0, 2), syntheticBatch(vlm, { ...shape, batch: 2 }));
    const flops = 3 * forwardFlops(vlm, 64, 36, 14);
    // An independent count of the same model gives 8.25 GFLOP.
    assertAlmostEquals(flops, 8.25e9, 0.005e9);
    assertEquals(new Set(stepSpecs.map(({ name }) => name)).size, stepSpecs.length);
  },
});

Deno.test({
  name: "the PPO step whose transitions are made up has all that an update reads",
  ...onGpu,
  async fn() {
    assert(stepSpecs.some(({ name }) => name === miniPpoSpec().name));
    // The same sequences, but fewer.
    const step = await miniPpoSpec(2).make(await testGpu());
    await step.contender.run(1);
  },
});
