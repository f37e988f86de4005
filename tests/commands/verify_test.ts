/** The `verify` command: pretrained folders against answers that are right, wrong, or of another model. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { runCommand } from "../../rl/cli/mod.ts";
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

gpuTest("verify prints every difference of a folder and of an adapter, and ends with 0", async () => {
  const whole = await verify(TINY, `${TINY}/golden.json`);
  assertEquals(whole.code, 0, whole.err);
  assertEquals(whole.out.match(/^ {2}ok /gm)?.length, 8);
  assertStringIncludes(whole.out, "greedy tokens                  equal");
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
