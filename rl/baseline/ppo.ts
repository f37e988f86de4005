/**
 * PPO on the baseline's network, read top to bottom: collect, advantages, epochs of minibatches, losses, update. Losses and
 * advantages are those of the vision-language model; an action is one draw instead of many tokens.
 *
 * Source: Schulman et al. 2017 (arXiv:1707.06347).
 *
 * @module
 */
import { Random } from "../../envs/mod.ts";
import { NotFiniteError } from "../../kernels/gpu/mod.ts";
import { type AdamW, type Cnn, scale, sum, Tape } from "../../model/mod.ts";
import { generalizedAdvantages } from "../gae.ts";
import { modelImage } from "../image.ts";
import { clippedLosses, FIRST_RATIO_TOLERANCE, type PpoMetrics } from "../ppo.ts";
import { type EpisodeOutcome, samplerState, type VectorEnv } from "../rollout.ts";
import { shuffled } from "../sft.ts";
import { mean, standardDeviation } from "../statistics.ts";
import type { BaselineConfig } from "./config.ts";
import { type Act, batchOf, type CnnPolicy, type State, stateOf } from "./policy.ts";

/** One environment step. */
export interface Transition extends State, Act {
  /** Already multiplied by the reward scale. */
  readonly reward: number;
  readonly terminated: boolean;
  readonly truncated: boolean;
}

/** One iteration's experience; `transitions[t * envs + e]`. */
export interface BaselineRollout {
  readonly transitions: readonly Transition[];
  /** Value after each step where it is needed: truncated steps and the last step. Zero elsewhere. */
  readonly bootstrapValues: Float32Array;
  readonly episodes: readonly EpisodeOutcome[];
}

/** Has the policy act for `rolloutSteps` steps in every environment. */
export async function collect(
  policy: CnnPolicy,
  vectorEnv: VectorEnv,
  { config, iteration }: { config: BaselineConfig; iteration: number },
): Promise<BaselineRollout> {
  const { envs, rolloutSteps: steps, seed, rewardScale } = config;
  const size = policy.cnn.config.imageSize;
  const transitions: Transition[] = [];
  const episodes: EpisodeOutcome[] = [];
  const bootstraps: { index: number; image: Uint8Array }[] = [];
  for (let t = 0; t < steps; t++) {
    const states = vectorEnv.slots.map((slot) => stateOf(slot, size));
    const random = samplerState(envs, seed, iteration * steps + t);
    const acts = await policy.act(states, { random, greedy: false });
    acts.forEach((act, e) => {
      const { reward, terminated, truncated, final, outcome } = vectorEnv.step(e, act.action);
      if (outcome !== null) episodes.push(outcome);
      if (truncated || (t === steps - 1 && !terminated)) {
        bootstraps.push({ index: t * envs + e, image: modelImage(final.observation, size) });
      }
      transitions.push({ ...states[e], ...act, reward: reward * rewardScale, terminated, truncated });
    });
  }
  const bootstrapValues = new Float32Array(steps * envs);
  const values = await policy.values(bootstraps.map(({ image }) => image));
  bootstraps.forEach(({ index }, i) => bootstrapValues[index] = values[i]);
  return { transitions, bootstrapValues, episodes };
}

/** A step of the flat batch. */
interface Sample {
  readonly transition: Transition;
  /** Normalised. */
  readonly advantage: number;
  /** Target of the value head. */
  readonly discountedReturn: number;
}

/** Updates the network on one rollout. `iteration` seeds the minibatch order. */
export async function improve(
  cnn: Cnn,
  optimizer: AdamW,
  rollout: BaselineRollout,
  { config, iteration, learningRate }: { config: BaselineConfig; iteration: number; learningRate: number },
): Promise<PpoMetrics> {
  const { transitions } = rollout;
  const { advantages, returns } = generalizedAdvantages({
    rewards: transitions.map(({ reward }) => reward),
    values: transitions.map(({ value }) => value),
    terminated: transitions.map(({ terminated }) => Number(terminated)),
    truncated: transitions.map(({ truncated }) => Number(truncated)),
    bootstrapValues: rollout.bootstrapValues,
    steps: transitions.length / config.envs,
    envs: config.envs,
    gamma: config.gamma,
    lambda: config.gaeLambda,
  });
  // As for the vision-language model: scaled by their deviation, which a floor keeps from amplifying noise.
  const advantageStd = standardDeviation(advantages);
  const divisor = Math.max(advantageStd, config.advantageFloor);
  const bSamples = transitions.map((transition, i): Sample => ({
    transition,
    advantage: Math.max(-config.advantageClamp, Math.min(config.advantageClamp, advantages[i] / divisor)),
    discountedReturn: returns[i],
  }));
  const residuals = returns.map((discountedReturn, i) => discountedReturn - transitions[i].value);
  const explainedVariance = 1 -
    standardDeviation(residuals) ** 2 / Math.max(standardDeviation(returns) ** 2, 1e-8);

  const results: MinibatchMetrics[] = [];
  epochs:
  for (let epoch = 0; epoch < config.epochs; epoch++) {
    const order = shuffled(bSamples.length, new Random(config.seed, `baseline ${iteration} ${epoch}`));
    for (let start = 0; start < order.length; start += config.minibatch) {
      const indices = order.subarray(start, start + config.minibatch);
      const mbSamples = Array.from(indices, (index) => bSamples[index]);
      const result = await updateOn(cnn, optimizer, mbSamples, config, learningRate);
      results.push(result);
      if (results.length === 1 && !(result.largestRatioError <= FIRST_RATIO_TOLERANCE)) {
        throw new Error(
          `Cannot trust this update: with unchanged weights a policy ratio differs from 1 by ` +
            `${result.largestRatioError}, over ${FIRST_RATIO_TOLERANCE}; acting and training disagree on a kernel`,
        );
      }
      if (result.kl > config.klStop) break epochs;
    }
  }
  const average = (key: keyof MinibatchMetrics) => mean(results.map((result) => result[key]));
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

interface MinibatchMetrics {
  policyLoss: number;
  valueLoss: number;
  entropy: number;
  kl: number;
  clipFraction: number;
  largestRatioError: number;
  gradientNorm: number;
}

/** One update: forward, backward and optimiser in one submission, one readback. */
async function updateOn(
  cnn: Cnn,
  optimizer: AdamW,
  mbSamples: readonly Sample[],
  config: BaselineConfig,
  learningRate: number,
): Promise<MinibatchMetrics> {
  const { gpu } = cnn;
  const perSample = (value: (sample: Sample) => number) => Float32Array.from(mbSamples, value);
  const batch = batchOf(mbSamples.map(({ transition }) => transition));
  const actions = Uint32Array.from(mbSamples, ({ transition }) => transition.action);
  using tape = new Tape(gpu, { record: true });
  const features = cnn.features(tape, batch); // (B, width)
  const logits = cnn.logits(tape, features, batch.legal); // (B, V)
  const { logprob: logPi, entropy } = cnn.actionLogprobs(tape, logits, actions); // (B)
  const values = cnn.values(tape, features); // (B)
  const { policyLoss, valueLoss, logRatio } = clippedLosses(tape, { logPi, values }, {
    logPi: perSample(({ transition }) => transition.logprob),
    advantages: perSample(({ advantage }) => advantage),
    returns: perSample(({ discountedReturn }) => discountedReturn),
    values: perSample(({ transition }) => transition.value),
  }, config);
  const meanEntropy = tape.keep(sum(tape, entropy, 1 / mbSamples.length));
  tape.backward(
    policyLoss,
    scale(tape, valueLoss, config.valueCoefficient),
    scale(tape, meanEntropy, -config.entropyCoefficient),
  );
  optimizer.update({
    learningRate,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-5,
    policyClip: config.gradientClip,
    valueClip: config.gradientClip,
  });
  const [[policy], [value], [entropyNow], logRatios, norms] = await gpu.read(
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
    entropy: entropyNow,
    // k3 of http://joschu.net/blog/kl-approx.html: never negative, low variance
    kl: mean(ratios.map((r, i) => r - 1 - logRatios[i])),
    clipFraction: mean(ratios.map((r) => Number(Math.abs(r - 1) > config.clip))),
    largestRatioError: ratios.reduce((worst, r) => Math.max(worst, Math.abs(r - 1)), 0),
    gradientNorm: norms[0],
  };
}
