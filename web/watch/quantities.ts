/**
 * What tokens are coloured by: what each earned, how far it moved, where it looked.
 *
 * @module
 */
import type { RecordedTurn } from "../../rl/run/recorded.ts";
import { number, percent, signed } from "./format.ts";

/** A quantity of each token of a response. */
export interface Quantity {
  readonly name: string;
  /** One sentence. */
  readonly meaning: string;
  /** Reads its value for each token; null if the recording has none. */
  readonly of: (turn: RecordedTurn) => readonly (number | null)[] | null;
  readonly format: (value: number) => string;
  /** From one colour over none to the other, or from none to one. */
  readonly scale: "diverging" | "sequential";
  /** Value that has the full colour; the largest in the response when absent. */
  readonly full?: number;
}

const at = (value: number | readonly number[] | null, t: number): number | null =>
  value === null ? null : typeof value === "number" ? value : value[t];

const each = (turn: RecordedTurn, value: (t: number) => number | null) => turn.tokens.map((_, t) => value(t));

/** Ratio of each token: how much likelier it is after the updates. */
const tokenRatios = (turn: RecordedTurn) =>
  turn.after && turn.after.map((logprob, t) => Math.exp(logprob - turn.logprobs[t]));

/** All quantities. */
export const QUANTITIES: readonly Quantity[] = [
  {
    name: "credit",
    meaning: "Weight of the token in log pi times the advantage: what pushes its probability up or down.",
    of: (turn) =>
      turn.advantage === null
        ? null
        : each(turn, (t) => turn.weights[t] * at(turn.advantage, t)! * turn.weight),
    format: signed,
    scale: "diverging",
  },
  {
    name: "moved",
    meaning: "Change of the token's log-probability by the iteration's updates, in nats.",
    of: (turn) => turn.after && each(turn, (t) => turn.after![t] - turn.logprobs[t]),
    format: signed,
    scale: "diverging",
  },
  {
    name: "ratio",
    meaning: "Probability after the updates over the one when it was drawn; 1 is unmoved.",
    of: (turn) => tokenRatios(turn)?.map((ratio) => Math.log(ratio)) ?? null,
    format: (log) => number(Math.exp(log)),
    scale: "diverging",
    full: Math.log(1.5),
  },
  {
    name: "log-probability",
    meaning: "Log-probability of the token when it was drawn, in nats: 0 was certain.",
    of: (turn) => each(turn, (t) => -turn.logprobs[t]),
    format: (value) => number(-value),
    scale: "sequential",
  },
  {
    name: "after",
    meaning: "Log-probability of the token under the weights after the iteration's updates.",
    of: (turn) => turn.after && each(turn, (t) => -turn.after![t]),
    format: (value) => number(-value),
    scale: "sequential",
  },
  {
    name: "entropy",
    meaning: "Entropy of the distribution that the token was drawn from, in nats: how open the choice was.",
    of: (turn) => turn.entropies,
    format: number,
    scale: "sequential",
  },
  {
    name: "advantage",
    meaning: "Advantage of the turn, or of the token if the algorithm tells them apart.",
    of: (turn) => turn.advantage === null ? null : each(turn, (t) => at(turn.advantage, t)),
    format: signed,
    scale: "diverging",
    full: 3,
  },
  {
    name: "lambda's share",
    meaning: "Weight of the token in log pi: lambda for the thought, 1 for the action.",
    of: (turn) => turn.weights,
    format: number,
    scale: "sequential",
    full: 1,
  },
  {
    name: "clip",
    meaning: "Whether the ratio is beyond the clip, so that nothing more is gained by moving on.",
    of: (turn) =>
      turn.clipped === null
        ? null
        : each(turn, (t) => Number(typeof turn.clipped === "boolean" ? turn.clipped : turn.clipped![t])),
    format: (value) => value === 1 ? "clipped" : "free",
    scale: "sequential",
    full: 1,
  },
  {
    name: "looks at the picture",
    meaning: "Share of the attention, in the position that writes the token, that the picture got.",
    of: (turn) => turn.imageShare,
    format: percent,
    scale: "sequential",
    full: 1,
  },
];

/** Strength of a colour from -1 to 1. */
export function strengthOf({ scale, full }: Quantity, values: readonly (number | null)[], t: number): number {
  const value = values[t];
  if (value === null || !isFinite(value)) return 0;
  const most = full ?? values.reduce<number>((most, each) => Math.max(most, Math.abs(each ?? 0)), 1e-9);
  const strength = Math.max(-1, Math.min(1, value / most));
  return scale === "diverging" ? strength : Math.max(0, strength);
}
