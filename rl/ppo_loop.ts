/**
 * PPO's iteration, whatever the policy is: advantages, then epochs of minibatches, until the KL stop.
 *
 * @module
 */
import { Random } from "../envs/mod.ts";
import { NotFiniteError, type Slice } from "../kernels/gpu/mod.ts";
import type { AdamW, Tensor } from "../model/mod.ts";
import type { TrainConfig } from "./config.ts";
import { generalizedAdvantages } from "./gae.ts";
import { peakMemory } from "./memory.ts";
import { shuffled } from "./sft.ts";
import { mean as meanOf, standardDeviation } from "./statistics.ts";

/** How far the first minibatch's ratios may be from 1: it has the weights that collected it. */
export const FIRST_RATIO_TOLERANCE = 1e-3;

/** What PPO asks of a step, whoever took it. */
export interface PpoStep {
  /** Scaled. */
  readonly reward: number;
  /** Of the state when it was acted in, in units of scaled return. */
  readonly value: number;
  readonly terminated: boolean;
  readonly truncated: boolean;
}

/** What a rollout holds for {@linkcode improvePolicy}; see `Rollout`. */
export interface Experience<Step extends PpoStep> {
  readonly transitions: readonly Step[];
  readonly bootstrapValues: Float32Array;
}

/** The settings of {@linkcode improvePolicy}; see `config.ts`. */
type ImproveSettings = Pick<
  TrainConfig,
  | "envs"
  | "gamma"
  | "gaeLambda"
  | "advantageFloor"
  | "advantageClamp"
  | "epochs"
  | "minibatch"
  | "klStop"
  | "seed"
>;

/** What a policy adds to {@linkcode improvePolicy}. */
export interface PolicyUpdate<Step extends PpoStep> {
  /** Names the random orders of this iteration's minibatches. */
  readonly order: string;
  /** Where to look when unchanged weights give other ratios than 1. */
  readonly suspects: string;
  /** Updates the weights on one minibatch. */
  readonly update: (mbSamples: readonly Sample<Step>[]) => Promise<MinibatchMetrics>;
}

/** A step of the flat batch. */
export interface Sample<Step extends PpoStep> {
  readonly transition: Step;
  /** Normalised. */
  readonly advantage: number;
  /** What the value head should say: the lambda-return, advantage plus value. */
  readonly valueTarget: number;
}

/** Advantages, then epochs of minibatches over one rollout, whatever the policy is. */
export async function improvePolicy<Step extends PpoStep>(
  rollout: Experience<Step>,
  config: ImproveSettings,
  { order, suspects, update }: PolicyUpdate<Step>,
): Promise<PpoMetrics> {
  const { transitions: bTransitions } = rollout;
  const { advantages, returns } = generalizedAdvantages({
    rewards: bTransitions.map(({ reward }) => reward),
    values: bTransitions.map(({ value }) => value),
    terminated: bTransitions.map(({ terminated }) => Number(terminated)),
    truncated: bTransitions.map(({ truncated }) => Number(truncated)),
    bootstrapValues: rollout.bootstrapValues,
    steps: bTransitions.length / config.envs,
    envs: config.envs,
    gamma: config.gamma,
    lambda: config.gaeLambda,
  });
  // Scaled, not centred: once nearly all goes well, subtracting the mean would punish what is right where the value is
  // a little too high. The floor keeps such noise small.
  const advantageStd = standardDeviation(advantages);
  const bSamples = bTransitions.map((transition, i): Sample<Step> => ({
    transition,
    advantage: limit(
      advantages[i] / Math.max(advantageStd, config.advantageFloor),
      config.advantageClamp,
    ),
    valueTarget: returns[i],
  }));
  const residuals = returns.map((valueTarget, i) => valueTarget - bTransitions[i].value);
  const explainedVariance = 1 -
    standardDeviation(residuals) ** 2 / Math.max(standardDeviation(returns) ** 2, 1e-8);

  const results: MinibatchMetrics[] = [];
  epochs:
  for (let epoch = 0; epoch < config.epochs; epoch++) {
    const bIndices = shuffled(bSamples.length, new Random(config.seed, `${order} ${epoch}`));
    for (let start = 0; start < bIndices.length; start += config.minibatch) {
      const mbIndices = bIndices.subarray(start, start + config.minibatch);
      const result = await update(Array.from(mbIndices, (index) => bSamples[index]));
      results.push(result);
      peakMemory();
      if (results.length === 1 && !(result.largestRatioError <= FIRST_RATIO_TOLERANCE)) {
        throw new Error(
          `Cannot trust this update: with unchanged weights a policy ratio differs from 1 by ${result.largestRatioError}, ` +
            `over ${FIRST_RATIO_TOLERANCE}; ${suspects}`,
        );
      }
      if (result.kl > config.klStop) break epochs;
    }
  }
  const average = (key: keyof MinibatchMetrics) => meanOf(results.map((result) => result[key]));
  return {
    policyLoss: average("policyLoss"),
    valueLoss: average("valueLoss"),
    entropy: average("entropy"),
    kl: results[results.length - 1].kl,
    clipFraction: average("clipFraction"),
    firstRatioError: results[0].largestRatioError,
    gradientNorm: average("gradientNorm"),
    updates: results.length,
    advantageStd,
    explainedVariance,
  };
}

/** What the updates of one iteration measured, means over its minibatches unless said otherwise. */
export interface PpoMetrics {
  readonly policyLoss: number;
  readonly valueLoss: number;
  /** Mean entropy of the response tokens' distributions at the sampling temperature, in nats. */
  readonly entropy: number;
  /**
   * k3 estimate from the ratios of log pi, of the last minibatch, in nats. A KL divergence of behaviour and policy only with
   * lambda 1: the thought's share counts about lambda^2 of its own, so that a small lambda lets thoughts drift further.
   */
  readonly kl: number;
  /** Share of ratios outside [1 - clip, 1 + clip]. */
  readonly clipFraction: number;
  /** Largest |ratio - 1| of the first minibatch. */
  readonly firstRatioError: number;
  /** Gradient norm before clipping, value head apart. */
  readonly gradientNorm: number;
  /** Updates done; fewer than epochs x minibatches when the KL stop ended the iteration. */
  readonly updates: number;
  /** Standard deviation of the advantages before normalisation, in units of scaled return. */
  readonly advantageStd: number;
  /** Share of the returns' variance that the values explained when acting. */
  readonly explainedVariance: number;
}

/** What one update measured; see {@linkcode PpoMetrics}. */
export interface MinibatchMetrics {
  policyLoss: number;
  valueLoss: number;
  entropy: number;
  kl: number;
  clipFraction: number;
  largestRatioError: number;
  gradientNorm: number;
}

/** What the losses of a part of a minibatch left to be read. */
export type PartLosses = Record<"policyLoss" | "valueLoss" | "meanEntropy" | "logRatio", Tensor>;

/** What {@linkcode measureUpdate} needs to be read of an update. */
export function resultsOf(parts: readonly PartLosses[], optimizer: AdamW): Slice[] {
  const losses = parts.flatMap((part) => [part.policyLoss, part.valueLoss, part.meanEntropy, part.logRatio]);
  return [optimizer.norms, ...losses.map(({ data }) => data)];
}

/**
 * What an update measured, of the {@linkcode resultsOf} it. The losses of a minibatch's parts add up.
 *
 * @throws {NotFiniteError} when a loss or the gradient is not finite.
 */
export function measureUpdate(
  [norms, ...measured]: readonly Float32Array[],
  clip: number,
): MinibatchMetrics {
  let [policy, value, entropy] = [0, 0, 0];
  const logRatios: number[] = [];
  for (let at = 0; at < measured.length; at += 4) {
    policy += measured[at][0];
    value += measured[at + 1][0];
    entropy += measured[at + 2][0];
    logRatios.push(...measured[at + 3]);
  }
  if (norms[2] !== 1 || !Number.isFinite(policy + value)) {
    throw new NotFiniteError(`policy loss ${policy}, value loss ${value}, gradient norm ${norms[0]}`);
  }
  const ratios = logRatios.map(Math.exp);
  return {
    policyLoss: policy,
    valueLoss: value,
    entropy,
    // k3 of http://joschu.net/blog/kl-approx.html: never negative, low variance
    kl: meanOf(ratios.map((r, i) => r - 1 - logRatios[i])),
    clipFraction: meanOf(ratios.map((r) => Number(Math.abs(r - 1) > clip))),
    largestRatioError: ratios.reduce((worst, r) => Math.max(worst, Math.abs(r - 1)), 0),
    gradientNorm: norms[0],
  };
}

const limit = (value: number, bound: number) => Math.max(-bound, Math.min(bound, value));
