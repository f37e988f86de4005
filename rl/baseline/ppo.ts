/**
 * PPO on the baseline's network, read top to bottom: collect, improve, update. Advantages, epochs and losses
 * are those of the vision-language model; an action is one draw instead of many tokens.
 *
 * Source: Schulman et al. 2017 (arXiv:1707.06347).
 *
 * @module
 */
import { type AdamW, type Cnn, scale, sum, Tape } from "../../model/mod.ts";
import { modelPicture } from "../image.ts";
import { clippedLosses } from "../ppo.ts";
import {
  improvePolicy,
  measureUpdate,
  type MinibatchMetrics,
  type PpoMetrics,
  type PpoStep,
  resultsOf,
  type Sample,
} from "../ppo_loop.ts";
import { type EpisodeOutcome, samplerState, type VectorEnv } from "../rollout.ts";
import type { BaselineConfig } from "./config.ts";
import { type Act, batchOf, type CnnPolicy, type State, stateOf } from "./policy.ts";

/** One environment step. */
export interface Transition extends State, Act, PpoStep {}

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
        bootstraps.push({ index: t * envs + e, image: modelPicture(final.observation, size).pixels });
      }
      transitions.push({ ...states[e], ...act, reward: reward * rewardScale, terminated, truncated });
    });
  }
  const bootstrapValues = new Float32Array(steps * envs);
  const values = await policy.values(bootstraps.map(({ image }) => image));
  bootstraps.forEach(({ index }, i) => bootstrapValues[index] = values[i]);
  return { transitions, bootstrapValues, episodes };
}

/** Updates the network on one rollout. `iteration` seeds the minibatch order. */
export function improve(
  cnn: Cnn,
  optimizer: AdamW,
  rollout: BaselineRollout,
  { config, iteration, learningRate }: { config: BaselineConfig; iteration: number; learningRate: number },
): Promise<PpoMetrics> {
  return improvePolicy(rollout, config, {
    order: `baseline ${iteration}`,
    suspects: "acting and training disagree on a kernel",
    update: (mbSamples) => updateOn(cnn, optimizer, mbSamples, config, learningRate),
  });
}

/** One update: forward, backward and optimiser in one submission, one readback. */
async function updateOn(
  cnn: Cnn,
  optimizer: AdamW,
  mbSamples: readonly Sample<Transition>[],
  config: BaselineConfig,
  learningRate: number,
): Promise<MinibatchMetrics> {
  const { gpu } = cnn;
  const perSample = (value: (sample: Sample<Transition>) => number) => Float32Array.from(mbSamples, value);
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
    returns: perSample(({ valueTarget }) => valueTarget),
    values: perSample(({ transition }) => transition.value),
    steps: mbSamples.length,
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
  const results = resultsOf([{ policyLoss, valueLoss, meanEntropy, logRatio }], optimizer);
  return measureUpdate(await gpu.read(...results), config.clip);
}
