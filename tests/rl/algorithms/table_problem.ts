/**
 * A problem small enough to write down every trajectory: 3 states, 4 tokens, 2 turns of 2 tokens, 4^4 = 256 trajectories.
 *
 * The policy is a table of logits, a row for each context: a state, or a state and the first token. All sums are in f64.
 */
import type { Segment } from "../../../model/mod.ts";
import type { Rollout, Transition } from "../../../rl/rollout.ts";

export const TOKENS = 4;
/** Contexts of the 3 states, filled up to a multiple of 4. */
export const CONTEXTS = 16;
/** Logits: (CONTEXTS, TOKENS). */
export type Table = Float32Array;

/** Row of the table before the first token of a turn in `state`, or after it. */
export const contextOf = (state: number, first?: number): number =>
  state * (1 + TOKENS) + (first === undefined ? 0 : 1 + first);

/** What a turn earns: it depends on the state and on both tokens. */
export function rewardOf(state: number, first: number, second: number): number {
  switch (state) {
    case 0:
      return first === second ? 0.5 : 0;
    case 1:
      return first === 2 || second === 3 ? 1 : 0;
    default:
      return second === 1 ? -0.5 : first === 0 ? 0.5 : 0;
  }
}

const nextState = (first: number, second: number) => (2 * first + second) % 3 === 0 ? 1 : 2;

/** A turn: where, and which tokens. */
export interface TableTurn {
  readonly state: number;
  readonly tokens: readonly [first: number, second: number];
  readonly reward: number;
}

/** Both turns, and what they earned. */
export interface TableTrajectory {
  readonly turns: readonly TableTurn[];
  readonly total: number;
}

const turnOf = (state: number, first: number, second: number): TableTurn => ({
  state,
  tokens: [first, second],
  reward: rewardOf(state, first, second),
});

/** All 256. */
export const trajectories: readonly TableTrajectory[] = Array.from({ length: TOKENS ** 4 }, (_, index) => {
  const [a, b, c, d] = [64, 16, 4, 1].map((place) => Math.floor(index / place) % TOKENS);
  const turns = [turnOf(0, a, b), turnOf(nextState(a, b), c, d)];
  return { turns, total: turns[0].reward + turns[1].reward };
});

/** Logits that prefer nothing in particular and know no symmetry. */
export const someTable = (phase = 0): Table =>
  Float32Array.from(
    { length: CONTEXTS * TOKENS },
    (_, i) => Math.sin(1.7 * i + phase) + 0.3 * Math.cos(i * i),
  );

/** log p of every token in every context. */
export function logprobsOf(table: ArrayLike<number>): Float64Array {
  const words = new Float64Array(CONTEXTS * TOKENS);
  for (let row = 0; row < CONTEXTS; row++) {
    const logits = Array.from({ length: TOKENS }, (_, token) => table[row * TOKENS + token]);
    const lse = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
    logits.forEach((logit, token) => words[row * TOKENS + token] = logit - lse);
  }
  return words;
}

/** Places of a turn's two tokens in the table. */
export const placesOf = ({ state, tokens: [first, second] }: TableTurn): readonly [number, number] => [
  contextOf(state) * TOKENS + first,
  contextOf(state, first) * TOKENS + second,
];

/** Probability of a trajectory. */
export function probabilityOf({ turns }: TableTrajectory, logprobs: Float64Array): number {
  return Math.exp(turns.flatMap(placesOf).reduce((sum, place) => sum + logprobs[place], 0));
}

/** Sum over all trajectories of probability x `value`. */
export function expectation(
  table: ArrayLike<number>,
  value: (t: TableTrajectory, i: number) => number,
): number {
  const logprobs = logprobsOf(table);
  return trajectories.reduce((sum, t, i) => sum + probabilityOf(t, logprobs) * value(t, i), 0);
}

/** J: the expected return. */
export const expectedReturn = (table: ArrayLike<number>): number => expectation(table, ({ total }) => total);

/** The gradient of a function of the table, by central differences in f64. */
export function gradientBy(f: (table: Float64Array) => number, at: Table, step = 1e-5): Float64Array {
  return Float64Array.from(at, (_, i) => {
    const [above, below] = [step, -step].map((change) => {
      const table = Float64Array.from(at);
      table[i] += change;
      return f(table);
    });
    return (above - below) / (2 * step);
  });
}

/** Sum over trajectories, turns and tokens of probability x credit x the gradient of log p. */
export function scoreGradient(
  table: Table,
  creditOf: (t: TableTrajectory, turn: number, token: 0 | 1, i: number) => number,
): Float64Array {
  const logprobs = logprobsOf(table);
  const gradient = new Float64Array(CONTEXTS * TOKENS);
  trajectories.forEach((trajectory, i) => {
    const probability = probabilityOf(trajectory, logprobs);
    trajectory.turns.forEach((turn, t) =>
      placesOf(turn).forEach((place, r) => {
        const credit = probability * creditOf(trajectory, t, r as 0 | 1, i);
        const row = place - place % TOKENS;
        gradient[place] += credit;
        for (let token = 0; token < TOKENS; token++) {
          gradient[row + token] -= credit * Math.exp(logprobs[row + token]);
        }
      })
    );
  });
  return gradient;
}

/** Exact values of a policy: of contexts, and of turns in a state. */
export interface ExactValues {
  /** V of each context: expected discounted return from there. */
  readonly values: Float64Array;
  /** Q(state, tokens of the turn). */
  readonly q: (turn: TableTurn) => number;
}

/** Values with a discount a turn, none inside it. */
export function exactValues(table: ArrayLike<number>, gamma: number): ExactValues {
  const p = logprobsOf(table).map(Math.exp);
  const values = new Float64Array(CONTEXTS);
  const q = ({ state, tokens: [first, second], reward }: TableTurn) =>
    reward + (state === 0 ? gamma * values[contextOf(nextState(first, second))] : 0);
  const all = Array.from({ length: TOKENS }, (_, token) => token);
  for (const state of [1, 2, 0]) {
    for (const first of all) {
      const row = contextOf(state, first);
      values[row] = all.reduce(
        (sum, second) => sum + p[row * TOKENS + second] * q(turnOf(state, first, second)),
        0,
      );
    }
    const row = contextOf(state);
    values[row] = all.reduce(
      (sum, first) => sum + p[row * TOKENS + first] * values[contextOf(state, first)],
      0,
    );
  }
  return { values, q };
}

/** The policy that maximises J - beta KL(pi || reference): reference x exp(return / beta) / Z, as a table. */
export function tiltedTable(reference: Table, beta: number): Table {
  const logprobs = logprobsOf(reference);
  const soft = new Float64Array(CONTEXTS); // beta log Z of each context
  const table = new Float32Array(CONTEXTS * TOKENS);
  const fill = (row: number, valueOf: (token: number) => number) => {
    let z = 0;
    for (let token = 0; token < TOKENS; token++) {
      const logit = logprobs[row * TOKENS + token] + valueOf(token) / beta;
      table[row * TOKENS + token] = logit;
      z += Math.exp(logit);
    }
    soft[row] = beta * Math.log(z);
  };
  for (const state of [1, 2, 0]) {
    for (let first = 0; first < TOKENS; first++) {
      fill(
        contextOf(state, first),
        (second) =>
          rewardOf(state, first, second) + (state === 0 ? soft[contextOf(nextState(first, second))] : 0),
      );
    }
    fill(contextOf(state), (first) => soft[contextOf(state, first)]);
  }
  return table;
}

/** How transitions are made of turns. */
export interface TransitionSettings {
  /** Weight of the first token in log pi. */
  readonly lambda: number;
  /** V of contexts; the transition's value is that of its state. */
  readonly values?: Float64Array;
}

/** The two transitions of every trajectory, as this policy would have written them. */
export function transitionsOf(
  table: ArrayLike<number>,
  { lambda, values }: TransitionSettings,
): Transition[][] {
  const logprobs = logprobsOf(table);
  return trajectories.map(({ turns }) =>
    turns.map((turn, t): Transition => {
      const own = Float32Array.from(placesOf(turn), (place) => logprobs[place]);
      const weights = Float32Array.of(lambda, 1);
      return {
        prompt: [{ kind: "text", ids: [turn.state] }] as readonly Segment[],
        response: turn.tokens,
        logprobs: own,
        weights,
        logPi: lambda * own[0] + own[1],
        actionSpan: [0, 1],
        isParsed: true,
        action: turn.tokens[1],
        value: values?.[contextOf(turn.state)] ?? 0,
        reward: turn.reward,
        terminated: t === turns.length - 1,
        truncated: false,
        random: [0, 0],
        entropies: new Float32Array(turns.length),
        perception: null,
        faithful: null,
        correction: null,
        state: String(turn.state),
      };
    })
  );
}

/** A rollout of episodes, each the transitions of a trajectory, and the deal that each was played in. */
export function rolloutOf(
  episodes: readonly (readonly Transition[])[],
  dealOf: (episode: number) => number,
): Rollout {
  const transitions = episodes.flat();
  let next = 0;
  return {
    transitions,
    bootstrapValues: new Float32Array(transitions.length),
    trajectories: episodes.map((turns, episode) => ({
      turns: turns.map(() => next++),
      deal: dealOf(episode),
      outcome: null,
    })),
    episodes: [],
  };
}
