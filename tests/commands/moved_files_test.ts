/** Runs with an environment or algorithm of the user's own, whose file is named from another folder or has moved. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { trainCommand } from "../../commands/train.ts";
import { gpuTest } from "../gpu.ts";
import { outcomeOf, runHere, startCommand, TempFolder, TINY_FLAGS } from "../rl/tiny_run.ts";

const ALGORITHMS = new URL("../../rl/algorithms/mod.ts", import.meta.url).href;
const ENVS = new URL("../../envs/mod.ts", import.meta.url).href;
const COIN = `import { defineEnvironment } from "${ENVS}";
export default defineEnvironment({
  name: "Coin", actions: ["heads", "tails"],
  reset: (random) => ({ side: random.integer(2) }),
  step: ({ side }, action) => ({ state: { side }, reward: side === action ? 1 : -1, terminated: true }),
  render: ({ side }) => ({ width: 2, height: 1, data: new Uint8Array(6).fill(255 * side) }),
  solve: ({ side }) => side,
});`;

gpuTest(
  "a run of one's own environment resumes from any folder, and with the place to which its file moved",
  async () => {
    using temp = new TempFolder();
    const [old, now, out] = ["old", "now", "run"].map((name) => `${temp.path}/${name}`);
    for (const folder of [old, now]) Deno.mkdirSync(folder);
    Deno.writeTextFileSync(`${old}/coin.ts`, COIN);
    const inFolder = async (from: string, ...args: string[]) => {
      const before = Deno.env.get("PONDER_CWD");
      Deno.env.set("PONDER_CWD", from);
      try {
        return await runHere(trainCommand, "--out", out, ...args);
      } finally {
        if (before === undefined) Deno.env.delete("PONDER_CWD");
        else Deno.env.set("PONDER_CWD", before);
      }
    };

    const begun = await outcomeOf(
      startCommand("train", ["--out", out, "--env", "./coin.ts", ...TINY_FLAGS], {
        env: { PONDER_CWD: old },
      }),
    );
    assertEquals(begun.code, 0, begun.err);
    const settings = Deno.readTextFileSync(`${out}/config.json`);

    const elsewhere = await inFolder(now, "--resume", "--env", "../old/coin.ts");
    assertEquals(elsewhere.code, 0, elsewhere.err);

    Deno.renameSync(`${old}/coin.ts`, `${now}/coin.ts`);
    const unnamed = await inFolder(now, "--resume");
    assertEquals(unnamed.code, 2);
    assertStringIncludes(
      unnamed.err,
      `its environment is a program, ${old}/coin.ts; if you trust that, name it: --env ${old}/coin.ts, ` +
        "or the place where the file is now",
    );
    const gone = await inFolder(old, "--resume", "--env", "./coin.ts");
    assertEquals(gone.code, 2);
    assertStringIncludes(gone.err, `there is no file ${old}/coin.ts`);

    const longer = ["--extend", "--env-steps", "48"];
    const moved = await inFolder(now, "--resume", "--env", "./coin.ts", ...longer);
    assertEquals(moved.code, 0, moved.err);
    // The run keeps the path that it began with; all else of its settings is as it was.
    assertEquals(
      { ...JSON.parse(Deno.readTextFileSync(`${out}/config.json`)), envSteps: 32 },
      JSON.parse(settings),
    );
    Deno.copyFileSync(`${now}/coin.ts`, `${now}/dice.ts`);
    const other = await inFolder(now, "--resume", "--env", "./dice.ts");
    assertEquals(other.code, 2);
    assertStringIncludes(other.err, "Cannot resume with other settings: env (was ");
  },
);

gpuTest("a run of one's own algorithm resumes with the place to which its file moved", async () => {
  using temp = new TempFolder();
  const [old, now, out] = ["old/mine.ts", "now/mine.ts", "run"].map((name) => `${temp.path}/${name}`);
  for (const folder of ["old", "now"]) Deno.mkdirSync(`${temp.path}/${folder}`);
  Deno.writeTextFileSync(
    old,
    `import { rloo } from "${ALGORITHMS}"; export default { ...rloo, name: "mine" };`,
  );
  const train = (...args: string[]) => runHere(trainCommand, "--out", out, ...args);
  const tiny =
    "--sft-steps 2 --demonstrations 8 --sft-batch 8 --perception-gate 0 --max-new-tokens 4 --groups 2 " +
    "--group-size 2 --env-steps 16 --envs 4 --eval-episodes 2 --no-cot";
  const begun = await train("--algorithm", old, ...tiny.split(" "));
  assertEquals(begun.code, 0, begun.err);
  const settings = Deno.readTextFileSync(`${out}/config.json`);
  assertEquals(JSON.parse(settings).algorithm, old);

  Deno.renameSync(old, now);
  const unnamed = await train("--resume");
  assertEquals(unnamed.code, 2);
  assertStringIncludes(
    unnamed.err,
    `its algorithm is a program, ${old}; if you trust that, name it: --algorithm ${old}, ` +
      "or the place where the file is now",
  );
  const moved = await train("--resume", "--algorithm", now, "--extend", "--env-steps", "24");
  assertEquals(moved.code, 0, moved.err);
  assertEquals(
    { ...JSON.parse(Deno.readTextFileSync(`${out}/config.json`)), envSteps: 16 },
    JSON.parse(settings),
  );
  const other = `${temp.path}/now/other.ts`;
  Deno.copyFileSync(now, other);
  const refused = await train("--resume", "--algorithm", other);
  assertEquals(refused.code, 2);
  assertStringIncludes(refused.err, `its algorithm is a program, ${old}`);
});
