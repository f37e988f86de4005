/** A run as an iterator: the same numbers as the command's, in memory or in a folder, and stopped by leaving the loop. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../../rl/cli/mod.ts";
import type { MetricsLine } from "../../../rl/metrics.ts";
import { RunFolder } from "../../../rl/run/folder.ts";
import { train, type TrainEvent } from "../../../rl/run/training.ts";
import { unsolvedCorridor } from "../../envs/corridor.ts";
import { gpuTest } from "../../gpu.ts";
import { metricsOf, TempFolder, TINY, tinyConfig, trainHere } from "../tiny_run.ts";

const isLine = (event: TrainEvent): event is MetricsLine =>
  event.stage !== "progress" && event.stage !== "note" && event.stage !== "done";

gpuTest("the events of a run are the lines of metrics.jsonl, then the policy", async (gpu) => {
  using temp = new TempFolder();
  await trainHere(`${temp.path}/command`, tinyConfig());
  const events = await Array.fromAsync(train({ environment: "NumberLine", settings: TINY, gpu }));
  const lines = events.filter(isLine).map((line) => JSON.stringify(line) + "\n").join("");
  assertEquals(lines, metricsOf(`${temp.path}/command`));
  const last = events.at(-1)!;
  assert(last.stage === "done");
  const evaluation = events.filter(isLine).at(-1)!;
  assert(evaluation.stage === "evaluation");
  assertEquals(last.result.afterRl?.sampled, evaluation.sampled);
  assert(last.policy.parameters.count > 0);
  assert(events.some((event) => event.stage === "progress" && event.of === "rl"));
});

gpuTest(
  "an environment without a solver says how to begin otherwise, before there is a folder",
  async (gpu) => {
    using temp = new TempFolder();
    const out = `${temp.path}/run`;
    const events = train({ environment: unsolvedCorridor, settings: { demonstrations: 8 }, gpu, out });
    await assertRejects(() => Array.fromAsync(events), UsageError, "--demonstrations 0");
    await assertRejects(() => Deno.stat(out), Deno.errors.NotFound);
  },
);

gpuTest("leaving the loop stops the run, which saves; the folder goes on from there", async (gpu) => {
  using temp = new TempFolder();
  await trainHere(`${temp.path}/whole`, tinyConfig());
  const out = `${temp.path}/left`;
  for await (const event of train({ environment: "NumberLine", settings: TINY, gpu, out })) {
    if (event.stage === "sft" && event.update === 2) break;
  }
  const folder = await RunFolder.open(out);
  assert(await folder.checkpointPath() !== null);
  await trainHere(out, tinyConfig({ resume: true }));
  assertEquals(metricsOf(out), metricsOf(`${temp.path}/whole`));
});

gpuTest("what goes wrong is thrown where the events are waited for", async (gpu) => {
  const run = (settings: Record<string, unknown>) =>
    Array.fromAsync(train({ environment: "NumberLine", settings: { ...TINY, ...settings }, gpu }));
  await assertRejects(() => run({ minibatch: 5 }), UsageError, "--minibatch 5 must divide");
  await assertRejects(() => run({ nonsense: 1 }), UsageError, "Cannot use --nonsense");
  await assertRejects(() => run({ sftLearningRate: 1e30 }), Error, "SFT update");
});
