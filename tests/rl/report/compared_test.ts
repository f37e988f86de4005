/** Comparisons of runs, results and experiments; nothing is trained. */
import {
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { UsageError } from "../../../rl/cli/mod.ts";
import { compare, type Compared, comparisonLines, findCompared } from "../../../rl/report/compared.ts";
import { outcomeOf, startCommand, TempFolder } from "../tiny_run.ts";
import { cell, resultOf, writeCell } from "./result_cells.ts";

const policy = (
  name: string,
  runs: readonly (readonly [seed: number, outcomes: string, panel?: string])[],
): Compared => ({
  name,
  runs: new Map(runs.map(([seed, outcomes, panel = "a"]) => {
    const success = Array.from(outcomes).filter((digit) => digit === "1").length / outcomes.length;
    return [seed, { ...resultOf(success), outcomes, panel }];
  })),
});

Deno.test("one run against another is paired by episode, whatever their seeds", () => {
  const { seeds, episodes, difference, overSeeds, overEpisodes, improvement } = compare(
    policy("a", [[0, "0010"]]),
    policy("b", [[7, "0111"]]),
  );
  assertEquals([seeds, episodes, difference, overSeeds, improvement], [1, 4, 0.5, null, 1]);
  assertAlmostEquals(overEpisodes![0], 0.5 - 1.959964 * Math.sqrt(1 / 12), 1e-12);
});

Deno.test("experiments are paired by the seeds that both have, and have an interval over three or more", () => {
  const a = policy("a", [[0, "0010"], [1, "0000"], [2, "1000"], [9, "1111"]]);
  const b = policy("b", [[0, "0110"], [1, "0100"], [2, "1100"], [3, "0000"]]);
  const result = compare(a, b);
  assertEquals([result.seeds, result.difference, result.overSeeds], [3, 0.25, [0.25, 0.25]]);
  // Of (1/4, 0, 1/4) and (1/2, 1/4, 1/2): 7 of 9 pairs are won and 2 are ties.
  assertAlmostEquals(result.improvement, 8 / 9, 1e-12);
  assertStringIncludes(comparisonLines([result]), "+25.0");
});

Deno.test("other deals, and no seed in common, are refused", () => {
  assertThrows(
    () => compare(policy("a", [[0, "01", "a"]]), policy("b", [[0, "01", "b"]])),
    UsageError,
    "they played other deals (panels a and b)",
  );
  const two = (seeds: readonly number[]) => policy("x", seeds.map((seed) => [seed, "01"]));
  assertThrows(() => compare(two([0, 1]), two([2, 3])), UsageError, "they share no seed");
});

Deno.test("results from before outcomes were kept compare by seed alone", () => {
  const old = (success: number): Compared => {
    const { panel: _, outcomes: __, ...result } = resultOf(success);
    return { name: "old", runs: new Map([[0, result]]) };
  };
  const { episodes, overEpisodes, difference } = compare(old(0.5), policy("b", [[0, "0111"]]));
  assertEquals([episodes, overEpisodes, difference], [null, null, 0.25]);
});

Deno.test("names stand for experiments, result files and run folders; anything else is refused", async () => {
  using temp = new TempFolder();
  for (const seed of [0, 1]) writeCell(temp.path, cell("NumberLine/default", seed, 0.5));
  const places = { results: `${temp.path}/results` };
  const experiment = await findCompared("NumberLine/default", "sampled", places);
  assertEquals([...experiment.runs.keys()], [0, 1]);
  const file = `${places.results}/NumberLine/default-s1.json`;
  assertEquals([...(await findCompared(file, "after SFT, greedy", places)).runs.values()][0].success, 0.25);
  for (const name of ["NumberLine/lambda-0.1", "nowhere", `${temp.path}/results/none.json`]) {
    await assertRejects(() => findCompared(name, "sampled", places), UsageError, "Cannot compare");
  }
});

Deno.test("the command compares with the first one named, and needs two", async () => {
  using temp = new TempFolder();
  writeCell(temp.path, cell("NumberLine/default", 0, 1));
  writeCell(temp.path, cell("NumberLine/no-cot", 0, 0.5));
  const run = (...args: string[]) => outcomeOf(startCommand("compare", args, { cwd: temp.path }));
  const { code, out } = await run("NumberLine/no-cot", "NumberLine/default", "--json");
  assertEquals(code, 0);
  const [{ a, b, difference, episodes }] = JSON.parse(out);
  assertEquals([a, b, difference, episodes], ["NumberLine/no-cot", "NumberLine/default", 0.5, 8]);
  const alone = await run("NumberLine/default");
  assertEquals(alone.code, 2);
  assertStringIncludes(alone.err, "Cannot compare fewer than two");
});

Deno.test("a policy against itself differs by nothing, and is as likely to be better as worse", () => {
  const same = policy("a", [[0, "0010"], [1, "0110"], [2, "1110"]]);
  const { difference, improvement, overSeeds, overEpisodes } = compare(same, same);
  assertEquals([difference, improvement, overSeeds, overEpisodes], [0, 0.5, [0, 0], [0, 0]]);
  assertEquals(compare(policy("a", [[0, "1"]]), policy("a", [[0, "1"]])).overEpisodes, null);
});

Deno.test("policies of different environments are refused, also from before panels were kept", () => {
  const of = (environment: string): Compared => {
    const { panel: _, outcomes: __, ...result } = resultOf(0.5);
    return { name: environment, runs: new Map([[0, { ...result, environment }]]) };
  };
  assertThrows(() => compare(of("NumberLine"), of("Blackjack")), UsageError, "NumberLine and Blackjack");
});

Deno.test("several samples of a deal count as one pair, against as many samples or one", () => {
  const sampled = (name: string, outcomes: string): Compared => ({
    name,
    runs: new Map([[0, { ...resultOf(0.5), panel: "a", outcomes, deals: 4 }]]),
  });
  const [many, one] = [sampled("many", "11010011"), sampled("one", "1011")];
  assertEquals(compare(many, many).episodes, 4);
  const { episodes, overEpisodes } = compare(one, many);
  assertEquals(episodes, 4);
  // Shares 1, 1/2, 0, 1 less 1, 0, 1, 1: differences 0, 1/2, -1, 0, whose squared deviations sum to 19/16.
  assertAlmostEquals(overEpisodes![0], -1 / 8 - 1.959964 * Math.sqrt(19 / 16 / 3 / 4), 1e-12);
});

Deno.test("seeds that played different numbers of episodes have no interval over episodes", () => {
  const uneven = policy("a", [[0, "0011"], [1, "01"]]);
  assertEquals(compare(uneven, uneven).overEpisodes, null);
});
