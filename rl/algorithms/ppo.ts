/**
 * `ppo`: the paper's algorithm, the default.
 *
 *     log pi(a|s) = lambda * sum log p(thought tokens) + sum log p(action tokens)
 *     A           = generalised advantages over turns, divided by their root mean square
 *     minimise      -mean over turns of min(ratio A, clip(ratio) A),  ratio = pi / pi_behaviour of the whole response
 *
 * Sources: Zhai et al. 2024 (arXiv:2405.10292) for log pi, Schulman et al. 2017 (arXiv:1707.06347) for the clip, Schulman et
 * al. 2016 (arXiv:1506.02438) for the advantages.
 *
 * @module
 */
import { advantageMetrics, advantageOptions, criticOptions, turnAdvantages } from "../advantages.ts";
import { integer, number, type NumberSetting } from "../cli/mod.ts";
import { improveOptions } from "../improve.ts";
import { type Algorithm, defineAlgorithm } from "./algorithm.ts";

/** Settings of every algorithm that collects a fixed number of steps. */
export const horizonOptions = {
  rolloutSteps: integer(8, "steps of each environment in an iteration", {
    min: 1,
    unit: "steps",
  }) as NumberSetting,
};

/** Settings of {@linkcode ppo}. */
export const ppoOptions = {
  lambda: number(0.5, "weight of the thought's log-probability in log pi", {
    min: 0,
    max: 1,
  }) as NumberSetting,
  ...horizonOptions,
  clip: number(0.2, "clip of the policy ratio", { min: 0 }) as NumberSetting,
  ...criticOptions,
  ...advantageOptions,
  ...improveOptions,
};

/** Proximal policy optimisation with one ratio a response and a lambda-weighted thought. */
export const ppo: Algorithm<typeof ppoOptions> = defineAlgorithm({
  name: "ppo",
  summary: "the paper's: advantages a turn, one ratio a response, the thought weighted by lambda",
  source: "arXiv:2405.10292, arXiv:1707.06347",
  options: ppoOptions,
  metrics: advantageMetrics,
  collect: ({ rolloutSteps }) => ({ kind: "steps", steps: rolloutSteps }),
  thoughtWeight: ({ lambda }) => lambda,
  objective: ({ clip, ...settings }) => ({
    ...settings,
    ratio: "response",
    clipLow: clip,
    clipHigh: clip,
    values: "turn",
  }),
  score: turnAdvantages,
});
