/**
 * How the experience of a run's iterations is collected, and how far the run is.
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
import { collectVaried } from "../varied_groups.ts";
import type { Run } from "./state.ts";

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
  /** Whether there is an iteration `ahead` of the present one, as far as one can know. */
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
      const stepsBefore = (run.state.iteration + ahead) * steps;
      const settings = { ...run.collectSettings, steps, stepsBefore };
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
  { groups, groupSize, dealAgain: again = 0, extraGroups = 0 }: Collection & { kind: "episodes" },
  make: () => Environment,
): Collector {
  const { config, policy } = run;
  const envs = Math.min(config.envs, groups * groupSize);
  const play = (
    { episodes, iteration, how }: {
      readonly episodes: number;
      readonly iteration: number;
      readonly how: Pick<CollectSettings, "actor" | "beforeValues">;
    },
    first: number,
    count: number,
  ) => {
    const firstNew = config.seed * TRAINING_SEEDS + episodes / groupSize;
    const draw = { groups, again, firstNew, seed: config.seed, iteration };
    const drawn = first === 0
      ? drawDeals(run.memory, draw)
      : Array.from({ length: count }, (_, i) => firstNew + first + i);
    const deals = drawn.flatMap((deal) => Array<number>(groupSize).fill(deal));
    const firstEpisode = episodes + first * groupSize;
    const settings = { ...run.collectSettings, ...how, deals, firstEpisode, envs, keepsShape: true };
    return collectEpisodes(policy, make, settings);
  };
  return {
    plan: (ahead) => {
      const episodes = run.state.episodes + ahead * groups * groupSize;
      const iteration = run.state.iteration + ahead;
      return (how) =>
        collectVaried((first, count) => play({ episodes, iteration, how }, first, count), {
          groups,
          extraGroups,
        });
    },
    advance: (rollout) => {
      if (again > 0) noteDeals(run.memory, rollout);
      const { transitions, beside = { deals: [], turns: 0 } } = rollout;
      run.advance({
        iteration: run.state.iteration + 1,
        episodes: run.state.episodes + (groups + beside.deals.length) * groupSize,
        envSteps: run.state.envSteps + transitions.length + beside.turns,
      });
    },
    progress: () => ({ done: Math.min(run.state.envSteps, config.envSteps), total: config.envSteps }),
    plannedSteps: config.envSteps,
    has: () => true,
  };
}
