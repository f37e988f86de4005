/**
 * PPO on the whole vision-language model, read top to bottom: advantages, epochs of minibatches, losses, update.
 *
 *     log pi(a|s) = lambda * sum log p(thought tokens) + sum log p(action tokens)
 *
 * Sources: Schulman et al. 2017 (arXiv:1707.06347) for the losses, Zhai et al. 2024 (arXiv:2405.10292) for log pi.
 *
 * @module
 */
import { Random } from "../envs/mod.ts";
import { type Gpu, NotFiniteError } from "../kernels/gpu/mod.ts";
import {
  type AdamW,
  add,
  clamp,
  exp,
  type Layout,
  layOut,
  maximum,
  minimum,
  multiply,
  rowSum,
  scale,
  square,
  subtract,
  sum,
  Tape,
  type Tensor,
  type Vlm,
} from "../model/mod.ts";
import type { TrainConfig } from "./config.ts";
import { generalizedAdvantages } from "./gae.ts";
import type { Transition } from "./rollout.ts";
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

/** A step that a written response took. */
export type WrittenStep = PpoStep & Pick<Transition, "prompt" | "response" | "weights" | "logPi">;

/** A step of the flat batch. */
export interface Sample<Step extends PpoStep = WrittenStep> {
  readonly transition: Step;
  /** Normalised. */
  readonly advantage: number;
  /** Target of the value head. */
  readonly discountedReturn: number;
}

/** What the updates of one iteration measured, means over its minibatches unless said otherwise. */
export interface PpoMetrics {
  readonly policyLoss: number;
  readonly valueLoss: number;
  /** Mean entropy of the response tokens' distributions at the sampling temperature, in nats. */
  readonly entropy: number;
  /** KL(behaviour | policy) of log pi, k3 estimate, of the last minibatch, in nats. */
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

/** Updates the model on one rollout. `iteration` seeds the minibatch order. */
export function ppoIteration(
  vlm: Vlm,
  optimizer: AdamW,
  rollout: Experience<WrittenStep>,
  { config, iteration, learningRate }: { config: TrainConfig; iteration: number; learningRate: number },
): Promise<PpoMetrics> {
  return improvePolicy(rollout, config, {
    order: `ppo ${iteration}`,
    suspects: "generation and training disagree on a prompt, a kernel or the temperature",
    update: (mbSamples) => ppoMinibatch(vlm, optimizer, mbSamples, config, learningRate),
  });
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
    discountedReturn: returns[i],
  }));
  const residuals = returns.map((discountedReturn, i) => discountedReturn - bTransitions[i].value);
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

/** A minibatch of B responses as the losses need it. */
export interface PpoBatch {
  readonly layout: Layout;
  /** (B*R) weight of each token's log-probability in log pi: lambda for the thought, 1 for the action, 0 for padding. */
  readonly weights: Float32Array;
  /** (B) each: behaviour log pi, normalised advantages, value targets, and the values when acting. */
  readonly logPi: Float32Array;
  readonly advantages: Float32Array;
  readonly returns: Float32Array;
  readonly values: Float32Array;
}

/** PPO's losses on the tape; scalars but for `logRatio` (B). All are kept readable after the backward. */
export function ppoLosses(tape: Tape, vlm: Vlm, mb: PpoBatch, config: PpoLossSettings) {
  const { layout } = mb;
  const { B, R } = layout;
  const mbWeights = tape.constant(mb.weights, [B, R], "weights");
  const mbMask = tape.constant(layout.mask, [B, R], "mask");

  const hidden = vlm.hidden(tape, layout); // (B, T, C)
  const { logprob, entropy } = vlm.responseLogprobs(tape, hidden, layout, config.temperature); // (B, R)

  // log pi weights the thought's tokens by lambda
  const logPi = rowSum(tape, multiply(tape, logprob, mbWeights)); // (B)
  const values = vlm.values(tape, tape.detach(hidden), layout); // (B)
  const losses = clippedLosses(tape, { logPi, values }, mb, config);

  const tokens = layout.mask.reduce((count, value) => count + value, 0);
  const meanEntropy = tape.keep(sum(tape, multiply(tape, entropy, mbMask), 1 / tokens));
  return { ...losses, meanEntropy };
}

/** The settings of {@linkcode ppoLosses}; see `config.ts`. */
export type PpoLossSettings = Pick<TrainConfig, "temperature" | "clip" | "valueClip" | "ratioGuard">;

/**
 * PPO's clipped policy and value loss of B steps, scalars, and `logRatio` (B). `logPi` and `values` (B) are those of the
 * policy as it is; `mb` holds what they were when acting, and what became of it.
 */
export function clippedLosses(
  tape: Tape,
  { logPi, values }: { logPi: Tensor; values: Tensor },
  mb: Pick<PpoBatch, "logPi" | "advantages" | "returns" | "values">,
  config: Pick<PpoLossSettings, "clip" | "valueClip" | "ratioGuard">,
) {
  const B = mb.logPi.length;
  const mbAdvantages = tape.constant(mb.advantages, [B], "advantages");
  const mbReturns = tape.constant(mb.returns, [B], "returns");
  const mbValues = tape.constant(mb.values, [B], "values");
  const mbLogPi = tape.constant(mb.logPi, [B], "logPi");

  const logRatio = tape.keep(subtract(tape, logPi, mbLogPi)); // (B), log(pi / pi_behaviour)
  // The guard: a ratio beyond it has no gradient, so one wild sample cannot dominate an update.
  const ratio = clamp(tape, exp(tape, clamp(tape, logRatio, -20, 20)), 0, config.ratioGuard);
  const clippedRatio = clamp(tape, ratio, 1 - config.clip, 1 + config.clip);
  const surrogate = minimum(
    tape,
    multiply(tape, ratio, mbAdvantages),
    multiply(tape, clippedRatio, mbAdvantages),
  );
  const policyLoss = tape.keep(sum(tape, surrogate, -1 / B));

  // value loss = half the larger of the squared errors of the value and of its clipped change
  const change = clamp(tape, subtract(tape, values, mbValues), -config.valueClip, config.valueClip);
  const errors = square(tape, subtract(tape, values, mbReturns));
  const clippedErrors = square(tape, subtract(tape, add(tape, mbValues, change), mbReturns));
  const valueLoss = tape.keep(sum(tape, maximum(tape, errors, clippedErrors), 0.5 / B));
  return { policyLoss, valueLoss, logRatio };
}

/** One update: forward, backward and optimiser in one submission, one readback. */
async function ppoMinibatch(
  vlm: Vlm,
  optimizer: AdamW,
  mbSamples: readonly Sample[],
  config: TrainConfig,
  learningRate: number,
): Promise<MinibatchMetrics> {
  const layout = layOut(mbSamples.map(({ transition }) => transition), vlm.config);
  const weights = new Float32Array(layout.B * layout.R);
  mbSamples.forEach(({ transition }, b) => weights.set(transition.weights, b * layout.R));
  const perSample = (value: (sample: Sample) => number) => Float32Array.from(mbSamples, value);
  using tape = new Tape(vlm.gpu, { record: true });
  const { policyLoss, valueLoss, meanEntropy, logRatio } = ppoLosses(tape, vlm, {
    layout,
    weights,
    logPi: perSample(({ transition }) => transition.logPi),
    advantages: perSample(({ advantage }) => advantage),
    returns: perSample(({ discountedReturn }) => discountedReturn),
    values: perSample(({ transition }) => transition.value),
  }, config);

  const losses = [policyLoss, scale(tape, valueLoss, config.valueCoefficient)];
  if (config.entropyCoefficient > 0) losses.push(scale(tape, meanEntropy, -config.entropyCoefficient));
  tape.backward(...losses);
  optimizer.update({
    learningRate,
    beta1: config.adamBeta1,
    beta2: config.adamBeta2,
    epsilon: config.adamEpsilon,
    policyClip: config.policyGradientClip,
    valueClip: config.valueGradientClip,
  });

  return await readUpdate(vlm.gpu, { policyLoss, valueLoss, meanEntropy, logRatio }, optimizer, config.clip);
}

/**
 * Submits an update and reads what it measured, in one round trip.
 *
 * @throws {NotFiniteError} when a loss or the gradient is not finite.
 */
export async function readUpdate(
  gpu: Gpu,
  { policyLoss, valueLoss, meanEntropy, logRatio }: Record<
    "policyLoss" | "valueLoss" | "meanEntropy" | "logRatio",
    Tensor
  >,
  optimizer: AdamW,
  clip: number,
): Promise<MinibatchMetrics> {
  const [[policy], [value], [entropy], logRatios, norms] = await gpu.read(
    policyLoss.data,
    valueLoss.data,
    meanEntropy.data,
    logRatio.data,
    optimizer.norms,
  );
  if (norms[2] !== 1 || !Number.isFinite(policy + value)) {
    throw new NotFiniteError(`policy loss ${policy}, value loss ${value}, gradient norm ${norms[0]}`);
  }
  const ratios = Array.from(logRatios, Math.exp);
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
