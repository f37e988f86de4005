import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { busyNs } from "../../bench/busy.ts";
import { benchCases, knownVariants } from "../../bench/cases.ts";
import { measureCeiling, shareOfCeiling } from "../../bench/ceiling.ts";
import { headlineCases } from "../../bench/headline.ts";
import { joinQkv, splitQkv, versionOf } from "../../bench/peers/common.ts";
import { compareRuns, parseRun } from "../../bench/report/compare.ts";
import { benchCase } from "../../bench/run.ts";
import { selectCases } from "../../bench/select.ts";
import type { BenchRow, BenchRun, Ceiling, FailedRow } from "../../bench/types.ts";
import { caseValues } from "../../kernels/case.ts";
import { checkOutputs, runOnce, uploadOperands } from "../../kernels/check.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { measureInTurns, ratioSpread, spreadOf } from "../../kernels/measure.ts";
import { gpuTest, testGpu } from "../gpu.ts";

const SETTINGS = { rounds: 3, sampleMs: 1, threads: 2, busyClock: () => null };
const CEILING: Ceiling = {
  copy: { wall: 10, busy: 20 },
  update: { wall: 15, busy: 30 },
  multiplyAdd: { wall: 100, busy: 200 },
};

Deno.test("median and quartiles lie between neighbours", () => {
  assertEquals(spreadOf([5]), { median: 5, low: 5, high: 5 });
  assertEquals(spreadOf([4, 1, 3, 2]), { median: 2.5, low: 1.75, high: 3.25 });
  assertThrows(() => spreadOf([]), RangeError, "Cannot take a median");
});

Deno.test("a ratio is taken pair by pair, so a machine that slows down for both changes nothing", () => {
  assertEquals(ratioSpread([10, 20, 40], [5, 10, 20]), { median: 2, low: 2, high: 2 });
});

Deno.test("contenders take turns, and waiting is not counted", async () => {
  const order: string[] = [];
  const contender = (name: string, waitMs?: () => Promise<number>) => ({
    run(count: number) {
      order.push(`${name}${count}`);
      const endMs = performance.now() + 2;
      while (performance.now() < endMs);
      return Promise.resolve();
    },
    waitMs,
  });
  // More than it can have run.
  const waiting = contender("b", () => Promise.resolve(1e9));
  const [a, b] = await measureInTurns([contender("a"), waiting], { ...SETTINGS, sampleMs: 0.1 });
  assertEquals(order.slice(-6).map(([name]) => name), ["a", "b", "a", "b", "a", "b"]);
  assertEquals(a.samples.length, 3);
  assert(a.samples.every(({ wallUs }) => wallUs >= 2000));
  assert(b.samples.every(({ wallUs }) => wallUs <= 1));
});

Deno.test("CPU time is divided among the threads and the launches", async () => {
  let nowNs = 0;
  const contender = {
    run(count: number) {
      nowNs += count * 6000;
      return Promise.resolve();
    },
  };
  const settings = { ...SETTINGS, threads: 3, busyClock: () => nowNs };
  const [{ samples }] = await measureInTurns([contender], settings);
  assertEquals(samples.map(({ busyUs }) => busyUs), [2, 2, 2]);
});

Deno.test("CPU time ends with the launches: the wait after them is nobody's", async () => {
  let nowNs = 0;
  const contender = {
    run(count: number) {
      nowNs += count * 6000;
      return Promise.resolve();
    },
    waitMs() {
      nowNs += 1e6;
      return Promise.resolve(0);
    },
  };
  const [{ samples }] = await measureInTurns([contender], { ...SETTINGS, busyClock: () => nowNs });
  assertEquals(samples.map(({ busyUs }) => busyUs), [3, 3, 3]);
});

Deno.test("the ceiling that binds gives the share, by CPU time where it is known", () => {
  const work = { flops: 1e6, bytes: 1e3 }; // 10 us of multiply-adds, 0.1 us of copying
  assertAlmostEquals(shareOfCeiling({ ...work, wallUs: 20, busyUs: null }, CEILING)!, 0.5);
  assertAlmostEquals(shareOfCeiling({ ...work, wallUs: 20, busyUs: 10 }, CEILING)!, 0.5);
  assertAlmostEquals(shareOfCeiling({ flops: 0, bytes: 1e5, wallUs: 20, busyUs: null }, CEILING)!, 0.5);
  assertEquals(shareOfCeiling({ flops: 0, bytes: 0, wallUs: 20, busyUs: null }, CEILING), null);
  // A sample that is too short for the clock of the threads.
  assertAlmostEquals(shareOfCeiling({ ...work, wallUs: 20, busyUs: 0 }, CEILING)!, 0.5);
});

Deno.test("a wrong word, a NaN and a wrong integer are found", () => {
  const check = (got: number, want: number) =>
    checkOutputs("kernel", { Y: Float32Array.of(1, got) }, { Y: [1, want] }, { tolerance: 1e-3 });
  assertAlmostEquals(check(3.002, 3), 0.0005, 1e-6);
  assertThrows(() => check(3.1, 3), RangeError, "Y[1]");
  assertThrows(() => check(NaN, 3), RangeError, "Y[1] is NaN");
  const words = new Float32Array(Uint32Array.of(7).buffer);
  assertThrows(
    () => checkOutputs("kernel", { ids: words }, { ids: [8] }, { tolerance: 1, integers: ["ids"] }),
    RangeError,
    "ids[0] is 7, not 8",
  );
});

Deno.test("kernels are selected by folder and by part of a name, unknown ones list what there is", () => {
  const suites = ["cases", "headline"];
  const matmuls = selectCases(benchCases, { only: ["matmul"], suites });
  assert(matmuls.length > 20 && matmuls.every(({ folder }) => folder === "matmul"));
  const [one] = selectCases(benchCases, { only: ["matmul 512x512x512 A^T"], suites: ["headline"] });
  assertEquals(one.kernelCase.name, "512x512x512 A^T");
  assertThrows(
    () => selectCases(benchCases, { only: ["matmull"], suites }),
    RangeError,
    "layernorm, log_softmax, logits, matmul",
  );
  assertThrows(
    () => selectCases(benchCases, { only: [], suites, variant: "fastest" }),
    RangeError,
    `Cannot bench variant "fastest": there are blocked, naive`,
  );
  const rows = selectCases(benchCases, { only: ["layernorm"], suites, variant: "rows" });
  assert(rows.every(({ kernelCase }) => kernelCase.variants.includes("rows")));
});

Deno.test("half precision is among the variants, with cases of its own", () => {
  assertEquals(knownVariants().join(), "blocked,naive,rows,texture,tiled,tiled-f16,vec4,workgroup");
  const half = selectCases(benchCases, { only: [], suites: ["cases", "headline"], variant: "tiled-f16" });
  assert(half.length > 20);
  for (const { folder, kernelCase: { feature, variants } } of half) {
    assertEquals([folder, feature, ...variants], ["matmul", "shader-f16", "tiled-f16"]);
  }
});

Deno.test("products are compared with every transpose, at every shape", () => {
  const names = headlineCases.filter(({ kernel }) => kernel === "matmul").map(({ name }) => name);
  for (const shape of ["256x256x256", "512x512x512", "1024x1024x1024", "16x1024x1024", "64x1024x1024"]) {
    for (const transpose of ["", " A^T", " B^T"]) {
      assert(names.includes(shape + transpose), shape + transpose);
    }
  }
});

Deno.test("every case has a name of its own", () => {
  const names = benchCases.map(({ suite, kernelCase: { kernel, name } }) => `${suite} ${kernel} ${name}`);
  assertEquals(names.length, new Set(names).size);
});

Deno.test("packed rows split into heads and join again", () => {
  const shape = { B: 2, T: 3, H: 2, D: 4 };
  const QKV = caseValues(2 * 3 * 3 * 8, 1);
  for (const headsFirst of [true, false]) {
    assertEquals(joinQkv(splitQkv(QKV, shape, headsFirst), shape, headsFirst), QKV);
  }
  const k = splitQkv(QKV, shape, true)[1];
  // b 1, h 1, t 2, d 3
  assertEquals(k[((1 * 2 + 1) * 3 + 2) * 4 + 3], QKV[(1 * 3 + 2) * 24 + 8 + 4 + 3]);
  assertEquals(versionOf("npm:@scope/name@1.2.3"), "1.2.3");
});

function runOf(rows: readonly { name: string; median: number; spread?: number; busyUs?: null }[]): BenchRun {
  return {
    command: "./ponder bench",
    startedAt: "2026-01-01T00:00:00.000Z",
    adapter: "adapter",
    deno: "2.9.6",
    threads: 2,
    peers: [],
    ceiling: CEILING,
    warnings: [],
    rows: rows.map(({ name, median, spread = 0.01, busyUs }): BenchRow => {
      const time = { median, low: median * (1 - spread), high: median * (1 + spread) };
      return {
        ...{ suite: "cases", kernel: "matmul", name, variant: "naive", isPeer: false, wallUs: time },
        ...{ busyUs: busyUs === null ? null : time, launches: 1, flops: 1, bytes: 1, share: null },
        ...{ overNaive: null, overPeers: {}, error: 0 },
      } as BenchRow;
    }),
  };
}

Deno.test("a comparison tells changes from noise", () => {
  const before = runOf([
    { name: "halved", median: 10 },
    { name: "doubled", median: 10 },
    { name: "overlapping", median: 10, spread: 0.2 },
    { name: "tiny", median: 10, spread: 0.001 },
    { name: "gone", median: 10 },
  ]);
  const after = runOf([
    { name: "halved", median: 5 },
    { name: "doubled", median: 20 },
    { name: "overlapping", median: 12, spread: 0.2 },
    { name: "tiny", median: 10.3, spread: 0.001 },
    { name: "new", median: 10 },
  ]);
  const { by, changes } = compareRuns(before, after);
  assertEquals(by, "busy");
  assertEquals(changes.map(({ verdict }) => verdict), [
    "faster",
    "slower",
    "noise",
    "noise",
    "only before",
    "only after",
  ]);
  assertEquals(changes[0].speedup, 2);
  const { suite, kernel } = before.rows[0];
  const failures = [{ suite, kernel, name: "gone", variant: "naive", reason: "Cannot count" }];
  const broken = compareRuns(before, { ...after, failures }).changes;
  assertEquals(broken.map(({ verdict }) => verdict).slice(4), ["failed", "only after"]);
  const wall = runOf([{ name: "halved", median: 5, busyUs: null }]);
  assertEquals(compareRuns(before, wall).by, "wall");
});

Deno.test("what is no saved run is refused", () => {
  assertEquals(parseRun(JSON.stringify(runOf([])), "a.json").adapter, "adapter");
  assertThrows(() => parseRun("{", "a.json"), SyntaxError, "a.json: it is not JSON");
  assertThrows(() => parseRun("[]", "a.json"), SyntaxError, "it has no rows");
  assertThrows(() => parseRun("null", "a.json"), SyntaxError, "it has no rows");
});

Deno.test("CPU time of the workers is a number that never falls, or unknown", () => {
  const first = busyNs(), second = busyNs();
  if (first === null) assertEquals(second, null);
  else assert(second! >= first);
});

gpuTest("ceilings are measured and positive", async () => {
  const { copy, update, multiplyAdd } = await measureCeiling(await testGpu(), SETTINGS);
  assert(copy.wall > 0.1 && update.wall > 0.1 && multiplyAdd.wall > 1);
  assertEquals([copy.busy, update.busy, multiplyAdd.busy], [null, null, null]);
});

const failures: string[] = [];
const contextOf = async (variant?: string) => ({
  gpu: await testGpu(),
  ceiling: CEILING,
  settings: SETTINGS,
  peers: [],
  variant,
  profile: false,
  fail: ({ kernel, name, variant, reason }: FailedRow) =>
    failures.push(`${kernel} ${name} ${variant}: ${reason}`),
  warn: (message: string) => failures.push(message),
});

gpuTest("a case gives a row for each variant, the first being the baseline", async () => {
  const [benchCaseOf] = selectCases(benchCases, { only: ["37x44x12"], suites: ["cases"] });
  const rows = await benchCase(benchCaseOf, await contextOf());
  assertEquals(rows.map(({ variant }) => variant), [...benchCaseOf.kernelCase.variants]);
  assertEquals(rows[0].overNaive, null);
  assert(rows[1].overNaive!.median > 0);
  assert(rows.every(({ wallUs, error }) => wallUs.low <= wallUs.median && error! < 1e-4));
  assertEquals(failures.splice(0), []);
  const [only] = await benchCase(benchCaseOf, await contextOf(rows[1].variant));
  assertEquals([only.variant, only.overNaive], [rows[1].variant, null]);
});

gpuTest("what the device lacks a feature for is left out with one warning, and is no failure", async () => {
  const gpu: Gpu = Object.create(await testGpu(), {
    adapterName: { value: "some card" },
    device: { value: { features: new Set() } },
  });
  const warnings: string[] = [];
  const context = { ...await contextOf(), gpu, warn: (message: string) => warnings.push(message) };
  const half = selectCases(benchCases, { only: ["matmul half"], suites: ["cases"] });
  for (const each of half.slice(0, 3)) assertEquals(await benchCase(each, context), []);
  assertEquals(warnings, ["Left out matmul half: some card has no shader-f16"]);
  assertEquals(failures, []);
});

gpuTest("the large backward of the output layer computes what its reference says", async () => {
  const gpu = await testGpu();
  const kernelCase = headlineCases.find(({ name }) => name === "512x256x512 backward")!;
  const inputs = kernelCase.inputs();
  const operands = uploadOperands(gpu, kernelCase, inputs);
  const got = await runOnce(gpu, kernelCase, operands);
  assertEquals(Object.keys(got), ["dX", "dW"]);
  checkOutputs(kernelCase.name, got, kernelCase.reference(inputs), kernelCase);
  for (const slice of Object.values(operands)) gpu.release(slice);
});

gpuTest("a variant that computes something else is reported as failed", async () => {
  const [{ suite, kernelCase }] = selectCases(benchCases, { only: ["add of 1027"], suites: ["cases"] });
  const broken = { ...kernelCase, variants: ["naive", "broken"] };
  broken.launch = (gpu, operands, variant) =>
    kernelCase.launch(gpu, variant === "broken" ? { ...operands, B: operands.A } : operands, "naive");
  const rows = await benchCase({ suite, folder: "elementwise", kernelCase: broken }, await contextOf());
  assertEquals(rows.map(({ variant }) => variant), ["naive"]);
  assertEquals(failures.length, 1);
  assert(
    failures.splice(0)[0].startsWith(
      "elementwise add of 1027 broken: Cannot trust elementwise (broken) at add of 1027",
    ),
  );
});

gpuTest("a peer that agrees is timed beside us, one that does not is left out", async () => {
  const kernelCase = headlineCases.find(({ name }) => name === "4096x96 forward")!;
  const right = kernelCase.reference(kernelCase.inputs());
  const peerOf = (name: "jax-js" | "tfjs-webgpu", Y: Float32Array) => ({
    name,
    version: "0",
    prepare: () => ({
      run: () => Promise.resolve(),
      result: () => Promise.resolve({ Y }),
      dispose: () => {},
    }),
  });
  const good = Float32Array.from(right.Y);
  const peers = [peerOf("jax-js", good), peerOf("tfjs-webgpu", good.map((y) => y + 0.1))];
  const rows = await benchCase({ suite: "headline", folder: "layernorm", kernelCase }, {
    ...await contextOf(),
    peers,
  });
  assertEquals(rows.map(({ variant }) => variant), [...kernelCase.variants, "jax-js 0"]);
  assertEquals(Object.keys(rows[1].overPeers), ["jax-js"]);
  assert(failures.splice(0)[0].startsWith("Left out tfjs-webgpu at layernorm 4096x96 forward"));
});
