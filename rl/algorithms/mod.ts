/**
 * The algorithms, a row each.
 *
 * @module
 */
import { suggestion, UsageError } from "../cli/mod.ts";
import type { Algorithm } from "./algorithm.ts";
import { expertIteration } from "./expert_iteration.ts";
import { gigpo } from "./gigpo.ts";
import { grpo } from "./grpo.ts";
import { ppo } from "./ppo.ts";
import { reinforcePlusPlus } from "./reinforce.ts";
import { rloo } from "./rloo.ts";
import { tokenPpo } from "./token_ppo.ts";
import { vlDac } from "./vl_dac.ts";

export {
  type Algorithm,
  type Collection,
  defineAlgorithm,
  learn,
  type LearnContext,
  requireFeatures,
  type Scores,
} from "./algorithm.ts";
export { expertIteration, gigpo, grpo, ppo, reinforcePlusPlus, rloo, tokenPpo, vlDac };

/** All algorithms by name, the default first. */
export const algorithms: Readonly<Record<string, Algorithm>> = Object.fromEntries(
  ([ppo, vlDac, tokenPpo, reinforcePlusPlus, rloo, grpo, gigpo, expertIteration] as Algorithm[]).map((
    algorithm,
  ) => [algorithm.name, algorithm]),
);

/**
 * An algorithm by its name.
 *
 * @throws {UsageError} listing the known ones.
 */
export function findAlgorithm(name: string): Algorithm {
  if (Object.hasOwn(algorithms, name)) return algorithms[name];
  const known = Object.keys(algorithms);
  throw new UsageError(
    `Unknown algorithm "${name}"${suggestion(name, known)}; known: ${
      known.join(", ")
    }, or the path of a file`,
  );
}
