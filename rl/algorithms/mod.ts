/**
 * The algorithms by name.
 *
 * @module
 */
import { nearestName, shown, UsageError } from "../cli/mod.ts";
import type { Algorithm } from "./algorithm.ts";
import * as table from "./table.ts";

export {
  type Algorithm,
  type Collection,
  defineAlgorithm,
  learn,
  type LearnContext,
  type LearnObserver,
  type Scores,
} from "./algorithm.ts";
export * from "./table.ts";

/** All algorithms by name, the default first. */
export const algorithms: Readonly<Record<string, Algorithm>> = Object.fromEntries(
  [table.ppo as Algorithm, ...Object.values(table) as Algorithm[]].map((algorithm) => [
    algorithm.name,
    algorithm,
  ]),
);

/**
 * Finds an algorithm by its name.
 *
 * @throws {UsageError} for an unknown name, listing the known ones.
 *
 * @example
 * ```ts
 * import { findAlgorithm } from "./mod.ts";
 *
 * console.log(findAlgorithm("grpo").summary);
 * ```
 */
export function findAlgorithm(name: string): Algorithm {
  if (Object.hasOwn(algorithms, name)) return algorithms[name];
  const known = Object.keys(algorithms);
  const nearest = nearestName(name.slice(0, 100), known);
  throw new UsageError(
    `Unknown algorithm ${shown(name)}${
      nearest === undefined ? "." : `: did you mean ${nearest}?`
    } Known are ${known.join(", ")}; or name a file, such as ./mine.ts`,
  );
}
