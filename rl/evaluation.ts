/**
 * Evaluation on held-out seeds, over whole episodes: success, goal reached, parse rate, perception and more.
 *
 * @module
 */
import type { EnvironmentDefinition, EnvironmentSettings, Parse } from "../envs/mod.ts";
import type { Actor } from "./actors.ts";
import { integer, type NumberSetting } from "./cli/mod.ts";
import { Episode } from "./episode.ts";
import { eventLoopTurn } from "./event_loop.ts";
import { peakMemory } from "./memory.ts";
import type { Decision, RespondSettings, Situation } from "./policy.ts";
import { type EpisodeOutcome, samplerState } from "./rollout.ts";
import { wilsonInterval } from "./statistics.ts";
import { promptKey, thoughtOf, type ThoughtRates, ThoughtTally } from "./thought_tally.ts";

/** The settings of the evaluation at a run's end. */
export const evaluationOptions = {
  evalEpisodes: integer(512, "held-out episodes of the final evaluation, sampled and greedy each", {
    min: 1,
    unit: "episodes",
  }) as NumberSetting,
};

/** Episodes of evaluations have seeds from here on. The seeds of training are all below. */
export const EVALUATION_SEEDS = 2_000_000_000;

/** What a policy achieved with one way of decoding. Shares are in [0, 1]. */
export interface EvaluationResult {
  /** Share of episodes that succeeded: with a return above 0, or at the goal if that is the environment's measure. */
  readonly success: number;
  /** 95% interval of `success` (Wilson). */
  readonly ci95: readonly [lo: number, hi: number];
  /** Share of episodes that ended in the goal, whatever their return. */
  readonly goalReached: number;
  /** Mean undiscounted return of an episode, unscaled. */
  readonly meanReturn: number;
  /** Mean number of steps in an episode. */
  readonly meanSteps: number;
  /** Share of responses in which an action was found. */
  readonly parseRate: number;
  /** Share of the picture's fields that responses state correctly; null without a chain of thought. */
  readonly perception: number | null;
  /** Share of responses whose comparison fits their numbers and whose action fits the comparison; null without a thought. */
  readonly faithfulness: number | null;
  /** Number of different thoughts over number of different states; null without a thought. See `thought_tally.ts`. */
  readonly thoughtDiversity: number | null;
  /** How much thoughts tell about the state, from 0 (nothing) to 1 (all); null without a thought. See `thought_tally.ts`. */
  readonly thoughtInformation: number | null;
  /** Names the held-out deals; see {@linkcode panelName}. Results with the same panel played the same deals. */
  readonly panel: string;
  /** Success of each episode in the panel's order, as digits: `0110`. Samples of one deal stand together. */
  readonly outcomes: string;
}

/** What sampling and greedy decoding achieved with the same weights on the same episodes. */
export interface Evaluation {
  /** With actions drawn at the run's temperature. */
  readonly sampled: EvaluationResult;
  /** With the most likely token each time. */
  readonly greedy: EvaluationResult;
}

/** A decision to evaluate. Prompt and decoding are there if the policy writes text. */
export type Judged =
  & { readonly parse: Pick<Parse, "action" | "start"> }
  & Pick<Decision, "judgement">
  & Partial<Pick<Decision, "prompt" | "decoding">>;

/** What can be evaluated: a policy, or anything else that chooses actions in situations. */
export interface Responder extends Pick<Actor, "playAhead" | "playOn"> {
  /** Responds to all situations at once. */
  respond(
    situations: readonly Situation[],
    settings: RespondSettings,
  ): Promise<readonly Judged[]>;
}

/** What to evaluate. */
export interface EvaluationSettings {
  /** The environment to play in. */
  readonly environment: EnvironmentDefinition;
  /** Its settings; the defaults when absent. */
  readonly envSettings?: EnvironmentSettings;
  /** Number of episodes to play. */
  readonly episodes: number;
  /** Chooses the set of held-out episodes. */
  readonly seed: number;
  /** Episodes played of each deal, 1 when absent; `episodes` counts all. */
  readonly samples?: number;
  /** Takes the most likely token each time. */
  readonly greedy: boolean;
  /** Divides the logits. */
  readonly temperature: number;
  /** Longest response in tokens. */
  readonly maxNewTokens: number;
  /** Number of environments side by side; 64 when absent. */
  readonly envs?: number;
  /** Called after each batch of steps. If it throws, the evaluation ends with that error. */
  readonly onProgress?: (episodesDone: number) => void;
  /** Sees every turn of the episodes that count. */
  readonly onTurn?: (turn: EvaluatedTurn) => void;
}

/** A turn of a held-out episode. */
export interface EvaluatedTurn {
  /** Number of the episode, from 0. */
  readonly episode: number;
  /** Seed that the episode was reset with. */
  readonly deal: number;
  /** Number of turns before it. */
  readonly turn: number;
  /** The response, the action in it, and how well it fits the state. */
  readonly decision: Judged;
  /** Exact key of the state that was acted in. */
  readonly state: string;
  /** Index of the action that was taken; a random legal one if none was found. */
  readonly action: number;
  /** Reward, unscaled. */
  readonly reward: number;
  /** Whether the rules ended the episode. */
  readonly terminated: boolean;
  /** Whether the step limit ended the episode. */
  readonly truncated: boolean;
  /** The sampler's generator seed and first counter. */
  readonly random: readonly [seed: number, counter: number];
  /** Outcome of the episode at its last turn; else null. */
  readonly outcome: EpisodeOutcome | null;
}

/**
 * Plays held-out episodes and measures them. The same seed gives the same episodes and draws.
 *
 * @example The solver always succeeds
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { numberLine } from "@ponder/ponder/envs";
 * import { evaluate, scriptedPolicy } from "@ponder/ponder/rl";
 *
 * const settings = { episodes: 20, seed: 0, greedy: true, temperature: 1, maxNewTokens: 1 };
 * const best = await evaluate(scriptedPolicy("optimal", 0), { environment: numberLine, ...settings });
 * assertEquals(best.success, 1);
 * ```
 */
export async function evaluate(agent: Responder, settings: EvaluationSettings): Promise<EvaluationResult> {
  const { environment, envSettings, episodes, seed, greedy, temperature, maxNewTokens, onProgress, onTurn } =
    settings;
  const envs = Math.min(settings.envs ?? 64, episodes);
  const samples = settings.samples ?? 1;
  let next = 0;
  const deals: string[] = [];
  const seedOf = (deal: number) => EVALUATION_SEEDS + seed * 1_000_000 + deal;
  const begin = (env: Situation["env"]) => {
    const deal = Math.floor(next / samples);
    const episodeSeed = seedOf(deal);
    const episode = new Episode(env, next++, episodeSeed);
    if (episode.episode < episodes) deals[deal] ??= `${episodeSeed} ${env.stateKey()}`;
    return episode;
  };
  const slots = Array.from({ length: envs }, () => begin(environment.make(envSettings)));
  const returns = new Float64Array(episodes);
  const outcomes = new Uint8Array(episodes);
  let successes = 0, goals = 0, done = 0, steps = 0;
  const responses = new ResponseTally();
  // A place's sampler runs on from episode to episode. What a later one draws depends on when those before it end.
  const isAhead = agent.playAhead !== undefined && (greedy || episodes === envs);
  if (isAhead) {
    await agent.playAhead({
      ...{ situations: [...slots], temperature, greedy, maxNewTokens },
      seeds: Array.from({ length: episodes }, (_, episode) => seedOf(Math.floor(episode / samples))),
      random: samplerState(episodes, EVALUATION_SEEDS + seed, 0),
    });
  }
  const counted = () => Array.from(slots.keys()).filter((index) => slots[index].episode < episodes);
  for (let round = 0, known = isAhead ? Infinity : 0; done < episodes; round++) {
    const random = samplerState(envs, EVALUATION_SEEDS + seed, round * maxNewTokens);
    const at = (live: readonly number[]) => ({
      ...{ temperature, greedy, maxNewTokens, situations: live.map((index) => slots[index]) },
      random: Uint32Array.from(live.flatMap((index) => [random[2 * index], random[2 * index + 1]])),
    });
    if (round >= known && agent.playOn !== undefined) {
      const left = Array.from({ length: Math.max(0, episodes - next) }, (_, i) => next + i);
      const seeds = left.map((episode) => seedOf(Math.floor(episode / samples)));
      known = round + await agent.playOn({ ...at(counted()), envs, turns: Infinity, next: seeds });
    }
    // Nobody plays uncounted episodes ahead.
    const live = round < known ? counted() : Array.from(slots.keys());
    const { situations, ...sampling } = at(live);
    const decisions = await agent.respond(situations, sampling);
    decisions.forEach((decision, d) => {
      const index = live[d], slot = slots[index];
      // The batch keeps its size to the end. Episodes beyond the last one are not counted.
      if (slot.episode < episodes) responses.add(decision);
      const state = onTurn === undefined ? "" : slot.env.stateKey();
      const action = decision.parse.action ?? slot.env.randomAction();
      const { reward, terminated, truncated } = slot.step(action, decision.parse.action === null);
      const isOver = terminated || truncated;
      if (slot.episode < episodes) {
        onTurn?.({
          ...{ episode: slot.episode, deal: slot.deal, turn: slot.steps - 1, decision, state, action },
          ...{ reward, terminated, truncated, random: [random[2 * index], random[2 * index + 1]] },
          outcome: isOver ? slot.outcome : null,
        });
      }
      if (!isOver) return;
      if (slot.episode < episodes) {
        const { goalReached, success } = slot.outcome;
        returns[slot.episode] = slot.episodeReturn;
        outcomes[slot.episode] = Number(success);
        successes += outcomes[slot.episode];
        goals += Number(goalReached);
        steps += slot.steps;
        done++;
      }
      slots[index] = begin(slot.env);
    });
    peakMemory();
    await eventLoopTurn();
    onProgress?.(done);
  }
  return {
    success: successes / episodes,
    ci95: wilsonInterval(successes, episodes),
    goalReached: goals / episodes,
    meanReturn: returns.reduce((a, b) => a + b, 0) / episodes,
    meanSteps: steps / episodes,
    ...responses.rates(),
    panel: await panelName(environment.name, deals),
    outcomes: outcomes.join(""),
  };
}

/**
 * Names held-out deals: the first 12 hexadecimal digits of SHA-256 over the environment's name and a line for each deal, its seed
 * and the key of its first state.
 */
export async function panelName(environment: string, deals: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode([environment, ...deals].join("\n"));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest.subarray(0, 6), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Evaluates sampled, then greedy decoding, which plays each of the `episodes` deals once. `onProgress` counts the episodes of
 * both.
 */
export async function evaluateBoth(
  agent: Responder,
  { onTurn, ...settings }: Omit<EvaluationSettings, "greedy" | "onTurn"> & {
    readonly onTurn?: (turn: EvaluatedTurn, how: "sampled" | "greedy") => void;
  },
): Promise<Evaluation> {
  const { episodes, samples = 1, onProgress } = settings;
  const seeing = (how: "sampled" | "greedy") =>
    onTurn && { onTurn: (turn: EvaluatedTurn) => onTurn(turn, how) };
  const sampled = await evaluate(agent, {
    ...settings,
    episodes: episodes * samples,
    greedy: false,
    ...seeing("sampled"),
  });
  const greedy = await evaluate(agent, {
    ...settings,
    samples: 1,
    greedy: true,
    onProgress: (done) => onProgress?.(episodes * samples + done),
    ...seeing("greedy"),
  });
  return { sampled, greedy };
}

/** Counts what responses got right, and how they differ. */
export class ResponseTally {
  readonly #thoughts = new ThoughtTally();
  #count = 0;
  #parsed = 0;
  #perception = 0;
  #faithful = 0;
  #judged = 0;

  add({ prompt, decoding, parse, judgement }: Judged): void {
    this.#count++;
    if (prompt && decoding) {
      const thought = judgement.perception === null ? null : thoughtOf(decoding, parse);
      this.#thoughts.add(promptKey(prompt), thought);
    }
    this.#parsed += Number(parse.action !== null);
    if (judgement.perception === null) return;
    this.#judged++;
    this.#perception += judgement.perception;
    this.#faithful += Number(judgement.faithful === true);
  }

  /** Computes the rates. If any response states a thought, one without a thought counts as misread and unfaithful. */
  rates(): Pick<EvaluationResult, "parseRate" | "perception" | "faithfulness" | keyof ThoughtRates> {
    const rate = (sum: number) => this.#judged === 0 ? null : sum / this.#count;
    return {
      parseRate: this.#parsed / this.#count,
      perception: rate(this.#perception),
      faithfulness: rate(this.#faithful),
      ...this.#thoughts.rates(),
    };
  }
}
