/**
 * What an algorithm is: how it collects episodes, what each turn is worth, and what it minimises.
 *
 * An algorithm never sees the trainer, and the trainer never asks which one runs. Your own is an object like
 * {@linkcode ppo}. Pass it to `train()`, or name its file on the command line.
 *
 * @module
 */
import type { Environment, EnvironmentDefinition } from "../../envs/mod.ts";
import type { AdamW } from "../../model/mod.ts";
import { type Options, UsageError, type Values } from "../cli/mod.ts";
import type { CommonSettings } from "../config.ts";
import { type CreditMetrics, measureCredit } from "../credit.ts";
import type { Learners } from "../gradients.ts";
import { type GuardSettings, improve, type ImproveMetrics, type UpdateObserver } from "../improve.ts";
import { type ObjectiveSettings, objectiveSettings, type Sample } from "../objective.ts";
import type { Policy } from "../policy.ts";
import { requireActionValues, requireDemonstrations, requireSeededReset } from "../requirements.ts";
import type { Rollout, Transition } from "../rollout.ts";
import { requirePlan, requireScores } from "./returned.ts";

/** How an iteration's experience is collected. */
export type Collection =
  /** `steps` steps of every environment. Episodes run on from one iteration to the next. */
  | { readonly kind: "steps"; readonly steps: number }
  /**
   * Whole episodes: `groups` deals, each played by `groupSize` episodes. A share `dealAgain` of the deals, none when absent, are
   * earlier ones whose episodes did not all return the same.
   */
  | {
    readonly kind: "episodes";
    readonly groups: number;
    readonly groupSize: number;
    readonly dealAgain?: number;
    /** Further deals that may take the place of ones whose episodes all returned the same; 0 when absent. */
    readonly extraGroups?: number;
  };

/** The settings that an algorithm reads: those of every run, and its own. */
export type SettingsOf<O extends Options> = CommonSettings & Values<O>;

/** How an algorithm scores an iteration's experience. */
export interface Scores {
  /** One for each transition, in the rollout's order. */
  readonly samples: readonly Sample[];
  /** Metrics to log, by the names in {@linkcode Algorithm.metrics}. */
  readonly metrics?: Readonly<Record<string, number | null>>;
}

/** Looks on while an iteration is learnt from; changes nothing. */
export interface LearnObserver extends UpdateObserver {
  /** What the algorithm made of the turns, before the first update. */
  scored(samples: readonly Sample[], objective: ObjectiveSettings): void;
}

/** What an algorithm may use beside the rollout. */
export interface LearnContext {
  /** What learns. */
  readonly policy: Policy;
  /** The optimiser of its weights. */
  readonly optimizer: AdamW;
  /** Iterations done before this one. */
  readonly iteration: number;
  /** The learning rate of this iteration. */
  readonly learningRate: number;
  /** Makes an environment with the run's settings, to play a deal again. */
  readonly makeEnvironment: () => Environment;
  /** Log-probability (nats) of each response token under the warm start's weights. It needs `needsReference`. */
  readonly referenceLogprobs: (transitions: readonly Transition[]) => Promise<Float32Array[]>;
  /** Values before each response token under the present weights, in units of scaled return. */
  readonly tokenValues: (transitions: readonly Transition[]) => Promise<Float32Array[]>;
  /** What the algorithm remembers from one iteration to the next. It must be JSON; the checkpoint keeps it. */
  readonly memory: Record<string, unknown>;
  /** Looks on. */
  readonly observer?: LearnObserver;
  /** Those who compute all shares of a minibatch but the first; this process when absent. */
  readonly learners?: Learners;
}

/** An algorithm of reinforcement learning: how it collects, scores and learns. */
export interface Algorithm<O extends Options = Options> {
  /** The name on the command line. */
  readonly name: string;
  /** The file that it was loaded from, which finds it again; its name does when absent. */
  readonly reference?: string;
  /** One line: what it does. */
  readonly summary: string;
  /** Its source: an arXiv number, a DOI or an address. */
  readonly source: string;
  /** Its settings. Help, flags and `config.json` follow from them. */
  readonly options: O;
  /** The metrics of its own that it logs in `metrics.jsonl`: name and definition. */
  readonly metrics: Readonly<Record<string, string>>;
  /** Does it play deals again by their seeds? An algorithm that collects groups of a deal need not say so. */
  replaysDeals?(settings: SettingsOf<O>): boolean;
  /** Says how it collects an iteration's experience. */
  collect(settings: SettingsOf<O>): Collection;
  /** Weight of the thought's tokens in log pi, in [0, 1]; 1 when absent. */
  thoughtWeight?(settings: SettingsOf<O>): number;
  /** Does it need the warm start's log-probabilities? With a KL coefficient above 0 it always gets them. */
  needsReference?(settings: SettingsOf<O>): boolean;
  /** Says how its losses are put together. */
  objective(settings: SettingsOf<O>): ObjectiveSettings;
  /** Says what each turn is worth. An algorithm has either this or `learn`. */
  score?(rollout: Rollout, settings: SettingsOf<O>, context: LearnContext): Scores | Promise<Scores>;
  /** Does a whole update of its own, if samples with policy ratios do not fit. Returns the metrics to log. */
  learn?(
    rollout: Rollout,
    settings: SettingsOf<O>,
    context: LearnContext,
  ): Promise<Readonly<Record<string, number | null>>>;
}

/**
 * Declares an algorithm, and keeps the types of its settings.
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

/** The metrics of one iteration of learning. An algorithm's own are defined on its page. */
export type LearnMetrics = Partial<ImproveMetrics> & Partial<CreditMetrics> & {
  readonly advantageRms?: number;
  readonly advantageMean?: number;
  readonly explainedVariance?: number | null;
};

/**
 * Does one iteration of learning: scores the rollout, then updates the policy in epochs of minibatches.
 *
 * @throws {TypeError} when the algorithm has neither `score` nor `learn`.
 */
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
  const scores = await algorithm.score(rollout, settings, context);
  const { samples, metrics } = requireScores(algorithm, scores, transitions);
  context.observer?.scored(samples, objective);
  const improved = await improve(
    context,
    objective.klCoefficient > 0 ? await withReference(samples, context) : samples,
    {
      objective,
      settings: settings as unknown as SettingsOf<O> & GuardSettings,
      order: `${algorithm.name} ${context.iteration}`,
      learningRate: context.learningRate,
      observer: context.observer,
      learners: context.learners,
      isStale: settings.staleness > 0 || settings.actingWeights !== "f32",
    },
  );
  return { ...improved, ...metrics, ...isMeasured && measureCredit(transitions, samples) };
}

/**
 * Checks that an environment has what an algorithm needs with these settings. Call it before anything is trained.
 *
 * @throws {UsageError} naming what the algorithm returns of another kind.
 * @throws {UsageError} naming what the environment lacks and what would do instead. It may lack a reset that follows its
 * seed, a solver, or exact action values.
 */
export function requireFeatures<O extends Options>(
  algorithm: Algorithm<O>,
  environment: EnvironmentDefinition,
  settings: SettingsOf<O>,
): void {
  const collection = algorithm.collect(settings), objective = algorithm.objective(settings);
  requirePlan(algorithm.name, collection, algorithm.score === undefined ? null : objective);
  const sharesDeals = collection.kind === "episodes" && collection.groupSize > 1;
  if (sharesDeals || algorithm.replaysDeals?.(settings)) {
    requireSeededReset(environment, `use ${algorithm.name} in`);
  }
  if (objective.correctionCoefficient > 0) {
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
