/** The experiments of the report and what `reproduce` says and does about them; nothing is trained. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ENV_NAMES, findEnvironment } from "../../../envs/mod.ts";
import { algorithmOf } from "../../../rl/run/load_algorithm.ts";
import { START } from "../../../rl/run/checkpoint.ts";
import { parseOptions, runCommand } from "../../../rl/cli/mod.ts";
import { optionsOf, resolveConfig, settingsOf, trainOptions } from "../../../rl/config.ts";
import { readEnvSettings } from "../../../rl/env_settings.ts";
import { evalCommand } from "../../../commands/eval.ts";
import {
  cellCommand,
  cellsOf,
  cellState,
  PLACES,
  readResults,
  startFlags,
  takenFlags,
  trainedBy,
} from "../../../rl/report/cells.ts";
import { estimateSeconds, formatEstimate } from "../../../rl/report/estimate.ts";
import { DEFAULT, experiments, tasks } from "../../../rl/report/experiments.ts";
import { resultsPage } from "../../../rl/report/page.ts";
import { oneOfEach, QUICK, reproduceCommand } from "../../../commands/reproduce.ts";
import { outcomeOf, startCommand, TempFolder } from "../tiny_run.ts";
import { cell, experimentOf, idOf, writeCell } from "./result_cells.ts";

/** Runs `reproduce` in this process, for calls that end before anything is run. */
async function refused(...args: string[]): Promise<string> {
  let err = "";
  const console = { out: () => {}, err: (text: string) => void (err += text) };
  assertEquals(await runCommand(reproduceCommand, args, { console }), 2);
  return err;
}

/** Runs the task with another folder as the current one. */
const reproduceIn = (cwd: string, ...args: string[]) =>
  outcomeOf(startCommand("reproduce", args, { cwd, env: { DENO_NO_UPDATE_CHECK: "1" } }));

Deno.test("every experiment has a name of its own and flags that its command takes", async () => {
  assertEquals(new Set(experiments.map(idOf)).size, experiments.length);
  for (const experiment of experiments) {
    const [command, ...flags] = cellCommand(PLACES, { experiment, seed: 2 });
    const { environment } = experiment;
    const definition = findEnvironment(environment);
    if (command === "train") {
      const algorithm = await algorithmOf(flags);
      const { given } = parseOptions(flags, optionsOf(algorithm));
      const { env, seed } = resolveConfig(given, definition, algorithm);
      assertEquals([env, seed], [environment, 2]);
    } else if (command === "baseline") {
      const { env, seed } = resolveConfig(
        { policy: "cnn", ...parseOptions(flags, trainOptions).given },
        definition,
      );
      assertEquals([env, seed], [environment, 2]);
    } else {
      const { given } = parseOptions(
        flags,
        evalCommand.options as Exclude<typeof evalCommand.options, (args: readonly string[]) => unknown>,
      );
      if (experiment.command === "variant") {
        const trained = trainedBy(experiment);
        assertEquals([trained.environment, trained.command], [environment, "train"]);
        assertEquals(given.run, `runs/results/${environment}-${experiment.of ?? DEFAULT}-s2`);
        readEnvSettings(definition, given.envSettings!);
      } else {
        assertEquals([given.env, given.policy], [environment, experiment.name.split("-")[0]]);
        readEnvSettings(definition, given.envSettings ?? []);
      }
    }
  }
});

Deno.test("every task has the rows of the main table and the ablation; lambda is compared on two", () => {
  assertEquals(tasks, ENV_NAMES);
  for (const task of tasks) {
    for (const name of ["random", "optimal", DEFAULT, "cnn", "no-cot"]) {
      assert(experimentOf(`${task}/${name}`) !== undefined, `${task}/${name}`);
    }
  }
  const lambdas = experiments.filter(({ group }) => group === "lambda").map(idOf);
  const values = ["0.1", "0.3", "0.7", "0.9"];
  assertEquals(
    lambdas,
    ["NumberLine", "EZPoints"].flatMap((task) => values.map((v) => `${task}/lambda-${v}`)),
  );
});

Deno.test("policies without a model have one cell, trained ones one a seed", () => {
  const chosen = [experimentOf("NumberLine/random"), experimentOf("NumberLine/cnn")];
  assertEquals(cellsOf(chosen, [0, 3]).map(({ seed }) => seed), [null, 0, 3]);
});

Deno.test("an unknown experiment names the nearest, exit 2", async () => {
  assertEquals(
    await refused("--only", "NumberLine/defalt"),
    'Unknown experiment "NumberLine/defalt": did you mean NumberLine/default?\nSee: ./ponder reproduce --help\n',
  );
  assertStringIncludes(await refused("--only", "default,unfrozn"), "did you mean unfrozen?");
  const unlike = await refused("--only", "?");
  assertStringIncludes(unlike, 'Unknown experiment "?": the nearest is ');
});

Deno.test("a seed that train would not take is refused, exit 2", async () => {
  for (const seed of ["x", "-1", "1.5", "1001"]) {
    assertStringIncludes(await refused(`--seeds=0,${seed}`), `integers from 0 to 1000, got "${seed}"`);
  }
});

Deno.test("--list prints how far each cell is and the time it takes, and runs nothing", async () => {
  using temp = new TempFolder();
  writeCell(temp.path, cell("NumberLine/default", 1, 1));
  Deno.mkdirSync(`${temp.path}/runs/results/NumberLine-no-cot-s1`, { recursive: true });
  Deno.writeTextFileSync(`${temp.path}/runs/results/NumberLine-no-cot-s1/config.json`, "{}");
  const before = Deno.statSync(`${temp.path}/results`).mtime;
  const only = "NumberLine/default,NumberLine/no-cot,NumberLine/random,NumberLine/ood-max-10";
  const { code, out, err } = await reproduceIn(temp.path, "--list", "--only", only, "--seeds", "0,1,0");
  assertEquals([code, err], [0, ""]);
  assertEquals(out.split("\n").map((line) => line.split(/ {2,}/)), [
    ["result", "state", "time"],
    ["results/NumberLine/random.json", "to run", "unknown"],
    ["results/NumberLine/default-s0.json", "to run", "about 1 m 30 s"],
    ["results/NumberLine/default-s1.json", "done", "1 m 30 s"],
    ["results/NumberLine/no-cot-s0.json", "to run", "about 1 m 30 s"],
    ["results/NumberLine/no-cot-s1.json", "begun", "about 1 m 30 s"],
    ["results/NumberLine/ood-max-10-s0.json", "to run", "unknown"],
    ["results/NumberLine/ood-max-10-s1.json", "no weights", "unknown"],
    [""],
    ["Time left: about 4 m 31 s and 3 cells of unknown length"],
    [""],
  ]);
  assertEquals([...Deno.readDirSync(temp.path)].map(({ name }) => name).sort(), ["results", "runs"]);
  assertEquals(Deno.statSync(`${temp.path}/results`).mtime, before);
});

Deno.test("--renew counts cells from before a change as to do, and they keep their state without it", async () => {
  using temp = new TempFolder();
  writeCell(temp.path, cell("NumberLine/default", 0, 1, { version: 0 }));
  writeCell(temp.path, cell("NumberLine/default", 1, 1));
  const left = async (...flags: string[]) => {
    const args = ["--list", "--only", "NumberLine/default", "--seeds", "0,1", ...flags];
    const { out } = await reproduceIn(temp.path, ...args);
    return out.trim().split("\n").slice(1).map((line) => line.split(/ {2,}/).slice(1).join(" ")).join("; ") +
      out.trim().split("\n").at(-1);
  };
  assertEquals(await left(), "older 1 m 30 s; done 1 m 30 s; ; Time left: none");
  assertEquals(await left("--renew"), "older about 1 m 30 s; done 1 m 30 s; ; Time left: about 1 m 30 s");
});

Deno.test("a variant whose policy's weights are gone is passed over, with the command that makes them", async () => {
  using temp = new TempFolder();
  writeCell(temp.path, cell("NumberLine/default", 0, 1));
  const { code, err } = await reproduceIn(temp.path, "--only", "NumberLine/ood-max-10", "--seeds", "0");
  assertEquals(code, 0);
  assertStringIncludes(err, "Skipping NumberLine: numbers to 10, seed 0");
  const run = "runs/results/NumberLine-default-s0";
  assertStringIncludes(
    err,
    `${run} has no fully trained weights; to train them: ./ponder train --env NumberLine`,
  );
  assertStringIncludes(err, ` --seed 0 --out ${run}, with --resume if it was begun\n`);
  // Nor are weights that are still being trained: their result would be kept for good.
  Deno.mkdirSync(`${temp.path}/${run}/checkpoint`, { recursive: true });
  const trainer = JSON.stringify({ ...START, stage: "rl", iteration: 6 });
  Deno.writeTextFileSync(`${temp.path}/${run}/checkpoint/trainer.json`, trainer);
  const again = await reproduceIn(temp.path, "--only", "NumberLine/ood-max-10", "--seeds", "0");
  assertStringIncludes(again.err, "Skipping NumberLine: numbers to 10, seed 0");
  assertEquals([...Deno.readDirSync(`${temp.path}/results/NumberLine`)].length, 1);
});

Deno.test("policies without a model are run and kept with their command, and the page shows them", async () => {
  using temp = new TempFolder();
  const { code, err } = await reproduceIn(temp.path, "--quick", "--only", "EZPoints/random,EZPoints/optimal");
  assertEquals(code, 0, err);
  assertStringIncludes(err, "[1/2] EZPoints: random; time left: about 6.0 s\n");
  assertMatch(err, /\[2\/2\] EZPoints: optimal \(solver\); time left: about \d/);
  const kept = JSON.parse(Deno.readTextFileSync(`${temp.path}/results/quick/EZPoints/optimal.json`));
  assertEquals([kept.evaluation.sampled.success, kept.evaluation.episodes], [1, 500]);
  const command = "./ponder eval --env EZPoints --policy optimal --episodes 10000 --episodes 500";
  assertEquals(kept.command, command);
  const page = Deno.readTextFileSync(`${temp.path}/results/quick/results.md`);
  assertMatch(page, /\| optimal \(solver\) +\| - +\| - +\| 100\.0 +\| - +\| 99\.2 to 100\.0/);
  // A smoke run leaves the real results and their page alone.
  assertEquals([...Deno.readDirSync(temp.path)].map(({ name }) => name), ["results"]);
  assertEquals([...Deno.readDirSync(`${temp.path}/results`)].map(({ name }) => name), ["quick"]);
});

Deno.test("where every cell is done, the page is written from what is kept", async () => {
  using temp = new TempFolder();
  const cells = [2, 10, 0].map((seed) => cell("NumberLine/default", seed, (8 - seed % 8) / 8));
  for (const cell of cells) writeCell(temp.path, cell);
  const { code, err } = await reproduceIn(temp.path, "--only", "NumberLine/default", "--seeds", "0,2,10");
  assertEquals([code, err], [0, ""]);
  const { markdown, plots } = await resultsPage(cells);
  assertEquals(Deno.readTextFileSync(`${temp.path}/docs/results.md`), markdown);
  for (const [name, svg] of Object.entries(plots)) {
    assertEquals(Deno.readTextFileSync(`${temp.path}/docs/${name}`), svg);
  }
});

Deno.test("results are found by name and seed; other files are left alone", async () => {
  using temp = new TempFolder();
  const cells = [cell("NumberLine/lambda-0.1", 10, 1), cell("NumberLine/random", null, 0.25)];
  for (const cell of cells) writeCell(temp.path, cell);
  for (const name of ["notes.json", "default-s0.json.tmp", "default-sx.json"]) {
    Deno.writeTextFileSync(`${temp.path}/results/NumberLine/${name}`, "{}");
  }
  const found = await readResults({ results: `${temp.path}/results` });
  assertEquals(found.map(({ experiment, seed }) => [idOf(experiment), seed]), [
    ["NumberLine/lambda-0.1", 10],
    ["NumberLine/random", null],
  ]);
  const places = { results: `${temp.path}/results`, runs: `${temp.path}/runs` };
  assertEquals(await cellState(places, cells[0]), "done");
  assertEquals(await cellState(places, { ...cells[0], seed: 1 }), "to run");
});

Deno.test("time left goes by the nearest finished relative of each cell", () => {
  const timed = (id: string, seed: number, total: number) => cell(id, seed, 1, { wall_seconds: { total } });
  const done = [
    timed("NumberLine/default", 0, 100),
    timed("NumberLine/default", 1, 200),
    timed("NumberLine/no-cot", 0, 30),
    timed("EZPoints/default", 0, 1000),
  ];
  const seconds = (id: string, seed: number) =>
    estimateSeconds([{ experiment: experimentOf(id), seed }], done).seconds;
  assertEquals(seconds("NumberLine/default", 1), 200);
  assertEquals(seconds("NumberLine/default", 2), 150);
  assertEquals(seconds("NumberLine/unfrozen", 0), 110);
  assertEquals(seconds("Points24/default", 0), 332.5);
  const cnn = { experiment: experimentOf("NumberLine/cnn"), seed: 0 };
  assertEquals(estimateSeconds([cnn, done[0]], done), { seconds: 100, unknown: 1 });
  // What is assumed counts before other experiments do.
  assertEquals(estimateSeconds([cnn, done[1]], done, () => 7), { seconds: 207, unknown: 0 });
  assertEquals(formatEstimate({ seconds: 100, unknown: 1 }), "about 1 m 40 s and 1 cell of unknown length");
  assertEquals(formatEstimate({ seconds: 0, unknown: 2 }), "unknown");
  assertEquals(formatEstimate({ seconds: 0, unknown: 0 }), "none");
});

Deno.test("a variant of another experiment than the default needs that one's weights, and says how to train them", async () => {
  using temp = new TempFolder();
  const { code, err } = await reproduceIn(temp.path, "--only", "EZPoints/hands-held-out", "--seeds", "0");
  assertEquals(code, 0);
  assertStringIncludes(
    err,
    "runs/results/EZPoints-hands-s0 has no fully trained weights; to train them: " +
      "./ponder train --env EZPoints --seed 0 --env-settings hands=seen --out runs/results/EZPoints-hands-s0",
  );
});

Deno.test("a smoke run has what its variants evaluate, and gives each cell flags that its algorithm takes", async () => {
  const chosen = oneOfEach(experiments);
  for (const experiment of chosen) {
    assert(chosen.includes(trainedBy(experiment)), idOf(experiment));
    if (experiment.command !== "train") continue;
    const algorithm = await algorithmOf(experiment.flags);
    const flags = [...experiment.flags, ...await takenFlags(experiment.flags, QUICK.train)];
    const { given } = parseOptions(flags, optionsOf(algorithm));
    assertEquals(resolveConfig(given, findEnvironment(experiment.environment), algorithm).envSteps, 256);
  }
  assert(chosen.some(({ name }) => name === "algorithm-expert-iteration"));
  assertEquals(oneOfEach([experimentOf("EZPoints/hands-held-out")]).map(idOf), [
    "EZPoints/hands",
    "EZPoints/hands-held-out",
  ]);
});

Deno.test("a cell takes the default's warm start if it would have the same one, and goes on with its own folder", async () => {
  using temp = new TempFolder();
  const places = { results: `${temp.path}/results`, runs: temp.path };
  const cell = { experiment: experimentOf("NumberLine/lambda-0.1"), seed: 3 };
  const own = `${temp.path}/NumberLine-lambda-0.1-s3`;
  const trained = `${temp.path}/NumberLine-default-s3`;
  const write = (folder: string, changes: object) => {
    const settings = { ...settingsOf(resolveConfig({ seed: 3 }, findEnvironment("NumberLine"))), ...changes };
    Deno.mkdirSync(`${folder}/warm_start`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/config.json`, JSON.stringify(settings));
  };
  assertEquals(await startFlags(places, cell), ["--out", own]);
  write(trained, {});
  assertEquals(await startFlags(places, cell), ["--out", own, "--warm-start", trained]);
  // A version that had another warm start, or not yet one of its settings.
  for (const changes of [{ sftSteps: 100 }, { sftDraw: undefined }]) {
    write(trained, changes);
    assertEquals(await startFlags(places, cell), ["--out", own]);
  }
  write(own, { lambda: 0.1 });
  assertEquals(await startFlags(places, cell), ["--out", own, "--resume"]);
  write(own, { lambda: 0.2 });
  assertEquals(await startFlags(places, cell), ["--out", own, "--overwrite"]);
});
