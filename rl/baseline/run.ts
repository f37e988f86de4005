/**
 * A baseline run: PPO from random weights, then evaluation.
 *
 * @module
 */
import { makeEnv } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { AdamW, Cnn, CNN_LAYERS } from "../../model/mod.ts";
import { formatShare, type Progress } from "../cli/mod.ts";
import { eventLoopTurn } from "../event_loop.ts";
import { evaluateBoth, type Evaluation } from "../evaluation.ts";
import type { RlLine } from "../metrics.ts";
import type { PpoMetrics } from "../ppo_loop.ts";
import { VectorEnv } from "../rollout.ts";
import type { RunStore } from "../run_store.ts";
import { mean } from "../statistics.ts";
import { Stopped } from "../stop.ts";
import type { BaselineConfig } from "./config.ts";
import { CnnPolicy } from "./policy.ts";
import { collect, improve } from "./ppo.ts";

/** Outside world of a run. */
export interface BaselineContext {
  readonly gpu: Gpu;
  readonly folder: RunStore;
  readonly progress: Progress;
  /** True once the user asked to stop. */
  readonly isStopped: () => boolean;
}

/** A run that ended; `evaluation` is null where it was stopped before. */
export interface BaselineResult {
  readonly evaluation: Evaluation | null;
  /** Wall time by stage. */
  readonly seconds: { rl: number; evaluation: number };
}

/** What a line of `metrics.jsonl` says of an RL iteration: what does not speak of language, as `metrics.ts` defines it. */
export type BaselineLine =
  & PpoMetrics
  & Pick<RlLine, "stage" | "iteration" | "envSteps" | "learningRate" | "episodes" | "success" | "meanReturn">;

/** The network of a run, with initial weights. */
export function newCnn(gpu: Gpu, config: BaselineConfig): Cnn {
  const cnn = new Cnn(gpu, {
    ...CNN_LAYERS,
    imageNormalization: config.imageNormalization,
    actions: makeEnv(config.env).actions.length,
  });
  cnn.parameters.initialize(config.seed);
  return cnn;
}

/** Trains and evaluates as `config` says. Deterministic by seed. */
export async function runBaseline(
  cnn: Cnn,
  config: BaselineConfig,
  context: BaselineContext,
): Promise<BaselineResult> {
  const seconds = { rl: 0, evaluation: 0 };
  const timed = async <T>(stage: keyof typeof seconds, work: Promise<T>): Promise<T> => {
    const startMs = performance.now();
    const result = await work;
    seconds[stage] = (performance.now() - startMs) / 1e3;
    return result;
  };
  const policy = new CnnPolicy(cnn);
  try {
    await timed("rl", reinforce(policy, config, context));
    return { evaluation: await timed("evaluation", evaluatePolicy(policy, config, context)), seconds };
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    return { evaluation: null, seconds };
  }
}

/** RL to its last iteration. */
async function reinforce(
  policy: CnnPolicy,
  config: BaselineConfig,
  { folder, progress, isStopped }: BaselineContext,
): Promise<void> {
  const { cnn } = policy;
  const optimizer = new AdamW(cnn.gpu, cnn.parameters, () => ({
    learningRateScale: 1,
    weightDecay: 0,
    clipGroup: "policy",
  }));
  const vectorEnv = new VectorEnv(config.env, config.envs, config.seed);
  const stepsPerIteration = config.envs * config.rolloutSteps;
  const iterations = Math.ceil(config.envSteps / stepsPerIteration);
  for (let iteration = 0; iteration < iterations; iteration++) {
    await eventLoopTurn();
    if (isStopped()) throw new Stopped();
    const rollout = await collect(policy, vectorEnv, { config, iteration });
    const learningRate = config.learningRate * (1 - 0.9 * iteration / iterations);
    const update = await improve(cnn, optimizer, rollout, { config, iteration, learningRate });
    const { episodes } = rollout;
    const meanOf = (value: (episode: typeof episodes[number]) => number) =>
      episodes.length === 0 ? null : mean(episodes.map(value));
    const line: BaselineLine = {
      stage: "rl",
      iteration: iteration + 1,
      envSteps: (iteration + 1) * stepsPerIteration,
      learningRate,
      episodes: episodes.length,
      success: meanOf(({ success }) => Number(success)),
      meanReturn: meanOf(({ episodeReturn }) => episodeReturn),
      ...update,
    };
    folder.appendMetrics(line);
    progress.update({
      stage: "rl",
      step: line.envSteps,
      total: iterations * stepsPerIteration,
      fields: {
        success: line.success === null ? "-" : formatShare(line.success),
        entropy: line.entropy.toFixed(2),
      },
    });
  }
  optimizer.dispose();
}

/** Sampling and the likeliest actions on held-out episodes. */
async function evaluatePolicy(
  policy: CnnPolicy,
  { env, evalEpisodes: episodes }: BaselineConfig,
  { folder, progress, isStopped }: BaselineContext,
): Promise<Evaluation> {
  const evaluation = await evaluateBoth(policy, {
    environment: env,
    episodes,
    seed: 0,
    temperature: 1,
    maxNewTokens: 1,
    onProgress: (step) => {
      if (isStopped()) throw new Stopped();
      progress.update({ stage: "evaluation", step, total: 2 * episodes });
    },
  });
  folder.appendMetrics({ stage: "evaluation", after: "rl", ...evaluation });
  return evaluation;
}
