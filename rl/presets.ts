/**
 * The default settings that each environment and each kind of policy changes. A new environment needs an entry only if the
 * defaults do not fit it.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../envs/mod.ts";
import { type Given, type Options, readValue, shown, UsageError } from "./cli/mod.ts";
import type { trainOptions } from "./config.ts";

type Preset = Given<typeof trainOptions>;

/** Settings by the environment's short name. The defaults are NumberLine's; how long responses are is found for other environments. */
export const environmentPresets: Readonly<Record<string, Preset>> = {
  NumberLine: { maxNewTokens: 14 },
  EZPoints: {
    imageNormalization: "fixed",
    demonstrations: 8000,
    sftSteps: 800,
    envSteps: 6144,
    learningRate: 1.5e-4,
    temperature: 0.5,
    maxNewTokens: 22,
    rewardScale: 0.1,
    formatPenalty: 0.5,
  },
  Points24: {
    preset: "nano-wide",
    trainingSettings: ["solvableOnly=true"],
    demonstrations: 60_000,
    sftSteps: 5000,
    envSteps: 65_536,
    envs: 128,
    rolloutSteps: 8,
    minibatch: 128,
    learningRate: 5e-5,
    gamma: 0.99,
    temperature: 0.3,
    maxNewTokens: 32,
    rewardScale: 0.1,
    formatPenalty: 0.5,
  },
  Blackjack: {
    imageNormalization: "fixed",
    demonstrations: 8000,
    sftSteps: 800,
    envs: 64,
    envSteps: 12288,
    minibatch: 128,
    learningRate: 1.5e-4,
    temperature: 0.5,
    maxNewTokens: 22,
    evalEpisodes: 4096,
  },
  Household: {
    imageNormalization: "fixed",
    demonstrations: 16_000,
    sftSteps: 1000,
    envSteps: 24_576,
    rolloutSteps: 16,
    minibatch: 128,
    learningRate: 5e-5,
    gamma: 0.95,
    temperature: 0.7,
    maxNewTokens: 24,
    rewardScale: 0.02,
    advantageFloor: 0.1,
    formatPenalty: 0.1,
    evalEpisodes: 256,
  },
};

/**
 * The settings that a pretrained model changes, in every environment. Its tokens are parts of words, so responses are long;
 * they end early. What it knows is not overwritten at the rates of a model that is made here.
 */
export function pretrainedPreset(hasAdapters: boolean): Preset {
  return {
    freeze: ["vision", "head", "embedding", "position", "norm", "bias"],
    maxNewTokens: 256,
    sftLearningRate: hasAdapters ? 2e-4 : 2e-5,
    learningRate: hasAdapters ? 5e-5 : 5e-6,
  };
}

/** The settings that a kind of policy changes. */
export interface PolicyPreset {
  /** Changes in all environments. */
  readonly all: Preset;
  /** Changes in some environments, by their short names. */
  readonly environments: Readonly<Record<string, Preset>>;
  /** Settings that mean nothing to it. */
  readonly without: readonly string[];
}

/** What each kind of policy changes, by its name. */
export const policyPresets: Readonly<Record<string, PolicyPreset>> = {
  // Its value head is trained apart, at its own rate: a factor before the loss would change nothing that Adam sees.
  vlm: { all: {}, environments: {}, without: ["valueCoefficient"] },
  cnn: {
    all: {
      preset: "nano",
      cot: false,
      temperature: 1,
      maxNewTokens: 1,
      freeze: [],
      demonstrations: 0,
      perceptionGate: 0,
      trainingSettings: [],
      envSteps: 15_360,
      envs: 32,
      rolloutSteps: 16,
      epochs: 4,
      minibatch: 128,
      learningRate: 5e-4,
      visionLearningRateScale: 1,
      valueLearningRateScale: 1,
      policyGradientClip: 0.5,
      valueGradientClip: 0.5,
      // Its response is one token, the action.
      klStop: 0.04,
      valueClip: 0.2,
      adamBeta1: 0.9,
      adamEpsilon: 1e-5,
      entropyCoefficient: 0.01,
      formatPenalty: 0,
      gamma: 0.9,
      advantageFloor: 0.25,
    },
    environments: {
      EZPoints: { rewardScale: 0.1 },
      Points24: { rewardScale: 0.1, imageNormalization: "fixed" },
      Household: { envSteps: 24_576, gamma: 0.95, rewardScale: 0.02, advantageFloor: 0.1 },
    },
    without: [
      ...["preset", "cot", "maxNewTokens", "freeze", "lambda", "perceptionGate", "perceptionExtraSteps"],
      "sftThoughts",
      "parse",
      ...["model", "lora", "loraRank", "loraAlpha", "loraTargets", "splitPictures"],
    ],
  },
};

/**
 * Finds the settings that an environment changes: by its entry above, or by the preset of its definition. `options` are those
 * of every algorithm, since a preset may name some that the run's own algorithm does not have.
 *
 * @throws {UsageError} when a definition's preset names an unknown setting or has an illegal value.
 */
export function presetOf(
  { name, reference, preset }: EnvironmentDefinition,
  options: Options,
): Preset {
  const own = Object.entries(preset).map(([setting, value]) => {
    if (Object.hasOwn(options, setting)) {
      return [setting, readValue(options[setting], value, `"${setting}" in the preset of ${name}`)];
    }
    throw new UsageError(`Unknown setting ${shown(setting)} in the preset of ${name}: see train --help`);
  });
  return { ...reference === name && environmentPresets[name], ...Object.fromEntries(own) };
}
