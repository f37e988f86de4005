/**
 * Collecting the experience of a run's iterations: when it is learnt from, or ahead of that.
 *
 * @module
 */
import type { Environment } from "../../envs/mod.ts";
import type { Collection } from "../algorithms/mod.ts";
import { drawDeals, noteDeals } from "../deals.ts";
import { trainingEnvSettings } from "../env_settings.ts";
import {
  collectEpisodes,
  collectRollout,
  type CollectSettings,
  type Rollout,
  TRAINING_SEEDS,
  VectorEnv,
} from "../rollout.ts";
import type { Run } from "./state.ts";

/** RL iterations from one checkpoint to the next. */
export const CHECKPOINT_INTERVAL = 6;

/** Collects the experience of an algorithm's iterations. */
export interface Collector {
  /**
   * Decides now what the iteration `ahead` of the present one collects, and returns what collects it. The next one must not
   * begin before `beforeValues` was called.
   */
  readonly plan: (
    ahead: number,
  ) => (how: Pick<CollectSettings, "actor" | "beforeValues">) => Promise<Rollout>;
  /** Notes in the run's state what was collected. */
  readonly advance: (rollout: Rollout) => void;
  readonly progress: () => { done: number; total: number };
  /** Environment steps in all. */
  readonly plannedSteps: number;
  /** Whether there is an iteration `ahead` iterations from now, as far as one can know. */
  readonly has: (ahead: number) => boolean;
}

/** Collects a fixed number of steps from every environment. */
export function stepsCollector(run: Run, { steps }: Collection & { kind: "steps" }): Collector {
  const { config, environment, policy } = run;
  const vectorEnv = new VectorEnv(
    environment,
    config.envs,
    config.seed,
    trainingEnvSettings(environment, config),
  );
  if (run.state.slots.length > 0) vectorEnv.restore(run.state.slots, run.state.episodes);
  const perIteration = config.envs * steps;
  const iterations = Math.ceil(config.envSteps / perIteration);
  return {
    plan: (ahead) => {
      const settings = {
        ...run.collectSettings,
        steps,
        stepsBefore: (run.state.iteration + ahead) * steps,
      };
      return (how) => collectRollout(policy, vectorEnv, { ...settings, ...how });
    },
    advance: () => {
      const iteration = run.state.iteration + 1;
      run.advance({ ...vectorEnv.save(), iteration, envSteps: iteration * perIteration });
    },
    progress: () => ({ done: run.state.iteration, total: iterations }),
    plannedSteps: iterations * perIteration,
    has: (ahead) => run.state.iteration + ahead < iterations,
  };
}

/** Collects whole episodes, in groups that share a deal. */
export function episodesCollector(
  run: Run,
  { groups, groupSize, dealAgain: again = 0 }: Collection & { kind: "episodes" },
  make: () => Environment,
): Collector {
  const { config, policy } = run;
  return {
    plan: (ahead) => {
      const episodes = run.state.episodes + ahead * groups * groupSize;
      const firstNew = config.seed * TRAINING_SEEDS + episodes / groupSize;
      const draw = { groups, again, firstNew, seed: config.seed, iteration: run.state.iteration + ahead };
      const deals = drawDeals(run.memory, draw).flatMap((deal) => Array<number>(groupSize).fill(deal));
      const settings = { ...run.collectSettings, deals, firstEpisode: episodes, envs: config.envs };
      return (how) => collectEpisodes(policy, make, { ...settings, ...how });
    },
    advance: (rollout) => {
      if (again > 0) noteDeals(run.memory, rollout);
      run.advance({
        iteration: run.state.iteration + 1,
        episodes: run.state.episodes + groups * groupSize,
        envSteps: run.state.envSteps + rollout.transitions.length,
      });
    },
    progress: () => ({ done: Math.min(run.state.envSteps, config.envSteps), total: config.envSteps }),
    plannedSteps: config.envSteps,
    has: () => true,
  };
}

/** An iteration's experience that is being collected. */
interface Ahead {
  /** Resolves when all its responses are there. */
  readonly acted: Promise<void>;
  /** Lets the values be estimated, with the weights of then. */
  readonly estimate: () => void;
  readonly rollout: Promise<Rollout>;
}

/**
 * Collects up to `staleness` iterations ahead, with the weights of when it begins. Those who act elsewhere go on while this
 * process learns; the policy itself collects before it learns, and gets the same numbers.
 *
 * Nothing is collected across a checkpoint. A resumed run therefore goes on with the same weights.
 */
export class StaleCollector {
  readonly #run: Run;
  readonly #collector: Collector;
  readonly #ahead: Ahead[] = [];

  constructor(run: Run, collector: Collector) {
    this.#run = run;
    this.#collector = collector;
  }

  /** The next iteration's experience. */
  async next(): Promise<Rollout> {
    const { config: { staleness }, state: { iteration } } = this.#run;
    const left = CHECKPOINT_INTERVAL - iteration % CHECKPOINT_INTERVAL;
    const most = Math.min(1 + staleness, left);
    while (
      this.#ahead.length < most && (this.#ahead.length === 0 || this.#collector.has(this.#ahead.length))
    ) {
      await this.#run.handOver();
      const begun = this.#begin(this.#ahead.length, this.#ahead.at(-1)?.acted);
      // The first one is due; the policy itself cannot act while it learns.
      if (this.#ahead.length === 0 || !this.#run.actsElsewhere) await begun.acted;
      this.#ahead.push(begun);
    }
    const due = this.#ahead.shift()!;
    due.estimate();
    return await due.rollout;
  }

  #begin(ahead: number, before: Promise<void> | undefined): Ahead {
    const acted = Promise.withResolvers<void>(), estimated = Promise.withResolvers<void>();
    const actor = this.#run.actor("training");
    const collect = this.#collector.plan(ahead);
    const begin = async () => {
      await before;
      return await collect({
        actor,
        beforeValues: () => {
          acted.resolve();
          return estimated.promise;
        },
      });
    };
    const rollout = begin();
    rollout.catch((error) => acted.reject(error));
    acted.promise.catch(() => {});
    return { acted: acted.promise, estimate: estimated.resolve, rollout };
  }
}
