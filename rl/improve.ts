/**
 * What every algorithm with policy ratios does with its samples: epochs of minibatches, until the KL stop.
 *
 * @module
 */
import { Random } from "../envs/mod.ts";
import type { AdamW } from "../model/mod.ts";
import { number, type NumberSetting, type Values } from "./cli/mod.ts";
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

/** Guards that every algorithm with policy ratios has. */
export const improveOptions = {
  ratioGuard: number(10, "ratios beyond this, rounding aside, carry no gradient", {
    min: 1,
  }) as NumberSetting,
  klStop: number(0.04, "ends an iteration's updates when a minibatch's KL estimate exceeds it", {
    min: 0,
    unit: "nats",
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

/** Settings of {@linkcode improveOptions}. */
export type GuardSettings = Values<typeof improveOptions>;

/** How far the first minibatch's ratios may be from 1: it has the weights that collected it. */
export const FIRST_RATIO_TOLERANCE = RATIO_ROUNDING;

/** What {@linkcode improve} depends on beside the samples. */
export interface ImproveSettings extends UpdateSettings, Pick<Values<typeof improveOptions>, "klStop"> {
  /** Seed of the minibatches' order. */
  readonly seed: number;
}

/** Looks on at updates; changes nothing. */
export interface UpdateObserver {
  /** What a minibatch measured before its step: KL and share of clipped ratios as logged, and the ratios themselves. */
  updated(minibatch: {
    readonly kl: number;
    readonly clipFraction: number;
    readonly policyLoss: number;
    readonly ratios: readonly number[];
  }): void;
}

/** Which iteration it is. */
export interface Iteration {
  /** Names the random orders of this iteration's minibatches. */
  readonly order: string;
  /** The learning rate of this iteration. */
  readonly learningRate: number;
  /** Looks on. */
  readonly observer?: UpdateObserver;
}

/** Updates the policy on an iteration's samples. */
export async function improve(
  policy: Policy,
  optimizer: AdamW,
  bSamples: readonly Sample[],
  objective: ObjectiveSettings,
  settings: ImproveSettings,
  { order, learningRate, observer }: Iteration,
): Promise<ImproveMetrics> {
  // Turns that weigh nothing are left out; what is left keeps the shape of its minibatches.
  const live = bSamples.filter(({ weight }) => weight !== 0);
  if (live.length === 0) return nothingLearnt(bSamples);
  const results: MinibatchMetrics[] = [];
  epochs:
  for (let epoch = 0; epoch < settings.epochs; epoch++) {
    const bIndices = shuffled(live.length, new Random(settings.seed, `${order} ${epoch}`));
    for (let start = 0; start < bIndices.length; start += settings.minibatch) {
      const mbIndices = bIndices.subarray(start, start + settings.minibatch);
      const mbSamples = padded(Array.from(mbIndices, (index) => live[index]), settings.minibatch);
      const result = await minibatchUpdate(policy, optimizer, mbSamples, objective, settings, learningRate);
      results.push(result);
      observer?.updated(result);
      peakMemory();
      if (results.length === 1) requireRatioOne(result.largestRatioError);
      if (result.kl > settings.klStop) break epochs;
    }
  }
  type Averaged = Exclude<keyof MinibatchMetrics, "ratios">;
  const average = (key: Averaged) => meanOf(results.map((result) => result[key]!));
  const isMeasured = (key: Averaged) => results[0]?.[key] !== undefined;
  return {
    policyLoss: average("policyLoss"),
    ...isMeasured("valueLoss") && { valueLoss: average("valueLoss") },
    ...isMeasured("referenceKl") && { referenceKl: average("referenceKl") },
    ...isMeasured("correctionLoss") && { correctionLoss: average("correctionLoss") },
    entropy: average("entropy"),
    kl: results[results.length - 1].kl,
    clipFraction: average("clipFraction"),
    firstRatioError: results[0].largestRatioError,
    gradientNorm: average("gradientNorm"),
    updates: results.length,
  };
}

/** The metrics of an iteration in which every group was filtered out. */
function nothingLearnt(samples: readonly Sample[]): ImproveMetrics {
  const entropy = meanOf(samples.flatMap(({ transition }) => Array.from(transition.entropies)));
  const zero = { policyLoss: 0, kl: 0, clipFraction: 0, firstRatioError: 0, gradientNorm: 0, updates: 0 };
  return { ...zero, entropy };
}

/** A last minibatch that is too small, filled up with turns that weigh nothing, so that plans are reused. */
function padded(samples: Sample[], size: number): Sample[] {
  while (samples.length < size) samples.push({ ...samples[0], weight: 0 });
  return samples;
}

function requireRatioOne(error: number): void {
  if (error <= FIRST_RATIO_TOLERANCE) return;
  throw new Error(
    `Cannot trust this update: with unchanged weights a policy ratio differs from 1 by ${error}, ` +
      `over ${FIRST_RATIO_TOLERANCE}; acting and training disagree on a prompt, a kernel or the temperature`,
  );
}

/** One update: forward and backward of one micro-batch after another, and the optimiser, read back together. */
async function minibatchUpdate(
  policy: Policy,
  optimizer: AdamW,
  mbSamples: readonly Sample[],
  objective: ObjectiveSettings,
  settings: ImproveSettings,
  learningRate: number,
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
  const size = partSize(whole.steps, longest, settings.microBatchPositions);
  const slices = Array.from(
    { length: Math.ceil(whole.steps / size) },
    (_, i) => mbSamples.slice(i * size, (i + 1) * size),
  );
  const parts = slices.map((samples) => policyPart(policy, samples, whole));
  const result = await update(
    optimizer,
    policyObjective(policy),
    parts,
    stepSettings(settings, learningRate),
  );
  return measure(result, slices, parts.map(({ batch }) => batch.R), objective);
}

/** What an update measured; see {@linkcode ImproveMetrics}. */
function measure(
  { losses, readouts, gradientNorm }: UpdateResult,
  slices: readonly (readonly Sample[])[],
  widths: readonly number[],
  { ratio, clipLow, clipHigh }: ObjectiveSettings,
): MinibatchMetrics {
  // By turn: the log-ratio of the response, or those of its tokens. Turns without weight fill the shape.
  const turns = slices.flatMap((samples, part) =>
    samples.flatMap(({ weight, transition: { response } }, b) => {
      if (weight === 0) return [];
      const words = readouts.logRatio[part];
      const first = b * widths[part];
      return [ratio === "response" ? [words[b]] : Array.from(words.subarray(first, first + response.length))];
    })
  );
  const logRatios = turns.flat();
  const ratios = logRatios.map(Math.exp);
  const k3 = ratios.map((r, i) => r - 1 - logRatios[i]);
  return {
    policyLoss: losses.policyLoss,
    valueLoss: losses.valueLoss,
    referenceKl: losses.referenceKl,
    correctionLoss: losses.correctionLoss,
    entropy: losses.entropy,
    // k3 of http://joschu.net/blog/kl-approx.html: never negative, low variance
    kl: k3.reduce((sum, value) => sum + value, 0) / turns.length,
    clipFraction: meanOf(ratios.map((r) => Number(r - 1 > clipHigh || 1 - r > clipLow))),
    largestRatioError: ratios.reduce((worst, r) => Math.max(worst, Math.abs(r - 1)), 0),
    gradientNorm,
    ratios,
  };
}

interface MinibatchMetrics {
  readonly policyLoss: number;
  readonly valueLoss: number | undefined;
  readonly referenceKl: number | undefined;
  readonly correctionLoss: number | undefined;
  readonly entropy: number;
  readonly kl: number;
  readonly clipFraction: number;
  readonly largestRatioError: number;
  readonly gradientNorm: number;
  readonly ratios: readonly number[];
}

/** What the updates of one iteration measured, means over its minibatches unless said otherwise. */
export interface ImproveMetrics {
  /** Clipped policy loss, mean over minibatches. */
  readonly policyLoss: number;
  /** Absent without a critic. */
  readonly valueLoss?: number;
  /** k3 estimate of the divergence from the warm start, in nats, weighed as the policy loss is; absent when it has no weight. */
  readonly referenceKl?: number;
  /** Mean -log p of corrected responses' tokens, in nats; absent when none are asked for. */
  readonly correctionLoss?: number;
  /** Mean entropy of the response tokens' distributions at the sampling temperature, in nats. */
  readonly entropy: number;
  /**
   * k3 estimate from the ratios, of the last minibatch, in nats a response. For a response's ratio it is a KL divergence of
   * behaviour and policy only with lambda 1: the thought's share counts about lambda^2 of its own, so that a small lambda
   * lets thoughts drift further. For tokens' ratios it is the sum over the response.
   */
  readonly kl: number;
  /** Share of ratios outside the clips. */
  readonly clipFraction: number;
  /** Largest |ratio - 1| of the first minibatch. */
  readonly firstRatioError: number;
  /** Gradient norm before clipping, value head apart. */
  readonly gradientNorm: number;
  /** Updates done; fewer than epochs x minibatches when the KL stop ended the iteration. */
  readonly updates: number;
}
