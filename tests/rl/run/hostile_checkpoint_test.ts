/** Checkpoints that do not deserve to be believed: each is refused with a sentence and exit 1, none is measured. */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { ENV_NAMES, makeEnv } from "../../../envs/mod.ts";
import { buildTokenizer, decodeSafetensors, encodeSafetensors, Tokenizer } from "../../../model/mod.ts";
import { requireWords } from "../../../rl/words.ts";
import { gpuTest } from "../../gpu.ts";
import { outcomeOf, startCommand, TempFolder, untrainedRun } from "../tiny_run.ts";

/** A bare checkpoint, as one is handed on: weights, config and tokenizer. */
async function bareCheckpoint(folder: string): Promise<string> {
  await untrainedRun(`${folder}/run`);
  const path = `${folder}/weights`;
  Deno.mkdirSync(path);
  for (const file of ["model.safetensors", "config.json", "tokenizer.json"]) {
    Deno.copyFileSync(`${folder}/run/checkpoint/${file}`, `${path}/${file}`);
  }
  return path;
}

async function evaluated(checkpoint: string, env = "NumberLine"): Promise<string> {
  const args = ["--checkpoint", checkpoint, "--env", env, "--episodes", "1"];
  const { code, out, err } = await outcomeOf(startCommand("eval", args));
  assertEquals([code, out], [1, ""], err);
  assertMatch(err, /(^|\n)Cannot .+/);
  assert(!/%|\n +at /.test(err) && err.length < 2000, err);
  return err;
}

function edit(path: string, change: (json: Record<string, unknown>) => unknown): void {
  Deno.writeTextFileSync(path, JSON.stringify(change(JSON.parse(Deno.readTextFileSync(path)))));
}

gpuTest("eval refuses an environment whose words the checkpoint's tokenizer cannot write", async () => {
  using temp = new TempFolder();
  const err = await evaluated(await bareCheckpoint(temp.path), "Blackjack");
  assertStringIncludes(err, 'in Blackjack: its tokenizer cannot write "stand", "hit", ');
});

for (const value of [NaN, Infinity]) {
  gpuTest(`eval refuses weights that hold ${value}`, async () => {
    using temp = new TempFolder();
    const path = await bareCheckpoint(temp.path);
    const { tensors } = decodeSafetensors(Deno.readFileSync(`${path}/model.safetensors`));
    tensors.get("language.head.weight")!.data[7] = value;
    Deno.writeFileSync(`${path}/model.safetensors`, encodeSafetensors(tensors));
    assertStringIncludes(await evaluated(path), "tensor language.head.weight: 1 of its ");
  });
}

gpuTest("eval refuses sizes that the weights do not bear out, and types that are none", async () => {
  using temp = new TempFolder();
  const path = await bareCheckpoint(temp.path);
  const changes: [Record<string, unknown>, string][] = [
    [{ layers: 1e9 }, "layers must be a whole number from 1 to 1000"],
    [{ layers: 1000 }, "the checkpoint lacks it"],
    [{ normEpsilon: "1" }, "normEpsilon must be a number"],
  ];
  const original = Deno.readTextFileSync(`${path}/config.json`);
  for (const [change, state] of changes) {
    edit(`${path}/config.json`, (config) => ({ ...config, ...change }));
    assertStringIncludes(await evaluated(path), state);
    Deno.writeTextFileSync(`${path}/config.json`, original);
  }
});

gpuTest("eval refuses a tokenizer whose pattern could hang it", async () => {
  using temp = new TempFolder();
  const path = await bareCheckpoint(temp.path);
  edit(`${path}/tokenizer.json`, (json) => ({
    ...json,
    pre_tokenizer: { type: "Split", pattern: { Regex: "([\\s\\S]+)+\\u0000" }, behavior: "Isolated" },
  }));
  assertStringIncludes(await evaluated(path), "is not known to be harmless");
});

for (const name of ENV_NAMES) {
  Deno.test(`the tokenizer of ${name} can write its words, and those of few others`, () => {
    const tokenizer = Tokenizer.fromJson(buildTokenizer(makeEnv(name).tokens));
    requireWords(tokenizer, makeEnv(name), "x");
    for (const other of ENV_NAMES) {
      if (other === name) continue;
      assertThrows(
        () => requireWords(tokenizer, makeEnv(other), "runs/x"),
        RangeError,
        `Cannot use runs/x in ${other}: its tokenizer cannot write "`,
      );
    }
  });
}
