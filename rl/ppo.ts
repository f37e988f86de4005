/**
 * PPO on the whole vision-language model: the losses and an update. `ppo_loop.ts` has what comes before, advantages and
 * epochs of minibatches.
 *
 *     log pi(a|s) = lambda * sum log p(thought tokens) + sum log p(action tokens)
 *
 * Sources: Schulman et al. 2017 (arXiv:1707.06347) for the losses, Zhai et al. 2024 (arXiv:2405.10292) for log pi.
 *
 * @module
 */
import {
  type AdamW,
  chain,
  type Layout,
  layOut,
  multiply,
  promptLength,
  rowSum,
  scale,
  sum,
  Tape,
  type Tensor,
  type Vlm,
} from "../model/mod.ts";
import type { Slice } from "../kernels/gpu/mod.ts";
import type { TrainConfig } from "./config.ts";
import {
  type Experience,
  improvePolicy,
  measureUpdate,
  type MinibatchMetrics,
  type PpoMetrics,
  type PpoStep,
  resultsOf,
  type Sample,
} from "./ppo_loop.ts";
import type { Transition } from "./rollout.ts";

/** A step that a written response took. */
export type WrittenStep = PpoStep & Pick<Transition, "prompt" | "response" | "weights" | "logPi">;

/** What {@linkcode ppoIteration} depends on. */
export interface PpoIterationSettings {
  readonly config: TrainConfig;
  /** Seeds the minibatch order. */
  readonly iteration: number;
  readonly learningRate: number;
  /** Most positions whose activations are in memory at once, 2600 by default: a minibatch of more is done in parts. */
  readonly microBatchPositions?: number;
}

/** Updates the model on one rollout. */
export function ppoIteration(
  vlm: Vlm,
  optimizer: AdamW,
  rollout: Experience<WrittenStep>,
  settings: PpoIterationSettings,
): Promise<PpoMetrics> {
  return improvePolicy(rollout, settings.config, {
    order: `ppo ${settings.iteration}`,
    suspects: "generation and training disagree on a prompt, a kernel or the temperature",
    update: (mbSamples) => ppoMinibatch(vlm, optimizer, mbSamples, settings),
  });
}

/** One update: forward and backward of one micro-batch after another, and the optimiser, read back together. */
async function ppoMinibatch(
  vlm: Vlm,
  optimizer: AdamW,
  mbSamples: readonly Sample<WrittenStep>[],
  { config, learningRate, microBatchPositions = 2600 }: PpoIterationSettings,
): Promise<MinibatchMetrics> {
  const responses = mbSamples.map(({ transition }) => transition.response.length);
  const whole = { steps: mbSamples.length, tokens: responses.reduce((sum, tokens) => sum + tokens, 0) };
  const longest = mbSamples.reduce(
    (most, { transition: { prompt } }, i) => Math.max(most, promptLength(prompt, vlm.config) + responses[i]),
    1,
  );
  const count = Math.ceil(whole.steps / Math.max(1, Math.floor(microBatchPositions / longest)));
  const size = Math.ceil(whole.steps / count);

  const { temperature, clip, valueClip, ratioGuard, valueCoefficient, entropyCoefficient } = config;
  const inputs: PpoInputs = {
    parts: Array.from(
      { length: Math.ceil(whole.steps / size) },
      (_, i) => ppoBatch(vlm, mbSamples.slice(i * size, (i + 1) * size), whole),
    ),
    settings: { temperature, clip, valueClip, ratioGuard, valueCoefficient, entropyCoefficient },
    adamw: optimizer.advance({
      learningRate,
      beta1: config.adamBeta1,
      beta2: config.adamBeta2,
      epsilon: config.adamEpsilon,
      policyClip: config.policyGradientClip,
      valueClip: config.valueGradientClip,
    }),
  };
  const step = {
    name: "ppo",
    owner: optimizer,
    run: (inputs: PpoInputs) => launchPpoUpdate(vlm, optimizer, inputs),
  };
  return measureUpdate(await vlm.gpu.plans.run(step, inputs), config.clip);
}

/** All that differs from one update to the next. */
interface PpoInputs {
  /** The micro-batches. */
  readonly parts: readonly PpoBatch[];
  readonly settings: PpoLossSettings & Pick<TrainConfig, "valueCoefficient" | "entropyCoefficient">;
  /** For {@linkcode AdamW.apply}. */
  readonly adamw: Float32Array;
}

/** Forward and backward of each part, and the optimiser. */
function launchPpoUpdate(vlm: Vlm, optimizer: AdamW, { parts, settings, adamw }: PpoInputs): Slice[] {
  const { valueCoefficient, entropyCoefficient } = settings;
  using tape = new Tape(vlm.gpu, { record: true });
  const losses = parts.map((part) => {
    const partLosses = ppoLosses(tape, vlm, part, settings);
    const roots = [partLosses.policyLoss, scale(tape, partLosses.valueLoss, valueCoefficient)];
    if (entropyCoefficient > 0) roots.push(scale(tape, partLosses.meanEntropy, -entropyCoefficient));
    tape.backward(...roots); // gradients add to those of the parts before
    return partLosses;
  });
  optimizer.apply(adamw);
  return resultsOf(losses, optimizer);
}

function ppoBatch(
  { config }: Vlm,
  samples: readonly Sample<WrittenStep>[],
  whole: { steps: number; tokens: number },
): PpoBatch {
  const layout = layOut(samples.map(({ transition }) => transition), config);
  const weights = new Float32Array(layout.B * layout.R);
  samples.forEach(({ transition }, b) => weights.set(transition.weights, b * layout.R));
  const perSample = (value: (sample: Sample<WrittenStep>) => number) => Float32Array.from(samples, value);
  return {
    layout,
    weights,
    logPi: perSample(({ transition }) => transition.logPi),
    advantages: perSample(({ advantage }) => advantage),
    returns: perSample(({ valueTarget }) => valueTarget),
    values: perSample(({ transition }) => transition.value),
    entropyWeights: layout.mask.map((value) => value / whole.tokens),
    steps: whole.steps,
  };
}

/** B responses of a minibatch as the losses need them. */
export interface PpoBatch {
  readonly layout: Layout;
  /** (B*R) weight of each token's log-probability in log pi: lambda for the thought, 1 for the action, 0 for padding. */
  readonly weights: Float32Array;
  /** (B) each: behaviour log pi, normalised advantages, value targets, and the values when acting. */
  readonly logPi: Float32Array;
  readonly advantages: Float32Array;
  readonly returns: Float32Array;
  readonly values: Float32Array;
  /** (B*R) 1 / the minibatch's response tokens for those that are here, 0 for padding. */
  readonly entropyWeights: Float32Array;
  /** Steps of the minibatch that this is a part of: losses are means over those. */
  readonly steps: number;
}

/** PPO's losses on the tape; scalars but for `logRatio` (B). All are kept readable after the backward. */
export function ppoLosses(tape: Tape, vlm: Vlm, mb: PpoBatch, config: PpoLossSettings) {
  const { layout } = mb;
  const { B, R } = layout;
  const mbWeights = tape.constant(mb.weights, [B, R], "weights");
  const mbEntropyWeights = tape.constant(mb.entropyWeights, [B, R], "entropy weights");

  const hidden = vlm.hidden(tape, layout); // (B max(R, 1), C), at the positions that predict the response
  const { logprob, entropy } = vlm.responseLogprobs(tape, hidden, layout, config.temperature); // (B, R)

  // log pi weights the thought's tokens by lambda
  const logPi = rowSum(tape, multiply(tape, logprob, mbWeights)); // (B)
  const values = vlm.values(tape, tape.detach(hidden), layout); // (B)
  const losses = clippedLosses(tape, { logPi, values }, mb, config);

  const meanEntropy = tape.keep(sum(tape, multiply(tape, entropy, mbEntropyWeights)));
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
  mb: Pick<PpoBatch, "logPi" | "advantages" | "returns" | "values" | "steps">,
  config: Pick<PpoLossSettings, "clip" | "valueClip" | "ratioGuard">,
) {
  const B = mb.logPi.length;
  const mbAdvantages = tape.constant(mb.advantages, [B], "advantages");
  const mbReturns = tape.constant(mb.returns, [B], "returns");
  const mbValues = tape.constant(mb.values, [B], "values");
  const mbLogPi = tape.constant(mb.logPi, [B], "logPi");

  const [logRatio, surrogate] = chain(
    tape,
    [logPi, mbLogPi, mbAdvantages],
    (logPi, mbLogPi, advantage) => {
      const logRatio = logPi.subtract(mbLogPi); // log(pi / pi_behaviour)
      // The guard: a ratio beyond it has no gradient, so one wild sample cannot dominate an update.
      const ratio = logRatio.clamp(-20, 20).exp().clamp(0, config.ratioGuard);
      const clippedRatio = ratio.clamp(1 - config.clip, 1 + config.clip);
      return [logRatio, ratio.multiply(advantage).minimum(clippedRatio.multiply(advantage))];
    },
  );
  const policyLoss = tape.keep(sum(tape, surrogate, -1 / mb.steps));

  // value loss = half the larger of the squared errors of the value and of its clipped change
  const [error] = chain(tape, [values, mbValues, mbReturns], (value, mbValue, target) => {
    const clippedValue = mbValue.add(value.subtract(mbValue).clamp(-config.valueClip, config.valueClip));
    return [value.subtract(target).square().maximum(clippedValue.subtract(target).square())];
  });
  const valueLoss = tape.keep(sum(tape, error, 0.5 / mb.steps));
  return { policyLoss, valueLoss, logRatio: tape.keep(logRatio) };
}
