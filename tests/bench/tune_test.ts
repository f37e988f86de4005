import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { BenchCase } from "../../bench/run.ts";
import { bestVariant, tune, tuningCases, type TuningTime } from "../../bench/tune.ts";
import type { KernelCase } from "../../kernels/case.ts";
import { chooseVariant, OutOfMemoryError, write } from "../../kernels/gpu/mod.ts";
import { applyTuning, UNTUNED } from "../../kernels/tune.ts";
import { gpuTest } from "../gpu.ts";

/** Rounds of a loop by variant; what no variant is named for takes "usual". */
const ROUNDS: Record<string, number> = { usual: 4000, quick: 10, equal: 4000, wrong: 1, "quick-f16": 10 };

/** A kernel that counts to one, slowly or quickly. */
function countingCase(variants: readonly string[]): BenchCase {
  const kernelCase: KernelCase = {
    kernel: "counting",
    name: "512 words",
    variants,
    inputs: () => ({}),
    outputs: { Y: 512 },
    launch: (gpu, { Y }, variant = chooseVariant(gpu, questionOf(variants))) => {
      if (variant === "large") throw new OutOfMemoryError("The GPU is out of memory");
      if (variant === "broken") throw new RangeError("Cannot count: out of fingers");
      gpu.dispatch({
        kernel: {
          name: `test/${variant}`,
          source: `@group(0) @binding(0) var<storage, read_write> Y: array<f32>;
@compute @workgroup_size(8) fn main(@builtin(global_invocation_id) id: vec3u) {
  var sum = 0.0;
  for (var i = 0u; i < ROUNDS; i++) { sum = sum + 1.0 / ROUNDS; sum = fract(sum) + floor(sum); }
  Y[id.x] = select(sum, 5.0, WRONG);
}`,
          constants: { ROUNDS: ROUNDS[variant], WRONG: variant === "wrong" },
        },
        bindings: [write(Y)],
        workgroups: [64],
      });
    },
    reference: () => ({ Y: new Array(512).fill(1) }),
    tolerance: 1e-3,
    flops: 1e6,
    bytes: 0,
  };
  return { suite: "cases", folder: "counting", kernelCase };
}

const questionOf = (variants: readonly string[]) => ({
  kernel: "counting",
  action: "count",
  software: [...variants].reverse(),
  hardware: [...variants].reverse(),
  obstacle: () => null,
});

gpuTest("a variant that is clearly faster is chosen, and launches follow it", async (gpu) => {
  const notes: string[] = [];
  const variants = ["quick", "usual"];
  const tuning = await tune(gpu, { cases: [countingCase(variants)], onNote: (line) => notes.push(line) });
  assertEquals(tuning, { folders: ["counting"], chosen: { counting: "quick" }, rejected: {} });
  assertEquals(chooseVariant(gpu, questionOf(variants)), "quick");
  assertStringIncludes(notes.join(), "counting: takes quick");
  applyTuning(gpu, UNTUNED);
  assertEquals(chooseVariant(gpu, questionOf(variants)), "usual");
});

gpuTest(
  "variants that fail their check or cannot run are dropped with a warning and not chosen",
  async (gpu) => {
    const notes: string[] = [];
    const variants = ["usual", "wrong", "broken"];
    const tuning = await tune(gpu, { cases: [countingCase(variants)], onNote: (line) => notes.push(line) });
    assertEquals(tuning, {
      folders: ["counting"],
      chosen: {},
      rejected: { counting: ["wrong", "broken"] },
    });
    assertStringIncludes(notes[0], "Dropped variant wrong of counting");
    assertStringIncludes(notes[0], "Y[0] is 5, not 1");
    assertStringIncludes(notes[1], "Dropped variant broken of counting");
    // The preferred variants are those dropped, yet the next sound one is taken.
    assertEquals(chooseVariant(gpu, questionOf(variants)), "usual");
    assertEquals(chooseVariant(gpu, { ...questionOf(variants), variant: "wrong" }), "wrong");
    applyTuning(gpu, UNTUNED);
  },
);

gpuTest("out of time it stops after the first folder, and goes on from there the next time", async (gpu) => {
  const cases = [countingCase(["quick", "usual"]), { ...countingCase(["quick", "usual"]), folder: "other" }];
  const first = await tune(gpu, { cases, budgetMs: 0 });
  assertEquals(first, { folders: ["counting"], chosen: { counting: "quick" }, rejected: {} });
  const measured: string[] = [];
  const onTime = ({ folder }: TuningTime) => measured.push(folder);
  const second = await tune(gpu, { cases, budgetMs: 0, earlier: first, onTime });
  assertEquals(second.folders, ["counting", "other"]);
  assertEquals(second.chosen.counting, "quick");
  assertEquals(new Set(measured), new Set(["other"]));
  applyTuning(gpu, UNTUNED);
});

gpuTest("tuning gives back what it took", async (gpu) => {
  const inUse = gpu.pool.inUse;
  await tune(gpu, { cases: [countingCase(["usual", "wrong"])] });
  assertEquals([gpu.pool.inUse, gpu.pool.totalBytes], [inUse, 0]);
  applyTuning(gpu, UNTUNED);
});

Deno.test("a gain counts over all kernels of a folder, and must be clear", () => {
  const time = (kernel: string, variant: string | null, elapsedUs: number): TuningTime => ({
    folder: "f",
    kernelCase: kernels[kernel],
    variant,
    elapsedUs,
  });
  const kernels: Record<string, KernelCase> = {
    forward: countingCase([]).kernelCase,
    backward: countingCase([]).kernelCase,
  };
  const usual = [time("forward", null, 10), time("backward", null, 10)];
  assertEquals(bestVariant([...usual, time("forward", "a", 9)], []), null);
  // Four times as fast at one of two kernels, the other keeping its usual variant: a mean of two.
  assertEquals(bestVariant([...usual, time("forward", "a", 2.5)], [])?.gain, 2);
  assertEquals(bestVariant([...usual, time("forward", "a", 2.5)], ["a"]), null);
  const mixed = [...usual, time("forward", "a", 2.5), time("backward", "a", Infinity)];
  assertEquals(bestVariant(mixed, []), null);
  const both = [...usual, time("forward", "a", 5), time("forward", "b", 2), time("backward", "b", 10)];
  assertEquals(bestVariant(both, [])?.variant, "b");
});

Deno.test("every kernel with several exact variants is tuned, at more work on a real GPU", () => {
  const [software, hardware] = [true, false].map((isSoftware) => tuningCases({ isSoftware }));
  const folders = new Set(software.map(({ folder }) => folder));
  for (const folder of ["matmul", "attention", "softmax_logprob", "layernorm"]) assert(folders.has(folder));
  const work = (cases: readonly BenchCase[]) =>
    cases.reduce((sum, { kernelCase }) => sum + kernelCase.flops, 0);
  assert(work(hardware) > 2 * work(software));
  assert(work(software) < 2e8, "naive variants must take a second or so on two cores");
});

gpuTest("what does not fit into memory now is neither dropped nor done", async (gpu) => {
  const notes: string[] = [];
  const cases = [countingCase(["large", "usual"])];
  assertEquals(await tune(gpu, { cases, onNote: (line) => notes.push(line) }), UNTUNED);
  assertEquals(gpu.rejected.size, 0);
  assertEquals(notes, ["Not measuring counting now: The GPU is out of memory"]);
});

gpuTest("variants that round operands to half precision are a choice for people only", async (gpu) => {
  const measured = new Set<string | null>();
  const cases = [countingCase(["usual", "equal", "quick-f16"])];
  const { chosen } = await tune(gpu, { cases, onTime: ({ variant }) => measured.add(variant) });
  assertEquals([chosen, measured], [{}, new Set(["usual", "equal", null])]);
  applyTuning(gpu, UNTUNED);
});
