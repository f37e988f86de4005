/** Whole runs: reproducible, self-checking, and every number they write is defined. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { decodeSafetensors } from "../../../model/mod.ts";
import type { MetricsLine, RlLine } from "../../../rl/metrics.ts";
import { NotFiniteError } from "../../../kernels/gpu/mod.ts";
import { ppo } from "../../../rl/algorithms/mod.ts";
import { FIRST_RATIO_TOLERANCE } from "../../../rl/improve.ts";
import { gpuTest } from "../../gpu.ts";
import {
  metricsOf,
  outcomeOf,
  startCommand,
  TempFolder,
  TINY_FLAGS,
  tinyConfig,
  trainHere,
} from "../tiny_run.ts";

const linesOf = (metrics: string): MetricsLine[] =>
  metrics.trimEnd().split("\n").map((line) => JSON.parse(line));

/** The property names of an interface and of those it extends, read from the source. */
function keysOf(name: string): string[] {
  for (const file of ["metrics", "improve", "sft", "evaluation"]) {
    const source = Deno.readTextFileSync(new URL(`../../../rl/${file}.ts`, import.meta.url));
    const [, parent, body] = source.match(
      new RegExp(`export interface ${name}(?: extends (\\w+))? \\{\n([^]*?)\n\\}`),
    ) ??
      [];
    if (body === undefined) continue;
    const own = [...body.matchAll(/^ {2}readonly (\w+):/gm)].map(([, key]) => key);
    return [...parent ? keysOf(parent) : [], ...own];
  }
  throw new Error(`No interface ${name}`);
}

/** Stops a run after its first RL iteration: 4 updates, a gate with thoughts, an evaluation, an iteration. */
const isInRl = (_: number, metrics: string) => metrics.includes('"stage":"rl"');

gpuTest("one seed gives one metrics.jsonl, byte by byte, in this process and as a task", async () => {
  using temp = new TempFolder();
  await trainHere(`${temp.path}/here`, tinyConfig({ preset: "nano" }));
  const { code, out, err } = await outcomeOf(
    startCommand("train", [...TINY_FLAGS, "--preset", "nano", "--out", `${temp.path}/task`, "--json"]),
  );
  assertEquals(code, 0, err);
  const metrics = metricsOf(`${temp.path}/here`);
  assertEquals(metricsOf(`${temp.path}/task`), metrics);

  const stages = linesOf(metrics).map(({ stage }) => stage);
  assertEquals(stages, ["sft", "sft", "sft", "sft", "gate", "evaluation", "rl", "rl", "evaluation"]);

  // stdout is summary.json, and nothing else.
  const summary = JSON.parse(out);
  assertEquals(summary, JSON.parse(Deno.readTextFileSync(`${temp.path}/task/summary.json`)));
  const { environment, episodes, seed, sampled, greedy } = summary.evaluation;
  assertEquals([environment, episodes, seed], ["NumberLine", 2, 0]);
  const last = linesOf(metrics).at(-1)!;
  assert(last.stage === "evaluation");
  assertEquals([sampled, greedy], [last.sampled, last.greedy] as unknown[]);
  assertEquals(summary.evaluation.goal_reached, last.sampled.goalReached);
  assertEquals(summary.evaluation.parse_rate, last.sampled.parseRate);
  assertEquals(summary.evaluation.perception, last.greedy.perception);

  assertStringIncludes(err, "success = return above 0");
  assertStringIncludes(err, `./ponder play --run ${temp.path}/task`);
});

gpuTest("another seed gives other metrics", async () => {
  using temp = new TempFolder();
  const sftOnly = (lines: number) => lines >= 2;
  await trainHere(`${temp.path}/0`, tinyConfig(), sftOnly);
  await trainHere(`${temp.path}/1`, tinyConfig({ seed: 1 }), sftOnly);
  const [first, second] = ["0", "1"].map((name) => linesOf(metricsOf(`${temp.path}/${name}`))[0]);
  assert(first.stage === "sft" && second.stage === "sft");
  assert(first.sftLoss !== second.sftLoss);
});

gpuTest("every key of metrics.jsonl is one that its interface defines, and no other", async () => {
  using temp = new TempFolder();
  const defined = {
    sft: keysOf("SftLine"),
    gate: keysOf("GateLine"),
    // With a critic there is a value loss; the algorithm's page defines the rest.
    rl: [...keysOf("RolloutLine"), ...keysOf("ImproveMetrics"), "valueLoss", ...Object.keys(ppo.metrics)],
    evaluation: keysOf("EvaluationLine"),
  };
  for (const cot of [true, false]) {
    const run = `${temp.path}/${cot}`;
    await trainHere(run, tinyConfig({ cot, evalEpisodes: 1 }), isInRl);
    const lines = linesOf(metricsOf(run));
    for (const line of lines) {
      assertEquals(Object.keys(line).sort(), defined[line.stage].toSorted(), line.stage);
      if (line.stage !== "evaluation") continue;
      assertEquals(Object.keys(line.greedy).sort(), keysOf("EvaluationResult").sort());
    }
    // Only thoughts say what was perceived: without them there is no gate.
    assertEquals(new Set(lines.map(({ stage }) => stage)).size, cot ? 4 : 3);
  }
});

gpuTest(
  "the first minibatch of an iteration has ratios of 1 at any temperature, whatever lambda",
  async () => {
    using temp = new TempFolder();
    for (const lambda of [0, 1]) {
      const run = `${temp.path}/${lambda}`;
      await trainHere(run, tinyConfig({ preset: "nano", lambda, temperature: 0.7, evalEpisodes: 1 }), isInRl);
      const lines = linesOf(metricsOf(run)).filter((line): line is RlLine => line.stage === "rl");
      assertEquals(lines.length, 1);
      const { firstRatioError } = lines[0];
      assert(firstRatioError! >= 0 && firstRatioError! <= FIRST_RATIO_TOLERANCE, `${firstRatioError}`);
    }
  },
);

gpuTest("RL does not begin while perception is under the gate", async () => {
  using temp = new TempFolder();
  const config = tinyConfig({ perceptionGate: 1, perceptionExtraSteps: 2, sftSteps: 1 });
  await assertRejects(
    () => trainHere(`${temp.path}/run`, config),
    Error,
    "Cannot begin RL: perception stayed under 1 for 3 SFT updates, begin again with --overwrite and more",
  );
  // It looks after the planned updates, and again after the last of those added.
  const looks = linesOf(metricsOf(`${temp.path}/run`)).filter((line) => line.stage === "gate");
  assertEquals(looks.map(({ update }) => update), [1, 3]);
});

gpuTest("a loss that is no number stops RL at its iteration and keeps the checkpoint", async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`;
  const error = await assertRejects(
    () => trainHere(run, tinyConfig({ learningRate: 1e30, evalEpisodes: 1 })),
    NotFiniteError,
    "Cannot go on at RL iteration 1: ",
  );
  assert(/gradient norm (NaN|Infinity)|loss (NaN|-?Infinity)/.test(error.message), error.message);
  const state = JSON.parse(Deno.readTextFileSync(`${run}/checkpoint/trainer.json`));
  assertEquals([state.stage, state.iteration], ["rl", 0]);
  const { tensors } = decodeSafetensors(Deno.readFileSync(`${run}/checkpoint/model.safetensors`));
  assert([...tensors.values()].every(({ data }) => data.every(Number.isFinite)));
});
