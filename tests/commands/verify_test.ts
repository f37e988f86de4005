/** The `verify` command: pretrained folders against answers that are right, wrong, or of another model. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { runCommand } from "../../rl/cli/mod.ts";
import { encodeSafetensors, type HostTensor } from "../../model/mod.ts";
import { openWeights } from "../../model/weights_folder.ts";
import { verifyCommand } from "../../commands/verify.ts";
import { readGolden } from "../../rl/pretrained/verify.ts";
import { gpuTest } from "../gpu.ts";
import { TempFolder } from "../rl/tiny_run.ts";

const DATA = new URL("../model/data/pretrained", import.meta.url).pathname;
const TINY = `${DATA}/idefics3-tiny`;

async function verify(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err]: string[][] = [[], []];
  const console = { out: () => {}, err: (text: string) => void err.push(text) };
  const { writeSync } = Deno.stdout;
  Deno.stdout.writeSync = (bytes) => out.push(new TextDecoder().decode(bytes)) && bytes.length;
  try {
    return { code: await runCommand(verifyCommand, args, { console }), out: out.join(""), err: err.join("") };
  } finally {
    Deno.stdout.writeSync = writeSync;
  }
}

for (const name of ["idefics3-tiny", "nanovlm-tiny"]) {
  gpuTest(`${name} gives the answers of an independent model, and verify ends with 0`, async () => {
    const { code, out, err } = await verify(`${DATA}/${name}`, `${DATA}/${name}/golden.json`);
    assertEquals(code, 0, err + out);
    const compared = out.split("\n").slice(1, -1).map((line) => line.slice(6, 32).trim());
    assertEquals(compared, [
      ...["image features", "logits", "logits at 4096", "greedy tokens", "loss"],
      ...["gradient norms (relative)", "gradients (relative)", "losses of 6 steps"],
    ]);
    assertStringIncludes(out, "greedy tokens                  equal");
  });
}

gpuTest("a PEFT adapter gives its answers beside those of its folder", async () => {
  const adapted = await verify(TINY, `${DATA}/lora-tiny/golden.json`, "--adapter", `${DATA}/lora-tiny`);
  assertEquals(adapted.code, 0, adapted.err);
  assertEquals(adapted.out.match(/^ {2}ok /gm)?.length, 4);
});

gpuTest("a wrong logit, gradient or token is out of bounds, and verify ends with 1", async () => {
  using temp = new TempFolder();
  const golden = JSON.parse(Deno.readTextFileSync(`${TINY}/golden.json`));
  golden.logits_last_7_positions[0][3] += 3e-5;
  golden.gradients["lm_head.weight"].norm *= 1.01;
  golden.greedy_8_after_prompt[1][7] ^= 1;
  golden["adamw_lr1e-3_wd0.01_losses"][1] += 1e-3;
  Deno.writeTextFileSync(`${temp.path}/golden.json`, JSON.stringify(golden));
  const { code, out } = await verify(TINY, `${temp.path}/golden.json`);
  assertEquals(code, 1);
  assertEquals(
    out.split("\n").filter((line) => line.includes("BAD")).map((line) => line.slice(6, 32).trim()),
    ["logits", "greedy tokens", "gradient norms (relative)", "losses of 6 steps"],
  );
  assertStringIncludes(out, "lm_head.weight");
});

gpuTest("verify says what to write if a model, an adapter and a golden changed places", async () => {
  const [golden, adapter] = [`${TINY}/golden.json`, `${DATA}/lora-tiny`];
  const refusals: [string[], number, string][] = [
    [
      [adapter, golden],
      2,
      `holds an adapter alone, name the folder of its model and add --adapter ${adapter}\n`,
    ],
    [[golden, TINY], 2, "name the folder of a model first"],
    [[TINY, golden, "--adapter", TINY], 2, "it has no adapter_config.json, name a PEFT folder"],
  ];
  for (const [args, code, message] of refusals) {
    const { code: got, err } = await verify(...args);
    assertStringIncludes(err, message);
    assertEquals(got, code);
  }
});

gpuTest("a golden that is no JSON is refused in one sentence on one line", async () => {
  using temp = new TempFolder();
  const path = `${temp.path}/README.md`;
  Deno.writeTextFileSync(path, "# title\n\n\ttext\n");
  const { code, err } = await verify(TINY, path);
  assertEquals(code, 1);
  assertEquals(err.split("\n").length, 2, err);
  assertStringIncludes(err, "README.md: not JSON (");
});

gpuTest("verify says what a folder lacks, and which architectures it knows", async () => {
  using temp = new TempFolder();
  const golden = `${TINY}/golden.json`;
  assertEquals((await verify()).code, 2);
  const without = await verify(temp.path, golden);
  assertEquals(without.code, 1);
  assertStringIncludes(without.err, "config.json");
  Deno.copyFileSync(`${TINY}/config.json`, `${temp.path}/config.json`);
  const empty = await verify(temp.path, golden);
  assertEquals(empty.code, 1);
  assertStringIncludes(empty.err, "model.safetensors");
  Deno.copyFileSync(`${TINY}/model.safetensors`, `${temp.path}/model.safetensors`);
  Deno.writeTextFileSync(`${temp.path}/config.json`, '{"model_type":"llava"}');
  const foreign = await verify(temp.path, golden);
  assertEquals(foreign.code, 1);
  assertStringIncludes(foreign.err, "known are idefics3 (SmolVLM) and nanoVLM");
  const other = await verify(`${DATA}/nanovlm-tiny`, golden);
  assertEquals(other.code, 1);
  assertStringIncludes(other.err, "Cannot compare with");
});

/** Writes the folder in two shards, with their index. */
async function shards(folder: string): Promise<[string, string]> {
  using weights = await openWeights(TINY);
  const names = [...weights.tensors.keys()];
  const files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] as const;
  const index: Record<string, string> = {};
  for (const [i, file] of files.entries()) {
    const tensors = new Map<string, HostTensor>();
    for (const name of i === 0 ? names.slice(0, 20) : names.slice(20)) {
      tensors.set(name, await weights.read(name));
      index[name] = file;
    }
    Deno.writeFileSync(`${folder}/${file}`, encodeSafetensors(tensors));
  }
  Deno.writeTextFileSync(`${folder}/model.safetensors.index.json`, JSON.stringify({ weight_map: index }));
  Deno.copyFileSync(`${TINY}/config.json`, `${folder}/config.json`);
  return [...files];
}

gpuTest(
  "a folder in shards is verified, and what is missing, cut off or hostile in it is named",
  async () => {
    using temp = new TempFolder();
    const [first, second] = await shards(temp.path);
    const at = (name: string) => `${temp.path}/${name}`;
    const golden = at("golden.json");
    const { logits_last_7_positions, ...rest } = JSON.parse(Deno.readTextFileSync(`${TINY}/golden.json`));
    const { pixels_u8, input_ids, prompt_length } = rest;
    const asked = { pixels_u8, input_ids, prompt_length, logits_last_7_positions };
    Deno.writeTextFileSync(golden, JSON.stringify(asked));
    assertEquals((await verify(temp.path, golden)).code, 0);

    const fails = async (message: string) => {
      const { code, out, err } = await verify(temp.path, golden);
      assertEquals([code, out], [1, ""], err);
      assertStringIncludes(err, message);
    };
    const bytes = Deno.readFileSync(at(second));
    Deno.removeSync(at(second));
    await fails(`the folder lacks ${second}`);
    Deno.writeFileSync(at(second), bytes.subarray(0, bytes.length - 40));
    await fails(second);
    const hostile = bytes.slice();
    new DataView(hostile.buffer).setBigUint64(0, 1n << 62n, true);
    Deno.writeFileSync(at(second), hostile);
    await fails(second);
    Deno.writeFileSync(at(second), bytes);
    const infinite = bytes.slice();
    infinite.fill(0xff, -4);
    Deno.writeFileSync(at(second), infinite);
    await fails("NaN or infinite");
    Deno.writeFileSync(at(second), bytes);
    const index = JSON.parse(Deno.readTextFileSync(at("model.safetensors.index.json")));
    const outside = { weight_map: { ...index.weight_map, "lm_head.weight": "../../secret.safetensors" } };
    Deno.writeTextFileSync(at("model.safetensors.index.json"), JSON.stringify(outside));
    await fails("which is no file beside it");
    Deno.writeTextFileSync(at("model.safetensors.index.json"), "[".repeat(10_000));
    await fails("model.safetensors.index.json");
    Deno.writeTextFileSync(at("model.safetensors.index.json"), JSON.stringify(index));
    const huge = JSON.parse(Deno.readTextFileSync(at("config.json")));
    huge.text_config.hidden_size = 1e9;
    Deno.writeTextFileSync(at("config.json"), JSON.stringify(huge));
    await fails("width must be a whole number from 4 to 65536, got 1000000000");
    assertEquals(first.length, second.length);
  },
);

Deno.test("a golden whose question is missing or of another form is refused", () => {
  const good = { pixels_u8: [[]], input_ids: [[1, 2, 3]], prompt_length: 2, labels: [[-100, -100, 3]] };
  assertEquals<unknown>(readGolden(good), { ...good, image_token_id: undefined });
  assertEquals(readGolden({ loss: 1 }, good).loss, 1);
  const bad: [unknown, string][] = [
    [[], "must be a JSON object"],
    [{}, "input_ids must be lists of token ids"],
    [{ ...good, input_ids: [[0.5]] }, "input_ids must be lists of token ids"],
    [{ ...good, pixels_u8: [] }, "one picture for each row"],
    [{ ...good, prompt_length: 3 }, "prompt_length must be a whole number within each row"],
    [{ ...good, labels: [[-100, 2, 3]] }, "labels must be -100 within the prompt"],
  ];
  for (const [golden, message] of bad) assertThrows(() => readGolden(golden), RangeError, message);
});
