/** The `export` command's weights: what it writes, `import` reads, and the model says the same. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exportCommand } from "../../commands/export.ts";
import { importCommand } from "../../commands/import.ts";
import { numberLine } from "../../envs/mod.ts";
import { decodeSafetensors, encodeSafetensors, Tape, Weights } from "../../model/mod.ts";
import { inMemory } from "../../model/mod.ts";
import type { Agent } from "../../rl/agent.ts";
import { type Command, type Options, runCommand, taskArguments } from "../../rl/cli/mod.ts";
import { settingsOf, type TrainConfig } from "../../rl/config.ts";
import { firstPolicy } from "../../rl/policies/mod.ts";
import { loadAgent, saveCheckpoint, START } from "../../rl/run/checkpoint.ts";
import { RunFolder } from "../../rl/run/folder.ts";
import { rlOptimizer } from "../../rl/optimizers.ts";
import { gpuTest, testGpu } from "../gpu.ts";
import { writeTinyBase } from "../rl/pretrained/tiny_base.ts";
import { TempFolder, tinyConfig, untrainedRun } from "../rl/tiny_run.ts";

async function run<O extends Options>(command: Command<O>, ...args: string[]) {
  const err: string[] = [];
  const { error } = globalThis.console;
  const streams = [Deno.stdout.writeSync, Deno.stderr.writeSync];
  globalThis.console.error = (text) => void err.push(`${text}\n`);
  Deno.stdout.writeSync = Deno.stderr.writeSync = (bytes) => bytes.length;
  try {
    const console = { out: () => {}, err: (text: string) => void err.push(text) };
    return { code: await runCommand(command, args, { console }), err: err.join("") };
  } finally {
    globalThis.console.error = error;
    [Deno.stdout.writeSync, Deno.stderr.writeSync] = streams;
  }
}

async function succeed<O extends Options>(command: Command<O>, ...args: string[]): Promise<void> {
  const { code, err } = await run(command, ...args);
  assertEquals(code, 0, err);
}

/** Makes a run whose weights were moved at random. */
async function makeRun(path: string, config: TrainConfig): Promise<Agent> {
  await using folder = await RunFolder.create(path);
  await folder.writeConfig(settingsOf(config));
  const gpu = await testGpu();
  const agent = await firstPolicy(gpu, numberLine, config) as Agent;
  const { parameters } = agent;
  const isTrained = config.lora ? (kind: string) => kind === "adapter" : () => true;
  for (const { name, shape, kind } of parameters.list) {
    if (!isTrained(kind)) continue;
    const [values] = await gpu.read(parameters.get(name).data);
    const count = shape.reduce((a, b) => a * b, 1);
    gpu.write(
      parameters.get(name).data,
      values.slice(0, count).map((value, i) => value + 0.05 * Math.sin(i * 7 + name.length)),
    );
  }
  await saveCheckpoint(folder, agent, rlOptimizer(agent, config), { ...START, memory: {}, stage: "done" });
  return agent;
}

/** Logits that predict each token of a response to a state, with the model's own prompt. */
async function logitsOf(agent: Agent, prompt = promptOf(agent)): Promise<Float32Array> {
  const { vlm } = agent;
  using tape = new Tape(vlm.gpu, { record: false });
  const layout = agent.batch([{ prompt, response: [7, 9, 5] }]);
  const [logits] = await vlm.gpu.read(vlm.logits(tape, vlm.hidden(tape, layout)).data);
  return logits;
}

function promptOf(agent: Agent) {
  const env = numberLine.make();
  return agent.promptOf({ env, ...env.reset({ seed: 3 }) });
}

const largest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);

const openAgent = async (model: string, changes: Parameters<typeof tinyConfig>[0] = {}) =>
  await firstPolicy(await testGpu(), numberLine, tinyConfig({ model, ...changes })) as Agent;

gpuTest(
  "an adapter that is exported and imported with its model says the same, merged to rounding",
  async () => {
    using temp = new TempFolder();
    const model = writeTinyBase(`${temp.path}/base`);
    const config = tinyConfig({
      model,
      lora: true,
      loraRank: 3,
      loraTargets: ["q_proj", "v_proj", "gate_proj"],
    });
    const want = await logitsOf(await makeRun(`${temp.path}/run`, config));
    assert(largest(want, await logitsOf(await openAgent(model))) > 0.01, "the adapter changes something");
    const [adapter, both, merged, last] = ["adapter", "both", "merged", "last"].map((name) =>
      `${temp.path}/${name}`
    );
    await succeed(exportCommand, `${temp.path}/run`, "--out", adapter);
    await succeed(importCommand, adapter, "--out", both); // its base is where its config says
    assertEquals(await logitsOf(await openAgent(both, { lora: true })), want);
    assert(largest(await logitsOf(await openAgent(both)), want) < 2e-5);
    await succeed(exportCommand, `${temp.path}/run`, "--merged", "--out", merged);
    await succeed(importCommand, merged, "--out", last);
    assert(largest(await logitsOf(await openAgent(last)), want) < 2e-5);
    const names = (
      folder: string,
    ) => [...decodeSafetensors(Deno.readFileSync(`${folder}/model.safetensors`)).tensors.keys()];
    assertEquals(names(last), names(model));
    const card = Deno.readTextFileSync(`${merged}/README.md`);
    for (const words of ["LoRA of rank 3", "NumberLine", "base (sha256"]) assertStringIncludes(card, words);
  },
);

gpuTest("a whole model keeps names and dtype, and a run under way can be exported", async () => {
  using temp = new TempFolder();
  const model = writeTinyBase(`${temp.path}/base`);
  const { tensors } = decodeSafetensors(Deno.readFileSync(`${model}/model.safetensors`));
  Deno.writeFileSync(`${model}/model.safetensors`, encodeSafetensors(tensors, {}, "BF16"));
  await makeRun(`${temp.path}/run`, tinyConfig({ model, freeze: ["none"] }));
  await succeed(exportCommand, "--run", `${temp.path}/run`, "--out", `${temp.path}/out`);
  const written = Deno.readFileSync(`${temp.path}/out/model.safetensors`);
  using weights = await Weights.open([inMemory("model.safetensors", written)]);
  assertEquals([...weights.tensors.keys()], [...tensors.keys()]);
  assert([...weights.tensors.values()].every(({ dtype }) => dtype === "BF16"));
  await succeed(importCommand, `${temp.path}/out`, "--out", `${temp.path}/again`);
  const want = await logitsOf(await loadAgent(await testGpu(), `${temp.path}/run/checkpoint`));
  assert(largest(await logitsOf(await openAgent(`${temp.path}/again`)), want) < 0.2);
});

gpuTest("a model made here becomes an Idefics3 folder that says the same", async () => {
  using temp = new TempFolder();
  const own = await makeRun(
    `${temp.path}/run`,
    tinyConfig({ preset: "nano-llama", imageNormalization: "fixed" }),
  );
  await succeed(exportCommand, "--run", `${temp.path}/run`, "--merged", "--out", `${temp.path}/out`);
  await succeed(importCommand, `${temp.path}/out`, "--out", `${temp.path}/model`);
  const agent = await openAgent(`${temp.path}/model`);
  assertEquals(await logitsOf(agent, promptOf(own)), await logitsOf(own));
  // The same tokens in the same order; the picture is made by a filter that is almost the same.
  const shapeOf = (prompt: ReturnType<typeof promptOf>) =>
    prompt.map((part) => part.kind === "text" ? part.ids : "picture");
  assertEquals(shapeOf(promptOf(agent)), shapeOf(promptOf(own)));
  const [a, b] = [agent, own].map((each) =>
    promptOf(each).find((part) => part.kind === "image")!.picture.pixels
  );
  assert(a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length < 6);
});

gpuTest("what cannot be exported is refused with the reason, and nothing is written", async () => {
  using temp = new TempFolder();
  const out = `${temp.path}/out`;
  const at = (name: string) => `${temp.path}/${name}`;
  await untrainedRun(at("gpt"));
  await untrainedRun(at("image"), { preset: "nano-llama" });
  const model = writeTinyBase(at("base"));
  await makeRun(at("whole"), tinyConfig({ model }));
  {
    await using folder = await RunFolder.create(at("begun"));
    await folder.writeConfig(settingsOf(tinyConfig()));
  }
  const cases: [args: string[], code: number, words: string][] = [
    [[at("gpt"), "--out", out], 2, "GPT's kind"],
    [[at("image"), "--out", out], 2, "--image-normalization fixed"],
    [[at("begun"), "--out", out], 2, "no checkpoint yet"],
    [[at("whole")], 2, "--out"],
    [[at("whole"), "--out", at("base")], 2, "--overwrite"],
    [[at("whole"), "--out", out, "--metrics", "csv", "--merged"], 2, "one by one"],
  ];
  for (const [args, code, words] of cases) {
    const result = await run(exportCommand, ...args);
    assertEquals(result.code, code, result.err);
    assertStringIncludes(result.err, words);
  }
  Deno.removeSync(model, { recursive: true });
  const gone = await run(exportCommand, at("whole"), "--out", out);
  assertEquals(gone.code, 1);
  assertStringIncludes(gone.err, "--model");
  assertEquals([...Deno.readDirSync(temp.path)].map(({ name }) => name).sort(), [
    "begun",
    "gpt",
    "image",
    "whole",
  ]);
});

Deno.test("export and import load with no more than their tasks' permissions", async () => {
  for (const name of ["export", "import"] as const) {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...taskArguments(name), "--help"],
      cwd: new URL("../../", import.meta.url),
      env: { NO_COLOR: "1", PONDER_CWD: "", INIT_CWD: "" },
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
  }
});
