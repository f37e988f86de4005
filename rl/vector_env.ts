/**
 * Environments side by side, resetting as episodes end, and played again from a checkpoint.
 *
 * @module
 */
import type {
  Environment,
  EnvironmentDefinition,
  EnvironmentSettings,
  Info,
  Observation,
  StepResult,
} from "../envs/mod.ts";
import type { Situation } from "./policy.ts";

/** A finished episode. */
export interface EpisodeOutcome {
  /** Undiscounted sum of unscaled rewards. */
  readonly episodeReturn: number;
  /** Steps that it took. */
  readonly steps: number;
  /** Whether the task's goal was reached. */
  readonly goalReached: boolean;
  /** By the environment's own measure. */
  readonly success: boolean;
}

/** What the environment counts as success. */
export function isSuccess(env: Environment, episodeReturn: number, goalReached: boolean): boolean {
  return env.success === "goal" ? goalReached : episodeReturn > 0;
}

/** An episode under way, as a checkpoint keeps it: enough to play it again. */
export interface SlotState {
  /** What the episode was reset with. */
  readonly episodeSeed: number;
  /** Actions so far; `isRandom` ones were drawn from the environment's own stream. */
  readonly history: readonly { readonly action: number; readonly isRandom: boolean }[];
}

/** An environment and its episode under way. */
export interface Slot {
  /** The environment. */
  readonly env: Environment;
  /** What the episode was reset with. */
  episodeSeed: number;
  /** Actions so far; random ones were drawn from the environment's own stream. */
  history: { action: number; isRandom: boolean }[];
  /** The picture of the present state. */
  observation: Observation;
  /** What the environment tells of it. */
  info: Info;
  /** Undiscounted sum of unscaled rewards so far. */
  episodeReturn: number;
}

/** What a step of one environment led to. */
export interface SlotStep extends Pick<StepResult, "reward" | "terminated" | "truncated"> {
  /** The action taken: the one given, or the random one in its place. */
  readonly action: number;
  /** The state that it led to, from before the next episode began. */
  readonly final: Situation;
  /** Of the episode that ended here; null when it goes on. */
  readonly outcome: EpisodeOutcome | null;
}

/** Training episodes of run seed s have seeds from `s * TRAINING_SEEDS` on; evaluation starts above all of them. */
export const TRAINING_SEEDS = 1_000_000;

/**
 * Environments side by side, resetting as episodes end.
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
  readonly #firstSeed: number;
  #episodes = 0;

  /** Makes `envs` environments and begins an episode in each, on seeds of the run. */
  constructor(
    environment: EnvironmentDefinition,
    envs: number,
    runSeed: number,
    settings: EnvironmentSettings = {},
  ) {
    this.#firstSeed = runSeed * TRAINING_SEEDS;
    this.slots = Array.from({ length: envs }, () => this.#begin(environment.make(settings)));
  }

  /** Plays the slots of a checkpoint again up to where they were. */
  restore(states: readonly SlotState[], episodes: number): void {
    this.#episodes = episodes;
    states.forEach(({ episodeSeed, history }, index) => {
      const slot = this.slots[index];
      this.#reset(slot, episodeSeed);
      for (const { action, isRandom } of history) {
        if (isRandom) slot.env.randomAction();
        this.#advance(slot, action, isRandom);
      }
    });
  }

  /** What a checkpoint keeps of the episodes under way. */
  save(): { slots: SlotState[]; episodes: number } {
    return {
      slots: this.slots.map(({ episodeSeed, history }) => ({ episodeSeed, history: [...history] })),
      episodes: this.#episodes,
    };
  }

  /** Applies an action, or a random legal one for null; begins the next episode when one ended. */
  step(index: number, parsed: number | null): SlotStep {
    const slot = this.slots[index];
    const action = parsed ?? slot.env.randomAction();
    const result = this.#advance(slot, action, parsed === null);
    const final = { env: slot.env, info: slot.info, observation: slot.observation };
    let outcome: EpisodeOutcome | null = null;
    if (result.terminated || result.truncated) {
      outcome = {
        episodeReturn: slot.episodeReturn,
        steps: slot.history.length,
        goalReached: slot.info.goalReached,
        success: isSuccess(slot.env, slot.episodeReturn, slot.info.goalReached),
      };
      this.#reset(slot, this.#firstSeed + this.#episodes++);
    }
    return { ...result, action, final, outcome };
  }

  #begin(env: Environment): Slot {
    const episodeSeed = this.#firstSeed + this.#episodes++;
    const { observation, info } = env.reset({ seed: episodeSeed });
    return { env, episodeSeed, history: [], observation, info, episodeReturn: 0 };
  }

  #reset(slot: Slot, episodeSeed: number): void {
    const { observation, info } = slot.env.reset({ seed: episodeSeed });
    Object.assign(slot, { episodeSeed, history: [], observation, info, episodeReturn: 0 });
  }

  #advance(slot: Slot, action: number, isRandom: boolean) {
    const { observation, info, reward, terminated, truncated } = slot.env.step(action);
    slot.history.push({ action, isRandom });
    Object.assign(slot, { observation, info, episodeReturn: slot.episodeReturn + reward });
    return { reward, terminated, truncated };
  }
}
