/** What commands say, and exit with, when they are called wrongly or cannot go on. */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { type Command, type Options, runCommand, toFlag } from "../../rl/cli/mod.ts";
import { evalCommand } from "../../commands/eval.ts";
import { playCommand } from "../../commands/play.ts";
import { trainCommand } from "../../commands/train.ts";
import { gpuTest } from "../gpu.ts";
import { outcomeOf, startCommand, TempFolder, TINY_FLAGS, untrainedRun } from "../rl/tiny_run.ts";

/** Runs a command in this process, for calls that end before it prints anything itself. */
async function call<O extends Options>(command: Command<O>, ...args: string[]) {
  let out = "", err = "";
  const console = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const code = await runCommand(command, args, { console });
  return { code, out, err };
}

Deno.test("--help shows every option of every command on stdout", async () => {
  const helps = [
    { command: trainCommand, help: await call(trainCommand, "--help") },
    { command: evalCommand, help: await call(evalCommand, "--help") },
    { command: playCommand, help: await call(playCommand, "-h") },
  ];
  for (const { command, help: { code, out, err } } of helps) {
    assertEquals([code, err], [0, ""]);
    assertStringIncludes(out, `Usage: ${command.command} [OPTION...]`);
    for (const name of Object.keys(command.options)) {
      assertMatch(out, new RegExp(`--(no-)?${toFlag(name)}\\b`));
    }
  }
});

Deno.test("an unknown flag names the nearest, exit 2", async () => {
  const { code, err } = await call(trainCommand, "--lamda", "0.3");
  assertEquals(err, "Unknown flag --lamda: did you mean --lambda?\nSee: ./ponder train --help\n");
  assertEquals(code, 2);
  assertStringIncludes((await call(evalCommand, "--episode", "3")).err, "did you mean --episodes?");
  assertStringIncludes((await call(playCommand, "--gredy")).err, "did you mean --greedy?");
});

Deno.test("an unknown environment names the nearest, exit 2", async () => {
  const { code, err } = await call(trainCommand, "--env", "NumberLin");
  assertStringIncludes(err, 'Cannot make environment "NumberLin": no such name, did you mean "NumberLine"?');
  assertEquals(code, 2);
  const checkpoint = await call(evalCommand, "--checkpoint", "nowhere", "--env", "numberline");
  assertStringIncludes(checkpoint.err, 'did you mean "NumberLine"?');
  assertEquals(checkpoint.code, 2);
});

Deno.test("settings that cannot go together are refused before anything is written, exit 2", async () => {
  using temp = new TempFolder();
  const out = `${temp.path}/run`;
  const cases: [args: string[], message: string][] = [
    [
      ["--minibatch", "100"],
      "--minibatch 100 must divide the 256 steps of an iteration (--envs 32 x --rollout-steps 8)",
    ],
    [["--minibatch", "512"], "--minibatch 512 must divide the 256 steps"],
    [["--freeze", "head,noose"], 'Cannot use --freeze: unknown kind "noose", known: matrix, head,'],
    [["--freeze", "none,head"], 'unknown kind "none"'],
    [["--lambda", "1.5"], "--lambda must be from 0 to 1, got 1.5"],
    [["--seed", "x"], '--seed needs an integer, got "x"'],
    [["--preset", "nanoo"], "did you mean nano?"],
  ];
  for (const [args, message] of cases) {
    const { code, err } = await call(trainCommand, "--out", out, ...args);
    assertStringIncludes(err, message);
    assertEquals(code, 2, args.join(" "));
  }
  assertEquals([...Deno.readDirSync(temp.path)], []);
});

gpuTest("sizes that no machine has are refused before anything is written, exit 2", async () => {
  using temp = new TempFolder();
  for (
    const [args, message] of [
      [["--envs", "1000000"], "Cannot train with --envs 1000000"],
      [
        ["--demonstrations", "10000000000"],
        "Cannot train with --demonstrations 10000000000: demonstrations take",
      ],
      [["--policy", "cnn", "--envs", "10000000"], "Cannot train with --envs 10000000"],
      [
        ["--algorithm", "grpo", "--groups", "1000000000"],
        "Cannot train with --groups 1000000000 --group-size 8: an iteration's steps take",
      ],
    ] as const
  ) {
    const { code, err } = await call(trainCommand, "--out", `${temp.path}/run`, ...args);
    assertStringIncludes(err, message);
    assertEquals(code, 2);
  }
  assertEquals([...Deno.readDirSync(temp.path)], []);
});

gpuTest("a run that is there is neither replaced nor resumed unasked", async () => {
  using temp = new TempFolder();
  const out = `${temp.path}/run`;
  await untrainedRun(out);
  const before = Deno.readTextFileSync(`${out}/config.json`);
  const exists = await call(trainCommand, "--out", out);
  assertStringIncludes(
    exists.err,
    `Cannot write ${out}: it exists, pass --overwrite to replace it or --resume to go on`,
  );
  assertEquals(exists.code, 1);
  const both = await call(trainCommand, "--out", out, "--overwrite", "--resume");
  assertStringIncludes(both.err, "Cannot use --overwrite and --resume together");
  assertEquals(both.code, 2);
  assertEquals(Deno.readTextFileSync(`${out}/config.json`), before);
});

gpuTest("--resume needs a run, and its settings", async () => {
  using temp = new TempFolder();
  const missing = await call(trainCommand, "--out", `${temp.path}/none`, "--resume");
  assertStringIncludes(
    missing.err,
    `Cannot resume ${temp.path}/none: there is no such folder, leave out --resume`,
  );
  assertEquals(missing.code, 1);
  assertEquals([...Deno.readDirSync(temp.path)], []);

  const out = `${temp.path}/run`;
  await untrainedRun(out);
  const changed = await call(trainCommand, "--out", out, "--resume", "--lambda", "0.9", "--sft-steps", "5");
  assertStringIncludes(
    changed.err,
    "Cannot resume with other settings: sftSteps (was 4, now 5), lambda (was 0.5, now 0.9); leave those flags out",
  );
  assertEquals(changed.code, 2);

  const config = JSON.parse(Deno.readTextFileSync(`${out}/config.json`));
  const { lambda: _, ...older } = config;
  Deno.writeTextFileSync(`${out}/config.json`, JSON.stringify(older));
  const foreign = await call(trainCommand, "--out", out, "--resume");
  assertStringIncludes(foreign.err, "it is of another version or command, which has other settings (lambda)");
  assertEquals(foreign.code, 2);
});

gpuTest("--overwrite and --resume both refuse folders that are no run", async () => {
  using temp = new TempFolder();
  Deno.writeTextFileSync(`${temp.path}/thesis.tex`, "precious");
  const overwrite = await call(trainCommand, "--out", temp.path, "--overwrite");
  assertStringIncludes(overwrite.err, `Cannot overwrite ${temp.path}: it holds thesis.tex`);
  assertEquals(overwrite.code, 1);
  assertEquals((await call(trainCommand, "--out", temp.path, "--resume")).code, 1);
  const plain = await call(trainCommand, "--out", temp.path);
  assertStringIncludes(plain.err, `Cannot write ${temp.path}: it holds something else than a run`);
  assertEquals(Deno.readTextFileSync(`${temp.path}/thesis.tex`), "precious");
});

Deno.test("eval and play say what is missing, exit 1", async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`;
  const both = [
    (path: string) => call(evalCommand, "--run", path),
    (path: string) => call(playCommand, "--run", path),
  ];
  for (const callWith of both) {
    const missing = await callWith(run);
    assertEquals(missing, {
      code: 1,
      out: "",
      err: `Cannot open run ${run}: no such folder, check the path\n`,
    });
    const empty = await callWith(temp.path);
    assertStringIncludes(empty.err, "it has no config.json, name the folder of a run");
  }
  Deno.mkdirSync(run);
  Deno.writeTextFileSync(`${run}/config.json`, "{}");
  const early = await call(playCommand, "--run", run);
  assertStringIncludes(early.err, `Cannot use run ${run}: it has no checkpoint yet`);
  assertEquals(early.code, 1);
  const two = await call(evalCommand, "--run", run, "--checkpoint", run);
  assertStringIncludes(two.err, "Cannot use --run and --checkpoint together");
  assertEquals(two.code, 2);
  Deno.writeTextFileSync(`${run}/config.json`, '{"temperature": "hot"}');
  const hot = await call(playCommand, "--run", run);
  assertStringIncludes(hot.err, `Cannot use ${run}/config.json: "temperature" needs a number, got "hot"`);
  assertEquals(hot.code, 1);
});

gpuTest(
  "a warm start that would be another, or is not there, is refused before anything is written",
  async () => {
    using temp = new TempFolder();
    const run = `${temp.path}/run`, out = `${temp.path}/out`;
    await untrainedRun(run);
    const start = (...args: string[]) =>
      call(trainCommand, ...TINY_FLAGS, "--out", out, "--warm-start", run, ...args);
    const other = await start("--sft-steps=5", "--gamma=0.5", "--lambda=0.9", "--clip=0.1");
    assertStringIncludes(
      other.err,
      `Cannot take the warm start of ${run}, whose settings were others: gamma (was 0.9, now 0.5), ` +
        "sftSteps (was 4, now 5); use the same",
    );
    assertEquals(other.code, 2);
    const none = await start("--lambda=0.9");
    assertStringIncludes(none.err, `Cannot begin from ${run}: it has no warm_start folder`);
    assertEquals(none.code, 1);
    const nowhere = await call(trainCommand, "--out", out, "--warm-start", `${temp.path}/x`);
    assertStringIncludes(nowhere.err, `Cannot open run ${temp.path}/x: no such folder`);
    assertEquals((await start("--resume")).code, 1, "there is no run to resume");
    assertEquals((await call(trainCommand, "--resume", "--warm-start", run, "--out", run)).code, 2);
    assertThrows(() => Deno.statSync(out), Deno.errors.NotFound);
  },
);

gpuTest("a checkpoint that does not fit or is broken is refused by name, exit 1", async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`, checkpoint = `${run}/checkpoint`;
  await untrainedRun(run);
  const config = JSON.parse(Deno.readTextFileSync(`${checkpoint}/config.json`));
  const weights = Deno.readFileSync(`${checkpoint}/model.safetensors`);
  // A bare checkpoint: a run's files are held to their digests before they are read.
  const bare = ["--checkpoint", checkpoint, "--env", "NumberLine"];
  const evaluate = () => call(evalCommand, ...bare, "--episodes", "1");
  Deno.removeSync(`${checkpoint}/manifest.json`);

  Deno.writeTextFileSync(`${checkpoint}/config.json`, JSON.stringify({ ...config, valueWidth: 64 }));
  const other = await evaluate();
  assertMatch(
    other.err,
    /^Cannot load tensor value_head\.up\.weight: .* as \(32, 32\), the model as \(32, 64\)/,
  );
  assertEquals(other.code, 1);

  Deno.writeTextFileSync(`${checkpoint}/config.json`, JSON.stringify({ ...config, heads: 7 }));
  assertStringIncludes(
    (await evaluate()).err,
    "Cannot use this model: width (32) must be a multiple of heads (7)",
  );
  Deno.writeTextFileSync(`${checkpoint}/config.json`, "{}");
  assertEquals((await evaluate()).code, 1);

  Deno.writeTextFileSync(`${checkpoint}/config.json`, JSON.stringify(config));
  for (const bytes of [0, 7, 100, weights.length - 4]) {
    Deno.writeFileSync(`${checkpoint}/model.safetensors`, weights.subarray(0, bytes));
    const { code, err } = await evaluate();
    assertEquals(code, 1);
    assertStringIncludes(err, `${checkpoint}/model.safetensors`);
    assert(!err.includes("at file:"), `no stack: ${err}`);
  }
  Deno.removeSync(`${checkpoint}/model.safetensors`);
  assertStringIncludes((await evaluate()).err, `Cannot read ${checkpoint}/model.safetensors: no such file`);
});

Deno.test("a loss that is no number ends train with the step, and DEBUG=4 adds the op", async () => {
  using temp = new TempFolder();
  const train = (name: string, env: Record<string, string>) => {
    const args = [...TINY_FLAGS, "--out", `${temp.path}/${name}`, "--sft-learning-rate", "1e30"];
    return startCommand("train", args, { env });
  };
  const plain = await outcomeOf(train("plain", {}));
  assertMatch(
    plain.err,
    /\nCannot go on at SFT update 2: loss .*; there is no checkpoint yet, run again with DEBUG=4 to name the op\n$/,
  );
  assertEquals(plain.code, 1);
  const debug = await outcomeOf(train("debug", { DEBUG: "4" }));
  assertMatch(
    debug.err,
    /\nCannot go on at SFT update 2: \S+ wrote NaN at word \d+ of \S+; there is no checkpoint yet\n/,
  );
  assertEquals(debug.code, 1);
});

Deno.test("the process exits with the code of the command", async () => {
  const { code, out, err } = await outcomeOf(startCommand("train", ["--sede", "1"]));
  assertEquals([code, out], [2, ""]);
  assertEquals(err, "Unknown flag --sede: did you mean --seed?\nSee: ./ponder train --help\n");
});
