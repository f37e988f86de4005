/**
 * How long a run should take: its arithmetic over the machine's measured speed.
 *
 * @module
 */
import { matmul } from "../../kernels/matmul/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { cnnFlops, deriveSizes, forwardFlops } from "../../model/mod.ts";
import { Agent } from "../agent.ts";
import type { CommonSettings } from "../config.ts";
import { CnnPolicy } from "../policies/cnn.ts";
import type { Policy } from "../policy.ts";
import type { RunBase } from "../pretrained/run_base.ts";

/** Share of a plain matmul's FLOP/s that whole training steps reach; measured with the default preset. */
const TRAINING_EFFICIENCY = 0.55;
/** Steps of a held-out episode, roughly: short after RL, longer before it. */
const EPISODE_STEPS = { sft: 6, rl: 2.5 };

type Stage = "sft" | "evaluation after sft" | "rl" | "evaluation after rl";

/** Tokens of a prompt and of a response if each is a phrase, as in a model that is made here. */
const PROMPT_TOKENS = 6;
/** The same of a pretrained model, roughly: its tokens are parts of words, and responses end long before their limit. */
const PRETRAINED_TOKENS = { prompt: 150, response: 64 };

/** Floating-point operations of one sequence's forward pass. */
function forwardOf(policy: Policy | RunBase, { maxNewTokens }: CommonSettings): number {
  if (policy instanceof CnnPolicy) return cnnFlops(policy.cnn.config, 1);
  const isBase = "digest" in policy;
  if (!isBase && !(policy instanceof Agent)) return 2 * policy.parameters.count;
  const config = isBase ? policy.base.model : policy.vlm.config;
  const isPretrained = isBase || policy.base !== null;
  const R = isPretrained ? Math.min(maxNewTokens, PRETRAINED_TOKENS.response) : maxNewTokens;
  const T = deriveSizes(config).imageTokens + R + (isPretrained ? PRETRAINED_TOKENS.prompt : PROMPT_TOKENS);
  return forwardFlops(config, { images: 1, B: 1, T, R });
}

/** Estimates the work of a run's stages, and from the pace so far the time that is left. */
export function estimateWork(policy: Policy | RunBase, config: CommonSettings) {
  const forward = forwardOf(policy, config);
  const update = 3 * forward;
  // A decoded token costs about three times its share of a batched forward.
  const response = 3 * forward;
  const flops: Record<Stage, number> = {
    sft: config.sftSteps * config.sftBatch * update,
    "evaluation after sft": 2 * config.evalEpisodes * EPISODE_STEPS.sft * response,
    rl: config.envSteps * (config.epochs * update + response),
    "evaluation after rl": 2 * config.evalEpisodes * EPISODE_STEPS.rl * response,
  };
  if (config.demonstrations === 0) flops.sft = flops["evaluation after sft"] = 0;
  const stages = Object.keys(flops) as Stage[];
  const total = stages.reduce((sum, stage) => sum + flops[stage], 0);
  const startMs = performance.now();
  let startWork: number | null = null;
  // Done although it was not planned: a gate may ask for more updates.
  let extra = 0;
  return {
    /** All stages, in FLOP. */
    total,
    /**
     * Milliseconds left when this share of a stage is done, above 1 if it took longer than planned; undefined until this
     * process has done some work.
     */
    left(stage: Stage, share: number): number | undefined {
      const before = stages.slice(0, stages.indexOf(stage)).reduce((sum, earlier) => sum + flops[earlier], 0);
      const planned = before + Math.min(1, share) * flops[stage];
      extra = Math.max(extra, (share - 1) * flops[stage]);
      startWork ??= planned + extra;
      const done = planned + extra - startWork;
      const elapsedMs = performance.now() - startMs;
      return done > 0 ? elapsedMs * (total - planned) / done : undefined;
    },
  };
}

/** Expected wall time of `flops` of training on this machine, from a matmul timed now, in milliseconds. */
export async function estimateDurationMs(gpu: Gpu, flops: number): Promise<number> {
  const n = 512, launches = 8;
  const [A, B, C] = ["A", "B", "C"].map((label) => gpu.acquire(n * n, `estimate.${label}`));
  let elapsedMs = 0;
  // The first round compiles.
  for (const round of [1, launches]) {
    const startMs = performance.now();
    for (let i = 0; i < round; i++) matmul(gpu, { A, B, C }, { M: n, N: n, K: n });
    await gpu.read(C);
    elapsedMs = performance.now() - startMs;
  }
  for (const slice of [A, B, C]) gpu.release(slice);
  const flopsPerMs = launches * 2 * n ** 3 / elapsedMs;
  return flops / flopsPerMs / TRAINING_EFFICIENCY;
}
