/**
 * The algorithms, a row each.
 *
 * @module
 */
import { suggestion, UsageError } from "../cli/mod.ts";
import type { Algorithm } from "./algorithm.ts";
import { ppo } from "./ppo.ts";

export {
  type Algorithm,
  type Collection,
  defineAlgorithm,
  learn,
  type LearnContext,
  type Scores,
} from "./algorithm.ts";
export { ppo } from "./ppo.ts";

/** All algorithms by name, the default first. */
export const algorithms: Readonly<Record<string, Algorithm>> = Object.fromEntries(
  ([ppo] as Algorithm[]).map((algorithm) => [algorithm.name, algorithm]),
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
