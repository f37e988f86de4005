/**
 * What each environment changes of the default settings. A new environment needs an entry only where the defaults do
 * not fit it.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../envs/mod.ts";
import { type Given, type Options, readValue, UsageError } from "./cli/mod.ts";
import type { trainOptions } from "./config.ts";

/** Settings by the environment's short name. The defaults are NumberLine's. */
export const environmentPresets: Readonly<Record<string, Given<typeof trainOptions>>> = {
  NumberLine: {},
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
 * What an environment changes of the default settings: its entry above, or what its definition says.
 *
 * @throws {UsageError} naming the setting of a definition's preset that is unknown or has an illegal value.
 */
export function presetOf(
  { name, reference, preset }: EnvironmentDefinition,
  options: Options,
): Given<typeof trainOptions> {
  const own = Object.entries(preset).map(([setting, value]) => {
    if (Object.hasOwn(options, setting)) {
      return [setting, readValue(options[setting], value, `"${setting}" in the preset of ${name}`)];
    }
    throw new UsageError(`Unknown setting "${setting}" in the preset of ${name}: see train --help`);
  });
  return { ...reference === name && environmentPresets[name], ...Object.fromEntries(own) };
}
