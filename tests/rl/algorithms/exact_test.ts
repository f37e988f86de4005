/**
 * Every estimator against exact values: on a problem of 256 trajectories the expectation of what an algorithm ascends is
 * the gradient of the expected return, or differs from it exactly as its page says.
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { Gpu } from "../../../kernels/gpu/mod.ts";
import {
  type Algorithm,
  gigpo,
  grpo,
  ppo,
  reinforcePlusPlus,
  rloo,
  tokenPpo,
  vlDac,
} from "../../../rl/algorithms/mod.ts";
import type { LearnContext } from "../../../rl/algorithms/mod.ts";
import type { Sample } from "../../../rl/objective.ts";
import { standardDeviation } from "../../../rl/statistics.ts";
import { gpuTest } from "../../gpu.ts";
import {
  ascent,
  assertSameGradient,
  type Changes,
  plainSettings,
  referenceOf,
  TablePolicy,
} from "./table_policy.ts";
import {
  contextOf,
  exactValues,
  expectation,
  expectedReturn,
  gradientBy,
  logprobsOf,
  probabilityOf,
  rolloutOf,
  scoreGradient,
  someTable,
  type Table,
  tiltedTable,
  TOKENS,
  trajectories,
  type TransitionSettings,
  transitionsOf,
} from "./table_problem.ts";

const table = someTable();
const probabilities = trajectories.map((t) => probabilityOf(t, logprobsOf(table)));
/** dJ/dtheta, in f64. */
const gradient = gradientBy(expectedReturn, table);
const times = (values: Float64Array, factor: number) => values.map((value) => value * factor);
const exactly = (gamma: number) => exactValues(table, gamma);
const any = (algorithm: unknown) => algorithm as Algorithm;

/** Weighs every episode by its probability, so that the mean over them is the expectation over all. */
function weighted(samples: readonly Sample[], at: Table): Sample[] {
  const logprobs = logprobsOf(at);
  return samples.map((sample, i) => ({
    ...sample,
    weight: (sample.weight ?? 1) * trajectories.length * probabilityOf(trajectories[i >> 1], logprobs),
  }));
}

/** Expected ascent of an algorithm that looks at one episode at a time. */
async function expectedAscent(
  gpu: Gpu,
  algorithm: unknown,
  changes: Changes,
  { at = table, lambda = 1, values, context = {} }: Partial<TransitionSettings> & {
    readonly at?: Table;
    readonly context?: Partial<LearnContext>;
  } = {},
): Promise<Float64Array> {
  const policy = new TablePolicy(gpu, at);
  const rollout = rolloutOf(transitionsOf(at, { lambda, values }), (episode) => episode);
  return await ascent(policy, any(algorithm), rollout, changes, {
    context,
    reweigh: ({ samples, metrics }) => ({ samples: weighted(samples, at), metrics }),
  });
}

/**
 * Expected ascent of an algorithm that compares episodes of a deal. Its own score sees every group that can occur; what the
 * first of a group gets is averaged over the others, in f64, before the loss sees it. `others` are the possible ones
 * with their probabilities.
 */
async function expectedGroupAscent(
  gpu: Gpu,
  algorithm: unknown,
  groupSize: number,
  changes: Changes,
  { lambda = 1, others = trajectories.map((_, i) => [i, probabilities[i]]) }: {
    readonly lambda?: number;
    readonly others?: readonly (readonly number[])[];
  } = {},
): Promise<Float64Array> {
  const policy = new TablePolicy(gpu, table);
  const all = transitionsOf(table, { lambda });
  // Every choice of the others: indices and probability.
  let choices: { members: number[]; probability: number }[] = [{ members: [], probability: 1 }];
  for (let member = 1; member < groupSize; member++) {
    choices = choices.flatMap(({ members, probability }) =>
      others.map(([index, p]) => ({ members: [...members, index], probability: probability * p }))
    );
  }
  const episodes = all.flatMap((own) =>
    choices.flatMap(({ members }) => [own, ...members.map((i) => all[i])])
  );
  const rollout = rolloutOf(episodes, (episode) => Math.floor(episode / groupSize));
  const settings = plainSettings(any(algorithm), { groupSize, ...changes });
  const { samples } = await any(algorithm).score!(rollout, settings, {} as LearnContext);
  // Advantage x weight of each turn, averaged over the others.
  const credits = all.map((turns, i) =>
    turns.map((transition, t): Sample => {
      const credit = choices.reduce((sum, { probability }, c) => {
        const { advantage, weight = 1 } = samples[2 * groupSize * (i * choices.length + c) + t];
        return sum + probability * (advantage as number) * weight;
      }, 0);
      return { transition, advantage: credit };
    })
  ).flat();
  const loose = { ...any(algorithm), score: () => ({ samples: weighted(credits, table) }) };
  return await ascent(policy, loose as Algorithm, rolloutOf(all, (e) => e), changes);
}

/** One trajectory for each possible return, with the probability of that return. */
const byReturn = [...new Set(trajectories.map(({ total }) => total))].map((total) => [
  trajectories.findIndex((t) => t.total === total),
  trajectories.reduce((sum, t, i) => sum + (t.total === total ? probabilities[i] : 0), 0),
]);

Deno.test("the table problem adds up: probabilities to 1, and the score function's gradient is that of differences", () => {
  assertAlmostEquals(expectation(table, () => 1), 1, 1e-12);
  assertSameGradient(scoreGradient(table, ({ total }) => total), gradient, "score function", 1e-8);
  assertAlmostEquals(exactly(1).values[contextOf(0)], expectedReturn(table), 1e-12);
  assert(gradient.some((value) => Math.abs(value) > 0.01));
});

gpuTest(
  "reinforce++ without penalty and whitening ascends the expected return, a mean over tokens",
  async (gpu) => {
    const got = await expectedAscent(gpu, reinforcePlusPlus, { whiten: false, beta: 0, gamma: 1 });
    assertSameGradient(got, times(gradient, 1 / 4), "4 tokens an episode");
  },
);

gpuTest(
  "reinforce++ with a penalty ascends J - beta KL, and rests at p_ref exp(return / beta) / Z",
  async (gpu) => {
    const reference = someTable(2), beta = 0.3;
    const settings = { whiten: false, beta, gamma: 1 };
    const objective = (at: ArrayLike<number>) => {
      const [own, other] = [logprobsOf(at), logprobsOf(reference)];
      return expectation(at, (t) => {
        const ratio = Math.log(probabilityOf(t, own) / probabilityOf(t, other));
        return t.total - beta * ratio;
      });
    };
    const context = { referenceLogprobs: referenceOf(reference) };
    const got = await expectedAscent(gpu, reinforcePlusPlus, settings, { context });
    assertSameGradient(got, times(gradientBy(objective, table), 1 / 4), "anywhere");

    const best = tiltedTable(reference, beta);
    const atBest = await expectedAscent(gpu, reinforcePlusPlus, settings, { context, at: best });
    assertSameGradient(atBest, new Float64Array(atBest.length), "at the optimum", 5e-4);
    assert(objective(best) > objective(table));
  },
);

gpuTest("ppo with exact values ascends the expected return for every lambda of the estimate", async (gpu) => {
  const { values } = exactly(1);
  for (const gaeLambda of [0, 0.5, 0.95, 1]) {
    const got = await expectedAscent(gpu, ppo, { gamma: 1, gaeLambda }, { values });
    assertSameGradient(got, times(gradient, 1 / 2), `lambda ${gaeLambda}, 2 turns an episode`);
  }
});

gpuTest("ppo's discount and lambda have the bias that they are said to have", async (gpu) => {
  // States count alike however late they come, and the thought's share is weighed by lambda.
  const gamma = 0.8, lambda = 0.3;
  const { values, q } = exactly(gamma);
  for (const gaeLambda of [0, 0.7, 1]) {
    const got = await expectedAscent(gpu, ppo, { gamma, gaeLambda }, { values, lambda });
    const want = scoreGradient(table, ({ turns }, t, token) => {
      const advantage = q(turns[t]) - values[contextOf(turns[t].state)];
      return (token === 0 ? lambda : 1) * advantage / 2;
    });
    assertSameGradient(got, want, `lambda ${gaeLambda}`);
  }
});

gpuTest(
  "without values ppo still ascends the expected return if gamma and lambda are 1, and else not",
  async (gpu) => {
    const unbiased = await expectedAscent(gpu, ppo, { gamma: 1, gaeLambda: 1 });
    assertSameGradient(unbiased, times(gradient, 1 / 2), "lambda 1");
    const biased = await expectedAscent(gpu, ppo, { gamma: 1, gaeLambda: 0 });
    const want = scoreGradient(table, ({ turns }, t) => turns[t].reward / 2);
    assertSameGradient(biased, want, "lambda 0 sees its own reward alone");
  },
);

gpuTest("vl-dac is ppo with lambda 1 while ratios are 1", async (gpu) => {
  const { values } = exactly(0.9);
  const settings = { gamma: 0.9, gaeLambda: 0.95 };
  const [one, other] = [
    await expectedAscent(gpu, vlDac, settings, { values }),
    await expectedAscent(gpu, ppo, settings, { values }),
  ];
  assertSameGradient(one, other, "vl-dac", 1e-6);
});

gpuTest(
  "token-ppo with exact values ascends the expected return, flat and bi-level, for every lambda",
  async (gpu) => {
    const { values } = exactly(1);
    const context: Partial<LearnContext> = {
      tokenValues: (transitions) =>
        Promise.resolve(transitions.map(({ prompt: [state], response: [first] }) => {
          const at = (state as { ids: readonly number[] }).ids[0];
          return Float32Array.of(values[contextOf(at)], values[contextOf(at, first)]);
        })),
    };
    for (const biLevel of [false, true]) {
      for (const [gaeLambda, tokenLambda] of [[0, 0], [0.5, 1], [0.95, 0.5], [1, 1], [1, 0]]) {
        const settings = { gamma: 1, gaeLambda, tokenGamma: 1, tokenLambda, biLevel };
        const got = await expectedAscent(gpu, tokenPpo, settings, { context });
        assertSameGradient(
          got,
          times(gradient, 1 / 2),
          `${biLevel}, lambdas ${gaeLambda} and ${tokenLambda}`,
        );
      }
    }
  },
);

gpuTest("rloo ascends the expected return, in groups of any size and with either ratio", async (gpu) => {
  for (const ratio of ["response", "token"]) {
    const got = await expectedGroupAscent(gpu, rloo, 2, { ratio });
    assertSameGradient(got, times(gradient, 1 / 2), `pairs, ratio of a ${ratio}, 2 turns an episode`);
  }
  const got = await expectedGroupAscent(gpu, rloo, 4, {}, { others: byReturn });
  assertSameGradient(got, times(gradient, 1 / 2), "groups of 4");
});

gpuTest("dr-grpo ascends (G - 1) / G of the expected return over its fixed length", async (gpu) => {
  for (const [size, others] of [[2, undefined], [4, byReturn]] as const) {
    const settings = { drGrpo: true, fixedLength: 8 };
    const got = await expectedGroupAscent(gpu, grpo, size, settings, { others });
    assertSameGradient(got, times(gradient, (size - 1) / size / 8), `groups of ${size}`);
  }
});

gpuTest(
  "grpo in pairs ascends the chance to win less the chance to lose: its deviation hides by how much",
  async (gpu) => {
    const chance = trajectories.map(({ total }) =>
      trajectories.reduce((sum, other, j) => sum + probabilities[j] * Math.sign(total - other.total), 0)
    );
    const want = gradientBy((at) => expectation(at, (_, i) => chance[i]), table);
    const got = await expectedGroupAscent(gpu, grpo, 2, { dropEqualGroups: false });
    assertSameGradient(got, times(want, 1 / 4), "pairs, 4 tokens an episode");
    const length = Math.hypot(...want) * Math.hypot(...gradient);
    const cosine = want.reduce((sum, value, i) => sum + value * gradient[i], 0) / length;
    assert(cosine < 0.99, `this problem cannot tell grpo's bias: cosine ${cosine}`);
  },
);

gpuTest("grpo's deviation divides every deal by its own", async (gpu) => {
  // By enumeration in f64, of groups of 4.
  const credit = trajectories.map(({ total }) => {
    let sum = 0;
    for (const [a, p] of byReturn) {
      for (const [b, q] of byReturn) {
        for (const [c, r] of byReturn) {
          const returns = [total, ...[a, b, c].map((i) => trajectories[i].total)];
          const center = returns.reduce((x, y) => x + y) / 4;
          const std = Math.sqrt(returns.reduce((x, y) => x + (y - center) ** 2, 0) / 4);
          sum += p * q * r * (total - center) / (std + 1e-6);
        }
      }
    }
    return sum;
  });
  const want = scoreGradient(table, (_, _t, _token, i) => credit[i] / 4);
  const got = await expectedGroupAscent(gpu, grpo, 4, { dropEqualGroups: false }, { others: byReturn });
  assertSameGradient(got, want, "groups of 4");
});

gpuTest("gigpo's second part is (1 - 1/n) of Q - V, n turns having met in a state", async (gpu) => {
  const gamma = 0.7, omega = 1.5;
  const settings = { gamma, omega, normalizeStd: false, dropEqualGroups: false };
  const [with_, without] = [
    await expectedGroupAscent(gpu, gigpo, 2, settings),
    await expectedGroupAscent(gpu, gigpo, 2, { ...settings, omega: 0 }),
  ];
  assertSameGradient(
    without,
    times(gradient, 1 / 2 / 4),
    "the episode's part is (G - 1) / G of the gradient",
  );
  const { values, q } = exactly(gamma);
  // The other episode of the pair meets this one in the second state with the state's probability.
  const meets = (state: number) => expectation(table, ({ turns }) => Number(turns[1].state === state));
  const chances = [1, meets(1), meets(2)];
  const want = scoreGradient(table, ({ turns }, t) => {
    const { state } = turns[t];
    return omega * chances[state] * (1 - 1 / 2) * (q(turns[t]) - values[contextOf(state)]) / 4;
  });
  assertSameGradient(with_.map((value, i) => value - without[i]), want, "the states' part");
});

gpuTest("whitening and the clamp are the iteration's, as the page says", async (gpu) => {
  const got = await expectedAscent(gpu, reinforcePlusPlus, { beta: 0, gamma: 1, advantageClamp: 1 });
  // Moments are of the iteration's tokens: here of all 256 trajectories, each once.
  const all = trajectories.flatMap(({ turns, total }) => [total, total, turns[1].reward, turns[1].reward]);
  const center = all.reduce((x, y) => x + y) / all.length;
  const std = standardDeviation(all);
  const want = scoreGradient(table, ({ turns, total }, t) => {
    const value = ((t === 0 ? total : turns[1].reward) - center) / std;
    return Math.max(-1, Math.min(1, value)) / 4;
  });
  assertSameGradient(got, want, "whitened");
  assertEquals(TOKENS ** 4, trajectories.length);
});
