/** A run's state on disk and back. */
import { numberLine } from "../../../envs/mod.ts";
import { assertEquals, assertRejects } from "@std/assert";
import { NotFiniteError } from "../../../kernels/gpu/mod.ts";
import { decodeSafetensors, encodeSafetensors } from "../../../model/mod.ts";
import {
  loadAgent,
  loadTrainer,
  readTrainerState,
  saveCheckpoint,
  START,
  type TrainerState,
} from "../../../rl/run/checkpoint.ts";
import { newAgent } from "../../../rl/setup.ts";
import { rlOptimizer, sftOptimizer } from "../../../rl/optimizers.ts";
import { RunFolder } from "../../../rl/run/folder.ts";
import { MemoryRun } from "../../../rl/run/memory_run.ts";
import { demonstrate } from "../../../rl/demonstrations.ts";
import { sftUpdate } from "../../../rl/sft.ts";
import { gpuTest } from "../../gpu.ts";
import { TempFolder, tinyConfig, untrainedRun } from "../tiny_run.ts";

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
  await using folder = await RunFolder.create(`${temp.path}/run`);
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

gpuTest("how the action is found is kept with the weights, if it is not the published way", async (gpu) => {
  using temp = new TempFolder();
  for (const parse of ["published", "tolerant"] as const) {
    const config = tinyConfig({ parse });
    const agent = newAgent(gpu, numberLine, config);
    await using folder = await RunFolder.create(`${temp.path}/${parse}`);
    await saveCheckpoint(folder, agent, sftOptimizer(agent, config), { ...START, memory: {} });
    const path = (await folder.checkpointPath())!;
    assertEquals((await loadAgent(gpu, path)).parsing, parse);
    const kept = JSON.parse(Deno.readTextFileSync(`${path}/config.json`));
    assertEquals(kept.parse, parse === "published" ? undefined : parse);
    if (parse === "published") continue;
    Deno.removeSync(`${path}/manifest.json`); // else every edit is damage
    Deno.writeTextFileSync(`${path}/config.json`, JSON.stringify({ ...kept, parse: "loose" }));
    await assertRejects(() => loadAgent(gpu, path), SyntaxError, "must be published or tolerant");
  }
});

gpuTest("a state or a config that lacks something is refused by its name", async (gpu) => {
  using temp = new TempFolder();
  await untrainedRun(`${temp.path}/run`);
  const path = `${temp.path}/run/checkpoint`;
  Deno.removeSync(`${path}/manifest.json`); // else every edit is damage
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
  Deno.removeSync(`${path}/manifest.json`); // else every edit is damage
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
    "Cannot load tensor v.language.norm.bias: the checkpoint lacks it, the model has it as (32)",
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

gpuTest("a weight or moment that is NaN or infinite is never saved, and the error names it", async (gpu) => {
  using temp = new TempFolder();
  await untrainedRun(`${temp.path}/run`);
  const path = `${temp.path}/run/checkpoint`;
  const before = Deno.readFileSync(`${path}/manifest.json`);
  const agent = await loadAgent(gpu, path);
  const optimizer = rlOptimizer(agent, tinyConfig());
  await using folder = await RunFolder.create(`${temp.path}/run`, { resume: true });
  const refused = async (named: string) => {
    const save = () => saveCheckpoint(folder, agent, optimizer, START);
    await assertRejects(save, NotFiniteError, `Cannot save a checkpoint: ${named}`);
    assertEquals(Deno.readFileSync(`${path}/manifest.json`), before);
    assertEquals([...Deno.readDirSync(`${temp.path}/run`)].map(({ name }) => name).sort(), [
      "checkpoint",
      "config.json",
      "run.lock",
    ]);
  };
  const { parameters } = agent.vlm;
  const weights = await parameters.toHost();
  for (const value of [NaN, Infinity, -Infinity]) {
    const data = weights.get("language.head.weight")!.data.slice();
    data[5] = value;
    parameters.fromHost(new Map(weights).set("language.head.weight", { shape: [], data }));
    await refused(`language.head.weight holds ${value} at element 5`);
  }
  parameters.fromHost(weights);
  const { m, v } = await optimizer.toHost();
  const last = parameters.list.at(-1)!;
  v[last.offset] = NaN;
  optimizer.fromHost({ m, v }, 1);
  await refused(`v.${last.name} holds NaN at element 0`);
  // What no parameter covers is not saved, and may hold anything.
  optimizer.fromHost({ m, v: v.fill(0) }, 1);
  await saveCheckpoint(folder, agent, optimizer, START);
});

gpuTest(
  "a fault of the GPU that is told after the weights were read keeps them from being saved",
  async (gpu) => {
    using temp = new TempFolder();
    await untrainedRun(`${temp.path}/run`);
    const path = `${temp.path}/run/checkpoint`;
    const before = Deno.readFileSync(`${path}/manifest.json`);
    const agent = await loadAgent(gpu, path);
    const optimizer = rlOptimizer(agent, tinyConfig());
    await using folder = await RunFolder.create(`${temp.path}/run`, { resume: true });
    // The last read comes just before the files are written: its submission is refused.
    const { toHost } = optimizer;
    optimizer.toHost = async function () {
      const moments = await toHost.call(optimizer);
      const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE;
      gpu.device.createBuffer({ label: "impossible", size: 16, usage });
      return moments;
    };
    await assertRejects(() => saveCheckpoint(folder, agent, optimizer, START), Error);
    assertEquals(Deno.readFileSync(`${path}/manifest.json`), before);
    optimizer.toHost = toHost;
    await saveCheckpoint(folder, agent, optimizer, START);
  },
);

gpuTest("a damaged checkpoint is refused by the file that is damaged", async (gpu) => {
  using temp = new TempFolder();
  await untrainedRun(`${temp.path}/run`);
  const path = `${temp.path}/run/checkpoint`;
  const bytes = Deno.readFileSync(`${path}/model.safetensors`);
  bytes[bytes.length >> 1] ^= 1;
  Deno.writeFileSync(`${path}/model.safetensors`, bytes);
  const error = await assertRejects(() => loadAgent(gpu, path), Deno.errors.InvalidData);
  assertEquals(
    error.message,
    `Cannot use ${path}: ${path}/model.safetensors is damaged (its content is not what was written), ` +
      `copy it again; ./ponder check ${temp.path}/run says what of its run is whole`,
  );
});

gpuTest("a run in memory saves and loads as one on disk does", async (gpu) => {
  const config = tinyConfig();
  const agent = newAgent(gpu, numberLine, config);
  const optimizer = rlOptimizer(agent, config);
  const store = new MemoryRun();
  await store.writeConfig({});
  const state: TrainerState = { ...START, stage: "rl", sftUpdates: 4 };
  await saveCheckpoint(store, agent, optimizer, state);
  const checkpoint = (await store.resume())!;
  const loaded = await loadAgent(gpu, checkpoint);
  assertEquals(await loaded.vlm.parameters.toHost(), await agent.vlm.parameters.toHost());
  const trainer = await loadTrainer(checkpoint, loaded.vlm.parameters, () => rlOptimizer(loaded, config));
  assertEquals(trainer.state, state);
});
