/**
 * Proof that a pretrained model learns: a small one is pretrained here on captions and questions over frames of all tasks, exported
 * as an Idefics3 folder, imported as any foreign model, and trained with LoRA on two tasks.
 *
 *     deno run -A scripts/pretrained_proof.ts                       # micro-llama, hours on two cores
 *     deno run -A scripts/pretrained_proof.ts --preset nano-llama --updates 600
 *
 * What is done already is not done again: a stopped proof goes on where it was.
 *
 * @module
 */
import { type Environment, findEnvironment, makeEnv, numberLine, Random } from "../envs/mod.ts";
import { exists } from "../model/files.ts";
import { AdamW, buildTokenizer, modelPresets, Tokenizer, Vlm } from "../model/mod.ts";
import { Agent } from "../rl/agent.ts";
import { integer, parseOptions, path, Progress, text } from "../rl/cli/mod.ts";
import { resolveConfig, settingsOf } from "../rl/config.ts";
import type { Demonstration } from "../rl/demonstrations.ts";
import { modelPicture } from "../rl/image.ts";
import { loadAgent, loadTrainer, saveCheckpoint, START } from "../rl/run/checkpoint.ts";
import { RunFolder } from "../rl/run/folder.ts";
import { requireSound } from "../rl/run/probe.ts";
import { sftOptions, sftUpdate } from "../rl/sft.ts";
import { sftOptimizer } from "../rl/optimizers.ts";
import { openTunedGpu } from "../bench/tuning.ts";
import { defaultsOf } from "../rl/cli/options.ts";
import type { SftSettings } from "../rl/sft.ts";

/** Tasks whose frames are shown, and how often. */
const TASKS: Readonly<Record<string, number>> = {
  NumberLine: 3,
  EZPoints: 4,
  Points24: 2,
  Blackjack: 2,
  Household: 1,
};
/** What the model is trained on with LoRA, its settings, and the success that proves that it learns. */
const PROOFS: readonly { env: string; goal: number; flags: readonly string[] }[] = [
  { env: "NumberLine", goal: 0.95, flags: ["--learning-rate", "1e-3", "--sft-learning-rate", "3e-3"] },
  { env: "EZPoints", goal: 0.9, flags: ["--learning-rate", "5e-4", "--sft-learning-rate", "3e-3"] },
];
const CAPTION = "What do you see?";
const BATCH = 32;
const SAVED_EVERY = 50;
const PEAK_RATE = 1e-3;
const RISE = 50;

const options = {
  preset: text("micro-llama", "model to pretrain: micro-llama or nano-llama"),
  updates: integer(2000, "updates of the pretraining", { min: 1 }),
  seed: integer(0, "seed of everything random", { min: 0, max: 1000 }),
  out: path("folder of the proof; runs/proof-PRESET when absent"),
};

/** Something to ask about a state, and the answer. */
interface Question {
  readonly ask: string;
  readonly answer: string;
}

/** What can be asked about the present state of a task beside its caption. */
function questionsOf(info: Readonly<Record<string, unknown>>): Question[] {
  const { current, target, numbers, playerSum, goalReached: _ } = info;
  return [
    ...current === undefined ? [] : [
      { ask: "What is the current number?", answer: `${current}` },
      { ask: "What is the target number?", answer: `${target}` },
      {
        ask: "Is the current number larger?",
        answer: Number(current) > Number(target)
          ? "greater"
          : Number(current) < Number(target)
          ? "less"
          : "equal",
      },
    ],
    ...Array.isArray(numbers)
      ? numbers.map((number, i) => ({ ask: `Which number has card ${i + 1}?`, answer: `${number}` }))
      : [],
    ...playerSum === undefined ? [] : [{ ask: "What is the sum of the player?", answer: `${playerSum}` }],
  ];
}

const QUESTIONS = [
  "What is the current number?",
  "What is the target number?",
  "Is the current number larger?",
  ...[1, 2, 3, 4].map((card) => `Which number has card ${card}?`),
  "What is the sum of the player?",
];
const ANSWERS = ["greater", "less", "equal", ...Array.from({ length: 31 }, (_, i) => `${i}`)];

/** What is seen, in the words of the task: what a demonstration says before it thinks, or else before it acts. */
function captionOf({ tokenizer }: Agent, env: Environment, random: Random): number[] {
  const bias = Object.fromEntries(Object.keys(env.bias ?? {}).map((kind) => [kind, 0]));
  const text = env.demonstrate!(random, { cot: true, bias });
  const thoughts = text.indexOf('"thoughts"');
  const end = thoughts > 1 ? thoughts : text.indexOf('"action"');
  const { ids, ends } = tokenizer.encode(text);
  return ids.slice(0, ends.findIndex((each) => each > end));
}

/** A frame of a random state, and a caption or a question about it. */
function example(agent: Agent, env: Environment, random: Random): Demonstration {
  while (true) {
    let { info, observation, isOver } = { ...env.reset({ seed: random.integer(100_000) }), isOver: false };
    for (let steps = random.integer(4); steps > 0 && !isOver; steps--) {
      const result = env.step(env.randomAction());
      ({ info, observation } = result);
      isOver = result.terminated || result.truncated;
    }
    if (isOver) continue;
    const questions = questionsOf(info);
    const isCaption = questions.length === 0 || random.float() < 0.5;
    const { ask, answer } = isCaption
      ? { ask: CAPTION, answer: "" }
      : questions[random.integer(questions.length)];
    const { tokenizer } = agent;
    const response = isCaption ? captionOf(agent, env, random) : tokenizer.encode(answer).ids;
    if (response.length === 0 || response.length > 60) continue;
    return {
      prompt: [
        { kind: "image", picture: modelPicture(observation, agent.vlm.config.imageSize) },
        { kind: "text", ids: tokenizer.encode(ask).ids },
      ],
      response: [...response, tokenizer.endId],
      discountedReturn: 0,
    };
  }
}

/** Pretrains the model, or goes on with it. Its run folder can be exported as any other. */
async function pretrain(out: string, preset: string, updates: number, seed: number): Promise<void> {
  const envs = Object.keys(TASKS).map((name) => makeEnv(name));
  const config = resolveConfig(
    { preset: preset as "nano-llama", imageNormalization: "fixed", seed },
    numberLine,
  );
  const isThere = await exists(`${out}/config.json`);
  await using folder = await RunFolder.create(out, { resume: isThere });
  const gpu = await openTunedGpu({ note: console.error });
  const progress = new Progress();
  try {
    const checkpoint = isThere ? await folder.resume() : null;
    let agent: Agent;
    let optimizer: AdamW;
    let state = { ...START, memory: {} };
    if (checkpoint === null) {
      await folder.writeConfig(settingsOf(config));
      const pieces = [...envs.flatMap(({ tokens }) => tokens), CAPTION, ...QUESTIONS, ...ANSWERS];
      const tokenizer = Tokenizer.fromJson(buildTokenizer(pieces));
      const vlm = new Vlm(gpu, {
        ...modelPresets[preset as "nano-llama"],
        imageNormalization: "fixed",
        vocabularySize: tokenizer.vocabularySize,
      });
      vlm.parameters.initialize(seed);
      agent = new Agent(vlm, tokenizer, { cot: true, actions: envs[0].actions });
      optimizer = sftOptimizer(agent, config);
    } else {
      agent = await loadAgent(gpu, checkpoint);
      ({ state, optimizer } = await loadTrainer(
        checkpoint,
        agent.parameters,
        () => sftOptimizer(agent, config),
      ));
    }
    const settings = { ...defaultsOf(sftOptions) as SftSettings, sftValueCoefficient: 0 };
    const tickets = envs.flatMap((env) => Array<Environment>(TASKS[env.name]).fill(env));
    const startMs = performance.now();
    const first = state.sftUpdates;
    for (let update = first; update < updates; update++) {
      const random = new Random(seed, `pretraining ${update}`);
      const batch = Array.from(
        { length: BATCH },
        () => example(agent, tickets[random.integer(tickets.length)], random),
      );
      const fall = 0.1 + 0.9 * 0.5 * (1 + Math.cos(Math.PI * update / updates));
      const rate = PEAK_RATE * Math.min(1, (update + 1) / RISE) * fall;
      const metrics = await sftUpdate(agent, optimizer, batch, rate, settings);
      folder.appendMetrics({ stage: "sft", update: update + 1, learningRate: rate, ...metrics });
      progress.update({
        stage: "pretraining",
        step: update + 1,
        total: updates,
        fields: { loss: metrics.sftLoss.toFixed(3) },
        leftMs: (performance.now() - startMs) / (update + 1 - first) * (updates - update - 1),
      });
      state = { ...state, sftUpdates: update + 1, optimizerStep: optimizer.step };
      if ((update + 1) % SAVED_EVERY === 0 || update + 1 === updates) {
        await requireSound(agent, batch[0].prompt, `keep the weights of update ${update + 1}`, 1);
        await saveCheckpoint(folder, agent, optimizer, state);
      }
    }
    progress.close();
  } finally {
    gpu.destroy();
  }
}

/** Runs a command of ponder. */
async function ponder(command: string, ...args: readonly string[]): Promise<void> {
  console.error(`\n${["./ponder", command, ...args].join(" ")}`);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL(`../commands/${command}.ts`, import.meta.url).pathname, ...args],
    stdin: "null",
  }).spawn().status;
  if (code !== 0) throw new Error(`Cannot go on: ${command} ended with ${code}, see its message above`);
}

if (import.meta.main) {
  const { values: { preset, updates, seed, out = `runs/proof-${preset}` } } = parseOptions(
    Deno.args,
    options,
  );
  await pretrain(`${out}/pretrained`, preset, updates, seed);
  const [folder, model] = [`${out}/idefics3`, `${out}/model`];
  if (!await exists(folder)) {
    await ponder("export", "--run", `${out}/pretrained`, "--merged", "--out", folder);
  }
  if (!await exists(model)) await ponder("import", folder, "--out", model);
  const results: Record<string, unknown> = {};
  for (const { env, goal, flags } of PROOFS) {
    const run = `${out}/${env}`;
    if (!await exists(`${run}/summary.json`)) {
      const how = await exists(`${run}/config.json`) ? ["--resume"] : [
        ...["--model", model, "--env", env, "--lora", "--lora-rank", "8", "--seed", `${seed}`],
        ...["--max-new-tokens", `${resolveConfig({}, findEnvironment(env)).maxNewTokens}`, ...flags],
      ];
      await ponder("train", ...how, "--out", run);
    }
    const { evaluation } = JSON.parse(await Deno.readTextFile(`${run}/summary.json`));
    const { success, ci95 } = evaluation.sampled;
    results[env] = { success, ci95, greedy: evaluation.greedy.success, goal, reached: success >= goal };
  }
  await Deno.writeTextFile(
    `${out}/proof.json`,
    JSON.stringify({ preset, updates, seed, ...results }, null, 2) + "\n",
  );
  console.log(await Deno.readTextFile(`${out}/proof.json`));
}
