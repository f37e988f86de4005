/**
 * What is noted of an iteration's learning and of its turns, put as a recording has it.
 *
 * @module
 */
import type { LearnObserver } from "../algorithms/mod.ts";
import type { CommonSettings } from "../config.ts";
import type { EvaluatedTurn } from "../evaluation.ts";
import type { ObjectiveSettings, Sample } from "../objective.ts";
import type { Decision } from "../policy.ts";
import type { Rollout, Transition } from "../rollout.ts";
import { responseWeights } from "../thought.ts";
import { histogramOf, type RecordedMinibatch, shortest, shortestOf } from "./recorded.ts";

/** What was seen of an iteration's learning. */
export class Seen implements LearnObserver {
  readonly beganMs = performance.now();
  samples: readonly Sample[] | null = null;
  objective: ObjectiveSettings | null = null;
  readonly #minibatches: RecordedMinibatch[] = [];
  readonly #ratios: number[] = [];

  scored(samples: readonly Sample[], objective: ObjectiveSettings): void {
    this.samples = samples;
    this.objective = objective;
  }

  updated({ kl, clipFraction, policyLoss, ratios }: Parameters<LearnObserver["updated"]>[0]): void {
    this.#minibatches.push({
      kl: shortest(kl),
      clipFraction: shortest(clipFraction),
      policyLoss: shortest(policyLoss),
    });
    this.#ratios.push(...ratios);
  }

  header({ transitions, episodes }: Rollout, { epochs, minibatch, ...config }: CommonSettings) {
    const { samples, objective } = this;
    const live = samples?.filter(({ weight }) => weight !== 0) ?? [];
    const { klStop = null } = config as { klStop?: number };
    return {
      objective: objective &&
        { ratio: objective.ratio, clipLow: objective.clipLow, clipHigh: objective.clipHigh },
      turns: transitions.length,
      histograms: {
        advantage: histogramOf(live.flatMap(({ advantage }) => spread(advantage))),
        valueTarget: histogramOf(live.flatMap(({ valueTarget }) => spread(valueTarget))),
        episodeReturn: histogramOf(episodes.map(({ episodeReturn }) => episodeReturn)),
        ratio: histogramOf(this.#ratios),
      },
      minibatches: this.#minibatches,
      plannedUpdates: samples === null ? 0 : epochs * Math.ceil(live.length / minibatch),
      klStop: samples === null ? null : klStop,
    };
  }
}

const spread = (value: number | Float32Array | undefined): number[] =>
  value === undefined ? [] : typeof value === "number" ? [value] : Array.from(value);

/** As JSON has it. */
export function numberOf(value: number | Float32Array | null): number | number[] | null {
  return value === null ? null : typeof value === "number" ? shortest(value) : shortestOf(value);
}

/** pi / pi_behaviour, as the objective has it. */
export function ratioOf(
  { logprobs, weights }: Transition,
  after: Float32Array,
  kind: ObjectiveSettings["ratio"],
): number | Float32Array {
  if (kind === "token") return after.map((logprob, t) => Math.exp(logprob - logprobs[t]));
  return Math.exp(after.reduce((sum, logprob, t) => sum + weights[t] * (logprob - logprobs[t]), 0));
}

/** Whether ratios are beyond the clip on the side to which their advantage moves them. */
export function clippedOf(
  ratio: number | Float32Array,
  advantage: number | Float32Array,
  { clipLow, clipHigh }: ObjectiveSettings,
): boolean | boolean[] {
  const isClipped = (ratio: number, advantage: number) =>
    advantage > 0 ? ratio > 1 + clipHigh : advantage < 0 && ratio < 1 - clipLow;
  const at = (t: number) => typeof advantage === "number" ? advantage : advantage[t];
  return typeof ratio === "number"
    ? isClipped(ratio, at(0))
    : Array.from(ratio, (each, t) => isClipped(each, at(t)));
}

/** A byte for each part of the picture and token, 255 for the token's largest. */
export function encodeAttention(shares: readonly Float32Array[]): string {
  const bytes = shares.flatMap((share) => {
    const most = share.reduce((a, b) => Math.max(a, b), 0);
    return Array.from(share, (each) => most === 0 ? 0 : Math.round(255 * each / most));
  });
  return btoa(String.fromCharCode(...bytes));
}

/** A held-out turn as if it were RL's, its reward as the environment paid it. */
export function transitionOf(turn: EvaluatedTurn, lambda: number): Transition {
  const { prompt, response, decoding, parse, judgement } = turn.decision as Decision;
  const weights = responseWeights(decoding, parse, lambda);
  return {
    ...{ prompt, response: response.ids, logprobs: response.logprobs, weights, logPi: 0 },
    ...{ actionSpan: [parse.start, parse.end], isParsed: parse.action !== null, action: turn.action },
    ...{ value: response.value, reward: turn.reward, terminated: turn.terminated, truncated: turn.truncated },
    ...{
      random: turn.random,
      entropies: response.entropies,
      ...judgement,
      correction: null,
      state: turn.state,
    },
  };
}
