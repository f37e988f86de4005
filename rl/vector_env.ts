/**
 * Environments side by side. Each is reset when its episode ends, and can be played again from a checkpoint.
 *
 * @module
 */
import type {
  Environment,
  EnvironmentDefinition,
  EnvironmentSettings,
  Info,
  Observation,
  ResetResult,
  StepResult,
} from "../envs/mod.ts";
import { quote } from "../model/mod.ts";
import type { Situation, SlotState } from "./policy.ts";

export type { SlotState } from "./policy.ts";

/** A finished episode. */
export interface EpisodeOutcome {
  /** Undiscounted sum of unscaled rewards. */
  readonly episodeReturn: number;
  /** Number of steps. */
  readonly steps: number;
  /** Whether the task's goal was reached. */
  readonly goalReached: boolean;
  /** Whether it succeeded, by the environment's own measure. */
  readonly success: boolean;
}

/** Did an episode succeed, by the environment's own measure? */
export function isSuccess(env: Environment, episodeReturn: number, goalReached: boolean): boolean {
  return env.success === "goal" ? goalReached : episodeReturn > 0;
}

/** An environment and its episode under way. */
export interface Slot {
  /** The episode as others can play it again: its seed and its actions, as they are now. */
  readonly played: SlotState;
  /** The environment. */
  readonly env: Environment;
  /** Seed that the episode was reset with. */
  episodeSeed: number;
  /** Actions so far. `isRandom` marks those that were drawn from the environment's own stream. */
  history: { action: number; isRandom: boolean }[];
  /** The picture of the present state. It is drawn when it is first read. */
  readonly observation: Observation;
  /** What the environment says about that state. */
  readonly info: Info;
  /** Undiscounted sum of unscaled rewards so far. */
  episodeReturn: number;
}

/** The result of a step of one environment. */
export interface SlotStep extends Pick<StepResult, "reward" | "terminated" | "truncated"> {
  /** Index of the action that was taken: the given one, or the random one in its place. */
  readonly action: number;
  /** The state that the action led to, before the next episode began. */
  readonly final: Situation;
  /** Outcome of the episode if it ended here; else null. */
  readonly outcome: EpisodeOutcome | null;
}

/** Training episodes of a run with seed s have seeds from `s * TRAINING_SEEDS` on. Seeds of evaluations lie above all. */
export const TRAINING_SEEDS = 1_000_000;

/**
 * Environments side by side. Each begins its next episode when one ends.
 *
 * @example Two environments, a step each
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { numberLine } from "@ponder/ponder/envs";
 * import { VectorEnv } from "@ponder/ponder/rl";
 *
 * const both = new VectorEnv(numberLine, 2, 0);
 * for (const index of [0, 1]) both.step(index, 1);
 * assertEquals(both.slots.length, 2);
 * ```
 */
export class VectorEnv {
  /** The environments, and their episodes under way. */
  readonly slots: readonly Slot[];
  readonly #places: readonly Place[];
  readonly #firstSeed: number;
  #episodes = 0;

  /** Makes `envs` environments and begins an episode in each, with seeds of the run. */
  constructor(
    environment: EnvironmentDefinition,
    envs: number,
    runSeed: number,
    settings: EnvironmentSettings = {},
  ) {
    this.#firstSeed = runSeed * TRAINING_SEEDS;
    this.slots = this.#places = Array.from(
      { length: envs },
      () => makePlace(environment.make(settings), this.#firstSeed + this.#episodes++),
    );
  }

  /** Plays the episodes of a checkpoint again, up to the states that they were in. */
  restore(states: readonly SlotState[], episodes: number): void {
    this.#episodes = episodes;
    states.forEach(({ episodeSeed, history }, index) => {
      const slot = this.#places[index];
      slot.begin(episodeSeed);
      for (const { action, isRandom } of history) {
        if (isRandom) slot.env.randomAction();
        slot.step(action, isRandom);
      }
    });
  }

  /** Returns what a checkpoint keeps: the episodes under way, and the number of episodes begun. */
  save(): { slots: SlotState[]; episodes: number } {
    return {
      slots: this.slots.map(({ episodeSeed, history }) => ({ episodeSeed, history: [...history] })),
      episodes: this.#episodes,
    };
  }

  /** Takes an action in environment `index`; a random legal one for null. If the episode ends, the next one begins. */
  step(index: number, parsed: number | null): SlotStep {
    const slot = this.#places[index];
    const action = parsed ?? slot.env.randomAction();
    const result = slot.step(action, parsed === null);
    const { reward, terminated, truncated, info } = result;
    let final: Situation = {
      env: slot.env,
      info,
      get observation() {
        return result.observation;
      },
    };
    let outcome: EpisodeOutcome | null = null;
    if (terminated || truncated) {
      // Drawn before the next reset.
      final = { env: slot.env, info, observation: result.observation };
      outcome = {
        episodeReturn: slot.episodeReturn,
        steps: slot.history.length,
        goalReached: slot.info.goalReached,
        success: isSuccess(slot.env, slot.episodeReturn, slot.info.goalReached),
      };
      slot.begin(this.#firstSeed + this.#episodes++);
    }
    return { reward, terminated, truncated, action, final, outcome };
  }

  /** Seeds of the next episodes, as they will begin. */
  nextSeeds(count: number): number[] {
    return Array.from({ length: count }, (_, i) => this.#firstSeed + this.#episodes + i);
  }
}

/** A slot for one episode after another. */
interface Place extends Slot {
  readonly begin: (episodeSeed: number) => void;
  readonly step: (action: number, isRandom: boolean) => StepResult;
}

/** Its properties are its own, so that a copy of it has them too. */
function makePlace(env: Environment, firstSeed: number): Place {
  let state: ResetResult;
  const place: Place = {
    ...{ env, episodeSeed: firstSeed, history: [], episodeReturn: 0 },
    get played() {
      return { episodeSeed: place.episodeSeed, history: place.history };
    },
    get info() {
      return state.info;
    },
    get observation() {
      return state.observation;
    },
    begin: (episodeSeed) => {
      state = env.reset({ seed: episodeSeed });
      Object.assign(place, { episodeSeed, history: [], episodeReturn: 0 });
    },
    step: (action, isRandom) => {
      const result = env.step(action);
      requireReward(env, result.reward);
      place.history.push({ action, isRandom });
      place.episodeReturn += result.reward;
      state = result;
      return result;
    },
  };
  place.begin(firstSeed);
  return place;
}

/**
 * Makes sure that a reward is a finite number: comparisons would take NaN for a failure, and nothing would be learnt in silence.
 *
 * @throws {TypeError} naming the environment and the reward.
 */
export function requireReward(env: Environment, reward: unknown): void {
  if (Number.isFinite(reward)) return;
  throw new TypeError(`Cannot step ${env.name}: reward is ${quote(reward)}, expected a finite number`);
}
