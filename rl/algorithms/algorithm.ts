/**
 * What an algorithm is: how episodes are collected, what each turn is worth, and what is minimised.
 *
 * An algorithm never sees the trainer, and the trainer never asks which one runs. One of your own is an object like
 * {@linkcode ppo}, passed to `train()` or named on the command line by its file.
 *
 * @module
 */
import type { Environment, EnvironmentDefinition } from "../../envs/mod.ts";
import type { AdamW } from "../../model/mod.ts";
import { type Options, UsageError, type Values } from "../cli/mod.ts";
import type { CommonSettings } from "../config.ts";
import { type CreditMetrics, measureCredit } from "../credit.ts";
import { type GuardSettings, improve, type ImproveMetrics } from "../improve.ts";
import { type ObjectiveSettings, objectiveSettings, type Sample } from "../objective.ts";
import type { Policy } from "../policy.ts";
import { requireActionValues, requireDemonstrations, requireSeededReset } from "../requirements.ts";
import type { Rollout, Transition } from "../rollout.ts";

/** How an iteration's experience is collected. */
export type Collection =
  /** So many steps of every environment, episodes running on from one iteration to the next. */
  | { readonly kind: "steps"; readonly steps: number }
  /** Whole episodes: so many deals, each played by so many episodes. */
  | { readonly kind: "episodes"; readonly groups: number; readonly groupSize: number };

/** An algorithm's own settings beside those that every run has. */
export type SettingsOf<O extends Options> = CommonSettings & Values<O>;

/** What an algorithm makes of an iteration's experience. */
export interface Scores {
  /** One for each transition, in the rollout's order. */
  readonly samples: readonly Sample[];
  /** What to log beside the losses, by the names in {@linkcode Algorithm.metrics}. */
  readonly metrics?: Readonly<Record<string, number | null>>;
}

/** What an algorithm may use beside the rollout. */
export interface LearnContext {
  /** What learns. */
  readonly policy: Policy;
  /** What steps its weights. */
  readonly optimizer: AdamW;
  /** Iterations done before this one. */
  readonly iteration: number;
  /** The learning rate of this iteration. */
  readonly learningRate: number;
  /** Makes an environment of the run, to play a deal again. */
  readonly makeEnvironment: () => Environment;
  /** Log-probability of each response token under the warm start's weights; needs `needsReference`. */
  readonly referenceLogprobs: (transitions: readonly Transition[]) => Promise<Float32Array[]>;
  /** Values before each response token under the present weights, in units of scaled return. */
  readonly tokenValues: (transitions: readonly Transition[]) => Promise<Float32Array[]>;
  /** What the algorithm remembers from one iteration to the next; JSON, kept in the checkpoint. */
  readonly memory: Record<string, unknown>;
}

/** An algorithm. */
export interface Algorithm<O extends Options = Options> {
  /** As on the command line. */
  readonly name: string;
  /** What finds it again: the file that it was loaded from; its name when absent. */
  readonly reference?: string;
  /** One line: what it does. */
  readonly summary: string;
  /** Where it comes from. */
  readonly source: string;
  /** Its settings, one line each; help, flags and `config.json` follow from them. */
  readonly options: O;
  /** What it logs in `metrics.jsonl` beside every algorithm's: name and definition. */
  readonly metrics: Readonly<Record<string, string>>;
  /** Whether it resets environments to a seed again, beside those that collect groups of a deal. */
  replaysDeals?(settings: SettingsOf<O>): boolean;
  /** How it collects. */
  collect(settings: SettingsOf<O>): Collection;
  /** Weight of the thought's tokens in log pi; 1 when absent. */
  thoughtWeight?(settings: SettingsOf<O>): number;
  /** Whether it needs the warm start's log-probabilities; a KL coefficient above 0 does in any case. */
  needsReference?(settings: SettingsOf<O>): boolean;
  /** Which losses. */
  objective(settings: SettingsOf<O>): ObjectiveSettings;
  /** What each turn is worth. Either this, or `learn`. */
  score?(rollout: Rollout, settings: SettingsOf<O>, context: LearnContext): Scores | Promise<Scores>;
  /** A whole update of its own, when samples with policy ratios do not fit. Returns what to log. */
  learn?(
    rollout: Rollout,
    settings: SettingsOf<O>,
    context: LearnContext,
  ): Promise<Readonly<Record<string, number | null>>>;
}

/**
 * Declares an algorithm, keeping the types of its settings.
 *
 * @example Return to go, without a baseline
 * ```ts
 * import { defineAlgorithm, improveOptions, returnsToGo } from "@ponder/ponder/rl";
 *
 * const plain = defineAlgorithm({
 *   name: "plain",
 *   summary: "return to go, one ratio a token",
 *   source: "doi:10.1007/BF00992696",
 *   options: improveOptions,
 *   metrics: {},
 *   collect: () => ({ kind: "episodes", groups: 16, groupSize: 1 }),
 *   objective: (settings) => ({
 *     ...settings,
 *     ratio: "token",
 *     clipLow: 0.2,
 *     clipHigh: 0.2,
 *     values: "none",
 *     valueClip: 0,
 *     valueCoefficient: 0,
 *   }),
 *   score: (rollout, { gamma }) => {
 *     const samples = rollout.transitions.map((transition) => ({ transition, advantage: 0 }));
 *     for (const episode of rollout.trajectories) {
 *       returnsToGo(rollout, episode, gamma).forEach((toGo, t) => samples[episode.turns[t]].advantage = toGo);
 *     }
 *     return { samples };
 *   },
 * });
 * console.log(plain.name);
 * ```
 */
export function defineAlgorithm<const O extends Options>(algorithm: Algorithm<O>): Algorithm<O> {
  return algorithm;
}

/** What every algorithm logs of an iteration, and what its own page defines. */
export type LearnMetrics = Partial<ImproveMetrics> & Partial<CreditMetrics> & {
  readonly advantageRms?: number;
  readonly advantageMean?: number;
  readonly explainedVariance?: number | null;
};

/** One iteration of learning: scores, then epochs of minibatches. */
export async function learn<O extends Options>(
  algorithm: Algorithm<O>,
  rollout: Rollout,
  settings: SettingsOf<O>,
  context: LearnContext,
): Promise<LearnMetrics> {
  const { transitions } = rollout;
  const isMeasured = transitions[0]?.actionValues !== undefined;
  if (algorithm.learn !== undefined) {
    const learnt = await algorithm.learn(rollout, settings, context);
    return { ...learnt, ...isMeasured && measureCredit(transitions, null) };
  }
  if (algorithm.score === undefined) {
    throw new TypeError(`Cannot learn by ${algorithm.name}: it has neither "score" nor "learn", give it one`);
  }
  const objective = objectiveSettings(algorithm.objective(settings));
  const { samples, metrics } = await algorithm.score(rollout, settings, context);
  const improved = await improve(
    context.policy,
    context.optimizer,
    objective.klCoefficient > 0 ? await withReference(samples, context) : samples,
    objective,
    settings as unknown as SettingsOf<O> & GuardSettings,
    { order: `${algorithm.name} ${context.iteration}`, learningRate: context.learningRate },
  );
  return { ...improved, ...metrics, ...isMeasured && measureCredit(transitions, samples) };
}

/**
 * Checks, before anything is trained, that an environment has what an algorithm needs with these settings.
 *
 * @throws {UsageError} naming what it lacks: a reset that follows its seed, a solver, or exact action values; and what else
 * would do.
 */
export function requireFeatures<O extends Options>(
  algorithm: Algorithm<O>,
  environment: EnvironmentDefinition,
  settings: SettingsOf<O>,
): void {
  const collection = algorithm.collect(settings);
  const sharesDeals = collection.kind === "episodes" && collection.groupSize > 1;
  if (sharesDeals || algorithm.replaysDeals?.(settings)) {
    requireSeededReset(environment, `use ${algorithm.name} in`);
  }
  if (algorithm.objective(settings).correctionCoefficient > 0) {
    requireDemonstrations(environment.make(), "use --correction-coefficient 0");
  }
  if (settings.exactCredit) requireActionValues(environment.make(), "use --exact-credit in");
}

async function withReference(samples: readonly Sample[], context: LearnContext): Promise<Sample[]> {
  const references = await context.referenceLogprobs(samples.map(({ transition }) => transition));
  return samples.map((sample, i) => ({ ...sample, reference: references[i] }));
}

/**
 * Checks that a user's module exports an algorithm.
 *
 * @throws {UsageError} naming the file, the field and what was expected.
 */
export function requireAlgorithm(value: unknown, file: string): Algorithm {
  const algorithm = value as Partial<Algorithm>;
  const needs: [string, boolean, string][] = [
    ["name", typeof algorithm?.name === "string" && algorithm.name !== "", "a text"],
    ["options", typeof algorithm?.options === "object" && algorithm.options !== null, "an object of options"],
    ["collect", typeof algorithm?.collect === "function", "a function"],
    ["objective", typeof algorithm?.objective === "function", "a function"],
    ["score", typeof (algorithm?.score ?? algorithm?.learn) === "function", "a function, or `learn` instead"],
  ];
  for (const [field, isGood, expected] of needs) {
    if (isGood) continue;
    throw new UsageError(
      `Cannot use the algorithm of ${file}: "${field}" must be ${expected}; export one made by defineAlgorithm`,
    );
  }
  return { summary: "", source: file, metrics: {}, ...algorithm } as Algorithm;
}
