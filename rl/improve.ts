/**
 * How every algorithm with policy ratios learns from its samples: epochs of minibatches, until the KL stop.
 *
 * @module
 */
import { Random } from "../envs/mod.ts";
import { NotFiniteError } from "../kernels/gpu/mod.ts";
import type { AdamW } from "../model/mod.ts";
import { integer, number, type NumberSetting, type Values } from "./cli/mod.ts";
import { type Learners, updateInShares } from "./gradients.ts";
import { peakMemory } from "./memory.ts";
import {
  type ObjectiveSettings,
  policyObjective,
  policyPart,
  RATIO_ROUNDING,
  type Sample,
} from "./objective.ts";
import type { Policy } from "./policy.ts";
import { shuffled } from "./shuffled.ts";
import { mean as meanOf } from "./statistics.ts";
import { partSize, stepSettings, update, type UpdateResult, type UpdateSettings } from "./update.ts";

/** Settings that every algorithm with policy ratios has: guards, and weights of further losses. */
export const improveOptions = {
  ratioGuard: number(10, "ratios beyond this, rounding aside, carry no gradient", {
    min: 1,
  }) as NumberSetting,
  klStop: number(0.005, "ends an iteration's updates when the KL of a weighted token exceeds it", {
    min: 0,
    unit: "nats",
  }) as NumberSetting,
  klWindow: integer(4, "that the KL of the stop is measured over, the latest ones", {
    min: 1,
    unit: "minibatches",
  }) as NumberSetting,
  entropyCoefficient: number(0, "weight of the mean token entropy (nats) as a bonus", {
    min: 0,
  }) as NumberSetting,
  klCoefficient: number(0, "weight of the KL divergence from the warm start (k3), in the loss", {
    min: 0,
  }) as NumberSetting,
  correctionCoefficient: number(0, "weight of imitating the solver in the states that were visited", {
    min: 0,
  }) as NumberSetting,
};

/** Values of {@linkcode improveOptions}. */
export type GuardSettings = Values<typeof improveOptions>;

/** How far the ratios of the first minibatch may be from 1. Its weights are still those that collected it. */
export const FIRST_RATIO_TOLERANCE = RATIO_ROUNDING;

/** Settings that {@linkcode improve} reads. */
export interface ImproveSettings
  extends UpdateSettings, Pick<Values<typeof improveOptions>, "klStop" | "klWindow"> {
  /** Seed of the minibatches' order. */
  readonly seed: number;
}

/** Looks on at updates; changes nothing. */
export interface UpdateObserver {
  /** Sees what a minibatch measured before its step: the KL and clip share that are logged, and the ratios themselves. */
  updated(minibatch: {
    readonly kl: number;
    readonly clipFraction: number;
    readonly policyLoss: number;
    readonly ratios: readonly number[];
  }): void;
}

/** What is trained: a policy, with the optimiser of its weights. */
export interface Trainee {
  /** What learns. */
  readonly policy: Policy;
  /** The optimiser of its weights. */
  readonly optimizer: AdamW;
}

/** How an iteration is learnt from. */
export interface Improvement {
  /** How the losses are put together. */
  readonly objective: ObjectiveSettings;
  /** The run's settings. */
  readonly settings: ImproveSettings;
  /** Names the random orders of this iteration's minibatches. */
  readonly order: string;
  /** The learning rate of this iteration. */
  readonly learningRate: number;
  /** Looks on. */
  readonly observer?: UpdateObserver;
  /** Those who compute all shares of a minibatch but the first; this process when absent. */
  readonly learners?: Learners;
  /** Did other weights act, earlier or rounded ones? Ratios then differ from 1 from the start. False when absent. */
  readonly isStale?: boolean;
}

/**
 * Updates the policy on an iteration's samples.
 *
 * @throws {Error} when a ratio of the first minibatch differs from 1 by more than {@linkcode FIRST_RATIO_TOLERANCE}.
 * @throws {NotFiniteError} when a loss, the gradient or the KL divergence is not finite.
 */
export async function improve(
  trainee: Trainee,
  bSamples: readonly Sample[],
  improvement: Improvement,
): Promise<ImproveMetrics> {
  const { settings, order, observer, isStale = false } = improvement;
  // Turns of weight 0 are left out. The others still fill minibatches of the same shape.
  const live = bSamples.filter(({ weight }) => weight !== 0);
  if (live.length === 0) return nothingLearnt(bSamples);
  const results: MinibatchMetrics[] = [];
  let kl = 0, klStopped = false;
  epochs:
  for (let epoch = 0; epoch < settings.epochs; epoch++) {
    const bIndices = shuffled(live.length, new Random(settings.seed, `${order} ${epoch}`));
    for (let start = 0; start < bIndices.length; start += settings.minibatch) {
      const mbIndices = bIndices.subarray(start, start + settings.minibatch);
      const mbSamples = padded(Array.from(mbIndices, (index) => live[index]), settings.minibatch);
      const result = await minibatchUpdate(trainee, mbSamples, improvement);
      results.push(result);
      peakMemory();
      if (results.length === 1 && !isStale) requireRatioOne(result.largestRatioError);
      kl = divergence(results.slice(-settings.klWindow));
      // A comparison would take NaN for a small KL. A loss need not show it: it clamps ratios, and this does not.
      if (!Number.isFinite(kl)) {
        throw new NotFiniteError(`the KL divergence after update ${results.length} is ${kl}`);
      }
      observer?.updated({ ...result, kl });
      klStopped = kl > settings.klStop;
      if (klStopped) break epochs;
    }
  }
  const average = (key: keyof MinibatchMeans) => meanOf(results.map((result) => result[key]!));
  const isMeasured = (key: keyof MinibatchMeans) => results[0][key] !== undefined;
  return {
    policyLoss: average("policyLoss"),
    ...isMeasured("valueLoss") && { valueLoss: average("valueLoss") },
    ...isMeasured("referenceKl") && { referenceKl: average("referenceKl") },
    ...isMeasured("correctionLoss") && { correctionLoss: average("correctionLoss") },
    entropy: average("entropy"),
    kl,
    klStopped,
    clipFraction: average("clipFraction"),
    firstRatioError: results[0].largestRatioError,
    ...isStale && { behaviourRatio: meanOf(results[0].ratios) },
    gradientNorm: average("gradientNorm"),
    updates: results.length,
  };
}

/** The metrics of an iteration in which every turn was left out. */
function nothingLearnt(samples: readonly Sample[]): ImproveMetrics {
  const entropy = meanOf(samples.flatMap(({ transition }) => Array.from(transition.entropies)));
  const zero = {
    policyLoss: 0,
    kl: 0,
    klStopped: false,
    clipFraction: 0,
    firstRatioError: 0,
    gradientNorm: 0,
    updates: 0,
  };
  return { ...zero, entropy };
}

/** Fills the last minibatch up with turns of weight 0, if it is too small. Plans for its shape are then reused. */
function padded(samples: Sample[], size: number): Sample[] {
  while (samples.length < size) samples.push({ ...samples[0], weight: 0 });
  return samples;
}

function requireRatioOne(error: number): void {
  if (error <= FIRST_RATIO_TOLERANCE) return;
  throw new Error(
    `Cannot trust this update: with unchanged weights a policy ratio differs from 1 by ${error}, ` +
      `over ${FIRST_RATIO_TOLERANCE}; acting and training disagree on a prompt, a kernel, the adapter or the temperature`,
  );
}

/** Does one update: forward and backward of each micro-batch in turn, then the optimiser. All results are read back at once. */
async function minibatchUpdate(
  { policy, optimizer }: Trainee,
  mbSamples: readonly Sample[],
  { objective, settings, learningRate, learners }: Improvement,
): Promise<MinibatchMetrics> {
  const tokensOf = (response: readonly number[] | null) => response?.length ?? 0;
  const total = (count: (sample: Sample) => number) =>
    mbSamples.reduce((sum, sample) => sum + (sample.weight === 0 ? 0 : count(sample)), 0);
  const whole = {
    settings: objective,
    steps: mbSamples.length,
    tokens: total(({ transition }) => tokensOf(transition.response)),
    correctedTokens: total(({ transition }) => tokensOf(transition.correction)),
  };
  const longest = mbSamples.reduce(
    (most, { transition }) => Math.max(most, policy.positionsOf(transition)),
    1,
  );
  const share = Math.ceil(whole.steps / settings.learners);
  const size = Math.min(share, partSize(whole.steps, longest, settings.microBatchPositions));
  const slices = Array.from(
    { length: Math.ceil(whole.steps / size) },
    (_, i) => mbSamples.slice(i * size, (i + 1) * size),
  );
  await policy.look?.(mbSamples.map(({ transition }) => transition));
  if (settings.learners > 1) {
    const step = stepSettings(settings, learningRate);
    const result = await updateInShares(policy, optimizer, slices, whole, step, learners);
    const widths = slices.map(({ length }, part) => result.readouts.logprob[part].length / length);
    return measure(result, slices, widths, objective);
  }
  const parts = slices.map((samples) => policyPart(policy, samples, whole));
  const result = await update(
    optimizer,
    policyObjective(policy),
    parts,
    stepSettings(settings, learningRate),
  );
  return measure(result, slices, parts.map(({ batch }) => batch.R), objective);
}

/** Computes the metrics of an update; see {@linkcode ImproveMetrics}. */
function measure(
  { losses, readouts, gradientNorm }: UpdateResult,
  slices: readonly (readonly Sample[])[],
  widths: readonly number[],
  { ratio, clipLow, clipHigh, ratioGuard }: ObjectiveSettings,
): MinibatchMetrics {
  const logRatios: number[] = [];
  const kl = { sum: 0, weight: 0 };
  slices.forEach((samples, part) =>
    samples.forEach(({ weight: turnWeight, transition: { response, logprobs, weights } }, b) => {
      if (turnWeight === 0) return; // It only fills the minibatch's shape.
      const first = b * widths[part];
      if (ratio === "response") logRatios.push(readouts.logRatio[part][b]);
      for (let r = 0; r < response.length; r++) {
        const change = readouts.logprob[part][first + r] - logprobs[r];
        if (ratio === "token") logRatios.push(change);
        // k3 of http://joschu.net/blog/kl-approx.html: never negative, low variance
        const bounded = Math.min(change, Math.log(ratioGuard));
        kl.sum += weights[r] * (Math.expm1(bounded) - bounded);
        kl.weight += weights[r];
      }
    })
  );
  const ratios = logRatios.map(Math.exp);
  return {
    policyLoss: losses.policyLoss,
    valueLoss: losses.valueLoss,
    referenceKl: losses.referenceKl,
    correctionLoss: losses.correctionLoss,
    entropy: losses.entropy,
    kl,
    clipFraction: meanOf(ratios.map((r) => Number(r - 1 > clipHigh || 1 - r > clipLow))),
    largestRatioError: ratios.reduce((worst, r) => Math.max(worst, Math.abs(r - 1)), 0),
    gradientNorm,
    ratios,
  };
}

/** KL divergence of a weighted token over minibatches: 0 without any. */
function divergence(results: readonly MinibatchMetrics[]): number {
  const total = (part: keyof WeightedSum) => results.reduce((sum, { kl }) => sum + kl[part], 0);
  return total("sum") / Math.max(total("weight"), Number.MIN_VALUE);
}

interface WeightedSum {
  readonly sum: number;
  readonly weight: number;
}

interface MinibatchMetrics extends MinibatchMeans {
  readonly kl: WeightedSum;
  readonly largestRatioError: number;
  readonly ratios: readonly number[];
}

interface MinibatchMeans {
  readonly policyLoss: number;
  readonly valueLoss: number | undefined;
  readonly referenceKl: number | undefined;
  readonly correctionLoss: number | undefined;
  readonly entropy: number;
  readonly clipFraction: number;
  readonly gradientNorm: number;
}

/** What the updates of one iteration measured. Numbers are means over its minibatches if nothing else is said. */
export interface ImproveMetrics {
  /** Clipped policy loss. */
  readonly policyLoss: number;
  /** Half the mean of the larger squared error, of the value and of its clipped change; absent without a critic. */
  readonly valueLoss?: number;
  /** k3 estimate of the KL from the warm start, in nats, with the turns' weights; absent if its coefficient is 0. */
  readonly referenceKl?: number;
  /** Mean -log p of corrected responses' tokens, in nats; absent if none are asked for. */
  readonly correctionLoss?: number;
  /** Mean entropy of the response tokens' distributions at the sampling temperature, in nats. */
  readonly entropy: number;
  /**
   * How far the policy is from the one that acted, in nats a weighted token:
   *
   *     sum_t w_t k3_t / sum_t w_t,   k3_t = r_t - 1 - log r_t,   r_t = min(p_t / p_t when acting, ratioGuard)
   *
   * over the response tokens of the last `klWindow` minibatches. `w` are the weights in log pi: lambda for thoughts, 1 for
   * actions. k3 estimates each token's KL divergence of behaviour and policy. Its tail is heavy: one token of ratio 90 weighs as
   * much as a thousand usual ones, and has no gradient any more. The guard keeps one from ending an iteration.
   */
  readonly kl: number;
  /** Whether that ended the iteration's updates. */
  readonly klStopped: boolean;
  /** Share of ratios outside the clips. */
  readonly clipFraction: number;
  /** Largest |ratio - 1| of the first minibatch. */
  readonly firstRatioError: number;
  /** Mean ratio of the first minibatch, against the earlier or rounded weights that acted; absent if the same weights act. */
  readonly behaviourRatio?: number;
  /** Gradient norm before clipping. If the value head is clipped on its own, it is left out. */
  readonly gradientNorm: number;
  /** Updates done; fewer than epochs x minibatches when the KL stop ended the iteration. */
  readonly updates: number;
}
