/**
 * How evaluations are reported: a table for people, an object for programs.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import { formatShare, formatTable } from "../cli/mod.ts";
import type { Evaluation, EvaluationResult } from "../evaluation.ts";
import type { SampledDeals } from "../pass_at.ts";

/** The `evaluation` object of `summary.json` and of `eval --json`. Shares are in [0, 1]. */
export interface EvaluationReport extends Evaluation {
  /** Short name of the environment. */
  readonly environment: string;
  /** Number of held-out episodes for each way of decoding. */
  readonly episodes: number;
  /** Which set of held-out episodes. */
  readonly seed: number;
  /** Share of sampled episodes that ended in the goal, whatever their return. */
  readonly goal_reached: number;
  /** Share of sampled responses in which an action was found. */
  readonly parse_rate: number;
  /** Share of picture fields that greedy responses read correctly; null without a chain of thought. */
  readonly perception: number | null;
}

/** Makes the report of an evaluation: its numbers, and what was evaluated. */
export function evaluationReport(
  { sampled, greedy }: Evaluation,
  { environment, episodes, seed }: Pick<EvaluationReport, "environment" | "episodes" | "seed">,
): EvaluationReport {
  return {
    environment,
    episodes,
    seed,
    sampled,
    greedy,
    goal_reached: sampled.goalReached,
    parse_rate: sampled.parseRate,
    perception: greedy.perception,
  };
}

/** Says what success means in an environment, for titles. */
export function successMeaning(environment: EnvironmentDefinition): string {
  return environment.make().success === "goal" ? "goal reached" : "return above 0";
}

/** Several samples of each deal: their mean, and the chance that one of k succeeds. */
export function dealTable({ samples, deals, success, ci95, passAt }: SampledDeals): string {
  const row = (name: string, share: number, [lo, hi]: readonly number[]) => [
    name,
    formatShare(share),
    `${formatShare(lo)} to ${formatShare(hi)}`,
  ];
  return formatTable([`${samples} samples of ${deals} deals`, "success", "95% interval"], [
    row("mean by deal", success, ci95),
    ...passAt.map(({ k, success, ci95 }) => row(`pass@${k}`, success, ci95)),
  ]);
}

/**
 * Formats a table with a line for each policy: success with its interval, goal reached, parsed, quality of thoughts. A note
 * follows if many texts held no action.
 */
export function evaluationTable(policies: Readonly<Record<string, EvaluationResult>>): string {
  const share = (value: number | null) => value === null ? "-" : formatShare(value);
  const header = [
    "policy",
    "success",
    "95% interval",
    "goal",
    "parsed",
    "perception",
    "faithful",
    "informed",
  ];
  const rows = Object.entries(policies).map(([name, result]) => [
    name,
    share(result.success),
    `${share(result.ci95[0])} to ${share(result.ci95[1])}`,
    share(result.goalReached),
    share(result.parseRate),
    share(result.perception),
    share(result.faithfulness),
    share(result.thoughtInformation),
  ]);
  return formatTable(header, rows) + stoodIn(Object.values(policies));
}

/** A warning if a random action was often played because none was found: success is then not what the policy earned. */
function stoodIn(results: readonly EvaluationResult[]): string {
  const least = Math.min(...results.map(({ parseRate }) => parseRate ?? 1));
  return least >= 0.9
    ? ""
    : `\nNo action was found in ${formatShare(1 - least)} of the texts: a random one was played instead, ` +
      "so that success is not all the policy's";
}
