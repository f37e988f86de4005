/**
 * Checks of what an algorithm returns. Algorithms come from files of a user's own too, in which nothing checks types.
 *
 * @module
 */
import { NotFiniteError } from "../../kernels/gpu/mod.ts";
import { shown, UsageError } from "../cli/mod.ts";
import type { ObjectiveSettings, Sample } from "../objective.ts";
import type { Transition } from "../rollout.ts";
import type { Collection, Scores } from "./algorithm.ts";

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 1;

/**
 * Checks how an algorithm collects and how its losses are put together, before anything is trained. The objective is null if
 * the algorithm learns by itself.
 *
 * @throws {UsageError} naming the field and what was expected.
 */
export function requirePlan(name: string, collection: Collection, objective: ObjectiveSettings | null): void {
  const { kind, steps, groups, groupSize } = Object(collection) as Record<string, unknown>;
  const { ratio, values } = Object(objective) as Partial<ObjectiveSettings>;
  const needs: [string, unknown, boolean, string][] = [
    ["kind", kind, kind === "steps" || kind === "episodes", '"steps" or "episodes"'],
    ["steps", steps, kind !== "steps" || isCount(steps), "a whole number of at least 1"],
    ["groups", groups, kind !== "episodes" || isCount(groups), "a whole number of at least 1"],
    ["groupSize", groupSize, kind !== "episodes" || isCount(groupSize), "a whole number of at least 1"],
    [
      "ratio",
      ratio,
      objective === null || ratio === "response" || ratio === "token",
      '"response" or "token"',
    ],
    [
      "values",
      values,
      objective === null || ["turn", "token", "none"].includes(values!),
      '"turn", "token" or "none"',
    ],
  ];
  for (const [field, value, isGood, expected] of needs) {
    if (isGood) continue;
    const where = field === "ratio" || field === "values" ? "objective" : "collect";
    throw new UsageError(
      `Cannot use the algorithm ${name}: ${where} returned ${field} ${
        shown(String(value))
      }, expected ${expected}`,
    );
  }
}

/**
 * Checks an algorithm's scores of a rollout's transitions.
 *
 * @throws {TypeError} naming the turn and what was expected.
 * @throws {NotFiniteError} naming the turn of an advantage, target or weight that is NaN or infinite.
 */
export function requireScores(
  { name, metrics: declared }: { readonly name: string; readonly metrics: Readonly<Record<string, string>> },
  scores: Scores,
  transitions: readonly Transition[],
): Scores {
  const refuse = (state: string) => new TypeError(`Cannot learn by ${name}: ${state}`);
  const { samples, metrics = {} } = Object(scores) as Partial<Scores>;
  if (!Array.isArray(samples) || samples.length !== transitions.length) {
    throw refuse(
      `score returned ${Array.isArray(samples) ? `${samples.length} samples` : "no list of samples"}, ` +
        `expected one for each of ${transitions.length} turns: { samples, metrics }`,
    );
  }
  transitions.forEach((transition, turn) => {
    const sample = Object(samples[turn]) as Sample;
    if (sample.transition !== transition) throw refuse(`sample ${turn} is of another turn, keep their order`);
    const tokens = transition.response.length;
    requireNumbers(sample.advantage, "advantage");
    requireNumbers(sample.valueTarget ?? 0, "valueTarget");
    requireNumbers(sample.weight ?? 1, "weight");
    function requireNumbers(value: unknown, what: string): void {
      if (Number.isFinite(value)) return;
      const isList = value instanceof Float32Array && what !== "weight";
      if (isList && value.length !== tokens) {
        throw refuse(`the ${what} of turn ${turn} has ${value.length} numbers for ${tokens} tokens`);
      }
      if (isList && value.every(Number.isFinite)) return;
      if (isList || typeof value === "number") {
        throw new NotFiniteError(`the ${what} of turn ${turn} is ${isList ? "not finite" : value}`);
      }
      const lists = what === "weight" ? "" : ", or a Float32Array with one for each token";
      throw refuse(`the ${what} of turn ${turn} is ${shown(String(value))}, expected a number${lists}`);
    }
  });
  const foreign = Object.keys(metrics).find((metric) => !Object.hasOwn(declared, metric));
  if (foreign !== undefined) {
    throw refuse(`score returned the metric ${shown(foreign)}, define it in "metrics"`);
  }
  return { samples, metrics };
}
