/**
 * `vl-dac`: PPO with a ratio for each token and a value for each turn.
 *
 *     A(turn)    = generalised advantages over turns, the same for all tokens of the turn
 *     minimise     -mean over turns of the sum over tokens of min(ratio_t A, clip(ratio_t) A),  ratio_t = p_t / p_old_t
 *
 * It has no weight lambda: thought and action count alike. While all ratios are 1, its gradient is that of `ppo` with lambda 1.
 * The value head reads the prompt alone, and its gradient does not reach the model below it.
 *
 * Source: Bredis et al. 2025 (arXiv:2508.04280).
 *
 * @module
 */
import { advantageMetrics, advantageOptions, criticOptions, turnAdvantages } from "../advantages.ts";
import { number } from "../cli/mod.ts";
import { improveOptions } from "../improve.ts";
import { type Algorithm, defineAlgorithm } from "./algorithm.ts";
import { horizonOptions } from "./ppo.ts";

/** Vision-language decoupled actor-critic. */
export const vlDac: Algorithm = defineAlgorithm({
  name: "vl-dac",
  summary: "advantages a turn shared by its tokens, one ratio a token, a value a turn, no lambda",
  source: "arXiv:2508.04280",
  options: {
    ...horizonOptions,
    clip: number(0.2, "clip of the policy ratio", { min: 0 }),
    ...criticOptions,
    ...advantageOptions,
    ...improveOptions,
  },
  metrics: advantageMetrics,
  collect: ({ rolloutSteps }) => ({ kind: "steps", steps: rolloutSteps }),
  objective: ({ clip, ...settings }) => ({
    ...settings,
    ratio: "token",
    clipLow: clip,
    clipHigh: clip,
    values: "turn",
  }),
  score: turnAdvantages,
});
