/**
 * A training run from start to end: warm start, perception gate, RL, evaluation.
 *
 * @module
 */
import type { Gpu } from "../kernels/gpu/mod.ts";
import { makeEnv } from "../envs/mod.ts";
import { AdamW, buildTokenizer, modelPresets, type Parameter, Tokenizer, Vlm } from "../model/mod.ts";
import { Agent } from "./agent.ts";
import { loadAgent, loadTrainer, saveCheckpoint, type TrainerState } from "./checkpoint.ts";
import type { Progress } from "./cli/mod.ts";
import { formatShare } from "./cli/mod.ts";
import type { TrainConfig } from "./config.ts";
import { estimateWork } from "./estimate.ts";
import { eventLoopTurn } from "./event_loop.ts";
import { evaluate, evaluateBoth, type Evaluation } from "./evaluation.ts";
import { type MetricsLine, rolloutMetrics } from "./metrics.ts";
import { NotFiniteError, ppoIteration } from "./ppo.ts";
import { collectRollout, VectorEnv } from "./rollout.ts";
import type { RunFolder } from "./run_folder.ts";
import { demonstrate, sftBatch, sftLearningRate, sftUpdate } from "./sft.ts";

/** RL iterations between checkpoints. */
const CHECKPOINT_INTERVAL = 6;
/** SFT updates between looks at perception once the planned ones are done. */
const GATE_INTERVAL = 50;
const GATE_EPISODES = 64;

/** Outside world of a run. */
export interface RunContext {
  readonly gpu: Gpu;
  readonly folder: RunFolder;
  readonly progress: Progress;
  /** True once the user asked to stop. */
  readonly isStopped: () => boolean;
}

/** A run that ended, or null results where it was stopped before. */
export interface RunResult {
  readonly afterSft: Evaluation | null;
  readonly afterRl: Evaluation | null;
  readonly parameters: number;
  /** Wall time by stage. */
  readonly seconds: { sft: number; rl: number; evaluation: number };
  /** Response tokens written in rollouts, and the wall time that took. */
  readonly rolloutTokens: number;
  readonly rolloutSeconds: number;
}

/** Begins a run. */
export function newAgent(gpu: Gpu, config: TrainConfig): Agent {
  const tokenizer = Tokenizer.fromJson(buildTokenizer(makeEnv(config.env).tokens));
  const vlm = new Vlm(gpu, {
    ...modelPresets[config.preset as keyof typeof modelPresets],
    imageNormalization: config.imageNormalization,
    vocabularySize: tokenizer.vocabularySize,
  });
  vlm.parameters.initialize(config.seed);
  return new Agent(vlm, tokenizer, { cot: config.cot });
}

/** Every weight learns in the warm start; linear weights decay. */
export function sftOptimizer(vlm: Vlm, config: TrainConfig): AdamW {
  return new AdamW(vlm.gpu, vlm.parameters, ({ kind, part }) => ({
    learningRateScale: 1,
    weightDecay: kind === "matrix" || kind === "head" ? config.sftWeightDecay : 0,
    clipGroup: part === "value_head" ? "value" : "policy",
  }));
}

/** RL trains vision encoder, projector, language model and value head, but for the frozen kinds of tensors. */
export function rlOptimizer(vlm: Vlm, config: TrainConfig): AdamW {
  const scaleOf = ({ kind, part }: Parameter) => {
    if (part === "value_head") return config.valueLearningRateScale;
    if (config.freeze.includes(kind)) return 0;
    return part === "language" ? 1 : config.visionLearningRateScale;
  };
  return new AdamW(vlm.gpu, vlm.parameters, (parameter) => ({
    learningRateScale: scaleOf(parameter),
    weightDecay: 0,
    clipGroup: parameter.part === "value_head" ? "value" : "policy",
  }));
}

/** Trains as `config` says, or goes on from the folder's checkpoint when `config.resume`. */
export async function runTraining(config: TrainConfig, context: RunContext): Promise<RunResult> {
  const { gpu, folder, progress } = context;
  const isStopped = async () => {
    await eventLoopTurn();
    return context.isStopped();
  };
  const checkpoint = config.resume ? await folder.checkpointPath() : null;
  const agent = checkpoint === null ? newAgent(gpu, config) : await loadAgent(gpu, checkpoint);
  const { vlm } = agent;
  const work = estimateWork(vlm, config);
  let state: TrainerState = {
    stage: "sft",
    sftUpdates: 0,
    iteration: 0,
    optimizerStep: 0,
    slots: [],
    episodes: 0,
  };
  let optimizer: AdamW | null = null;
  if (checkpoint !== null) {
    ({ state, optimizer } = await loadTrainer(
      checkpoint,
      vlm,
      ({ stage }) => stage === "sft" ? sftOptimizer(vlm, config) : rlOptimizer(vlm, config),
    ));
    await folder.truncateMetrics((line) => isBefore(line as unknown as MetricsLine, state));
  } else if (config.resume) {
    await folder.truncateMetrics(() => false);
  }
  const log = (line: MetricsLine) => folder.appendMetrics(line);
  const result = {
    afterSft: null as Evaluation | null,
    afterRl: null as Evaluation | null,
    parameters: vlm.parameters.count,
    seconds: { sft: 0, rl: 0, evaluation: 0 },
    rolloutTokens: 0,
    rolloutSeconds: 0,
  };
  for (const line of await folder.readMetrics() as unknown as MetricsLine[]) {
    if (line.stage === "evaluation" && line.after === "sft") result.afterSft = line;
  }
  const timed = async <T>(stage: keyof typeof result.seconds, run: () => Promise<T>): Promise<T> => {
    const startMs = performance.now();
    try {
      return await run();
    } finally {
      result.seconds[stage] += (performance.now() - startMs) / 1e3;
    }
  };
  const evaluateAfter = (after: "sft" | "rl") =>
    timed("evaluation", async () => {
      const stage = `evaluation after ${after}` as const;
      const total = 2 * config.evalEpisodes;
      const evaluation = await evaluateBoth(agent, {
        environment: config.env,
        episodes: config.evalEpisodes,
        seed: 0,
        temperature: config.temperature,
        maxNewTokens: config.maxNewTokens,
        onProgress: (step) => progress.update({ stage, step, total, leftMs: work.left(stage, step / total) }),
      });
      log({ stage: "evaluation", after, ...evaluation });
      return evaluation;
    });

  // Warm start: the planned updates, then more until the pictures are read.
  if (state.stage === "sft") {
    optimizer ??= sftOptimizer(vlm, config);
    const sft = optimizer;
    let update = state.sftUpdates;
    const isPassed = await timed("sft", async () => {
      const demonstrations = demonstrate(agent, config);
      const most = config.sftSteps + (config.cot ? config.perceptionExtraSteps : 0);
      for (; !await isStopped(); update++) {
        const extra = update - config.sftSteps;
        if (config.cot && extra >= 0 && extra % GATE_INTERVAL === 0) {
          const perception = await perceptionOf(agent, config);
          log({ stage: "gate", update, perception });
          if (perception >= config.perceptionGate) return true;
          progress.note(
            `perception ${
              formatShare(perception)
            } after ${update} updates, the gate is at ${config.perceptionGate}`,
          );
        }
        if (update >= most) return !config.cot;
        const learningRate = sftLearningRate(update, config);
        const metrics = await sftUpdate(agent, sft, sftBatch(demonstrations, update, config), learningRate);
        const { sftLoss, valueLoss, gradientNorm } = metrics;
        if (!Number.isFinite(sftLoss + valueLoss + gradientNorm)) {
          throw new NotFiniteError(
            `Cannot go on at SFT update ${update + 1}: loss ${sftLoss}, value loss ${valueLoss}, ` +
              `gradient norm ${gradientNorm}`,
          );
        }
        log({ stage: "sft", update: update + 1, learningRate, ...metrics });
        progress.update({
          stage: "sft",
          step: update + 1,
          total: Math.max(config.sftSteps, update + 1),
          fields: { loss: metrics.sftLoss.toFixed(3) },
          leftMs: work.left("sft", (update + 1) / config.sftSteps),
        });
      }
      return false;
    });
    if (await isStopped()) {
      await saveCheckpoint(folder, agent, sft, { ...state, sftUpdates: update, optimizerStep: sft.step });
      return result;
    }
    if (!isPassed) {
      throw new Error(
        `Cannot begin RL: perception stayed under ${config.perceptionGate} for ${update} SFT updates, ` +
          "raise --demonstrations or --perception-extra-steps, or lower --perception-gate",
      );
    }
    result.afterSft = await evaluateAfter("sft");
    sft.dispose();
    optimizer = rlOptimizer(vlm, config);
    state = { ...state, stage: "rl", sftUpdates: update, optimizerStep: 0 };
    await saveCheckpoint(folder, agent, optimizer, state);
  }

  // RL: collect, improve, log.
  if (state.stage === "rl") {
    const rl = optimizer!;
    const vectorEnv = new VectorEnv(config.env, config.envs, config.seed);
    if (state.slots.length > 0) vectorEnv.restore(state.slots, state.episodes);
    const stepsPerIteration = config.envs * config.rolloutSteps;
    const iterations = Math.ceil(config.envSteps / stepsPerIteration);
    const save = async (stage: "rl" | "done", iteration: number) => {
      state = { ...state, stage, iteration, optimizerStep: rl.step, ...vectorEnv.save() };
      await saveCheckpoint(folder, agent, rl, state);
    };
    let iteration = state.iteration;
    await timed("rl", async () => {
      for (; iteration < iterations && !await isStopped(); iteration++) {
        const startMs = performance.now();
        const rollout = await collectRollout(agent, vectorEnv, {
          steps: config.rolloutSteps,
          lambda: config.lambda,
          temperature: config.temperature,
          maxNewTokens: config.maxNewTokens,
          rewardScale: config.rewardScale,
          formatPenalty: config.formatPenalty,
          seed: config.seed,
          stepsBefore: iteration * config.rolloutSteps,
        });
        result.rolloutSeconds += (performance.now() - startMs) / 1e3;
        result.rolloutTokens += rollout.transitions.reduce((sum, { response }) => sum + response.length, 0);
        const learningRate = config.learningRate * (1 - 0.9 * iteration / iterations);
        const update = await ppoIteration(vlm, rl, rollout, { config, iteration, learningRate })
          .catch((error) => {
            if (!(error instanceof NotFiniteError)) throw error;
            throw new NotFiniteError(`Cannot go on at RL iteration ${iteration + 1}: ${error.message}`);
          });
        const metrics = rolloutMetrics(rollout);
        const envSteps = (iteration + 1) * stepsPerIteration;
        log({ stage: "rl", iteration: iteration + 1, envSteps, learningRate, ...metrics, ...update });
        progress.update({
          stage: "rl",
          step: envSteps,
          total: iterations * stepsPerIteration,
          fields: {
            success: metrics.success === null ? "-" : formatShare(metrics.success),
            parsed: formatShare(metrics.parseRate),
            "tok/s": (result.rolloutTokens / result.rolloutSeconds).toFixed(0),
          },
          leftMs: work.left("rl", (iteration + 1) / iterations),
        });
        if ((iteration + 1) % CHECKPOINT_INTERVAL === 0) await save("rl", iteration + 1);
      }
    });
    await save(iteration < iterations ? "rl" : "done", iteration);
    if (iteration < iterations) return result;
  }
  result.afterRl = await evaluateAfter("rl");
  return result;
}

/** Was this line written before the checkpoint with this state? */
function isBefore(line: MetricsLine, { stage, sftUpdates, iteration }: TrainerState): boolean {
  switch (line.stage) {
    case "sft":
      return line.update <= sftUpdates;
    case "gate":
      return stage === "sft" ? line.update < sftUpdates : line.update <= sftUpdates;
    case "rl":
      return line.iteration <= iteration;
    case "evaluation":
      return line.after === "sft" && stage !== "sft";
  }
}

/** Share of picture fields that greedy responses read correctly, on held-out seeds of their own. */
async function perceptionOf(agent: Agent, config: TrainConfig): Promise<number> {
  const { perception } = await evaluate(agent, {
    environment: config.env,
    episodes: GATE_EPISODES,
    seed: 1,
    greedy: true,
    temperature: config.temperature,
    maxNewTokens: config.maxNewTokens,
  });
  return perception ?? 0;
}
