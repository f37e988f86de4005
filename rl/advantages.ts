/**
 * A critic's advantages, one for each turn, and their scale. PPO and VL-DAC share them.
 *
 * @module
 */
import type { Scores } from "./algorithms/algorithm.ts";
import { number, type NumberSetting, type Values } from "./cli/mod.ts";
import { generalizedAdvantages } from "./gae.ts";
import type { Sample } from "./objective.ts";
import type { Rollout } from "./rollout.ts";
import { mean, rootMeanSquare, standardDeviation } from "./statistics.ts";

/** Settings of how advantages are scaled over an iteration. */
export const scaleOptions = {
  advantageFloor: number(0.25, "least root mean square that advantages are divided by", {
    min: 1e-6,
  }) as NumberSetting,
  advantageClamp: number(3, "largest normalised advantage", { min: 0 }) as NumberSetting,
};

/** Settings of a critic's advantages. */
export const advantageOptions = {
  gaeLambda: number(0.95, "lambda of the advantage estimate", { min: 0, max: 1 }) as NumberSetting,
  ...scaleOptions,
};

/** Settings of a critic. */
export const criticOptions = {
  valueClip: number(0, "clip of the value's change; 0 clips nothing", { min: 0 }) as NumberSetting,
  valueCoefficient: number(
    0.5,
    "weight of the value loss, of a policy whose critic shares its features: cnn",
    { min: 0 },
  ) as NumberSetting,
};

/** Settings of {@linkcode turnAdvantages}; gamma is the discount from one turn to the next. */
export type AdvantageSettings = Values<typeof advantageOptions> & { readonly gamma: number };

/** Definitions of the metrics that {@linkcode turnAdvantages} logs. */
export const advantageMetrics = {
  advantageRms: "root mean square of the advantages before normalisation, in units of scaled return",
  advantageMean: "their mean: how far the values are too low",
  explainedVariance: "share of the returns' variance that the values explained when acting",
} as const;

/**
 * Computes generalised advantages of a rollout's turns, scaled, and the value targets.
 *
 * They are not centred. When nearly all episodes succeed, the mean is noise of the values; subtracting it would punish right
 * actions. They are therefore not divided by the standard deviation, which is about a mean, but by the root mean square. The
 * floor keeps noise small.
 */
export function turnAdvantages(rollout: Rollout, settings: AdvantageSettings): Scores {
  const { transitions, bootstrapValues } = rollout;
  const advantages = new Float32Array(transitions.length);
  const returns = new Float32Array(transitions.length);
  for (const { turns } of rollout.trajectories) {
    const of = (value: (index: number) => number) => turns.map(value);
    const estimate = generalizedAdvantages({
      rewards: of((i) => transitions[i].reward),
      values: of((i) => transitions[i].value),
      terminated: of((i) => Number(transitions[i].terminated)),
      truncated: of((i) => Number(transitions[i].truncated)),
      bootstrapValues: of((i) => bootstrapValues[i]),
      steps: turns.length,
      envs: 1,
      gamma: settings.gamma,
      lambda: settings.gaeLambda,
    });
    turns.forEach((index, t) => {
      advantages[index] = estimate.advantages[t];
      returns[index] = estimate.returns[t];
    });
  }
  const advantageRms = rootMeanSquare(advantages);
  const scale = Math.max(advantageRms, settings.advantageFloor);
  const samples = transitions.map((transition, i): Sample => ({
    transition,
    advantage: limit(advantages[i] / scale, settings.advantageClamp),
    valueTarget: returns[i],
  }));
  const residuals = returns.map((valueTarget, i) => valueTarget - transitions[i].value);
  const metrics = {
    advantageRms,
    advantageMean: mean(advantages),
    explainedVariance: explainedVariance(residuals, returns),
  };
  return { samples, metrics };
}

/** 1 - variance(residuals) / variance(targets); null when all targets are the same but for rounding: nothing is to be explained. */
export function explainedVariance(residuals: ArrayLike<number>, targets: ArrayLike<number>): number | null {
  const isConstant = Array.prototype.every.call(
    targets,
    (target) => Math.abs(target - targets[0]) <= 1e-6 * Math.abs(targets[0]),
  );
  return isConstant ? null : 1 - standardDeviation(residuals) ** 2 / standardDeviation(targets) ** 2;
}

/** Clamps `value` to [-bound, bound]. */
export const limit = (value: number, bound: number): number => Math.max(-bound, Math.min(bound, value));
