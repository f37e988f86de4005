/** The report: its tables, its curves, what it says of cells without a result. */
import { assert, assertAlmostEquals, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ENV_NAMES } from "../../../envs/mod.ts";
import { peakSuccess, smoothedSuccess } from "../../../rl/report/curves.ts";
import { normalisedScores } from "../../../rl/report/aggregate.ts";
import { changes, LATEST } from "../../../rl/report/changes.ts";
import { experiments } from "../../../rl/report/experiments.ts";
import { resultsPage } from "../../../rl/report/page.ts";
import { published, RL4VLM } from "../../../rl/report/published.ts";
import { studentInterval } from "../../../rl/report/statistics.ts";
import { wilsonInterval } from "../../../rl/statistics.ts";
import { cell, experimentOf, idOf, resultOf } from "./result_cells.ts";

/** What a page says of one environment, under a heading where one is named. */
function sectionOf(markdown: string, environment: string, heading?: string): string {
  const section = markdown.split(/^## /m).find((text) => text.startsWith(`${environment}\n`));
  assert(section !== undefined, `the page has no section ${environment}`);
  if (heading === undefined) return section.split(/^### /m)[0];
  const part = section.split(/^### /m).find((text) => text.startsWith(`${heading}\n`));
  assert(part !== undefined, `${environment} has no section ${heading}`);
  return part;
}

/** The cells of the table line that begins with this title, by column. */
function rowOf(section: string, title: string): Record<string, string> {
  const lines = section.split("\n").filter((line) => line.startsWith("| "))
    .map((line) => line.split("|").slice(1, -1).map((text) => text.trim()));
  const row = lines.find(([first]) => first === title);
  assert(row !== undefined, `no row ${title} in\n${section}`);
  return Object.fromEntries(lines[0].map((column, i) => [column, row[i]]));
}

const share = (value: number) => (100 * value).toFixed(1);

Deno.test("published rows are percentages of known environments, the overview's among them", () => {
  for (const [environment, rows = []] of Object.entries(published)) {
    assert(ENV_NAMES.includes(environment), environment);
    for (const { system, success } of rows) {
      assert(success >= 0 && success <= 100, `${environment}, ${system}: ${success}`);
    }
    assert(rows.some(({ system }) => system === RL4VLM));
  }
});

Deno.test("a row has the mean over seeds, both intervals, and the seeds in order", async () => {
  const cells = [[10, 0.5], [2, 1], [3, 0.75]].map(([seed, success]) =>
    cell("NumberLine/default", seed, success)
  );
  const { markdown } = await resultsPage(cells);
  const episodes = wilsonInterval(6, 8).map(share).join(" to ");
  const [lo, hi] = studentInterval([0.5, 1, 0.75]);
  assert(hi > 1, "the interval has to be cut at 100");
  const row = {
    size: "0.52M",
    seeds: "3",
    success: "75.0",
    "95%, seeds": `${share(lo)} to 100.0`,
    "95%, episodes": episodes,
    "by seed": "100.0, 75.0, 50.0",
    greedy: "100.0",
    goal: "75.0",
    peak: "75.0",
  };
  const main = sectionOf(markdown, "NumberLine");
  assertEquals(rowOf(main, "SFT + RL"), { policy: "SFT + RL", ...row });
  const sft = rowOf(main, "SFT only");
  assertEquals([sft.success, sft.greedy, sft.peak], ["37.5", "25.0", "-"]);
  const { size: _, ...compared } = row;
  assertEquals(rowOf(sectionOf(markdown, "NumberLine", "Ablations"), "SFT + RL"), {
    experiment: "SFT + RL",
    "after SFT": "37.5",
    "after SFT, greedy": "25.0",
    parsed: "100.0",
    // Of eight iterations the last four succeed 1, 1, 1, 1 times the seed's share: only one seed's ever gets to 95%.
    "steps to 95%": "2048 (1 of 3 seeds)",
    ...compared,
  });
  const lambda = rowOf(
    sectionOf(markdown, "NumberLine", "Weight of the thought: lambda"),
    "lambda 0.5 (default)",
  );
  assertEquals(lambda["by seed"], "100.0, 75.0, 50.0");
});

Deno.test("two seeds have an interval of their episodes and none over seeds", async () => {
  const { markdown } = await resultsPage([0, 1].map((seed) => cell("NumberLine/default", seed, 0.5)));
  const row = rowOf(sectionOf(markdown, "NumberLine"), "SFT + RL");
  assertEquals([row["95%, seeds"], row["95%, episodes"]], [
    "-",
    wilsonInterval(4, 8).map(share).join(" to "),
  ]);
});

Deno.test("policies without a model have no seeds and no size, published rows a size and one number", async () => {
  const random = cell("Blackjack/random", null, 0.25, {
    evaluation: { episodes: 8, sampled: resultOf(0.25) },
    parameters: undefined,
    adapter: undefined,
    curve: undefined,
  });
  const { markdown } = await resultsPage([random]);
  const main = sectionOf(markdown, "Blackjack");
  const row = rowOf(main, "random");
  assertEquals([row.size, row.seeds, row.success, row["by seed"], row.greedy], [
    "-",
    "-",
    "25.0",
    "-",
    "-",
  ]);
  // What the paper reports of trained policies is a peak.
  const [trained, other] = ["RL4VLM, published", "GPT4-V, published"].map((name) => rowOf(main, name));
  assertEquals([trained.size, trained.success, trained.peak], ["7B", "-", "40.2"]);
  assertEquals([other.size, other.success, other.peak], ["-", "25.5", "-"]);
  assertEquals(rowOf(main, "optimal, all deals (exact)").success, "43.2");
  assertEquals(
    rowOf(sectionOf(markdown, "Points24"), "optimal in plain arithmetic, all deals (exact)").success,
    "73.1",
  );
});

Deno.test("what was not run says so, once in each table, and its command is there", async () => {
  const { markdown, plots } = await resultsPage([]);
  assertEquals(plots, {});
  for (const { environment, title } of experiments) {
    const { success, command } = rowOf(sectionOf(markdown, environment, "Commands"), title);
    assertEquals(success, "not run");
    assertMatch(command, new RegExp(`^\`\\./ponder (train|baseline|eval) .*${environment}.*\`$`));
  }
  const overview = rowOf(markdown.split(/^## /m)[0], "Points24");
  assertEquals(overview["SFT + RL"], "not run");
  assertEquals(overview["RL4VLM (7B), peak"], "2.3");
});

Deno.test("missing seeds say so, and the overview counts those there are", async () => {
  const { markdown } = await resultsPage([cell("Points24/no-cot", 0, 0.5), cell("Points24/default", 1, 0.5)]);
  assertEquals(rowOf(markdown.split(/^## /m)[0], "Points24")["SFT + RL"], "**50.0 (1 of 3 seeds)**");
  const lines = sectionOf(markdown, "Points24", "Commands").split("\n")
    .filter((line) => line.startsWith("| without chain of thought"))
    .map((line) => line.split("|").slice(2, 4).map((text) => text.trim()));
  assertEquals(lines, [["0", "50.0"], ["1", "not run"], ["2", "not run"]]);
});

Deno.test("a run whose kept time lacks the warm start says so", async () => {
  const wallOf = async (wall_seconds: { total: number; sft?: number }, over = {}) => {
    const { markdown } = await resultsPage([cell("EZPoints/default", 0, 1, { wall_seconds, ...over })]);
    return rowOf(sectionOf(markdown, "EZPoints", "Commands"), "SFT + RL").wall;
  };
  assertEquals(await wallOf({ total: 60, sft: 0 }), "1 m 00 s, RL only");
  assertEquals(await wallOf({ total: 60, sft: 20 }), "1 m 00 s");
  assertEquals(await wallOf({ total: 60, sft: 0 }, { evaluation_after_sft: null }), "1 m 00 s");
});

Deno.test("a task whose training differs from its evaluation says so", async () => {
  const { markdown } = await resultsPage([]);
  const sections = markdown.split(/^## /m).filter((section) => section.includes("The VLM trains with"));
  assertEquals(sections.map((section) => section.split("\n")[0]), ["Points24"]);
  assertStringIncludes(sections[0], "`solvableOnly=true`");
});

Deno.test("the overview has a line a task with the success of each kind of policy", async () => {
  const { markdown } = await resultsPage([
    cell("EZPoints/default", 0, 1),
    cell("EZPoints/clean", 0, 0.125),
    cell("EZPoints/cnn", 0, 0, { evaluation_after_sft: null }),
  ]);
  assertEquals(rowOf(markdown.split(/^## /m)[0], "EZPoints"), {
    task: "EZPoints",
    random: "not run",
    "SFT only": "50.0",
    "SFT only, greedy": "25.0",
    "clean SFT": "12.5 (1 of 5 seeds)",
    "SFT + RL": "**100.0 (1 of 5 seeds)**",
    "SFT + RL, greedy": "100.0",
    "SFT + RL, peak": "100.0",
    "CNN + RL": "0.0 (1 of 5 seeds)",
    "CNN, cloned + RL": "not run",
    optimal: "not run",
    "RL4VLM (7B), peak": "50.0",
  });
});

Deno.test("quality of thoughts: what was measured, and a dash in results from before it was", async () => {
  const quality = async (over: Parameters<typeof cell>[3]) => {
    const { markdown } = await resultsPage([cell("NumberLine/default", 0, 1, over)]);
    return rowOf(sectionOf(markdown, "NumberLine", "Quality of thoughts"), "SFT + RL");
  };
  assertEquals(await quality({}), {
    experiment: "SFT + RL",
    seeds: "1",
    perception: "98.0",
    "perception, greedy": "98.0",
    "faithful after SFT": "87.5",
    faithful: "87.5",
    "greedy: faithful after SFT": "87.5",
    "greedy: faithful": "87.5",
    "thoughts per state": "1.25",
    informed: "90.0",
    alarms: "1",
  });
  const { thoughtDiversity: _, thoughtInformation: __, panel: ___, outcomes: ____, ...sampled } = resultOf(1);
  const old = await quality({
    evaluation: { episodes: 8, sampled, greedy: sampled },
    curve: [{ envSteps: 256, success: 1 }],
  });
  assertEquals([old["thoughts per state"], old.informed, old.alarms], ["-", "-", "-"]);
});

Deno.test("variants stand below the environment as trained", async () => {
  const { markdown } = await resultsPage([
    cell("NumberLine/default", 0, 1),
    cell("NumberLine/ood-max-20", 0, 0.25, { curve: undefined }),
  ]);
  const section = sectionOf(markdown, "NumberLine", "Out of distribution");
  assertEquals(rowOf(section, "as trained").success, "100.0");
  assertEquals(rowOf(section, "numbers to 20").success, "25.0");
  assertEquals(rowOf(section, "numbers to 50").success, "not run");
  assertStringIncludes(
    markdown,
    "`./ponder eval --run runs/results/NumberLine-default-s0 --env-settings maxPosition=20`",
  );
});

Deno.test("a smoothed point weighs four iterations by their episodes, and the peak is over whole windows", () => {
  const point = (success: number | null, episodes?: number) => ({ envSteps: 1, success, episodes });
  const curve = [point(1, 1), point(0, 3), point(null, 0), point(0.5, 4), point(0, 8), point(1, 3)];
  assertEquals(smoothedSuccess(curve), [1, 0.25, 0.25, 3 / 8, 2 / 15, 5 / 15]);
  assertEquals(peakSuccess(curve), 3 / 8);
  // Without counts each iteration weighs the same.
  assertAlmostEquals(smoothedSuccess([point(1), point(null), point(0), point(0.5)])[3], 0.5);
  assertEquals(peakSuccess(curve.slice(0, 3)), null);
});

Deno.test("learning curves have a line and a colour an experiment, a band over seeds, lambda apart", async () => {
  const trained = experiments.filter(({ command }) => command === "train" || command === "baseline");
  const { markdown, plots } = await resultsPage(trained.map((experiment) => cell(idOf(experiment), 0, 1)));
  assertEquals(
    Object.keys(plots).sort(),
    [
      ...["blackjack_curves", "ezpoints_curves", "ezpoints_lambda", "household_curves"],
      ...["numberline_curves", "numberline_lambda", "points24_curves"],
    ].map((name) => `${name}.svg`),
  );
  assertStringIncludes(markdown, "![Learning curves](numberline_curves.svg)");
  const lines = (svg: string) => [...svg.matchAll(/<path [^>]*aria-roledescription="line mark"[^>]*>/g)];
  const colors = (name: string) =>
    new Set(lines(plots[name]).map(([path]) => path.match(/stroke="([^"]+)"/)?.[1]));
  assertEquals(colors("numberline_curves.svg").size, 6);
  // The default among four others.
  assertEquals(colors("numberline_lambda.svg").size, 5);

  const one = await resultsPage([cell("NumberLine/default", 0, 0.5)]);
  const two = await resultsPage([cell("NumberLine/default", 1, 1), cell("NumberLine/default", 0, 0)]);
  const areas = (svg: string) => [...svg.matchAll(/aria-roledescription="area mark"/g)].length;
  const [first, second] = [one, two].map(({ plots }) => plots["numberline_curves.svg"]);
  assert(areas(second) > areas(first));
  const shape = (svg: string) => lines(svg).map(([path]) => path.match(/ d="([^"]+)"/)?.[1]);
  assertEquals(shape(second), shape(first));
});

Deno.test("a cell names the changes that it is from before, and one made now names none", async () => {
  const olderThan = async (id: string, version?: number) => {
    const { markdown } = await resultsPage([cell(id, 0, 1, { version })]);
    const { environment, title } = experimentOf(id);
    return rowOf(sectionOf(markdown, environment, "Commands"), title)["older than"];
  };
  assertEquals(await olderThan("NumberLine/default"), "1, 3, 4");
  assertEquals(await olderThan("EZPoints/cnn"), "2, 3");
  assertEquals(await olderThan("EZPoints/cnn", 2), "3");
  assertEquals(await olderThan("NumberLine/default", LATEST), "-");
  assertEquals(changes.map(({ version }) => version), changes.map((_, i) => i + 1));
});

Deno.test("a mean never mixes cells of different rules: the newest are in the tables, all in the list of commands", async () => {
  const cells = [cell("NumberLine/default", 0, 0.5, { version: 0 }), cell("NumberLine/default", 1, 1)];
  const { markdown } = await resultsPage(cells);
  assertEquals(rowOf(sectionOf(markdown, "NumberLine"), "SFT + RL").success, "100.0");
  const lines = sectionOf(markdown, "NumberLine", "Commands").split("\n").filter((l) =>
    l.startsWith("| SFT + RL ")
  );
  assertEquals(lines.map((line) => line.split("|")[3].trim()).slice(0, 2), ["50.0", "100.0"]);
  const old = await resultsPage(cells.slice(0, 1));
  assertEquals(rowOf(sectionOf(old.markdown, "NumberLine"), "SFT + RL (older)").success, "50.0");
  assertStringIncludes(
    rowOf(old.markdown.split(/^## /m)[0], "NumberLine")["SFT + RL"],
    "(1 of 10 seeds, older)",
  );
});

Deno.test("aggregates are over the tasks that all rows were run on, 0 as random play and 100 as the solver", async () => {
  const policy = (id: string, success: number) =>
    cell(id, null, success, { evaluation: { episodes: 8, sampled: resultOf(success) }, curve: undefined });
  const cells = [
    ...[policy("NumberLine/random", 0.25), policy("NumberLine/optimal", 0.75)],
    ...[0, 1, 2].map((seed) => cell("NumberLine/default", seed, 0.5)),
    ...[0, 1, 2].map((seed) => cell("NumberLine/cnn", seed, 0.75)),
    cell("EZPoints/default", 0, 1),
  ];
  assertEquals([...normalisedScores(cells, "cnn", ({ evaluation }) => evaluation.sampled.success)], [
    ["NumberLine", [100, 100, 100]],
  ]);
  const { markdown } = await resultsPage(cells);
  const row = rowOf(markdown.split("interquartile mean")[1], "CNN + RL");
  assertEquals([row.tasks, row.runs, row.IQM, row["P(better than SFT only)"]], ["1", "3", "100.0", "1.00"]);
});

Deno.test("the page is formatted as deno fmt would", async () => {
  const { markdown } = await resultsPage([
    cell("NumberLine/lambda-0.1", 0, 0.25),
    cell("NumberLine/random", null, 0.25),
  ]);
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

Deno.test("exact credit is a mean over iterations and seeds, regret one of the first two and of the last two", async () => {
  const point = (i: number, advantageCosine: number | null, regret: number) => ({
    ...{ envSteps: 512 * (i + 1), success: 1, advantageCosine, regret },
  });
  const curve = [point(0, 0.5, 1), point(1, null, 0.5), point(2, 0.75, 0.25), point(3, 1, 0.25)];
  const { markdown } = await resultsPage(
    [0, 1].map((seed) => cell("NumberLine/credit-rloo", seed, 1, { curve })),
  );
  const section = sectionOf(markdown, "NumberLine", "Credit against exact values");
  assertEquals(rowOf(section, "rloo"), {
    ...{ algorithm: "rloo", seeds: "2", cosine: "0.75", "regret at first": "0.75" },
    ...{ "regret at last": "0.25", "environment steps": "2048" },
  });
  assertEquals(rowOf(section, "ppo").cosine, "not run");
});

Deno.test("what was held out stands beside what was seen", async () => {
  const { markdown } = await resultsPage([
    cell("NumberLine/pairs", 0, 1),
    cell("NumberLine/pairs-held-out", 0, 0.5, { curve: undefined, evaluation_after_sft: undefined }),
    cell("Points24/optimal-joined", null, 0.75, { evaluation: { episodes: 8, sampled: resultOf(0.75) } }),
  ]);
  const section = sectionOf(markdown, "NumberLine", "Generalisation");
  assertEquals(rowOf(section, "pairs held out, on those seen").success, "100.0");
  assertEquals(rowOf(section, "pairs held out, on these").success, "50.0");
  assertEquals(rowOf(sectionOf(markdown, "Points24"), "optimal with joined digits (solver)").success, "75.0");
});
