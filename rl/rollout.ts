/**
 * Rollouts: environments side by side, each step a written response.
 *
 * @module
 */
import { type Environment, type EnvSettings, type Info, makeEnv, type Observation } from "../envs/mod.ts";
import { layOut, type Segment, Tape } from "../model/mod.ts";
import type { Agent } from "./agent.ts";
import { responseWeights } from "./thought.ts";

/** Everything PPO needs to replay a step exactly. */
export interface Transition {
  /** The prompt as it was, picture included. */
  readonly prompt: readonly Segment[];
  /** The response's token ids. */
  readonly response: readonly number[];
  /** Behaviour log-probability of each token. */
  readonly logprobs: Float32Array;
  /** Weight of each token in log pi: lambda for the thought, 1 for the action. */
  readonly weights: Float32Array;
  /** sum of weights * logprobs */
  readonly logPi: number;
  /** Characters of the action in the text, -1 and -1 where it was not found and drawn at random. */
  readonly actionSpan: readonly [start: number, end: number];
  readonly isParsed: boolean;
  readonly action: number;
  /** Value of the prompt when it was answered, in units of scaled return. */
  readonly value: number;
  /** Already multiplied by the reward scale, less the format penalty where no action was found. */
  readonly reward: number;
  readonly terminated: boolean;
  readonly truncated: boolean;
  /** The sampler's generator seed and first counter. */
  readonly random: readonly [seed: number, counter: number];
  /** Of each token's distribution at the sampling temperature, in nats: what PPO's first `entropy` must agree with. */
  readonly entropies: Float32Array;
  readonly perception: number | null;
  readonly faithful: boolean | null;
}

/** A finished episode. */
export interface EpisodeOutcome {
  /** Undiscounted sum of unscaled rewards. */
  readonly episodeReturn: number;
  readonly steps: number;
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
  readonly episodeSeed: number;
  /** Actions so far; `isRandom` ones were drawn from the environment's own stream. */
  readonly history: readonly { readonly action: number; readonly isRandom: boolean }[];
}

interface Slot {
  readonly env: Environment;
  episodeSeed: number;
  history: { action: number; isRandom: boolean }[];
  observation: Observation;
  info: Info;
  episodeReturn: number;
}

/** Training episodes of run seed s have seeds from `s * TRAINING_SEEDS` on; evaluation starts above all of them. */
export const TRAINING_SEEDS = 1_000_000;

/** What one step of a slot came to. */
export interface SlotStep {
  /** The action that was taken. */
  readonly action: number;
  readonly reward: number;
  readonly terminated: boolean;
  readonly truncated: boolean;
  /** The state that the step led to, also if the slot has begun its next episode since. */
  readonly final: { readonly env: Environment; readonly info: Info; readonly observation: Observation };
  /** The episode, if the step ended it. */
  readonly outcome: EpisodeOutcome | null;
}

/** Environments side by side, resetting as episodes end. */
export class VectorEnv {
  readonly slots: readonly Slot[];
  readonly #firstSeed: number;
  #episodes = 0;

  constructor(name: string, envs: number, runSeed: number, settings: EnvSettings = {}) {
    this.#firstSeed = runSeed * TRAINING_SEEDS;
    this.slots = Array.from({ length: envs }, () => this.#begin(makeEnv(name, settings)));
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

  save(): { slots: SlotState[]; episodes: number } {
    return {
      slots: this.slots.map(({ episodeSeed, history }) => ({ episodeSeed, history: [...history] })),
      episodes: this.#episodes,
    };
  }

  /** Applies an action, or a random legal one for null; begins the next episode where one ended. */
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

/** How to collect. */
export interface RolloutSettings {
  readonly steps: number;
  readonly lambda: number;
  readonly temperature: number;
  readonly maxNewTokens: number;
  readonly rewardScale: number;
  readonly formatPenalty: number;
  readonly seed: number;
  /** Environment steps each slot took before, so that no generator counter is used twice. */
  readonly stepsBefore: number;
}

/** One iteration's experience; `transitions[t * envs + e]`. */
export interface Rollout {
  readonly transitions: readonly Transition[];
  /** Value after each step where it is needed: truncated steps and the last step. Zero elsewhere. */
  readonly bootstrapValues: Float32Array;
  readonly episodes: readonly EpisodeOutcome[];
}

/** Has the agent act for `steps` steps in every environment. */
export async function collectRollout(
  agent: Agent,
  vectorEnv: VectorEnv,
  settings: RolloutSettings,
): Promise<Rollout> {
  const { steps, lambda, temperature, maxNewTokens, rewardScale, formatPenalty, seed, stepsBefore } =
    settings;
  const envs = vectorEnv.slots.length;
  const transitions: Transition[] = [];
  const episodes: EpisodeOutcome[] = [];
  const bootstraps: { index: number; prompt: readonly Segment[] }[] = [];
  for (let t = 0; t < steps; t++) {
    const random = samplerState(envs, seed, (stepsBefore + t) * maxNewTokens);
    const decisions = await agent.respond(vectorEnv.slots, {
      temperature,
      greedy: false,
      maxNewTokens,
      random,
    });
    decisions.forEach(({ prompt, response, decoding, parse, judgement }, e) => {
      const { reward, terminated, truncated, action, final, outcome } = vectorEnv.step(e, parse.action);
      if (outcome !== null) episodes.push(outcome);
      if (truncated || (t === steps - 1 && !terminated)) {
        bootstraps.push({ index: t * envs + e, prompt: agent.promptOf(final) });
      }
      const weights = responseWeights(decoding, parse, lambda);
      transitions.push({
        prompt,
        response: response.ids,
        logprobs: response.logprobs,
        weights,
        logPi: weights.reduce((sum, weight, i) => sum + weight * response.logprobs[i], 0),
        actionSpan: [parse.start, parse.end],
        isParsed: parse.action !== null,
        action,
        value: response.value,
        reward: reward * rewardScale - (parse.action === null ? formatPenalty : 0),
        terminated,
        truncated,
        random: [random[2 * e], random[2 * e + 1]],
        entropies: response.entropies,
        perception: judgement.perception,
        faithful: judgement.faithful,
      });
    });
  }
  const bootstrapValues = new Float32Array(steps * envs);
  const values = await promptValues(agent, bootstraps.map(({ prompt }) => prompt));
  bootstraps.forEach(({ index }, i) => bootstrapValues[index] = values[i]);
  return { transitions, bootstrapValues, episodes };
}

/** Generator seed and counter for each of `rows` rows. Rows differ in seed, steps in counter. */
export function samplerState(rows: number, seed: number, counter: number): Uint32Array {
  return Uint32Array.from(
    { length: 2 * rows },
    (_, i) => i % 2 === 0 ? (Math.imul(seed + 1, 0x9e3779b1) + (i >> 1)) >>> 0 : counter >>> 0,
  );
}

const VALUE_BATCH = 32;

/** Values of prompts without responses. */
async function promptValues(agent: Agent, prompts: readonly (readonly Segment[])[]): Promise<Float32Array> {
  if (prompts.length === 0) return new Float32Array(0);
  const { vlm } = agent;
  // Padded to whole batches, so that the number of ends does not make a new shape each time.
  const padded = [...prompts];
  while (padded.length % VALUE_BATCH !== 0) padded.push(prompts[0]);
  const layout = layOut(padded.map((prompt) => ({ prompt, response: [] })), vlm.config);
  using tape = new Tape(vlm.gpu, { record: false });
  const [values] = await vlm.gpu.read(vlm.values(tape, vlm.hidden(tape, layout), layout).data);
  return values;
}
