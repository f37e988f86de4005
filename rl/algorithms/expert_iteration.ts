/**
 * `expert-iteration`: imitates its own episodes that succeeded, and nothing else.
 *
 *     round      play whole episodes; keep the best `perKey` successes for each deal, or for each exact state the turns that a
 *                success followed in the fewest turns; the freshest first, then the shortest
 *     minimise     -mean log p of the kept responses' tokens, in as many passes as `epochs`
 *
 * It needs no solver, no critic and no policy ratio. Responses that failed are not pushed down. It has none of the options of
 * algorithms with policy ratios: no clip, no KL to the warm start, no entropy bonus, no filter of deals. It keeps deals and
 * token ids, and draws the pictures again by playing the deal again.
 *
 * It can only imitate what the policy does at least once. On NumberLine the warm start of seed 2 goes the same way in half of
 * the states. While only whole successes were kept, success stayed at half of the episodes. The successful ends of failed
 * episodes therefore count for their states too.
 *
 * Sources: Anthony et al. 2017 (arXiv:1705.08439), Zelikman et al. 2022 (STaR, arXiv:2203.14465), Gulcehre et al. 2023 (ReST,
 * arXiv:2308.08998), Dong et al. 2023 (RAFT, arXiv:2304.06767).
 *
 * @module
 */
import { Random } from "../../envs/mod.ts";
import type { Sequence } from "../../model/mod.ts";
import { choice, integer } from "../cli/mod.ts";
import type { Rollout } from "../rollout.ts";
import { sftUpdate } from "../sft.ts";
import { shuffled } from "../shuffled.ts";
import { mean } from "../statistics.ts";
import { type Algorithm, defineAlgorithm, type LearnContext } from "./algorithm.ts";

/** An episode that succeeded, or that failed and has an end that would have succeeded on its own. */
export interface KeptEpisode {
  /** Seed of its deal. */
  readonly deal: number;
  /** Iteration that it was played in. */
  readonly iteration: number;
  /** Index of the first turn to keep: an episode that began with it would have succeeded. 0 when all of it did. */
  readonly from: number;
  /** Token ids of each turn's response; empty before `from`. */
  readonly responses: readonly (readonly number[])[];
  /** Exact key of each turn's state. */
  readonly states: readonly string[];
  /** Action of each turn; null if it was drawn at random, since the text had none. */
  readonly actions: readonly (number | null)[];
}

/** Expert iteration: imitates the policy's own successes. */
export const expertIteration: Algorithm = defineAlgorithm({
  name: "expert-iteration",
  summary: "imitates its own episodes that succeeded, kept by deal or exact state; no critic, no ratio",
  source: "arXiv:1705.08439, arXiv:2203.14465, arXiv:2308.08998, arXiv:2304.06767",
  options: {
    groups: integer(64, "deals of an iteration", { min: 1, unit: "deals" }),
    groupSize: integer(1, "episodes that share a deal", { min: 1, unit: "episodes" }),
    keepBy: choice(
      "state",
      ["state", "deal"],
      "keep the best successes of each exact state, or of each deal",
    ),
    perKey: integer(1, "successes kept for each state or deal", { min: 1 }),
    poolSize: integer(512, "most episodes kept from one iteration to the next, the oldest go first", {
      min: 1,
      unit: "episodes",
    }),
  },
  metrics: {
    successes: "share of this iteration's episodes that succeeded",
    kept: "episodes in the pool",
    imitated: "turns that were imitated",
    imitationLoss: "mean -log p of the imitated responses' tokens, in nats",
    gradientNorm: "gradient norm before clipping, value head apart",
    updates: "updates done",
  },
  replaysDeals: () => true,
  collect: ({ groups, groupSize }) => ({ kind: "episodes", groups, groupSize }),
  // No policy ratio is taken: the trainer reads only the temperature.
  objective: ({ temperature }) => ({
    temperature,
    ratio: "token",
    clipLow: 0,
    clipHigh: 0,
    ratioGuard: 1,
    values: "none",
    valueClip: 0,
    valueCoefficient: 0,
    entropyCoefficient: 0,
    klCoefficient: 0,
    correctionCoefficient: 0,
  }),
  learn: async (rollout, settings, context) => {
    const isByReturn = context.makeEnvironment().success !== "goal";
    const fresh = successesOf(rollout, context.iteration, isByReturn);
    const earlier = (context.memory.pool ?? []) as readonly KeptEpisode[];
    const pool = [...fresh, ...earlier].slice(0, settings.poolSize);
    context.memory.pool = pool;
    const chosen = chooseTurns(pool, settings);
    const sequences = replay(chosen, context);
    const results: { loss: number; gradientNorm: number }[] = [];
    for (let epoch = 0; epoch < settings.epochs && sequences.length > 0; epoch++) {
      const order = shuffled(
        sequences.length,
        new Random(settings.seed, `expert-iteration ${context.iteration} ${epoch}`),
      );
      for (let start = 0; start < order.length; start += settings.minibatch) {
        // The last minibatch is filled up from the beginning of the order, so that plans are reused.
        const batch = Array.from(
          { length: settings.minibatch },
          (_, i) => ({ ...sequences[order[(start + i) % order.length]], discountedReturn: 0 }),
        );
        const { sftLoss, gradientNorm } = await sftUpdate(
          context.policy,
          context.optimizer,
          batch,
          context.learningRate,
          {
            sftBeta1: settings.adamBeta1,
            sftBeta2: settings.adamBeta2,
            sftEpsilon: settings.adamEpsilon,
            sftGradientClip: settings.policyGradientClip,
            sftValueCoefficient: 0,
          },
        );
        results.push({ loss: sftLoss, gradientNorm });
      }
    }
    const meanOf = (key: "loss" | "gradientNorm") =>
      results.length === 0 ? 0 : mean(results.map((r) => r[key]));
    return {
      successes: fresh.filter(({ from }) => from === 0).length / rollout.trajectories.length,
      kept: pool.length,
      imitated: sequences.length,
      imitationLoss: meanOf("loss"),
      gradientNorm: meanOf("gradientNorm"),
      updates: results.length,
    };
  },
});

/**
 * Finds the episodes of a rollout that succeeded by the environment's own measure, the shortest first. If that measure is a
 * return above 0, a failed episode counts with its last turns. These are the turns from which on the rest returned more than 0.
 */
export function successesOf(
  { transitions, trajectories }: Rollout,
  iteration: number,
  isByReturn: boolean,
): KeptEpisode[] {
  return trajectories.flatMap(({ turns, deal, outcome }): KeptEpisode[] => {
    let from = outcome?.success ? 0 : turns.length;
    for (let left = 0; isByReturn && outcome !== null && from > 0; from--) {
      left += transitions[turns[from - 1]].reward;
      if (left <= 0) break;
    }
    if (from === turns.length) return [];
    return [{
      deal,
      iteration,
      from,
      responses: turns.map((turn, t) => t < from ? [] : transitions[turn].response),
      states: turns.map((turn) => transitions[turn].state),
      actions: turns.map((turn) => transitions[turn].isParsed ? transitions[turn].action : null),
    }];
  }).sort((a, b) => (a.states.length - a.from) - (b.states.length - b.from));
}

/** The turns to imitate of each episode. */
type ChosenTurns = Map<KeptEpisode, Set<number>>;

/**
 * Chooses the best `perKey` episodes of each deal, or turns of each state: the freshest first, then those with the fewest
 * turns to the end. A response without an action is no example, whatever its random action earned.
 */
export function chooseTurns(
  pool: readonly KeptEpisode[],
  { keepBy, perKey }: { readonly keepBy: string; readonly perKey: number },
): ChosenTurns {
  const candidates = pool.flatMap((episode) => {
    const { deal, from, states, actions } = episode;
    const turns = states.map((_, t) => t).filter((t) => t >= from && actions[t] !== null);
    if (keepBy === "deal") {
      return from > 0 ? [] : [{ key: String(deal), episode, turns, left: states.length }];
    }
    return turns.map((t) => ({ key: states[t], episode, turns: [t], left: states.length - t }));
  }).sort((a, b) => b.episode.iteration - a.episode.iteration || a.left - b.left);
  const taken = new Map<string, number>();
  const chosen: ChosenTurns = new Map();
  for (const { key, episode, turns } of candidates) {
    const count = taken.get(key) ?? 0;
    if (count === perKey) continue;
    taken.set(key, count + 1);
    const own = chosen.get(episode) ?? new Set();
    chosen.set(episode, own);
    for (const turn of turns) own.add(turn);
  }
  return chosen;
}

/** Plays the chosen episodes again, to draw the prompts of the chosen turns. */
function replay(chosen: ChosenTurns, { policy, makeEnvironment }: LearnContext): Sequence[] {
  const env = makeEnvironment();
  return Array.from(chosen).flatMap(([{ deal, responses, actions }, turns]) => {
    let state = env.reset({ seed: deal });
    return responses.flatMap((response, turn) => {
      const sequence = turns.has(turn) ? [{ prompt: policy.promptOf({ env, ...state }), response }] : [];
      state = env.step(actions[turn] ?? env.randomAction());
      return sequence;
    });
  });
}
