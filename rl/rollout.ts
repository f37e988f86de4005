/**
 * Rollouts: a policy acts in environments side by side, and each step is a written response.
 *
 * @module
 */
import { type Environment, Random } from "../envs/mod.ts";
import type { Segment } from "../model/mod.ts";
import { actingOptions, type Actor } from "./actors.ts";
import { boolean, type BooleanSetting, integer, number, type NumberSetting } from "./cli/mod.ts";
import { Episode } from "./episode.ts";
import type { Decision, Policy } from "./policy.ts";
import { requireActionValues, requireDemonstrations } from "./requirements.ts";
import { responseWeights } from "./thought.ts";
import type { EpisodeOutcome, SlotState, VectorEnv } from "./vector_env.ts";

export { type EpisodeOutcome, isSuccess, type SlotState, TRAINING_SEEDS, VectorEnv } from "./vector_env.ts";

/** Settings of how experience is collected and rewarded, whichever algorithm learns from it. */
export const rolloutOptions = {
  envSteps: integer(6144, "environment steps in all, rounded up to whole iterations", {
    min: 0,
    unit: "steps",
  }) as NumberSetting,
  envs: integer(32, "run side by side", { min: 1, unit: "environments" }) as NumberSetting,
  staleness: integer(
    0,
    "that acting may be behind learning: workers go on while the learner updates; 0 waits for every update",
    { min: 0, max: 5, unit: "iterations" },
  ) as NumberSetting,
  ...actingOptions,
  formatPenalty: number(1, "taken off a step's reward, for RL only, when no action was found in the text", {
    min: 0,
    unit: "scaled reward",
  }) as NumberSetting,
  exactCredit: boolean(
    false,
    "log how far advantages and actions agree with exact action values, which the environment must know",
  ) as BooleanSetting,
};

/** Settings of what a return is, for the warm start's value head and for RL. */
export const returnOptions = {
  gamma: number(0.9, "discount a step", { min: 0, max: 1 }) as NumberSetting,
  rewardScale: number(1, "multiplies rewards", { min: 0 }) as NumberSetting,
};

/** A turn: everything an algorithm needs to replay a step exactly. */
export interface Transition {
  /** The prompt exactly as the policy saw it, with its picture. */
  readonly prompt: readonly Segment[];
  /** The response's token ids. */
  readonly response: readonly number[];
  /** Log-probability of each token when acting, in nats. */
  readonly logprobs: Float32Array;
  /** Weight of each token in log pi: lambda for the thought, 1 for the action. */
  readonly weights: Float32Array;
  /** Sum of weights * logprobs. */
  readonly logPi: number;
  /** Characters of the action in the text; -1 and -1 if none was found, so that the action was drawn at random. */
  readonly actionSpan: readonly [start: number, end: number];
  /** Whether an action was found in the text. */
  readonly isParsed: boolean;
  /** Index of the action that was taken; a random legal one if none was found. */
  readonly action: number;
  /** Value of the prompt when acting, in units of scaled return. */
  readonly value: number;
  /** Reward times the reward scale, less the format penalty if no action was found. */
  readonly reward: number;
  /** Whether the rules ended the episode. */
  readonly terminated: boolean;
  /** Whether the step limit ended the episode. */
  readonly truncated: boolean;
  /** The sampler's generator seed and first counter. */
  readonly random: readonly [seed: number, counter: number];
  /** Entropy of each token's distribution at the sampling temperature, in nats. PPO's first `entropy` must agree with it. */
  readonly entropies: Float32Array;
  /** Share of picture fields read correctly, see {@linkcode Judgement}. */
  readonly perception: number | null;
  /** Whether the thought fits itself and the action, see {@linkcode Judgement}. */
  readonly faithful: boolean | null;
  /** Token ids of the solver's response to the same state; null unless asked for. */
  readonly correction: readonly number[] | null;
  /** Exact key of the state that was acted in; see `Environment.stateKey`. */
  readonly state: string;
  /** Exact value of each action in that state, in unscaled return; absent unless asked for. */
  readonly actionValues?: readonly number[];
}

/** The turns of an episode that a rollout holds. */
export interface Trajectory {
  /** Indices into the rollout's transitions, in time order. */
  readonly turns: readonly number[];
  /** Seed of the deal. Episodes of one group share it. */
  readonly deal: number;
  /** Outcome of the episode; null if the rollout does not hold it from reset to end. */
  readonly outcome: EpisodeOutcome | null;
  /** Actions of the episode before these turns; absent when there are none. */
  readonly before?: SlotState["history"];
}

/** The settings that collecting reads. */
export interface CollectSettings {
  /** Weight of the thought's log-probability in log pi. */
  readonly lambda: number;
  /** Divides the logits. */
  readonly temperature: number;
  /** Longest response in tokens. */
  readonly maxNewTokens: number;
  /** Multiplies rewards. */
  readonly rewardScale: number;
  /** Taken off the scaled reward if no action was found in the text. */
  readonly formatPenalty: number;
  /** Seed of the draws. */
  readonly seed: number;
  /** Who acts; the policy itself when absent. */
  readonly actor?: Actor;
  /** Awaited after the last response, before the values of cut episodes are estimated. */
  readonly beforeValues?: () => Promise<void>;
  /** Should the environment's solver answer each state too? False when absent. */
  readonly corrects?: boolean;
  /** Discount of the exact action values to record; none are recorded when absent. */
  readonly creditDiscount?: number;
}

/** How to collect a fixed number of steps. */
export interface RolloutSettings extends CollectSettings {
  /** Steps of each environment. */
  readonly steps: number;
  /** Steps that each environment took before. They keep counters of the generator from being used twice. */
  readonly stepsBefore: number;
}

/** The experience of one iteration. */
export interface Rollout {
  /**
   * All turns. `collectRollout` orders them by step: turn `t * envs + e` is step `t` of environment `e`. `collectEpisodes`
   * orders them by episode.
   */
  readonly transitions: readonly Transition[];
  /** Value of the state after each turn that cut an episode short: by the step limit, or as the rollout's last. Else 0. */
  readonly bootstrapValues: Float32Array;
  /** The same steps by episode. */
  readonly trajectories: readonly Trajectory[];
  /** Episodes that ended in this iteration. */
  readonly episodes: readonly EpisodeOutcome[];
  /** Deals whose episodes all returned the same, and gave way to others. `episodes` has theirs too. Absent when none did. */
  readonly beside?: { readonly deals: readonly number[]; readonly turns: number; readonly tokens: number };
}

/** Lets the policy act for `steps` steps in every environment. */
export async function collectRollout(
  policy: Policy,
  vectorEnv: VectorEnv,
  settings: RolloutSettings,
): Promise<Rollout> {
  const { steps, temperature, maxNewTokens, seed, stepsBefore } = settings;
  const actor: Actor = settings.actor ?? policy;
  const envs = vectorEnv.slots.length;
  const transitions: Transition[] = [];
  const episodes: EpisodeOutcome[] = [];
  const trajectories: Trajectory[] = [];
  const underWay = vectorEnv.slots.map(({ history }) => ({
    turns: [] as number[],
    before: [...history],
  }));
  const bootstraps = new Bootstraps(policy);
  for (let t = 0, known = 0; t < steps; t++) {
    const random = samplerState(envs, seed, (stepsBefore + t) * maxNewTokens);
    const sampling = { temperature, greedy: false, maxNewTokens, random };
    if (t >= known && actor.playOn !== undefined) {
      const [situations, turns] = [vectorEnv.slots, steps - t];
      const plan = { ...sampling, situations, envs, turns, next: vectorEnv.nextSeeds(envs * turns) };
      known = t + await actor.playOn(plan);
    }
    const decisions = await actor.respond(vectorEnv.slots, sampling);
    decisions.forEach((decision, e) => {
      const { episodeSeed: deal, env } = vectorEnv.slots[e];
      const seen = noteState(policy, env, settings);
      const result = vectorEnv.step(e, decision.parse.action);
      const { outcome, truncated, terminated } = result;
      const index = transitions.length;
      if (truncated || (t === steps - 1 && !terminated)) bootstraps.add(index, policy.promptOf(result.final));
      transitions.push(
        transitionOf(decision, result, settings, [random[2 * e], random[2 * e + 1]], seen),
      );
      const { turns, before } = underWay[e];
      turns.push(index);
      if (outcome !== null || t === steps - 1) {
        trajectories.push(
          before.length === 0 ? { turns, deal, outcome } : { turns, deal, outcome: null, before },
        );
        underWay[e] = { turns: [], before: [] };
      }
      if (outcome !== null) episodes.push(outcome);
    });
  }
  await settings.beforeValues?.();
  return { transitions, bootstrapValues: await bootstraps.values(steps * envs), trajectories, episodes };
}

/** Which episodes to collect whole. */
export interface EpisodesSettings extends CollectSettings {
  /** Seed of each episode's deal, in the order of the result. Episodes of equal deals are a group. */
  readonly deals: readonly number[];
  /** Number of the first episode in the run. An episode's number seeds its sampler. */
  readonly firstEpisode: number;
  /** Number of episodes side by side. */
  readonly envs: number;
  /** Plays as many side by side even if there are fewer deals, so that device shapes stay the same. False when absent. */
  readonly keepsShape?: boolean;
}

/**
 * Plays whole episodes. What an episode samples depends on its number and the run's seed alone, not on the episodes beside it.
 */
export async function collectEpisodes(
  policy: Policy,
  make: () => Environment,
  settings: EpisodesSettings,
): Promise<Rollout> {
  const { deals, firstEpisode, temperature, maxNewTokens, seed } = settings;
  const actor: Actor = settings.actor ?? policy;
  let next = 0;
  const begin = (env: Environment) => {
    // The batch keeps its shape to the end. Episodes beyond the last one are not counted.
    const episode = next++;
    const episodeSeed = deals[episode % deals.length];
    return Object.assign(new Episode(env, episode, episodeSeed), { turns: [] as Step[] });
  };
  const { envs, keepsShape = false } = settings;
  let slots = Array.from({ length: keepsShape ? envs : Math.min(envs, deals.length) }, () => begin(make()));
  const seedOf = (episode: number) => (Math.imul(seed + 1, 0x9e3779b1) + firstEpisode + episode) >>> 0;
  await actor.playAhead?.({
    ...{ situations: [...slots], seeds: deals, temperature, greedy: false, maxNewTokens },
    random: Uint32Array.from(deals.flatMap((_, episode) => [seedOf(episode), 0])),
  });
  const finished: { steps: Step[]; outcome: EpisodeOutcome }[] = [];
  for (let done = 0; done < deals.length;) {
    // Nobody plays uncounted episodes ahead.
    if (actor.playAhead !== undefined) slots = slots.filter(({ episode }) => episode < deals.length);
    const random = Uint32Array.from(slots.flatMap(({ episode, steps }) => [
      seedOf(episode),
      (steps * maxNewTokens) >>> 0,
    ]));
    const decisions = await actor.respond(slots, { temperature, greedy: false, maxNewTokens, random });
    decisions.forEach((decision, e) => {
      const slot = slots[e];
      const seen = noteState(policy, slot.env, settings);
      const action = decision.parse.action ?? slot.env.randomAction();
      const result = slot.step(action, decision.parse.action === null);
      const { terminated, truncated } = result;
      slot.turns.push({
        transition: transitionOf(
          decision,
          { ...result, action },
          settings,
          [random[2 * e], random[2 * e + 1]],
          seen,
        ),
        // Made before the next reset, since the picture is drawn when it is first looked at.
        final: truncated ? policy.promptOf(slot) : null,
      });
      if (!terminated && !truncated) return;
      if (slot.episode < deals.length) {
        finished[slot.episode] = { steps: slot.turns, outcome: slot.outcome };
        done++;
      }
      slots[e] = begin(slot.env);
    });
  }
  await settings.beforeValues?.();
  return await joinEpisodes(policy, deals, finished);
}

interface Step {
  readonly transition: Transition;
  /** Prompt of the final state if the step limit ended the episode; else null. */
  readonly final: readonly Segment[] | null;
}

/** Joins episodes to one rollout, in the order of their deals. */
async function joinEpisodes(
  policy: Policy,
  deals: readonly number[],
  finished: readonly { steps: readonly Step[]; outcome: EpisodeOutcome }[],
): Promise<Rollout> {
  const transitions: Transition[] = [];
  const bootstraps = new Bootstraps(policy);
  const trajectories = finished.map(({ steps, outcome }, episode): Trajectory => {
    const turns = steps.map(({ transition, final }) => {
      if (final !== null) bootstraps.add(transitions.length, final);
      return transitions.push(transition) - 1;
    });
    return { turns, deal: deals[episode], outcome };
  });
  return {
    transitions,
    bootstrapValues: await bootstraps.values(transitions.length),
    trajectories,
    episodes: finished.map(({ outcome }) => outcome),
  };
}

/** Collects the prompts after cut episodes, and computes their values all at once. */
class Bootstraps {
  readonly #at: number[] = [];
  readonly #prompts: (readonly Segment[])[] = [];

  constructor(readonly policy: Policy) {}

  add(index: number, prompt: readonly Segment[]): void {
    this.#at.push(index);
    this.#prompts.push(prompt);
  }

  /** Computes (steps) values: 0 at steps for which nothing was added. */
  async values(steps: number): Promise<Float32Array> {
    const all = new Float32Array(steps);
    const values = await this.policy.values(this.#prompts);
    this.#at.forEach((index, i) => all[index] = values[i]);
    return all;
  }
}

type Seen = Pick<Transition, "correction" | "state" | "actionValues">;

/** Records what is needed about a state before the policy's action changes it. */
function noteState(policy: Policy, env: Environment, { corrects, creditDiscount }: CollectSettings): Seen {
  return {
    state: env.stateKey(),
    correction: corrects ? correctionOf(policy, env) : null,
    ...creditDiscount !== undefined && {
      actionValues: requireActionValues(env, "use --exact-credit in").actionValues({
        discount: creditDiscount,
      }),
    },
  };
}

/** The solver's response to the environment's present state, without deliberate mistakes. */
function correctionOf(policy: Policy, env: Environment): number[] {
  const solver = requireDemonstrations(env, "use --correction-coefficient 0");
  const bias = Object.fromEntries(Object.keys(env.bias ?? {}).map((kind) => [kind, 0]));
  return policy.encode(env, solver.demonstrate(new Random(0, "correction"), { cot: policy.cot, bias }));
}

function transitionOf(
  { prompt, response, decoding, parse, judgement }: Decision,
  { reward, terminated, truncated, action }: {
    reward: number;
    terminated: boolean;
    truncated: boolean;
    action: number;
  },
  { lambda, rewardScale, formatPenalty }: CollectSettings,
  random: readonly [number, number],
  seen: Seen,
): Transition {
  const weights = responseWeights(decoding, parse, lambda);
  return {
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
    random,
    entropies: response.entropies,
    perception: judgement.perception,
    faithful: judgement.faithful,
    ...seen,
  };
}

/** Makes a generator seed and counter for each row, as (2 x rows) words. Rows differ in seed, steps in counter. */
export function samplerState(rows: number, seed: number, counter: number): Uint32Array {
  return Uint32Array.from(
    { length: 2 * rows },
    (_, i) => i % 2 === 0 ? (Math.imul(seed + 1, 0x9e3779b1) + (i >> 1)) >>> 0 : counter >>> 0,
  );
}
