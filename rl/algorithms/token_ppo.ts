/**
 * `token-ppo`: PPO whose critic values the state before every token.
 *
 *     inside a turn      A_t = gamma_token V_t+1 - V_t + gamma_token lambda_token A_t+1
 *     at its last token  A_t = r + gamma V(next) - V_t + gamma lambda A(next)
 *     minimise             -mean over turns of the sum over tokens of min(ratio_t A_t, clip(ratio_t) A_t)
 *
 * `next` is the first token of the next turn, so that one chain runs through all tokens. With `--bi-level` (VAGEN) it is the
 * last token of the next turn. The ends of the turns then form a chain of their own: credit crosses a turn in one step, and the
 * tokens of a turn depend on its end. With exact values every lambda of either form gives the same expected gradient, that of
 * the expected return. Lambdas trade variance for trust in the values.
 *
 * Value targets are A + V. Sources: Schulman et al. 2016 (arXiv:1506.02438), Wang et al. 2025 (VAGEN, arXiv:2510.16907).
 *
 * @module
 */
import {
  advantageMetrics,
  advantageOptions,
  criticOptions,
  explainedVariance,
  limit,
} from "../advantages.ts";
import { boolean, number } from "../cli/mod.ts";
import { improveOptions } from "../improve.ts";
import type { Sample } from "../objective.ts";
import type { Rollout } from "../rollout.ts";
import { mean, rootMeanSquare } from "../statistics.ts";
import { type Algorithm, defineAlgorithm } from "./algorithm.ts";
import { horizonOptions } from "./ppo.ts";

/** Discounts and weights of longer returns, between turns and inside them. All numbers are in [0, 1]. */
export interface TokenGae {
  /** Discount from one turn to the next. */
  readonly gamma: number;
  /** Lambda between turns. */
  readonly gaeLambda: number;
  /** Discount from one token to the next, inside a turn. */
  readonly tokenGamma: number;
  /** Lambda inside a turn. */
  readonly tokenLambda: number;
  /** Do the ends of turns form a chain of their own? */
  readonly biLevel: boolean;
}

/** PPO with an advantage and a value for every token. */
export const tokenPpo: Algorithm = defineAlgorithm({
  name: "token-ppo",
  summary: "advantages and values a token, one ratio a token; --bi-level estimates turns first (VAGEN)",
  source: "arXiv:1506.02438, arXiv:2510.16907",
  options: {
    ...horizonOptions,
    clip: number(0.2, "clip of the policy ratio", { min: 0 }),
    tokenGamma: number(1, "discount a token inside a turn", { min: 0, max: 1 }),
    tokenLambda: number(1, "lambda of the advantage estimate inside a turn", { min: 0, max: 1 }),
    biLevel: boolean(false, "estimate advantages over turns first, then over the tokens of each"),
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
    values: "token",
  }),
  score: async (rollout, settings, { tokenValues }) => {
    const values = await tokenValues(rollout.transitions);
    const advantages = tokenAdvantages(rollout, values, settings);
    const all = advantages.flatMap((row) => Array.from(row));
    const advantageRms = rootMeanSquare(all);
    const scale = Math.max(advantageRms, settings.advantageFloor);
    const targets = advantages.map((row, i) => row.map((advantage, r) => advantage + values[i][r]));
    const samples = rollout.transitions.map((transition, i): Sample => ({
      transition,
      advantage: advantages[i].map((advantage) => limit(advantage / scale, settings.advantageClamp)),
      valueTarget: targets[i],
      value: values[i],
    }));
    const explained = explainedVariance(all, targets.flatMap((row) => Array.from(row)));
    return { samples, metrics: { advantageRms, advantageMean: mean(all), explainedVariance: explained } };
  },
});

/** Computes the advantage of every response token, a row for each transition. `values` has the same rows. */
export function tokenAdvantages(
  { transitions, bootstrapValues, trajectories }: Rollout,
  values: readonly Float32Array[],
  { gamma, gaeLambda, tokenGamma, tokenLambda, biLevel }: TokenGae,
): Float32Array[] {
  const rows = values.map(({ length }) => new Float32Array(length));
  for (const { turns } of trajectories) {
    let next: { value: number; advantage: number } | null = null;
    for (const turn of turns.toReversed()) {
      const { reward, terminated } = transitions[turn];
      const V = values[turn], A = rows[turn];
      const last = V.length - 1;
      const nextValue = terminated ? 0 : next?.value ?? bootstrapValues[turn];
      A[last] = reward + gamma * nextValue - V[last] + gamma * gaeLambda * (next?.advantage ?? 0);
      for (let t = last - 1; t >= 0; t--) {
        A[t] = tokenGamma * V[t + 1] - V[t] + tokenGamma * tokenLambda * A[t + 1];
      }
      const linked = biLevel ? last : 0;
      next = { value: V[linked], advantage: A[linked] };
    }
  }
  return rows;
}
