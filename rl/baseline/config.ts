/**
 * Every setting of the baseline: meaning, default, and what each environment changes.
 *
 * @module
 */
import { defaultsOf, defineOptions, type Given, UsageError, type Values } from "../cli/mod.ts";
import { trainOptions } from "../config.ts";

const { env, imageNormalization, seed, overwrite, json, evalEpisodes, rewardScale } = trainOptions;
const { gamma, gaeLambda, clip, valueClip, valueCoefficient, ratioGuard, klStop, advantageClamp } =
  trainOptions;
const group = "RL (PPO)";

/** The options of `baseline`. */
export const baselineOptions = defineOptions({
  env,
  seed,
  out: { type: "path", meaning: "run folder; runs/<environment>-cnn-s<seed> when absent" },
  overwrite,
  json,
  imageNormalization,

  envSteps: {
    type: "integer",
    default: 15_360,
    min: 0,
    unit: "steps",
    meaning: "environment steps in all, rounded up to whole iterations",
    group,
  },
  envs: {
    type: "integer",
    default: 32,
    min: 1,
    unit: "environments",
    meaning: "run side by side",
    group,
  },
  rolloutSteps: {
    type: "integer",
    default: 16,
    min: 1,
    unit: "steps",
    meaning: "steps of each environment in an iteration",
    group,
  },
  epochs: {
    type: "integer",
    default: 4,
    min: 1,
    unit: "passes",
    meaning: "over each iteration's steps",
    group,
  },
  minibatch: {
    type: "integer",
    default: 128,
    min: 1,
    unit: "steps",
    meaning: "steps in an update",
    group,
  },
  learningRate: {
    type: "number",
    default: 5e-4,
    min: 0,
    meaning: "learning rate, falling linearly to a tenth",
    group,
  },
  entropyCoefficient: {
    type: "number",
    default: 0.01,
    min: 0,
    meaning: "weight of the policy's entropy (nats) as a bonus",
    group,
  },
  gamma,
  gaeLambda,
  clip,
  valueClip,
  valueCoefficient,
  ratioGuard,
  klStop,
  gradientClip: {
    type: "number",
    default: 0.5,
    min: 0,
    meaning: "largest gradient norm; 0 clips nothing",
    group,
  },
  advantageFloor: {
    type: "number",
    default: 0.25,
    min: 1e-6,
    meaning: "least standard deviation that advantages are divided by",
    group,
  },
  advantageClamp,
  rewardScale,
  evalEpisodes,
});

/** All settings of a baseline run. */
export type BaselineConfig = Values<typeof baselineOptions>;

/** What each environment changes of the defaults, which are NumberLine's. */
const environmentSettings: Readonly<Record<string, Given<typeof baselineOptions>>> = {
  EZPoints: { imageNormalization: "fixed", rewardScale: 0.1 },
  Points24: { imageNormalization: "fixed", rewardScale: 0.1 },
  Blackjack: { imageNormalization: "fixed", evalEpisodes: 4096 },
  Household: {
    imageNormalization: "fixed",
    envSteps: 24_576,
    gamma: 0.95,
    rewardScale: 0.02,
    advantageFloor: 0.1,
  },
};

/**
 * Lays what was given over the environment's settings over the defaults.
 *
 * @throws {UsageError} when minibatches do not divide an iteration.
 */
export function resolveBaselineConfig(
  given: Given<typeof baselineOptions>,
  environment: string,
): BaselineConfig {
  const config = {
    ...defaultsOf(baselineOptions),
    ...environmentSettings[environment],
    ...given,
    env: environment,
  } as BaselineConfig;
  const { envs, rolloutSteps, minibatch } = config;
  if ((envs * rolloutSteps) % minibatch !== 0) {
    throw new UsageError(
      `--minibatch ${minibatch} must divide the ${envs * rolloutSteps} steps of an iteration ` +
        `(--envs ${envs} x --rollout-steps ${rolloutSteps})`,
    );
  }
  return config;
}
