/** A run of the benchmark, its failures above all. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { benchCases } from "../../bench/cases.ts";
import type { BenchCase } from "../../bench/run.ts";
import { selectCases } from "../../bench/select.ts";
import { runSession, type SessionSettings, type Work } from "../../bench/session.ts";
import type { BenchRun } from "../../bench/types.ts";
import type { KernelCase } from "../../kernels/case.ts";
import { type Gpu, read, write } from "../../kernels/gpu/mod.ts";
import { Progress } from "../../rl/cli/mod.ts";
import { TempFolder } from "../rl/tiny_run.ts";
import { gpuTest } from "../gpu.ts";

const [{ kernelCase: sound }] = selectCases(benchCases, { only: ["add of 1027"], suites: ["cases"] });

const caseOf = (changes: Partial<KernelCase>): BenchCase => ({
  suite: "cases",
  folder: "elementwise",
  kernelCase: { ...sound, ...changes },
});

/** Binds what its entry point does not use: the device refuses that. */
function launchUnused(gpu: Gpu, { A, Y }: Parameters<KernelCase["launch"]>[1]): void {
  const source = `@group(0) @binding(0) var<storage, read> A: array<f32>;
@group(0) @binding(1) var<storage, read_write> Y: array<f32>;
@compute @workgroup_size(64) fn main() { Y[0] = 1.0; }`;
  gpu.dispatch({
    kernel: { name: "test/unused", source, constants: {} },
    bindings: [read(A), write(Y)],
    workgroups: [1],
  });
}

async function sessionOf(
  gpu: Gpu,
  work: Work,
  changes: Partial<SessionSettings> = {},
): Promise<{ code: number; out: string; err: string; saved: BenchRun }> {
  using temp = new TempFolder();
  let out = "", err = "";
  const code = await runSession(gpu, work, {
    ...{ rounds: 1, sampleMs: 0.1, peers: false, profile: false, json: false, out: temp.path, name: "run" },
    ...changes,
  }, {
    console: { out: (text) => void (out += text), err: (text) => void (err += text) },
    progress: new Progress({ write: (text) => void (err += text), isTerminal: false, plainMs: 0 }),
  });
  return { code, out, err, saved: JSON.parse(Deno.readTextFileSync(`${temp.path}/run.json`)) };
}

gpuTest("a run without failures counts everything and ends with 0", async (gpu) => {
  const { code, out, err, saved } = await sessionOf(gpu, { cases: [caseOf({})], steps: [] });
  assertEquals([code, saved.failures], [0, []]);
  assertStringIncludes(err, "bench  1/1  at end");
  assert(!out.includes("failed"));
});

gpuTest("rows that fail are shown with their error, are not counted, and end the run with 1", async (gpu) => {
  const cases = [
    caseOf({}),
    caseOf({ name: "unused binding", variants: ["naive"], launch: launchUnused }),
    caseOf({
      name: "no reference",
      variants: ["naive"],
      reference: () => {
        throw new RangeError("Cannot add: out of fingers");
      },
    }),
    caseOf({ name: "after them" }),
  ];
  const steps = [{
    name: "step without memory",
    make: () => Promise.reject(new RangeError("Cannot allocate")),
  }];
  const inUse = gpu.pool.inUse;
  const { code, out, err, saved } = await sessionOf(gpu, { cases, steps });
  assertEquals(code, 1);
  assertEquals(saved.rows.map(({ name }) => name), [sound.name, "after them"]);
  assertEquals(saved.failures?.map(({ name, variant }) => [name, variant]), [
    ["unused binding", "naive"],
    ["no reference", "naive"],
    ["step without memory", "ponder"],
  ]);
  assertMatch(out, /elementwise unused binding +naive +failed\n/);
  assertStringIncludes(out, "elementwise no reference (naive): Cannot add: out of fingers");
  assertStringIncludes(out, "step without memory (ponder): Cannot allocate");
  assertStringIncludes(err, "Failed: Cannot add: out of fingers");
  assertStringIncludes(err, "bench  2/5  at end");
  assertStringIncludes(err, "2 of 5 measured, the others failed");
  assertEquals(gpu.pool.inUse, inUse);
});
