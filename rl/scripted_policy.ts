/**
 * Policies without a model: what chance reaches, and what the solver does.
 *
 * @module
 */
import { type Environment, Random } from "../envs/mod.ts";
import type { Responder } from "./evaluation.ts";
import { requireSolver } from "./requirements.ts";

/** `random` is uniform over the actions that are legal in the state; `optimal` is the environment's solver. */
export const SCRIPTED_POLICIES = ["random", "optimal"] as const;
/** A policy without a model: `random` or `optimal`. */
export type ScriptedPolicy = typeof SCRIPTED_POLICIES[number];

/**
 * A policy that looks at no picture. Random actions follow from the seed.
 *
 * @example What chance reaches
 * ```ts
 * import { numberLine } from "@ponder/ponder/envs";
 * import { evaluate, scriptedPolicy } from "@ponder/ponder/rl";
 *
 * const settings = { episodes: 20, seed: 0, greedy: false, temperature: 1, maxNewTokens: 1 };
 * const chance = await evaluate(scriptedPolicy("random", 0), { environment: numberLine, ...settings });
 * console.log(chance.success, chance.ci95);
 * ```
 */
export function scriptedPolicy(name: ScriptedPolicy, seed: number): Responder {
  const random = new Random(seed, "policy");
  const act = (env: Environment) => {
    if (name === "optimal") return requireSolver(env, "play the best actions of").solve();
    const legal = env.legalActions?.() ?? env.actions.map((_, action) => action);
    return legal[random.integer(legal.length)];
  };
  return {
    respond: (situations) =>
      Promise.resolve(situations.map(({ env }) => ({
        parse: { action: act(env), start: -1, end: -1 },
        judgement: { perception: null, faithful: null },
      }))),
  };
}
