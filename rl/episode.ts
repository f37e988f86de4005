/**
 * An episode from its reset to its end.
 *
 * @module
 */
import type { Environment, Info, Observation, ResetResult, StepResult } from "../envs/mod.ts";
import type { Situation } from "./policy.ts";
import { type EpisodeOutcome, isSuccess, requireReward } from "./vector_env.ts";

/** An episode under way. A picture of it is drawn only if somebody looks at it. */
export class Episode implements Situation {
  /** Undiscounted sum of unscaled rewards so far. */
  episodeReturn = 0;
  /** Steps so far. */
  steps = 0;
  readonly played: {
    readonly episodeSeed: number;
    readonly history: { action: number; isRandom: boolean }[];
  };
  #state: ResetResult;

  /** Begins it: `episode` is its number, `deal` the seed that the environment is reset with. */
  constructor(readonly env: Environment, readonly episode: number, readonly deal: number) {
    this.#state = env.reset({ seed: deal });
    this.played = { episodeSeed: deal, history: [] };
  }

  get info(): Info {
    return this.#state.info;
  }

  get observation(): Observation {
    return this.#state.observation;
  }

  /** How the episode ended, once it has. */
  get outcome(): EpisodeOutcome {
    const { goalReached } = this.info;
    const { episodeReturn, steps } = this;
    return { episodeReturn, steps, goalReached, success: isSuccess(this.env, episodeReturn, goalReached) };
  }

  /** Does a step. `isRandom` says that the action was drawn from the environment's own stream. */
  step(action: number, isRandom: boolean): StepResult {
    const result = this.env.step(action);
    requireReward(this.env, result.reward);
    this.played.history.push({ action, isRandom });
    this.#state = result;
    this.episodeReturn += result.reward;
    this.steps++;
    return result;
  }
}
