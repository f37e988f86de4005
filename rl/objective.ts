/**
 * The losses of policy-gradient algorithms, on the tape.
 *
 *     ratio          response:      exp(sum_t w_t (log p_t - log p_old_t)), one for the whole response
 *                    token:         exp(log p_t - log p_old_t), one for each token
 *     policy loss    -mean over turns of  weight * min(ratio * A, clip(ratio, 1 - low, 1 + high) * A)
 *     value loss     half the mean of the larger squared error, of the value and of its clipped change; or of the value alone
 *     entropy        mean over the response tokens
 *     reference KL   mean over turns of  weight * sum_t (k3 = exp(d) - d - 1),  d = log p_ref - log p
 *     correction     mean -log p over the tokens of corrected responses
 *
 * The value of k3 is an unbiased estimate of KL(pi || ref), but its gradient is another one. In expectation it is the gradient
 * of KL(ref || pi) of each token's distribution, in the contexts that the policy visits. Both divergences are least at the
 * reference. With k3 as a loss, the optimum is therefore not ref x exp(return / beta) / Z. `reinforce++` has that optimum: it
 * makes k1 a part of the reward.
 *
 * With one ratio for each token, the losses of a response's tokens are added up. Weights of the turns turn that into a mean
 * over tokens, over episodes, or over a fixed length.
 *
 * Sources: Schulman et al. 2017 (arXiv:1707.06347) for clipping, http://joschu.net/blog/kl-approx.html for k3, Zhai et al.
 * 2024 (arXiv:2405.10292) for a ratio of a response, Yu et al. 2025 (arXiv:2503.14476) for two clips.
 *
 * @module
 */
import { chain, multiply, reshape, rowSum, sum, type Tape, type Tensor } from "../model/mod.ts";
import type { Batch, Policy } from "./policy.ts";
import type { Transition } from "./rollout.ts";
import type { Losses, Objective } from "./update.ts";

/** How far rounding may move a ratio of unchanged weights from 1: acting and training add up in different orders. */
export const RATIO_ROUNDING = 1e-3;

/** How an algorithm's losses are put together. It is constant over a run. */
export interface ObjectiveSettings {
  /** Divides the logits; the same as when acting. */
  readonly temperature: number;
  /** One policy ratio for each response, or one for each token. */
  readonly ratio: "response" | "token";
  /** A ratio under 1 - `clipLow` gains nothing more. */
  readonly clipLow: number;
  /** A ratio over 1 + `clipHigh` gains nothing more. */
  readonly clipHigh: number;
  /** A ratio beyond this carries no gradient, unless it exceeds 1 only by rounding. */
  readonly ratioGuard: number;
  /** What has a value: each turn's prompt, each token, or nothing if there is no critic. */
  readonly values: "turn" | "token" | "none";
  /** A value that moves further than this from the value when acting gains nothing more. */
  readonly valueClip: number;
  /** Weight of the value loss. */
  readonly valueCoefficient: number;
  /** Weight of the mean token entropy (nats) as a bonus. */
  readonly entropyCoefficient: number;
  /** Weight of the KL divergence from the warm start; 0 needs no reference. */
  readonly klCoefficient: number;
  /** Weight of imitating corrected responses; 0 needs none. */
  readonly correctionCoefficient: number;
}

/** Picks an objective's settings out of an object that may hold more. Everything in a part decides which plan is reused. */
export function objectiveSettings(all: ObjectiveSettings): ObjectiveSettings {
  const { temperature, ratio, clipLow, clipHigh, ratioGuard, values, valueClip, valueCoefficient } = all;
  const { entropyCoefficient, klCoefficient, correctionCoefficient } = all;
  return {
    ...{ temperature, ratio, clipLow, clipHigh, ratioGuard, values, valueClip, valueCoefficient },
    ...{ entropyCoefficient, klCoefficient, correctionCoefficient },
  };
}

/** A turn with its score: what an algorithm learns from. */
export interface Sample {
  /** The turn. */
  readonly transition: Transition;
  /** Advantage of the turn, or of each response token. */
  readonly advantage: number | Float32Array;
  /** Target of the value head, for the turn or before each token; absent without a critic. */
  readonly valueTarget?: number | Float32Array;
  /** The value when acting; the transition's value when absent. */
  readonly value?: number | Float32Array;
  /** Weight of the turn in the losses, 1 when absent. 0 leaves it out: it only fills the minibatch's shape. */
  readonly weight?: number;
  /** Log-probability of each response token under the warm start, in nats. Only a KL coefficient above 0 needs it. */
  readonly reference?: Float32Array;
}

/** A part of a minibatch: its arrays, and everything that decides on its launches. */
export interface PolicyPart {
  readonly settings: ObjectiveSettings;
  readonly batch: Batch;
  /** Turns of the whole minibatch: losses are means over them. */
  readonly steps: number;
  /** (B*R) with ratios of responses the weight of each token in log pi, with ratios of tokens its loss weight. Padding has 0. */
  readonly weights: Float32Array;
  /** When acting: (B) log pi with ratios of responses, (B*R) log-probabilities with ratios of tokens. */
  readonly logPi: Float32Array;
  /** Advantages, in the shape of `logPi`. */
  readonly advantages: Float32Array;
  /** (B) weights of turns with ratios of responses; absent if all are 1. */
  readonly turnWeights?: Float32Array;
  /** (B) or (B*R) value targets; absent without a critic. */
  readonly returns?: Float32Array;
  /** Values when acting, in the shape of `returns`. */
  readonly values?: Float32Array;
  /** Weights of the values' errors, in the shape of `returns`; absent if all are 1. */
  readonly valueWeights?: Float32Array;
  /** (B*R) 1 / the minibatch's response tokens for response tokens, 0 for padding. */
  readonly entropyWeights: Float32Array;
  /** (B*R) log-probabilities under the warm start. */
  readonly reference?: Float32Array;
  /** (B*R) turn weight / steps for response tokens, 0 for padding. */
  readonly referenceWeights?: Float32Array;
  /** Corrected responses of these turns, and weights (B*R') of -1 / the minibatch's corrected tokens. */
  readonly correction?: { readonly batch: Batch; readonly weights: Float32Array };
}

/** The objective that all algorithms with policy ratios share. */
export function policyObjective(policy: Policy): Objective<PolicyPart> {
  return { name: "policy", losses: (tape, part) => policyLosses(tape, policy, part) };
}

/** Puts the losses of one part on the tape. Readouts: `logRatio`, (B) or (B, R); `logprob` of the response tokens, (B, R). */
export function policyLosses(tape: Tape, policy: Policy, mb: PolicyPart): Losses {
  const { settings, batch } = mb;
  const { B, R } = batch;
  const mbWeights = tape.constant(mb.weights, [B, R], "weights");
  const mbEntropyWeights = tape.constant(mb.entropyWeights, [B, R], "entropy weights");
  const { logprob, entropy, values } = policy.forward(tape, batch, settings);

  const { policyLoss, logRatio } = settings.ratio === "response"
    ? responseLoss(tape, rowSum(tape, multiply(tape, logprob, mbWeights)), mb) // log pi weights the thought's tokens
    : tokenLoss(tape, logprob, mbWeights, mb);
  const losses: Record<string, [Tensor, number]> = { policyLoss: [policyLoss, 1] };
  if (values !== null) losses.valueLoss = [valueLoss(tape, values, mb), settings.valueCoefficient];
  const meanEntropy = sum(tape, multiply(tape, entropy, mbEntropyWeights));
  losses.entropy = [meanEntropy, -settings.entropyCoefficient];
  if (mb.reference !== undefined) {
    losses.referenceKl = [referenceKl(tape, logprob, mb), settings.klCoefficient];
  }
  if (mb.correction !== undefined) {
    const { batch, weights } = mb.correction;
    const corrected = policy.forward(tape, batch, { temperature: 1, values: "none" });
    const mbCorrection = tape.constant(weights, [batch.B, batch.R], "correction weights");
    const loss = sum(tape, multiply(tape, corrected.logprob, mbCorrection));
    losses.correctionLoss = [loss, settings.correctionCoefficient];
  }
  return { losses, readouts: { logRatio, logprob } };
}

/** Clipped surrogate with one ratio for each response. `logPi` (B) is of the present weights. */
function responseLoss(tape: Tape, logPi: Tensor, mb: PolicyPart) {
  const { clipLow, clipHigh, ratioGuard } = mb.settings;
  const { B } = mb.batch;
  const mbAdvantages = tape.constant(mb.advantages, [B], "advantages");
  const mbLogPi = tape.constant(mb.logPi, [B], "logPi");
  const [logRatio, surrogate] = chain(
    tape,
    [logPi, mbLogPi, mbAdvantages],
    (logPi, mbLogPi, advantage) => {
      const logRatio = logPi.subtract(mbLogPi); // log(pi / pi_behaviour)
      // A ratio beyond the guard has no gradient: one wild sample cannot dominate an update.
      const ratio = logRatio.clamp(-20, 20).exp().clamp(0, guardOf(ratioGuard));
      const clippedRatio = ratio.clamp(1 - clipLow, 1 + clipHigh);
      return [logRatio, ratio.multiply(advantage).minimum(clippedRatio.multiply(advantage))];
    },
  );
  const weighted = mb.turnWeights === undefined
    ? surrogate
    : multiply(tape, surrogate, tape.constant(mb.turnWeights, [B], "turn weights"));
  return { policyLoss: sum(tape, weighted, -1 / mb.steps), logRatio };
}

/** Clipped surrogate with one ratio for each token, summed with the loss weights. */
function tokenLoss(tape: Tape, logprob: Tensor, mbWeights: Tensor, mb: PolicyPart) {
  const { clipLow, clipHigh, ratioGuard } = mb.settings;
  const { B, R } = mb.batch;
  const mbAdvantages = tape.constant(mb.advantages, [B, R], "advantages");
  const mbLogprobs = tape.constant(mb.logPi, [B, R], "log-probabilities");
  const [logRatio, surrogate] = chain(
    tape,
    [logprob, mbLogprobs, mbAdvantages, mbWeights],
    (logprob, mbLogprob, advantage, weight) => {
      const logRatio = logprob.subtract(mbLogprob);
      const ratio = logRatio.clamp(-20, 20).exp().clamp(0, guardOf(ratioGuard));
      const clippedRatio = ratio.clamp(1 - clipLow, 1 + clipHigh);
      const surrogate = ratio.multiply(advantage).minimum(clippedRatio.multiply(advantage));
      return [logRatio, surrogate.multiply(weight)];
    },
  );
  return { policyLoss: sum(tape, surrogate, -1 / mb.steps), logRatio };
}

/** The guard to use. Even the least guard leaves a ratio its gradient if only rounding moves it from 1. */
const guardOf = (ratioGuard: number): number => Math.max(ratioGuard, 1 + RATIO_ROUNDING);

/** Half the larger of the squared errors of the value and of its clipped change; of the value alone without a clip. */
function valueLoss(tape: Tape, values: Tensor, mb: PolicyPart): Tensor {
  const { valueClip } = mb.settings;
  const size = mb.values!.length;
  const mbReturns = tape.constant(mb.returns!, [size], "returns");
  const flat = values.shape.length === 1 ? values : reshape(tape, values, [size]);
  const [error] = valueClip === 0
    ? chain(tape, [flat, mbReturns], (value, target) => [value.subtract(target).square()])
    : chain(
      tape,
      [flat, tape.constant(mb.values!, [size], "values"), mbReturns],
      (value, mbValue, target) => {
        const clippedValue = mbValue.add(value.subtract(mbValue).clamp(-valueClip, valueClip));
        return [value.subtract(target).square().maximum(clippedValue.subtract(target).square())];
      },
    );
  const weighted = mb.valueWeights === undefined
    ? error
    : multiply(tape, error, tape.constant(mb.valueWeights, [size], "value weights"));
  return sum(tape, weighted, 0.5 / mb.steps);
}

/** k3 estimate of the KL divergence from the warm start, as a mean over turns. */
function referenceKl(tape: Tape, logprob: Tensor, mb: PolicyPart): Tensor {
  const { B, R } = mb.batch;
  const mbReference = tape.constant(mb.reference!, [B, R], "reference");
  const mbReferenceWeights = tape.constant(mb.referenceWeights!, [B, R], "reference weights");
  const [k3] = chain(
    tape,
    [logprob, mbReference, mbReferenceWeights],
    (logprob, reference, weight) => {
      const d = reference.subtract(logprob).clamp(-20, 20);
      return [d.exp().subtract(d).shift(-1).multiply(weight)];
    },
  );
  return sum(tape, k3);
}

/** What all parts of a minibatch share. */
export interface PartContext {
  /** How the losses are put together. */
  readonly settings: ObjectiveSettings;
  /** Turns of the whole minibatch, fillers of weight 0 included. */
  readonly steps: number;
  /** Response tokens of the turns that are no fillers. */
  readonly tokens: number;
  /** Tokens of their corrected responses. */
  readonly correctedTokens: number;
}

/** Lays out a part of a minibatch. */
export function policyPart(policy: Policy, samples: readonly Sample[], whole: PartContext): PolicyPart {
  const { settings, steps } = whole;
  const batch = policy.batch(samples.map(({ transition }) => transition));
  const { B, R } = batch;
  const weightOf = ({ weight = 1 }: Sample) => weight;
  const perTurn: PerSample = (value) => Float32Array.from(samples, (sample) => value(sample, 0));
  const perToken: PerSample = (value) => {
    const words = new Float32Array(B * R);
    samples.forEach((sample, b) => {
      for (let r = 0; r < sample.transition.response.length; r++) words[b * R + r] = value(sample, r);
    });
    return words;
  };
  const isWeighted = samples.some(({ weight }) => weight !== undefined);
  const isOfTokens = settings.ratio === "token";
  const each = isOfTokens ? perToken : perTurn;
  const corrections = samples.filter(({ transition }) => transition.correction !== null);
  return {
    settings,
    batch,
    steps,
    weights: isOfTokens ? perToken(weightOf) : perToken(({ transition }, r) => transition.weights[r]),
    logPi: isOfTokens
      ? perToken(({ transition }, r) => transition.logprobs[r])
      : perTurn(({ transition }) => transition.logPi),
    advantages: each(({ advantage }, r) => typeof advantage === "number" ? advantage : advantage[r]),
    ...isWeighted && !isOfTokens && { turnWeights: perTurn(weightOf) },
    ...settings.values !== "none" &&
      valueArrays(samples, settings.values === "token" ? perToken : perTurn, isWeighted),
    entropyWeights: perToken(({ weight }) => weight === 0 ? 0 : 1 / whole.tokens),
    ...settings.klCoefficient > 0 && {
      reference: perToken(({ reference }, r) => reference![r]),
      referenceWeights: perToken((sample) => weightOf(sample) / steps),
    },
    ...corrections.length > 0 && correctionOf(policy, corrections, whole),
  };
}

type PerSample = (value: (sample: Sample, r: number) => number) => Float32Array;

function valueArrays(samples: readonly Sample[], each: PerSample, isWeighted: boolean) {
  const at = (value: number | Float32Array, r: number) => typeof value === "number" ? value : value[r];
  const isOfTokens = samples.some(({ valueTarget }) => typeof valueTarget !== "number");
  return {
    returns: each(({ valueTarget }, r) => at(valueTarget!, r)),
    values: each(({ transition, value = transition.value }, r) => at(value, r)),
    // The tokens of a turn share its weight, so that long and short responses count alike.
    ...(isWeighted || isOfTokens) && {
      valueWeights: each(({ weight = 1, transition }) =>
        isOfTokens ? Math.sign(weight) / transition.response.length : Math.sign(weight)
      ),
    },
  };
}

function correctionOf(policy: Policy, samples: readonly Sample[], { correctedTokens }: PartContext) {
  const batch = policy.batch(
    samples.map(({ transition: { prompt, correction } }) => ({ prompt, response: correction! })),
  );
  const weights = new Float32Array(batch.B * batch.R);
  samples.forEach(({ weight, transition: { correction } }, b) => {
    if (weight !== 0) weights.fill(-1 / correctedTokens, b * batch.R, b * batch.R + correction!.length);
  });
  return { correction: { batch, weights } };
}
