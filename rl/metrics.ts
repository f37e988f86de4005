/**
 * Every key of `metrics.jsonl`, with its definition. The file holds nothing that depends on the clock: two runs with one seed
 * on one adapter write the same bytes.
 *
 * @module
 */
import { type EvaluationResult, ResponseTally } from "./evaluation.ts";
import type { LearnMetrics } from "./algorithms/algorithm.ts";
import type { Policy } from "./policy.ts";
import type { Rollout } from "./rollout.ts";
import type { SftMetrics } from "./sft.ts";
import { mean } from "./statistics.ts";
import type { ThoughtSign } from "./thought_alarm.ts";

/** The line that is written after each SFT update. */
export interface SftLine extends SftMetrics {
  /** An update of the warm start. */
  readonly stage: "sft";
  /** Updates done. */
  readonly update: number;
  /** The learning rate used. */
  readonly learningRate: number;
}

/** The line that is written after each look at perception between SFT and RL. */
export interface GateLine {
  /** A look at perception before RL may begin. */
  readonly stage: "gate";
  /** SFT updates done. */
  readonly update: number;
  /** Share of picture fields read correctly, greedy. */
  readonly perception: number;
}

/** The line that is written after each RL iteration. Metrics of the updates are defined in `improve.ts` and by the algorithm. */
export type RlLine = RolloutLine & LearnMetrics;

/** The part of an RL line that describes the iteration's experience. */
export interface RolloutLine {
  /** An iteration of RL. */
  readonly stage: "rl";
  /** Iterations done. */
  readonly iteration: number;
  /** Environment steps done. */
  readonly envSteps: number;
  /** The learning rate used. */
  readonly learningRate: number;
  /** Episodes that ended in this iteration. */
  readonly episodes: number;
  /** Share of these episodes that succeeded, by the environment's measure; null when none ended. */
  readonly success: number | null;
  /** Mean undiscounted, unscaled return of these episodes; null when none ended. */
  readonly meanReturn: number | null;
  /** Share of responses in which an action was found. */
  readonly parseRate: number;
  /** Share of picture fields that responses state correctly; null without a chain of thought. */
  readonly perception: number | null;
  /** Share of responses whose comparison fits their numbers and whose action fits the comparison; null without a thought. */
  readonly faithfulness: number | null;
  /** Mean response length in tokens. */
  readonly responseTokens: number;
  /** Number of different thoughts over number of different states; null without a thought. See `thought_tally.ts`. */
  readonly thoughtDiversity: number | null;
  /** How much thoughts tell about the state, from 0 (nothing) to 1 (all); null without a thought. See `thought_tally.ts`. */
  readonly thoughtInformation: number | null;
  /** Metrics that show that something went wrong with the thoughts; see `thought_alarm.ts`. */
  readonly thoughtAlarm: readonly ThoughtSign[];
}

/** The line that is written after each evaluation. */
export interface EvaluationLine {
  /** An evaluation on held-out episodes. */
  readonly stage: "evaluation";
  /** What was evaluated: the warm start or the end of RL. */
  readonly after: "sft" | "rl";
  /** With actions drawn at the run's temperature. */
  readonly sampled: EvaluationResult;
  /** With the most likely token each time. */
  readonly greedy: EvaluationResult;
}

/** A line of `metrics.jsonl`. */
export type MetricsLine = SftLine | GateLine | RlLine | EvaluationLine;

/** Computes the metrics of a rollout. The policy must be the one that wrote it. */
export function rolloutMetrics({ transitions, episodes }: Rollout, policy: Pick<Policy, "decode">) {
  const responses = new ResponseTally();
  for (const { prompt, response, isParsed, action, actionSpan, perception, faithful } of transitions) {
    responses.add({
      prompt,
      decoding: policy.decode(response),
      parse: { action: isParsed ? action : null, start: actionSpan[0] },
      judgement: { perception, faithful },
    });
  }
  return {
    episodes: episodes.length,
    success: episodes.length === 0 ? null : mean(episodes.map(({ success }) => Number(success))),
    meanReturn: episodes.length === 0 ? null : mean(episodes.map(({ episodeReturn }) => episodeReturn)),
    responseTokens: mean(transitions.map(({ response }) => response.length)),
    ...responses.rates(),
  };
}
