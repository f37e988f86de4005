/**
 * Parts that an environment may lack. Each check says what a user can do instead.
 *
 * @module
 */
import type { Bias, Environment, EnvironmentDefinition } from "../envs/mod.ts";
import { shown, UsageError } from "./cli/mod.ts";

type Having<K extends keyof Environment> = Environment & Required<Pick<Environment, K>>;

/**
 * Requires an environment to demonstrate.
 *
 * @param remedy What the user can do otherwise; without it, what can replace a warm start.
 * @throws {UsageError} when it has no solver.
 */
export function requireDemonstrations(
  env: Environment,
  remedy = "begin from given weights with --warm-start RUN, or from noise with --demonstrations 0",
): Having<"demonstrate"> {
  if (env.demonstrate !== undefined) return env as Having<"demonstrate">;
  throw new UsageError(`Cannot demonstrate ${env.name}: its definition has no solver; ${remedy}`);
}

/**
 * Checks that a new run can begin as its settings say: with demonstrations, with given weights, or from noise. Call it before a
 * folder is made.
 *
 * @throws {UsageError} when there shall be demonstrations and the environment has no solver.
 */
export function requireBeginning(
  environment: EnvironmentDefinition,
  { demonstrations, warmStart }: { readonly demonstrations: number; readonly warmStart?: string },
): void {
  if (demonstrations > 0 && warmStart === undefined) requireDemonstrations(environment.make());
}

/**
 * The demonstrator's mistakes as flags write them, over its own: `["flipMinus=0.3"]`, or `["none"]` for none of any kind.
 *
 * @throws {UsageError} on an item that is no `kind=probability`, or a kind that the environment's demonstrator does not make.
 */
export function readMistakes(env: Environment, items: readonly string[]): Bias | undefined {
  if (items.length === 0) return undefined;
  const known = env.bias ?? {};
  if (items.length === 1 && items[0] === "none") {
    return Object.fromEntries(Object.keys(known).map((k) => [k, 0]));
  }
  return Object.fromEntries(items.map((item) => {
    const [, kind, text] = /^(\w+)=([\d.]+)$/.exec(item) ?? [];
    const probability = Number(text);
    if (kind !== undefined && Object.hasOwn(known, kind) && probability >= 0 && probability <= 1) {
      return [kind, probability];
    }
    const kinds = Object.keys(known).join(", ") || "none at all";
    throw new UsageError(
      `Cannot use the mistake ${
        shown(item)
      }: write it as kind=probability, ${env.name} knows ${kinds}; or none alone`,
    );
  }));
}

/**
 * Requires an environment to have a solver.
 *
 * @param verb What cannot be done without one, for the message.
 * @throws {UsageError} when it has none.
 */
export function requireSolver(env: Environment, verb = "solve"): Having<"solve"> {
  if (env.solve !== undefined) return env as Having<"solve">;
  throw new UsageError(
    `Cannot ${verb} ${env.name}: its definition has no solver; give it solve, which returns the best action`,
  );
}

/**
 * Requires an environment to know its exact action values.
 *
 * @param verb What cannot be done without them, for the message.
 * @throws {UsageError} when it does not.
 */
export function requireActionValues(env: Environment, verb: string): Having<"actionValues"> {
  if (env.actionValues !== undefined) return env as Having<"actionValues">;
  throw new UsageError(`Cannot ${verb} ${env.name}: its definition has no actionValues`);
}

/** Can responses be compared with the states that they were written for? */
export function isJudged(environment: EnvironmentDefinition): boolean {
  return environment.make().judge !== undefined;
}

const PROBED_SEEDS = 4;

/**
 * Checks that the same seed deals the same episode. Algorithms whose episodes share a deal need that.
 *
 * @throws {UsageError} when two environments begin differently with the same seed.
 */
export function requireSeededReset(environment: EnvironmentDefinition, verb: string): void {
  const [first, second] = [environment.make(), environment.make()];
  for (let seed = 0; seed < PROBED_SEEDS; seed++) {
    const [one, other] = [first, second].map((env) => {
      const { info } = env.reset({ seed });
      return [env.stateKey(), env.prompt(info, { cot: true })].join("\n");
    });
    if (one === other) continue;
    throw new UsageError(
      `Cannot ${verb} ${environment.name}: its reset does not follow the seed; ` +
        "draw everything from the stream that reset is given, or use an algorithm that shares no deal, such as ppo",
    );
  }
}
