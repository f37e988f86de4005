/** The experiments of the report, what `reproduce` says about them, and the page it writes; nothing is trained. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { makeEnv } from "../../envs/mod.ts";
import { parseOptions, runCommand } from "../../rl/cli/mod.ts";
import { resolveConfig, trainOptions } from "../../rl/config.ts";
import type { EvaluationResult } from "../../rl/evaluation.ts";
import { cellCommand, type Experiment, experiments } from "../../rl/experiments.ts";
import { published } from "../../rl/published.ts";
import { reproduceCommand } from "../../rl/reproduce.ts";
import { type CellResult, resultsPage } from "../../rl/results_page.ts";
import { wilsonInterval } from "../../rl/statistics.ts";
import { outcomeOf, startCommand, TempFolder } from "./tiny_run.ts";

const idOf = ({ environment, name }: Experiment) => `${environment}/${name}`;
const experiment = (id: string) => experiments.find((experiment) => idOf(experiment) === id)!;

/** A finished cell: half the sampled success after SFT, half the curve before the end. */
function cell(id: string, seed: number, success: number, over: Partial<CellResult["summary"]> = {}) {
  const result = (success: number): EvaluationResult => ({
    success,
    ci95: [0, 1],
    goalReached: success,
    meanReturn: 0,
    meanSteps: 2,
    parseRate: 1,
    perception: 0.98,
    faithfulness: 0.875,
  });
  const evaluation = { episodes: 8, sampled: result(success), greedy: result(1) };
  const summary: CellResult["summary"] = {
    command: `./ponder train ${cellCommand(experiment(id), seed).join(" ")}`,
    adapter: "a GPU",
    parameters: 520_000,
    evaluation,
    evaluation_after_sft: { ...evaluation, sampled: result(success / 2) },
    wall_seconds: { total: 90.4 },
    peak_memory_bytes: 600 * 2 ** 20,
    curve: [{ envSteps: 256, success: null }, { envSteps: 512, success: success / 2 }, {
      envSteps: 768,
      success,
    }],
    ...over,
  };
  return { experiment: experiment(id), seed, summary };
}

/** What a page says of one environment. */
function sectionOf(markdown: string, environment: string): string {
  const section = markdown.split(/^## /m).find((text) => text.startsWith(`${environment}\n`));
  assert(section !== undefined, `the page has no section ${environment}`);
  return section;
}

/** The cells of every table line that begins with this title. */
function linesOf(markdown: string, title: string): string[][] {
  const rows = markdown.split("\n").filter((line) => line.startsWith("| "))
    .map((line) => line.split("|").slice(1, -1).map((text) => text.trim()));
  return rows.filter(([first]) => first === title);
}

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

function writeCell(root: string, { experiment, seed, summary }: CellResult): void {
  const folder = `${root}/results/${experiment.environment}`;
  Deno.mkdirSync(folder, { recursive: true });
  Deno.writeTextFileSync(`${folder}/${experiment.name}-s${seed}.json`, JSON.stringify(summary));
}

Deno.test("every experiment has a name of its own and flags that train takes", () => {
  assertEquals(new Set(experiments.map(idOf)).size, experiments.length);
  for (const experiment of experiments) {
    const { given } = parseOptions(cellCommand(experiment, 2), trainOptions);
    const { env, seed } = resolveConfig(given, experiment.environment);
    assertEquals([env, seed], [experiment.environment, 2]);
  }
});

Deno.test("every environment with experiments has published rows, each a percentage", () => {
  for (const { environment } of experiments) assert(environment in published, environment);
  for (const [environment, rows] of Object.entries(published)) {
    assertEquals(makeEnv(environment).name, environment);
    for (const [system, , success] of rows) {
      assert(Number(success) >= 0 && Number(success) <= 100, `${environment}, ${system}: ${success}`);
    }
  }
});

Deno.test("an unknown experiment names the nearest, exit 2", async () => {
  assertEquals(
    await refused("--only", "NumberLine/defalt"),
    'Unknown experiment "NumberLine/defalt": did you mean NumberLine/default?\nSee: deno task reproduce --help\n',
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

Deno.test("--list prints which cells are done and which are to run, and runs nothing", async () => {
  using temp = new TempFolder();
  writeCell(temp.path, cell("NumberLine/default", 1, 1));
  const before = Deno.statSync(`${temp.path}/results`).mtime;
  const { code, out, err } = await reproduceIn(
    temp.path,
    ..."--list --only NumberLine/default,NumberLine/no-cot --seeds 0,1,0".split(" "),
  );
  assertEquals([code, err], [0, ""]);
  assertEquals(out.split("\n"), [
    "to run  results/NumberLine/default-s0.json",
    "done    results/NumberLine/default-s1.json",
    "to run  results/NumberLine/no-cot-s0.json",
    "to run  results/NumberLine/no-cot-s1.json",
    "",
  ]);
  assertEquals([...Deno.readDirSync(temp.path)].map(({ name }) => name), ["results"]);
  assertEquals(Deno.statSync(`${temp.path}/results`).mtime, before);
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

Deno.test("a row has the mean over seeds, the interval of all episodes, and the seeds in order", async () => {
  const cells = [cell("NumberLine/default", 10, 0.5), cell("NumberLine/default", 2, 1)];
  const { markdown } = await resultsPage(cells);
  const [row, ...commands] = linesOf(sectionOf(markdown, "NumberLine"), "SFT + RL");
  const [lo, hi] = wilsonInterval(4 + 8, 16).map((end) => (100 * end).toFixed(1));
  assertEquals(row, [
    "SFT + RL",
    "2",
    "37.5",
    `**75.0** (${lo} to ${hi})`,
    "100.0, 50.0",
    "100.0",
    "75.0",
    "100.0",
    "98.0 / 87.5",
  ]);
  assertEquals(
    commands,
    [[2, "100.0"], [10, "50.0"]].map(([seed, sampled]) => [
      "SFT + RL",
      String(seed),
      sampled,
      "100.0",
      "90 s",
      "600 MiB",
      `\`./ponder train --env NumberLine --seed ${seed}\``,
    ]),
  );
  assertStringIncludes(markdown, "0.52M parameters, on a GPU. ");
});

Deno.test("an experiment without a result is not run, and has no command", async () => {
  const { markdown } = await resultsPage([cell("NumberLine/default", 0, 1)]);
  for (const { environment, name, title } of experiments) {
    const rows = linesOf(sectionOf(markdown, environment), title);
    if (environment === "NumberLine" && name === "default") assertEquals(rows.length, 2);
    else assertEquals(rows, [[title, ...Array(8).fill("not run")]]);
  }
  const nothing = await resultsPage([]);
  assertEquals(nothing.plots, {});
  assert(!nothing.markdown.includes("parameters, on"));
});

Deno.test("a page names every adapter, and leaves out what was not measured", async () => {
  const plain = cell("NumberLine/no-cot", 0, 1);
  const { sampled, greedy } = plain.summary.evaluation;
  const silent = { perception: null, faithfulness: null };
  const { markdown } = await resultsPage([
    cell("NumberLine/no-cot", 0, 1, {
      evaluation: { episodes: 8, sampled: { ...sampled, ...silent }, greedy: { ...greedy, ...silent } },
      peak_memory_bytes: null,
    }),
    cell("NumberLine/default", 0, 1, { adapter: "another" }),
  ]);
  const [row, command] = linesOf(sectionOf(markdown, "NumberLine"), "without chain of thought");
  assertEquals(row.at(-1), "- / -");
  assertEquals(command.at(-2), "-");
  assertEquals(command.at(-1), "`./ponder train --env NumberLine --seed 0 --no-cot`");
  assertStringIncludes(markdown, "on a GPU or another.");
});

Deno.test("learning curves have a line and a colour an experiment, and its mean over seeds", async () => {
  const all = experiments.map((experiment) => cell(idOf(experiment), 0, 1));
  const { markdown, plots } = await resultsPage(all);
  const environments = [...new Set(experiments.map(({ environment }) => environment))];
  assertEquals(Object.keys(plots), environments.map((name) => `${name.toLowerCase()}_curves.svg`));
  assertStringIncludes(markdown, "![Learning curves](numberline_curves.svg)");
  const lines = (svg: string) => [...svg.matchAll(/<path [^>]*aria-roledescription="line mark"[^>]*>/g)];
  const colors = lines(plots["numberline_curves.svg"]).map(([path]) => path.match(/stroke="([^"]+)"/)?.[1]);
  assertEquals(new Set(colors).size, experiments.filter((e) => e.environment === "NumberLine").length);

  const one = await resultsPage([cell("NumberLine/default", 0, 0.5)]);
  const two = await resultsPage([cell("NumberLine/default", 1, 1), cell("NumberLine/default", 0, 0)]);
  assertEquals(two.plots, one.plots);
  assertMatch(one.plots["numberline_curves.svg"], /NumberLine: success of training episodes/);
});

Deno.test("the page is formatted as deno fmt would", async () => {
  const { markdown } = await resultsPage([cell("NumberLine/lambda-0.1", 0, 0.25)]);
  const fmt = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--no-config", "--prose-wrap", "preserve", "--ext", "md", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = fmt.stdin.getWriter();
  await writer.write(new TextEncoder().encode(markdown));
  await writer.close();
  const { stdout, stderr } = await fmt.output();
  assertEquals(new TextDecoder().decode(stdout), markdown, new TextDecoder().decode(stderr));
});
