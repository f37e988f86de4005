/**
 * Proof that a pretrained model learns: a small one is pretrained here on captions and questions over frames of all tasks, exported
 * as an Idefics3 folder, imported as any foreign model, and trained with LoRA on two tasks.
 *
 *     deno run -A scripts/pretrained_proof.ts
 *
 * What is done already is not done again: a stopped proof goes on where it was.
 *
 * @module
 */
import { findEnvironment, numberLine, Random } from "../envs/mod.ts";
import { exists } from "../model/files.ts";
import { AdamW, buildTokenizer, modelPresets, Tokenizer, Vlm } from "../model/mod.ts";
import { Agent } from "../rl/agent.ts";
import { integer, parseOptions, path, Progress, text } from "../rl/cli/mod.ts";
import { resolveConfig, settingsOf } from "../rl/config.ts";
import type { Evaluation, EvaluationResult } from "../rl/evaluation.ts";
import { loadAgent, loadTrainer, saveCheckpoint, START } from "../rl/run/checkpoint.ts";
import { RunFolder } from "../rl/run/folder.ts";
import { requireSound } from "../rl/run/probe.ts";
import { sftOptions, sftUpdate } from "../rl/sft.ts";
import { sftOptimizer } from "../rl/optimizers.ts";
import { openTunedGpu } from "../bench/tuning.ts";
import { defaultsOf } from "../rl/cli/options.ts";
import type { SftSettings } from "../rl/sft.ts";
import { FIRST_SHARE, PretrainingData, shareRight } from "./pretraining_data.ts";

/** What the model is trained on with LoRA, and the sampled success that proves that it learns. */
const PROOFS: readonly { env: string; goal: number }[] = [
  { env: "NumberLine", goal: 0.95 },
  { env: "EZPoints", goal: 0.9 },
];
/** Rates for a model this small, far above those of models that know much. The value head learns as fast as in other runs. */
const FLAGS = [
  ...["--sft-learning-rate", "2e-3"],
  ...["--learning-rate", "3e-4", "--value-learning-rate-scale", "0.2"],
];
const BATCH = 32;
const SAVED_EVERY = 100;
/** Updates from one look at what the model reads to the next, and examples that it is asked then. */
const LOOK_EVERY = 200;
const LOOKED_AT = 256;
const PEAK_RATE = 2e-3;
const RISE = 100;

const options = {
  preset: text("micro-llama", "model to pretrain: micro-llama or nano-llama"),
  updates: integer(2000, "updates of the pretraining", { min: 1 }),
  seed: integer(0, "seed of everything random", { min: 0, max: 1000 }),
  out: path("folder of the proof; runs/proof-PRESET when absent"),
};

/** Pretrains the model, or goes on with it. Its run folder can be exported as any other. */
async function pretrain(out: string, preset: string, updates: number, seed: number): Promise<void> {
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
      const tokenizer = Tokenizer.fromJson(buildTokenizer(PretrainingData.pieces));
      const vlm = new Vlm(gpu, {
        ...modelPresets[preset as "nano-llama"],
        imageNormalization: "fixed",
        vocabularySize: tokenizer.vocabularySize,
      });
      vlm.parameters.initialize(seed);
      agent = new Agent(vlm, tokenizer, { cot: true, actions: [] });
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
    const data = new PretrainingData(agent.vlm.config, agent.tokenizer);
    const heldOut = new Random(seed, "held out");
    const asked = Array.from({ length: LOOKED_AT }, () => data.draw(heldOut, { part: "held-out" }));
    const startMs = performance.now();
    const first = state.sftUpdates;
    for (let update = first; update < updates; update++) {
      const random = new Random(seed, `pretraining ${update}`);
      const isLater = update >= FIRST_SHARE * updates;
      const batch = Array.from({ length: BATCH }, () => data.draw(random, { isLater }));
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
      if ((update + 1) % LOOK_EVERY === 0 || update + 1 === updates) {
        const look = { update: update + 1, loss: metrics.sftLoss, ...await shareRight(agent, asked) };
        await Deno.writeTextFile(`${out}/looks.jsonl`, JSON.stringify(look) + "\n", { append: true });
        console.error(JSON.stringify(look));
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

/** What a run came to: after its demonstrations, and after RL. */
async function outcomeOf(run: string, goal: number): Promise<Record<string, unknown>> {
  const summary = JSON.parse(await Deno.readTextFile(`${run}/summary.json`));
  const { demonstrations } = JSON.parse(await Deno.readTextFile(`${run}/config.json`));
  const shares = ({ sampled, greedy }: Evaluation) => {
    const of = ({ success, ci95, perception }: EvaluationResult) => ({ success, ci95, perception });
    return { sampled: of(sampled), greedy: of(greedy) };
  };
  const { command, adapter, evaluation, evaluation_after_sft: afterSft, wall_seconds: seconds } = summary;
  return {
    reached: evaluation.sampled.success >= goal,
    command,
    adapter,
    demonstrations,
    sftUpdates: summary.sft_updates,
    afterDemonstrations: shares(afterSft),
    envSteps: summary.env_steps,
    afterRl: shares(evaluation),
    episodes: evaluation.episodes,
    seconds,
  };
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
  const proofs: Record<string, unknown> = {};
  for (const { env, goal } of PROOFS) {
    const run = `${out}/${env}`;
    if (!await exists(`${run}/summary.json`)) {
      const how = await exists(`${run}/config.json`) ? ["--resume"] : [
        ...["--model", model, "--env", env, "--lora", "--lora-rank", "8", "--seed", `${seed}`],
        ...["--max-new-tokens", `${resolveConfig({}, findEnvironment(env)).maxNewTokens}`, ...FLAGS],
      ];
      await ponder("train", ...how, "--out", run);
    }
    proofs[env] = { goal, ...await outcomeOf(run, goal) };
  }
  const looks = (await Deno.readTextFile(`${out}/pretrained/looks.jsonl`)).trimEnd().split("\n");
  const pretraining = { updates, batch: BATCH, seed, shareRightOnHeldOut: JSON.parse(looks.at(-1)!) };
  const proof = JSON.stringify({ preset, pretraining, proofs }, null, 2);
  await Deno.writeTextFile(`${out}/proof.json`, proof + "\n");
  console.log(proof);
}
