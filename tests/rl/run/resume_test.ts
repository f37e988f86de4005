/** A run that was stopped, or killed, and goes on: it ends as if nothing had happened. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { trainCommand } from "../../../commands/train.ts";
import { type Given, toFlag } from "../../../rl/cli/mod.ts";
import type { trainOptions } from "../../../rl/config.ts";
import { restoreRun } from "../../../rl/run/proof.ts";
import { gpuTest } from "../../gpu.ts";
import {
  metricsOf,
  outcomeOf,
  runHere,
  signAgain,
  startCommand,
  TempFolder,
  TINY_FLAGS,
  tinyConfig,
  trainHere,
} from "../tiny_run.ts";

/** Long enough for checkpoints at iteration 0 and 6 of 8, and for a signal to arrive in time. */
const settings = {
  cot: false,
  demonstrations: 8,
  sftSteps: 6,
  sftBatch: 2,
  envs: 2,
  rolloutSteps: 2,
  minibatch: 4,
  envSteps: 32,
  evalEpisodes: 1,
} as const satisfies Given<typeof trainOptions>;
const flags = [
  ...TINY_FLAGS,
  ...Object.entries(settings).map(([name, value]) =>
    value === false ? `--no-${toFlag(name)}` : `--${toFlag(name)}=${value}`
  ),
];
const SFT_LINES = settings.sftSteps;
/** What precedes the first RL iteration: SFT and an evaluation; there is no gate without a thought. */
const LINES_BEFORE_RL = SFT_LINES + 1;

let uninterrupted: Promise<string> | null = null;

/** The run that nobody stopped: its folder, which goes when the tests have ended. */
function wholeRun(): Promise<string> {
  return uninterrupted ??= (async () => {
    const temp = new TempFolder();
    addEventListener("unload", () => temp[Symbol.dispose]());
    await trainHere(`${temp.path}/run`, tinyConfig(settings));
    return `${temp.path}/run`;
  })();
}

/** Its metrics. */
const expected = async (): Promise<string> => metricsOf(await wholeRun());

const stops: readonly (readonly [where: string, lines: number])[] = [
  ["in SFT", 3],
  ["in RL, after a periodic checkpoint", LINES_BEFORE_RL + 7],
];

gpuTest("a run stopped and resumed writes the metrics of one that was not, wherever it stopped", async () => {
  using temp = new TempFolder();
  const want = await expected();
  for (const [where, lines] of stops) {
    const run = `${temp.path}/${lines}`;
    const stopped = await trainHere(run, tinyConfig(settings), (soFar) => soFar >= lines);
    assertEquals(stopped.afterRl, null, where);
    assert(metricsOf(run).length < want.length && want.startsWith(metricsOf(run)), where);
    const { afterSft, afterRl } = await trainHere(run, tinyConfig({ ...settings, resume: true }));
    assertEquals(metricsOf(run), want, where);
    // The evaluation after SFT is read back where it was done before the stop.
    assert(afterSft !== null && afterRl !== null, where);
  }
});

gpuTest("a run stopped in an evaluation saves and begins that evaluation anew", async () => {
  using temp = new TempFolder();
  const want = await expected();
  for (const lines of [SFT_LINES, want.trimEnd().split("\n").length - 1]) {
    const run = `${temp.path}/${lines}`;
    // The first time it is asked may be before the evaluation.
    let asked = 0;
    await trainHere(run, tinyConfig(settings), (soFar) => soFar >= lines && ++asked > 2);
    assertEquals(metricsOf(run).trimEnd().split("\n").length, lines);
    const trainer = JSON.parse(Deno.readTextFileSync(`${run}/checkpoint/trainer.json`));
    const { effort: before } = trainer;
    assert(trainer.peakBytes > 0);
    const peakBytes = 2 ** 50; // of an earlier process
    Deno.writeTextFileSync(`${run}/checkpoint/trainer.json`, JSON.stringify({ ...trainer, peakBytes }));
    await signAgain(`${run}/checkpoint`);
    assert(before.evaluation > 0 && before.sft > 0 && (lines === SFT_LINES || before.rl > 0));
    const { effort, earlierSeconds, ...more } = await trainHere(
      run,
      tinyConfig({ ...settings, resume: true }),
    );
    assertEquals([metricsOf(run), more.peakBytes], [want, peakBytes]);
    assertEquals(earlierSeconds, before.sft + before.rl + before.evaluation);
    assert(effort.evaluation > before.evaluation && effort.sft >= before.sft && effort.rollout < effort.rl);
  }
});

gpuTest("a run stopped at the gate looks at perception again, once", async () => {
  using temp = new TempFolder();
  const settings: Given<typeof trainOptions> = {
    demonstrations: 8,
    sftSteps: 2,
    sftBatch: 2,
    envSteps: 0,
    evalEpisodes: 1,
  };
  await trainHere(`${temp.path}/whole`, tinyConfig(settings));
  const run = `${temp.path}/stopped`;
  await trainHere(run, tinyConfig(settings), (_, metrics) => metrics.includes('"gate"'));
  assertStringIncludes(metricsOf(run), '"gate"');
  await trainHere(run, tinyConfig({ ...settings, resume: true }));
  assertEquals(metricsOf(run), metricsOf(`${temp.path}/whole`));
});

gpuTest("a run that died goes on from its last checkpoint, with the same metrics in the end", async () => {
  using temp = new TempFolder();
  for (const lines of [3, LINES_BEFORE_RL + 7]) {
    const run = `${temp.path}/${lines}`;
    const die = (soFar: number) => {
      if (soFar >= lines) throw new Error("power cut");
      return false;
    };
    await assertRejects(() => trainHere(run, tinyConfig(settings), die), Error, "power cut");
    await trainHere(run, tinyConfig({ ...settings, resume: true }));
    assertEquals(metricsOf(run), await expected(), `died after ${lines} lines`);
  }
});

gpuTest("a run that died late in the warm start does not begin it anew", async () => {
  using temp = new TempFolder();
  const settings: Given<typeof trainOptions> = {
    cot: false,
    demonstrations: 8,
    sftSteps: 103,
    sftBatch: 1,
    envSteps: 0,
    evalEpisodes: 1,
  };
  const run = `${temp.path}/died`;
  const die = (soFar: number) => {
    if (soFar >= 102) throw new Error("power cut");
    return false;
  };
  await assertRejects(() => trainHere(run, tinyConfig(settings), die), Error, "power cut");
  const before = metricsOf(run);
  assertEquals(before.trimEnd().split("\n").length, 102);
  let linesAtStart = -1;
  await trainHere(run, tinyConfig({ ...settings, resume: true }), (soFar) => {
    if (linesAtStart < 0) linesAtStart = soFar;
    return false;
  });
  assertEquals(linesAtStart, 100);
  // The last two updates come again with the same bytes.
  assert(metricsOf(run).startsWith(before));
  assert(metricsOf(run).includes('"after":"sft"'));
});

gpuTest("a run that takes another's warm start ends as if it had had its own", async () => {
  using temp = new TempFolder();
  const first = await wholeRun();
  const { code, err } = await outcomeOf(startCommand("train", [
    ...[...flags, "--out", `${temp.path}/second`],
    ...["--lambda=0.9", "--freeze=none", "--warm-start", first],
  ]));
  assertEquals(code, 0, err);
  assert(!err.includes("sft "), err);
  await trainHere(`${temp.path}/own`, tinyConfig({ ...settings, lambda: 0.9, freeze: ["none"] }));
  const metrics = metricsOf(`${temp.path}/second`);
  assertEquals(metrics, metricsOf(`${temp.path}/own`));
  assert(metrics !== await expected(), "other settings end elsewhere");
  // Its settings do not tell, and others can begin from it in turn.
  assert(!Deno.readTextFileSync(`${temp.path}/second/config.json`).includes("warmStart"));
  const third = ["--out", `${temp.path}/third`, "--warm-start", `${temp.path}/second`];
  const last = await runHere(trainCommand, ...flags, ...third);
  assertEquals(last.code, 0, last.err);
  assertEquals(metricsOf(`${temp.path}/third`), await expected());
});

gpuTest(
  "a run whose last checkpoint is damaged is refused; restored, it ends with the same bytes",
  async () => {
    using temp = new TempFolder();
    const run = `${temp.path}/run`;
    const resume = () => trainHere(run, tinyConfig({ ...settings, resume: true }));
    await trainHere(run, tinyConfig(settings), (soFar) => soFar >= LINES_BEFORE_RL + 7);
    const path = `${run}/checkpoint/optimizer.safetensors`;
    const moments = Deno.readFileSync(path);
    moments[moments.length - 9] ^= 1;
    Deno.writeFileSync(path, moments);
    const error = await assertRejects(resume, Deno.errors.InvalidData);
    assertStringIncludes(
      error.message,
      "checkpoint/optimizer.safetensors is damaged (its content is not what",
    );
    assertStringIncludes(error.message, `./ponder check ${run} --restore goes back to rl, iteration 6`);
    await restoreRun(run);
    await resume();
    assertEquals(metricsOf(run), await expected());
  },
);

const noWindows = Deno.build.os === "windows";

Deno.test({
  name: "Ctrl-C saves, says how to go on and exits with 1; what it says goes on",
  ignore: noWindows,
  fn: async () => {
    using temp = new TempFolder();
    const run = `${temp.path}/run`;
    const child = startCommand("train", [...flags, "--out", run], { signals: "SIGINT 2" });
    const { code, out, err } = await outcomeOf(child);
    assertEquals([code, out], [1, ""], err);
    assertStringIncludes(err, "Stopping: finishing this step and saving.");
    const said = err.match(/Go on with: \.\/ponder train (.*)\n$/)?.[1];
    assertEquals(said, `--resume --out ${run}`);
    assert(metricsOf(run).split("\n").length <= SFT_LINES, "it stopped soon");

    const resumed = await runHere(trainCommand, ...said!.split(" "));
    assertEquals(resumed.code, 0, resumed.err);
    assertEquals(metricsOf(run), await expected());
  },
  sanitizeResources: false,
  sanitizeOps: false,
});

Deno.test({
  name: "a killed process leaves a run that goes on",
  ignore: noWindows,
  fn: async () => {
    using temp = new TempFolder();
    const run = `${temp.path}/run`;
    const signals = `SIGKILL ${LINES_BEFORE_RL + 1}`;
    const child = startCommand("train", [...flags, "--out", run], { signals });
    assertEquals((await child.output()).signal, "SIGKILL");
    assertEquals(metricsOf(run).trimEnd().split("\n").length, LINES_BEFORE_RL + 1);
    const resumed = await runHere(trainCommand, "--resume", "--out", run);
    assertEquals(resumed.code, 0, resumed.err);
    assertEquals(metricsOf(run), await expected());
  },
  sanitizeResources: false,
  sanitizeOps: false,
});
