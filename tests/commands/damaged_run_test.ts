/** A damaged run, met by each command that reads it: the file, what is wrong with it, and a command that mends it. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { actCommand } from "../../commands/act.ts";
import { checkCommand } from "../../commands/check.ts";
import { compareCommand } from "../../commands/compare.ts";
import { evalCommand } from "../../commands/eval.ts";
import { exportCommand } from "../../commands/export.ts";
import { playCommand } from "../../commands/play.ts";
import { replayCommand } from "../../commands/replay.ts";
import { trainCommand } from "../../commands/train.ts";
import { openGpu } from "../../kernels/gpu/mod.ts";
import { Play } from "../../rl/watch/play.ts";
import { findRuns } from "../../rl/watch/runs.ts";
import { gpuTest } from "../gpu.ts";
import { copyFolder } from "../rl/run/scratch_run.ts";
import { runHere, TempFolder, TINY_FLAGS } from "../rl/tiny_run.ts";

const PICTURE = new URL("../../docs/number_line.png", import.meta.url).pathname;

/** What `watch` says when its page is to let the run's policy act. */
async function watched(run: string): Promise<{ code: number; err: string }> {
  await using play = new Play({ runs: () => findRuns([run]), openGpu });
  const ask = async (what: string, body: object) => {
    const text = JSON.stringify(body);
    const headers = { "content-length": String(text.length) };
    const request = new Request("http://127.0.0.1/", { method: "POST", body: text, headers });
    return (await play.answer(request, what))!;
  };
  const name = run.slice(run.lastIndexOf("/") + 1);
  const begun = await ask("begin", { run: name, seed: 0 });
  if (!begun.ok) return { code: 1, err: await begun.text() };
  const thought = await ask("think", { session: (await begun.json()).session });
  return thought.ok ? { code: 0, err: "" } : { code: 1, err: await thought.text() };
}

/** The commands that read a run, by name. Those of `acting` load its policy. */
const acting: Record<string, (run: string) => Promise<{ code: number; err: string }>> = {
  eval: (run) => runHere(evalCommand, "--run", run, "--episodes", "1"),
  play: (run) => runHere(playCommand, "--run", run, "--json"),
  act: (run) => runHere(actCommand, PICTURE, "--run", run, "--json"),
  replay: (run) => runHere(replayCommand, run, "--episode", "rl.0", "--json"),
  watch: watched,
};
const reading: typeof acting = {
  export: (run) => runHere(exportCommand, run, "--metrics", "csv", "--out", `${run}.csv`),
  compare: (run) => runHere(compareCommand, run, run),
};

const flip = (file: string) => (run: string) => {
  const bytes = Deno.readFileSync(`${run}/${file}`);
  bytes[bytes.length >> 1] ^= 1;
  Deno.writeFileSync(`${run}/${file}`, bytes);
};
const cut = (file: string) => (run: string) => Deno.truncateSync(`${run}/${file}`, 40);
const remove = (file: string) => (run: string) => Deno.removeSync(`${run}/${file}`, { recursive: true });
const both = (...harms: ((run: string) => void)[]) => (run: string) => harms.forEach((harm) => harm(run));

const model = "checkpoint/model.safetensors", manifest = "checkpoint/manifest.json";

/** Damages: what is done, the file and the state that messages name, which commands meet it. */
const damages: [(run: string) => void, RegExp, (keyof typeof acting)[]][] = [
  [flip(model), /checkpoint\/model.safetensors is damaged \(its content is not/, Object.keys(acting)],
  [remove("checkpoint/tokenizer.json"), /tokenizer.json is damaged \(it is missing\)/, ["eval", "watch"]],
  [cut(manifest), /checkpoint\/manifest.json is damaged \(it is not JSON\)/, ["play", "export"]],
  [
    both(remove(manifest), remove("manifest.json"), cut(model)),
    /checkpoint is damaged \(it has no manifest.json, and does not load: .*model.safetensors/,
    ["watch"],
  ],
  [remove("checkpoint"), /checkpoint is damaged \(it is missing/, ["act", "compare"]],
  [flip("metrics.jsonl"), /metrics.jsonl is damaged/, ["export", "compare"]],
  [cut("summary.json"), /summary.json is damaged \(it has 40 bytes/, ["compare"]],
];

gpuTest(
  "every command that reads a damaged run names the file, its state, and a command that mends it",
  async () => {
    using temp = new TempFolder();
    const good = `${temp.path}/a good run`;
    const flags = [...TINY_FLAGS, "--no-cot", "--sft-steps=2", "--rollout-steps=2", "--env-steps=64"];
    const trained = await runHere(trainCommand, ...flags, "--out", good);
    assertEquals(trained.code, 0, trained.err);
    const all = { ...acting, ...reading };
    for (const name of Object.keys(all)) assertEquals(await all[name](good), { code: 0, err: "" }, name);

    for (const [i, [harm, expected, names]] of damages.entries()) {
      const run = `${temp.path}/run ${i}`;
      await copyFolder(good, run);
      harm(run);
      for (const name of names) {
        const { code, err } = await all[name](run);
        assertEquals(code, 1, `${name}: ${err}`);
        assertStringIncludes(err, `Cannot use ${run}: `);
        assertMatch(err, expected, name);
        const [, command, remedy] = /\.\/ponder (train|check) (.+?) (?:goes|puts|makes|begins)/.exec(err)!;
        assertStringIncludes(remedy, `'${run}'`, name);
        if (name !== names.at(-1)) continue;
        const args = remedy.match(/'[^']*'|\S+/g)!.map((word) => word.replaceAll("'", ""));
        const mended =
          await (command === "check" ? runHere(checkCommand, ...args) : runHere(trainCommand, ...args));
        assertEquals(mended.code, 0, mended.err);
        assertEquals((await runHere(checkCommand, run)).code, 0);
      }
    }

    // With no whole checkpoint the run is begun again with its own settings, and ends in the same bytes.
    const lost = `${temp.path}/lost`;
    await copyFolder(good, lost);
    both(flip(model), flip("checkpoint.previous/model.safetensors"))(lost);
    const { err } = await all.eval(lost);
    const command = `--config ${lost}/config.json --overwrite --out ${lost}`;
    assertStringIncludes(err, `no checkpoint in it is whole: ./ponder train ${command} begins it again`);
    assertEquals((await runHere(trainCommand, ...command.split(" "))).code, 0);
    const lines = (run: string) => Deno.readTextFileSync(`${run}/metrics.jsonl`);
    assertEquals(lines(lost), lines(good));
    assertEquals((await runHere(checkCommand, lost)).code, 0);
  },
);
