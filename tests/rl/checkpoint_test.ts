/** A run's state on disk and back. */
import { numberLine } from "../../envs/mod.ts";
import { assertEquals, assertRejects } from "@std/assert";
import { decodeSafetensors, encodeSafetensors } from "../../model/mod.ts";
import {
  loadAgent,
  loadTrainer,
  readTrainerState,
  saveCheckpoint,
  type TrainerState,
} from "../../rl/checkpoint.ts";
import { newAgent, rlOptimizer, sftOptimizer } from "../../rl/setup.ts";
import { RunFolder } from "../../rl/run_folder.ts";
import { demonstrate, sftUpdate } from "../../rl/sft.ts";
import { gpuTest } from "../gpu.ts";
import { TempFolder, tinyConfig, untrainedRun } from "./tiny_run.ts";

gpuTest("weights, moments, tokenizer and progress come back as they were saved", async (gpu) => {
  using temp = new TempFolder();
  const config = tinyConfig({ cot: false, demonstrations: 8 });
  const agent = newAgent(gpu, numberLine, config);
  const optimizer = sftOptimizer(agent, config);
  for (let i = 0; i < 2; i++) {
    await sftUpdate(agent, optimizer, await demonstrate(agent, numberLine, config), 1e-3);
  }
  const state: TrainerState = {
    stage: "rl",
    sftUpdates: 7,
    iteration: 3,
    optimizerStep: 2,
    slots: [{ episodeSeed: 11, history: [{ action: 1, isRandom: false }, { action: 0, isRandom: true }] }],
    episodes: 12,
    envSteps: 96,
    memory: { best: [1, 2] },
    effort: { sft: 1, rl: 2, evaluation: 3, rollout: 1, rolloutTokens: 99 },
    peakBytes: 1e9,
  };
  const folder = await RunFolder.create(`${temp.path}/run`);
  await saveCheckpoint(folder, agent, optimizer, state);

  const path = (await folder.checkpointPath())!;
  const loaded = await loadAgent(gpu, path);
  assertEquals(loaded.cot, false);
  assertEquals(loaded.vlm.config, agent.vlm.config);
  assertEquals(loaded.tokenizer.toJson(), agent.tokenizer.toJson());
  assertEquals(await loaded.vlm.parameters.toHost(), await agent.vlm.parameters.toHost());
  const trainer = await loadTrainer(path, loaded.parameters, () => rlOptimizer(loaded, config));
  assertEquals(trainer.state, state);
  assertEquals(trainer.optimizer.step, 2);
  assertEquals(await trainer.optimizer.toHost(), await optimizer.toHost());
});

gpuTest("the model file is plain safetensors with the model's names and nothing else", async (gpu) => {
  using temp = new TempFolder();
  await untrainedRun(`${temp.path}/run`);
  const { tensors } = decodeSafetensors(Deno.readFileSync(`${temp.path}/run/checkpoint/model.safetensors`));
  const { parameters } = newAgent(gpu, numberLine, tinyConfig()).vlm;
  assertEquals([...tensors.keys()], parameters.list.map(({ name }) => name));
  assertEquals([...tensors.values()].map(({ shape }) => shape), parameters.list.map(({ shape }) => shape));
  await gpu.settle();
});

gpuTest("a state or a config that lacks something is refused by its name", async (gpu) => {
  using temp = new TempFolder();
  await untrainedRun(`${temp.path}/run`);
  const path = `${temp.path}/run/checkpoint`;
  const edit = (file: string, name: string, value?: unknown) => {
    const content = JSON.parse(Deno.readTextFileSync(`${path}/${file}`));
    Deno.writeTextFileSync(`${path}/${file}`, JSON.stringify({ ...content, [name]: value }));
    return () => Deno.writeTextFileSync(`${path}/${file}`, JSON.stringify(content));
  };
  const cases: [name: string, value?: unknown][] = [
    ["stage"],
    ["stage", "end"],
    ["iteration", -1],
    ["sftUpdates", 0.5],
    ["optimizerStep", "3"],
    ["episodes"],
    ["slots", {}],
    ["effort", { sft: 1 }],
    ["peakBytes", "1 GB"],
  ];
  for (const [name, value] of cases) {
    const restore = edit("trainer.json", name, value);
    await assertRejects(() => readTrainerState(path), SyntaxError, `has no usable "${name}"`);
    restore();
  }
  assertEquals((await readTrainerState(path)).stage, "done");
  edit("trainer.json", "peakBytes");
  assertEquals((await readTrainerState(path)).peakBytes, 0); // of runs from before it was kept
  edit("config.json", "cot");
  await assertRejects(
    () => loadAgent(gpu, path),
    SyntaxError,
    '"cot" in its config.json must be true or false',
  );
});

gpuTest("a missing tensor, a missing moment and a foreign tokenizer are named", async (gpu) => {
  using temp = new TempFolder();
  await untrainedRun(`${temp.path}/run`);
  const path = `${temp.path}/run/checkpoint`;
  const agent = await loadAgent(gpu, path);
  const without = (file: string, name: string) => {
    const { tensors } = decodeSafetensors(Deno.readFileSync(`${path}/${file}`));
    tensors.delete(name);
    Deno.writeFileSync(`${path}/${file}`, encodeSafetensors(tensors));
  };
  without("optimizer.safetensors", "v.language.norm.bias");
  await assertRejects(
    () => loadTrainer(path, agent.parameters, () => rlOptimizer(agent, tinyConfig())),
    RangeError,
    "Cannot load tensor v.language.norm.bias: the checkpoint lacks it, the model has it as (96)",
  );
  without("model.safetensors", "language.head.weight");
  await assertRejects(
    () => loadAgent(gpu, path),
    RangeError,
    "Cannot load tensor language.head.weight: the checkpoint lacks it",
  );
  const config = JSON.parse(Deno.readTextFileSync(`${path}/config.json`));
  Deno.writeTextFileSync(`${path}/config.json`, JSON.stringify({ ...config, vocabularySize: 128 }));
  await assertRejects(() => loadAgent(gpu, path), RangeError, "the tokenizer has 64 tokens, the model 128");
});
