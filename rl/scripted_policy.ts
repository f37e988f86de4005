/**
 * Policies without a model: random actions, and the solver's.
 *
 * @module
 */
import { type Environment, Random } from "../envs/mod.ts";
import type { Responder } from "./evaluation.ts";
import { requireSolver } from "./requirements.ts";

/** Names of policies without a model. `random` draws uniformly from the legal actions; `optimal` is the environment's solver. */
export const SCRIPTED_POLICIES = ["random", "optimal"] as const;
/** A policy without a model: `random` or `optimal`. */
export type ScriptedPolicy = typeof SCRIPTED_POLICIES[number];

/**
 * Makes a policy that looks at no picture. Random actions follow from the seed.
 *
 * @throws {UsageError} when it is asked to act and is `optimal` in an environment without a solver.
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
