/** The `eval` command on an untrained run, and on policies without a model. */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { formatShare, runCommand, UsageError } from "../../rl/cli/mod.ts";
import { evalCommand } from "../../commands/eval.ts";
import { evaluationReport, evaluationTable } from "../../rl/report/evaluation.ts";
import { findTrainedRun } from "../../rl/run/trained.ts";
import { gpuTest } from "../gpu.ts";
import { outcomeOf, startCommand, TempFolder, untrainedRun } from "../rl/tiny_run.ts";

const result = {
  success: 0.5,
  ci95: [0.25, 0.75] as const,
  goalReached: 0.875,
  meanReturn: -1,
  meanSteps: 3,
  parseRate: 1,
  perception: null,
  faithfulness: null,
  thoughtDiversity: null,
  thoughtInformation: null,
  panel: "0123456789ab",
  outcomes: "01",
};

Deno.test("the table has a line a policy and a dash for what is not known", () => {
  const table = evaluationTable({ "after RL, greedy": result, other: { ...result, perception: 0.99 } });
  assertEquals(
    table,
    `policy            success    95% interval   goal  parsed  perception  faithful  informed
after RL, greedy    50.0%  25.0% to 75.0%  87.5%  100.0%           -         -         -
other               50.0%  25.0% to 75.0%  87.5%  100.0%       99.0%         -         -`,
  );
});

Deno.test("a note follows the table if many texts held no action", () => {
  const table = evaluationTable({ sampled: result, greedy: { ...result, parseRate: 0.25 } });
  assertStringIncludes(table, "\nNo action was found in 75.0% of the texts: a random one was played instead");
});

Deno.test("the report takes goal and parse rate from sampling, perception from greedy decoding", () => {
  const greedy = { ...result, perception: 0.5, parseRate: 0.1, goalReached: 0.2 };
  const context = { environment: "NumberLine", episodes: 8, seed: 3 };
  assertEquals(evaluationReport({ sampled: result, greedy }, context), {
    ...context,
    sampled: result,
    greedy,
    goal_reached: 0.875,
    parse_rate: 1,
    perception: 0.5,
  });
});

gpuTest("--json puts the result, and nothing else, on stdout; the table is a message", async () => {
  using temp = new TempFolder();
  await untrainedRun(`${temp.path}/runs/a`, { temperature: 0.7 });
  await untrainedRun(`${temp.path}/runs/b`, { temperature: 0.9 });
  // Of a and b, a has the newer checkpoint; c has none.
  Deno.utimeSync(`${temp.path}/runs/b/checkpoint`, 1e9, 1e9);
  Deno.mkdirSync(`${temp.path}/runs/c`);
  const args = ["--episodes", "3", "--json"];
  const { code, out, err } = await outcomeOf(startCommand("eval", args, { cwd: temp.path }));
  assertEquals(code, 0, err);
  assertStringIncludes(err, "Evaluating runs/a, the latest run, on ");
  const { run, temperature, evaluation } = JSON.parse(out);
  assertEquals([run, temperature], ["runs/a", 0.7]);
  const { environment, episodes, seed, sampled, greedy } = evaluation;
  assertEquals([environment, episodes, seed], ["NumberLine", 3, 0]);
  for (const { success, ci95: [lo, hi] } of [sampled, greedy]) {
    assert(0 <= lo && lo <= success && success <= hi && hi <= 1 && hi - lo > 0.3);
  }
  assertStringIncludes(err, `success = return above 0, temperature 0.7, panel ${sampled.panel}\n`);
  assertMatch(err, new RegExp(`^sampled +${formatShare(sampled.success)} `, "m"));
  assertMatch(err, new RegExp(`^greedy +${formatShare(greedy.success)} `, "m"));
});

gpuTest("a bare checkpoint is evaluated as it acts by itself, the table on stdout", async () => {
  using temp = new TempFolder();
  await untrainedRun(`${temp.path}/run`, { preset: "nano", temperature: 0.9, cot: false });
  Deno.renameSync(`${temp.path}/run/checkpoint`, `${temp.path}/weights`);
  const args = [
    ...["--checkpoint", `${temp.path}/weights`, "--env", "NumberLine"],
    ...["--episodes", "1", "--max-new-tokens", "4", "--samples", "2"],
  ];
  const { code, out, err } = await outcomeOf(startCommand("eval", args));
  assertEquals(code, 0, err);
  assertStringIncludes(
    out,
    "NumberLine, 1 held-out episodes, success = return above 0, temperature 0.9, panel ",
  );
  // Two samples of the only deal.
  assertMatch(out, /^2 samples of 1 deals +success +95% interval\nmean by deal .*\npass@1 .*\npass@2 /m);
  assertMatch(out, /^greedy .* - +- +-$/m); // action-only: nothing is perceived
  const find = async (given: { temperature?: number }) => {
    const { config } = await findTrainedRun({
      ...{ checkpoint: `${temp.path}/weights`, given: { env: "NumberLine", ...given } },
    });
    return [config.temperature, config.maxNewTokens];
  };
  assertEquals([await find({}), await find({ temperature: 2 })], [[0.9, 6], [2, 6]]);
});

gpuTest("flags win over the run's settings, which win over the defaults", async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`;
  await untrainedRun(run, { temperature: 0.9 });
  const plain = (await findTrainedRun({ run, given: {} })).config;
  assertEquals([plain.temperature, plain.maxNewTokens, plain.gamma], [0.9, 6, 0.9]);
  const { config } = await findTrainedRun({ run, given: { temperature: 2, env: "gym_cards/NumberLine-v0" } });
  assertEquals([config.temperature, config.maxNewTokens, config.env], [2, 6, "NumberLine"]);
});

gpuTest("weights are never taken to an environment whose words they do not know", async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`;
  await untrainedRun(run);
  await assertRejects(
    () => findTrainedRun({ run, given: { env: "Blackjack" } }),
    UsageError,
    `Cannot use run ${run} in Blackjack: it knows the words of NumberLine only`,
  );
  await assertRejects(
    () => findTrainedRun({ checkpoint: `${run}/checkpoint`, given: {} }),
    UsageError,
    "name the environment with --env",
  );
});

Deno.test("a policy without a model is evaluated without a run, --json on stdout", async () => {
  using temp = new TempFolder();
  const args = ["--policy", "optimal", "--env", "Points24", "--episodes", "50", "--json"];
  const settings = ["--env-settings", "solvableOnly=true"];
  const { code, out, err } = await outcomeOf(
    startCommand("eval", [...args, ...settings], { cwd: temp.path }),
  );
  assertEquals(code, 0, err);
  const { policy, evaluation: { environment, episodes, seed, sampled } } = JSON.parse(out);
  assertEquals([policy, environment, episodes, seed], ["optimal", "Points24", 50, 0]);
  assertEquals([sampled.success, sampled.meanReturn], [1, 10]);
  assertMatch(err, /^optimal +100\.0% /m);
});

Deno.test("a policy without a model takes no weights, exit 2", async () => {
  for (const flags of [["--run", "runs/x"], ["--checkpoint", "x"], ["--temperature", "1"]]) {
    let message = "";
    const console = { out: () => {}, err: (text: string) => void (message += text) };
    assertEquals(await runCommand(evalCommand, ["--policy", "random", ...flags], { console }), 2);
    assertStringIncludes(message, `Cannot use ${flags[0]} with --policy random: it has no model`);
  }
});
