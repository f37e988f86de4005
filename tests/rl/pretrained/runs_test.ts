/** Runs that train a pretrained model: what they train, keep, and refuse. */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { makeEnv, numberLine } from "../../../envs/mod.ts";
import { findAlgorithm } from "../../../rl/algorithms/mod.ts";
import { openGpu } from "../../../kernels/gpu/mod.ts";
import { decodeSafetensors } from "../../../model/mod.ts";
import type { Agent } from "../../../rl/agent.ts";
import { UsageError } from "../../../rl/cli/mod.ts";
import {
  type GivenSettings,
  optionsOf,
  resolveConfig,
  settingsOf,
  type TrainConfig,
} from "../../../rl/config.ts";
import { tokenText } from "../../../rl/explain.ts";
import { firstPolicy } from "../../../rl/policies/mod.ts";
import { openBase, openBaseOf } from "../../../rl/pretrained/run_base.ts";
import { loadPolicy } from "../../../rl/run/checkpoint.ts";
import { memoryParts, requireMemory, requireRunMemory } from "../../../rl/run/memory_estimate.ts";
import { Play } from "../../../rl/watch/play.ts";
import { findRuns } from "../../../rl/watch/runs.ts";
import { gpuTest, testGpu } from "../../gpu.ts";
import { metricsOf, TempFolder, TINY, tinyConfig, trainHere } from "../tiny_run.ts";
import { writeTinyBase } from "./tiny_base.ts";

const LORA = { lora: true, loraRank: 2, loraTargets: ["q_proj", "down_proj"] } as const;

const tensorsOf = (run: string, checkpoint = "checkpoint") =>
  decodeSafetensors(Deno.readFileSync(`${run}/${checkpoint}/model.safetensors`)).tensors;

gpuTest(
  "a run with LoRA keeps adapters and value head alone, resumes to the same bytes, and acts",
  async () => {
    using temp = new TempFolder();
    const model = writeTinyBase(`${temp.path}/base`);
    const config = tinyConfig({ model, ...LORA, evalEpisodes: 1 });
    const [whole, stopped] = [`${temp.path}/whole`, `${temp.path}/stopped`];
    await trainHere(whole, config);
    const names = [...tensorsOf(whole).keys()];
    assertEquals(names.length, 3 * 2 * 2 + 4);
    assert(names.every((name) => name.includes(".lora.") || name.startsWith("value_head.")));
    // Adapters begin with B = 0; training moved them.
    const B = tensorsOf(whole).get("language.blocks.0.lora.q_proj.B")!.data;
    assert(B.some((value) => value !== 0));
    await trainHere(stopped, config, (_, metrics) => metrics.includes('"iteration":1,'));
    await trainHere(stopped, { ...config, resume: true });
    assertEquals(metricsOf(stopped), metricsOf(whole));
    for (const file of ["model", "optimizer"]) {
      assertEquals(
        Deno.readFileSync(`${stopped}/checkpoint/${file}.safetensors`),
        Deno.readFileSync(`${whole}/checkpoint/${file}.safetensors`),
      );
    }
    const env = makeEnv("NumberLine");
    env.reset({ seed: 1 });
    const policy = await loadPolicy(await testGpu(), `${whole}/checkpoint`, env);
    assertEquals(typeof (await policy.act(env, { maxNewTokens: 2 })).decoding.text, "string");
    // Who looks into a response sees the name of a token that writes nothing.
    const { tokenizer } = policy as Agent;
    const told = [tokenizer.endId, tokenizer.imageId!, tokenizer.encode("9").ids[0]].map((id) =>
      tokenText(policy, id)
    );
    assertEquals(told, ["", tokenizer.tokenOf(tokenizer.imageId!), "9"]);
  },
);

gpuTest("a whole model is trained without its vision, unless nothing is frozen", async () => {
  using temp = new TempFolder();
  const model = writeTinyBase(`${temp.path}/base`);
  const gpu = await testGpu();
  for (const freeze of [undefined, ["none"]] as const) {
    const run = `${temp.path}/${freeze ?? "default"}`;
    const config = tinyConfig({
      model,
      envSteps: 16,
      evalEpisodes: 1,
      learningRate: 1e-3,
      ...freeze && { freeze },
    });
    const { vlm } = await firstPolicy(gpu, numberLine, config) as Agent;
    const before = await vlm.parameters.toHost();
    await trainHere(run, config);
    const after = tensorsOf(run);
    assertEquals([...after.keys()], [...before.keys()]);
    const isMoved = (name: string) =>
      after.get(name)!.data.some((value, i) => value !== before.get(name)!.data[i]);
    for (const name of ["vision.blocks.0.mlp.up.weight", "vision.norm.bias", "projector.weight"]) {
      assertEquals(isMoved(name), freeze !== undefined, `${run} ${name}`);
    }
    assert(isMoved("language.blocks.0.mlp.down.weight"));
  }
});

gpuTest("groups of episodes train adapters, with a divergence from the warm start", async () => {
  using temp = new TempFolder();
  const model = writeTinyBase(`${temp.path}/base`);
  const algorithm = findAlgorithm("grpo");
  const settings: GivenSettings = {
    ...{ ...TINY, preset: undefined, model, ...LORA, algorithm: "grpo", klCoefficient: 0.1, evalEpisodes: 1 },
    ...{ groups: 2, groupSize: 2 },
  };
  const known = Object.entries(settings).filter(([name]) => Object.hasOwn(optionsOf(algorithm), name));
  const config = resolveConfig(Object.fromEntries(known), numberLine, algorithm) as TrainConfig;
  const { afterRl } = await trainHere(`${temp.path}/run`, config);
  assert(afterRl !== null);
});

gpuTest(
  "the prompt is in the model's chat form, with the picture's tokens where the form has them",
  async () => {
    using temp = new TempFolder();
    const model = writeTinyBase(`${temp.path}/base`);
    const agent = await firstPolicy(await testGpu(), numberLine, tinyConfig({ model })) as Agent;
    const env = makeEnv("NumberLine");
    const prompt = agent.promptOf({ env, ...env.reset({ seed: 1 }) });
    const { tokenizer } = agent;
    const idOf = (token: string) => tokenizer.idOf(token)!;
    const text = env.prompt(env.current().info, { cot: true });
    assertEquals(prompt.map(({ kind }) => kind), ["text", "image", "text"]);
    assertEquals(prompt[0], { kind: "text", ids: [idOf("<|reserved_0|>")] });
    assertEquals(prompt[2], {
      kind: "text",
      ids: [...tokenizer.encode(text).ids, idOf("<|end|>"), idOf("<|reserved_1|>")],
    });
    // Rows of the embedding beyond the tokenizer's tokens write nothing.
    assertEquals(agent.decode([159]).text, "");
  },
);

/** What the page gets when it asks the run's policy to think, with its base at that place. */
async function thinkingIn(run: string, model?: string): Promise<[status: number, text: string]> {
  await using play = new Play({ runs: () => findRuns([run]), openGpu, model });
  const ask = async (path: string, content: object) => {
    const body = JSON.stringify(content);
    const headers = { "content-length": String(body.length) };
    return (await play.answer(new Request("http://127.0.0.1/", { method: "POST", body, headers }), path))!;
  };
  const { session } = await (await ask("begin", { run: "run", seed: 0 })).json();
  const answer = await ask("think", { session, greedy: true });
  return [answer.status, await answer.text()];
}

gpuTest("a base that is gone, changed or moved is told by name", async () => {
  using temp = new TempFolder();
  const model = writeTinyBase(`${temp.path}/base`);
  const run = `${temp.path}/run`;
  await trainHere(run, tinyConfig({ model, ...LORA, envSteps: 0, sftSteps: 1, evalEpisodes: 1 }));
  const [gpu, env] = [await testGpu(), makeEnv("NumberLine")];
  const load = (place?: string) => loadPolicy(gpu, `${run}/checkpoint`, env, { model: place });
  await load();
  Deno.renameSync(model, `${temp.path}/moved`);
  const gone = await assertRejects(load, Deno.errors.NotFound, "--model");
  assertStringIncludes(gone.message, model);
  await load(`${temp.path}/moved`);
  assertEquals(await thinkingIn(run), [400, gone.message]);
  assertEquals((await thinkingIn(run, `${temp.path}/moved`))[0], 200);
  const config = JSON.parse(Deno.readTextFileSync(`${temp.path}/moved/config.json`));
  Deno.writeTextFileSync(
    `${temp.path}/moved/config.json`,
    JSON.stringify({ ...config, torch_dtype: "float16" }),
  );
  await assertRejects(() => load(`${temp.path}/moved`), Deno.errors.InvalidData, "has changed");
  const path = `${run}/checkpoint/config.json`;
  Deno.removeSync(`${run}/checkpoint/manifest.json`);
  const kept = JSON.parse(Deno.readTextFileSync(path));
  for (
    const pretrained of [null, {}, { ...kept.pretrained, sha256: "x" }, {
      ...kept.pretrained,
      lora: { rank: -1 },
    }]
  ) {
    Deno.writeTextFileSync(path, JSON.stringify({ ...kept, pretrained }));
    await assertRejects(() => load(`${temp.path}/moved`), SyntaxError, '"pretrained"');
  }
});

gpuTest(
  "prompts that do not fit, words that cannot be written and memory that is not there are refused at once",
  async () => {
    using temp = new TempFolder();
    const gpu = await testGpu();
    const text =
      JSON.parse(Deno.readTextFileSync(`${writeTinyBase(`${temp.path}/base`)}/config.json`)).text_config;
    const short = writeTinyBase(`${temp.path}/short`, {
      text_config: { ...text, max_position_embeddings: 8 },
    });
    const config = tinyConfig({ model: short, ...LORA });
    const opened = await openBase(config);
    const error = assertThrows(
      () => requireRunMemory(gpu, numberLine, findAlgorithm("ppo"), config, opened),
      UsageError,
      "its context 8",
    );
    assertStringIncludes(error.message, "a prompt has");
    const other = makeEnv("EZPoints");
    await assertRejects(
      () => firstPolicy(gpu, { ...numberLine, make: () => other }, tinyConfig({ model: short }), opened),
      RangeError,
      "cannot write",
    );
    const huge = {
      ...opened!.base.model,
      layers: 1000,
      width: 4096,
      innerWidth: 16_384,
      heads: 32,
      headSize: 128,
    };
    const [whole, adapted] = [huge, { ...huge, lora: { rank: 8, alpha: 16, targets: ["q_proj"] } }].map((
      model,
    ) => memoryParts(config, { model }).find(({ what }) => what === "the model takes")!.bytes);
    assert(adapted < whole / 3);
    const machine = { totalBytes: 2 ** 40, isShared: true, maxBindingBytes: 2 ** 27 };
    assertThrows(() => requireMemory(config, { model: huge }, machine), UsageError, "with --lora");
  },
);

Deno.test("settings of a pretrained model need one, and those of a model made here do not fit it", () => {
  const cases: [GivenSettings, string][] = [
    [{ lora: true }, "without --model"],
    [{ loraRank: 4 }, "without --model"],
    [{ model: "m", preset: "nano" }, "with --model"],
    [{ model: "m", imageNormalization: "fixed" }, "with --model"],
    [{ model: "m", lora: true, freeze: ["none"] }, "adapters and vision"],
    [{ model: "m", lora: true, loraTargets: ["qkv"] }, "q_proj, k_proj"],
    [{ model: "m", lora: true, loraTargets: [] }, "names no layer"],
    [{ policy: "cnn", model: "m" }, "no such setting"],
  ];
  for (const [given, words] of cases) assertThrows(() => resolveConfig(given, numberLine), UsageError, words);
  const config = resolveConfig({ model: "models/m", lora: true }, numberLine);
  assert(config.freeze.includes("vision"));
  assertEquals(config.maxNewTokens, 256);
  const settings = settingsOf(config);
  assertEquals([settings.model, settings.loraRank, settings.preset], ["models/m", 8, undefined]);
  assertEquals(Object.keys(settingsOf(tinyConfig())).filter((name) => /lora|model|split/.test(name)), []);
  assertEquals(settingsOf(resolveConfig(settings as GivenSettings, numberLine)), settings);
});

Deno.test({
  name: "a base that may not be read is named with the flag that grants it",
  permissions: { read: [new URL("../../..", import.meta.url)] },
  fn: async () => {
    const model = "/not/granted";
    await assertRejects(
      () => openBaseOf("runs/a", { model, splitPictures: false }),
      Deno.errors.NotFound,
      "Cannot use runs/a: its base model may not be read, as the command line does not name it; add --model /not/granted",
    );
  },
});

Deno.test("a model without a tokenizer cannot be trained, and what to add is said", async () => {
  using temp = new TempFolder();
  const model = writeTinyBase(`${temp.path}/base`);
  Deno.removeSync(`${model}/tokenizer.json`);
  const refused = (words: string) =>
    assertRejects(() => openBase({ model, splitPictures: false }), UsageError, words);
  await refused(
    "no tokenizer.json, add the model's own tokenizer.json and tokenizer_config.json to the folder",
  );
  // As nanoVLM's own code writes it.
  const config = JSON.parse(Deno.readTextFileSync(`${model}/config.json`));
  const withName = (lm_tokenizer: unknown) =>
    Deno.writeTextFileSync(`${model}/config.json`, JSON.stringify({ ...config, lm_tokenizer }));
  withName("HuggingFaceTB/cosmo2-tokenizer");
  await refused("of HuggingFaceTB/cosmo2-tokenizer (named in its config.json) to the folder");
  withName("not a\nname");
  await refused("add the model's own");
  await assertRejects(
    () => openBase({ model: `${temp.path}/none`, splitPictures: false }),
    UsageError,
    "import",
  );
});
