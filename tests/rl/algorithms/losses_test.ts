/** What every algorithm's loss is made of: clips, guard, weights, filters, and the terms beside the policy loss, in f64. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { Gpu } from "../../../kernels/gpu/mod.ts";
import { AdamW } from "../../../model/mod.ts";
import { type Algorithm, algorithms, grpo, learn, ppo, rloo } from "../../../rl/algorithms/mod.ts";
import type { ObjectiveSettings, Sample } from "../../../rl/objective.ts";
import { learnContext } from "../../../rl/reference.ts";
import type { Transition } from "../../../rl/rollout.ts";
import { gpuTest } from "../../gpu.ts";
import {
  ascent,
  assertSameGradient,
  type Changes,
  partOf,
  plainSettings,
  referenceOf,
  TablePolicy,
} from "./table_policy.ts";
import {
  contextOf,
  gradientBy,
  logprobsOf,
  placesOf,
  rolloutOf,
  someTable,
  TOKENS,
  trajectories,
  transitionsOf,
} from "./table_problem.ts";

const table = someTable();
const reference = someTable(2);
const all = transitionsOf(table, { lambda: 1 });
const any = (algorithm: unknown) => algorithm as Algorithm;

const objective = {
  temperature: 1,
  ratio: "token",
  clipLow: 0.2,
  clipHigh: 0.28,
  ratioGuard: 3,
  values: "none",
  valueClip: 0,
  valueCoefficient: 0,
  entropyCoefficient: 0,
  klCoefficient: 0,
  correctionCoefficient: 0,
} as const satisfies ObjectiveSettings;

/** Ratios at both sides of every edge, and whether a gradient flows. */
const EDGES: readonly (readonly [ratio: number, advantage: number, isLive: boolean])[] = [
  [1.27, 1, true],
  [1.29, 1, false], // over the high clip
  [1.29, -1, true],
  [0.81, -1, true],
  [0.79, -1, false], // under the low clip
  [0.79, 1, true],
  [2.9, -1, true],
  [3.1, -1, false], // over the guard
];

gpuTest(
  "low clip, high clip and guard stop the gradient just beyond their edges, for either ratio",
  async (gpu) => {
    const policy = new TablePolicy(gpu, table);
    const logprobs = logprobsOf(table);
    // Each case has a context of its own, so that the table's row shows its gradient.
    const turns = EDGES.map((_, k) => {
      const [state, first] = [k % 2, k >> 1];
      const found = all.flat().find(({ state: own, response }) =>
        own === String(state) && response[0] === first
      )!;
      return { transition: found, place: contextOf(state, first) * TOKENS + found.response[1] };
    });
    for (const ratio of ["token", "response"] as const) {
      const samples = EDGES.map(([shift, advantage], k): Sample => {
        const { transition, place } = turns[k];
        const behaviour = logprobs[place] - Math.log(shift);
        return {
          transition: {
            ...transition,
            weights: Float32Array.of(0, 1),
            logprobs: Float32Array.of(transition.logprobs[0], behaviour),
            logPi: behaviour,
          },
          advantage: ratio === "token" ? Float32Array.of(0, advantage) : advantage,
        };
      });
      const { ascent, losses } = await partOf(policy, samples, { ...objective, ratio });
      const want = new Float64Array(ascent.length);
      const surrogates = EDGES.map(([shift, advantage, isLive], k) => {
        const { place } = turns[k];
        const row = place - place % TOKENS;
        const flow = isLive ? shift * advantage / EDGES.length : 0;
        want[place] += flow;
        for (let token = 0; token < TOKENS; token++) {
          want[row + token] -= flow * Math.exp(logprobs[row + token]);
        }
        const guarded = Math.min(shift, 3);
        return Math.min(guarded * advantage, Math.max(0.8, Math.min(1.28, guarded)) * advantage);
      });
      assertSameGradient(ascent, want, ratio);
      assertAlmostEquals(losses.policyLoss, -surrogates.reduce((x, y) => x + y) / EDGES.length, 1e-5);
    }
  },
);

/** Samples with every kind of term. */
async function fullSamples(count: number): Promise<Sample[]> {
  const transitions = all.flat().slice(100, 100 + count)
    .map((transition, i): Transition => ({ ...transition, correction: [i % TOKENS, (i >> 2) % TOKENS] }));
  const references = await referenceOf(reference)(transitions);
  return transitions.map((transition, i) => ({
    transition,
    advantage: Math.sin(i),
    weight: 1 + i % 3,
    reference: references[i],
  }));
}
const full = { ...objective, entropyCoefficient: 0.1, klCoefficient: 0.2, correctionCoefficient: 0.3 };

gpuTest("turns that only fill a minibatch weigh nothing in any term", async (gpu) => {
  const policy = new TablePolicy(gpu, table);
  for (const ratio of ["token", "response"] as const) {
    const samples = await fullSamples(12);
    const fillers = samples.slice(0, 4).map((sample) => ({ ...sample, weight: 0 }));
    const bare = await partOf(policy, samples, { ...full, ratio }, 16);
    const filled = await partOf(policy, [...samples, ...fillers], { ...full, ratio });
    assertSameGradient(filled.ascent, bare.ascent, ratio, 1e-6);
    for (const [name, value] of Object.entries(bare.losses)) {
      assertAlmostEquals(filled.losses[name], value, 1e-6, name);
    }
    assertEquals(Object.keys(bare.losses).length, 4);
  }
});

gpuTest("the mean of two minibatches' gradients is that of the whole", async (gpu) => {
  const policy = new TablePolicy(gpu, table);
  for (const ratio of ["token", "response"] as const) {
    const samples = await fullSamples(16);
    const whole = await partOf(policy, samples, { ...full, ratio });
    const halves = [
      await partOf(policy, samples.slice(0, 8), { ...full, ratio }),
      await partOf(policy, samples.slice(8), { ...full, ratio }),
    ];
    const mean = halves[0].ascent.map((value, i) => (value + halves[1].ascent[i]) / 2);
    assertSameGradient(mean, whole.ascent, ratio, 1e-6);
  }
});

/** Algorithms with policy ratios, and what their loss weighs a turn by: episodes have 2 turns and 4 tokens. */
const WEIGHTS: Readonly<Record<string, number>> = {
  "ppo": 1,
  "vl-dac": 1,
  "token-ppo": 1,
  "reinforce++": 1 / 2,
  "rloo": 1,
  "grpo": 1 / 2,
  "gigpo": 1 / 2,
};

/** What a setting adds to an algorithm's ascent, over all trajectories as one deal, each once. */
async function addedBy(gpu: Gpu, algorithm: Algorithm, setting: Changes): Promise<Float64Array> {
  const policy = new TablePolicy(gpu, table);
  const corrected = all.map((turns) =>
    turns.map((transition) => ({ ...transition, correction: correctionIn(transition) }))
  );
  const rollout = rolloutOf(corrected, () => 0);
  const context = {
    referenceLogprobs: referenceOf(reference),
    tokenValues: (transitions: readonly Transition[]) =>
      Promise.resolve(transitions.map(() => new Float32Array(2))),
  };
  const settings = { dropEqualGroups: false, ...setting };
  const [with_, without] = [
    await ascent(policy, algorithm, rollout, settings, { context }),
    await ascent(policy, algorithm, rollout, { dropEqualGroups: false }, { context }),
  ];
  return with_.map((value, i) => value - without[i]);
}

const correctionIn = ({ state }: Transition) => [Number(state), 3 - Number(state)];
const turns = trajectories.flatMap((trajectory) => trajectory.turns);
const sumOver = (values: readonly number[]) => values.reduce((x, y) => x + y, 0);

Deno.test("every algorithm with policy ratios is in this file's table", () => {
  const withRatios = Object.values(algorithms).filter(({ learn }) => learn === undefined).map(({ name }) =>
    name
  );
  assertEquals(withRatios.toSorted(), Object.keys(WEIGHTS).toSorted());
});

gpuTest(
  "the KL term's gradient is that of KL(ref || pi) in the contexts visited, for every algorithm",
  async (gpu) => {
    const other = logprobsOf(reference);
    const divergence = (at: ArrayLike<number>) => {
      const own = logprobsOf(at), now = logprobsOf(table);
      // Turns are weighed by how often this policy takes them: contexts are visited as it visits them.
      return sumOver(trajectories.flatMap((trajectory) => {
        const places = trajectory.turns.flatMap(placesOf);
        const probability = Math.exp(sumOver(places.map((place) => now[place])));
        return places.map((place) => {
          const row = place - place % TOKENS;
          const each = Array.from({ length: TOKENS }, (_, token) => row + token);
          return probability * sumOver(each.map((i) => Math.exp(other[i]) * (other[i] - own[i])));
        });
      }));
    };
    // On all trajectories, weighed by their probability: the expectation.
    const policy = new TablePolicy(gpu, table);
    const logprobs = logprobsOf(table);
    const samples = async () => {
      const transitions = all.flat();
      const references = await referenceOf(reference)(transitions);
      return transitions.map((transition, i): Sample => {
        const places = trajectories[i >> 1].turns.flatMap(placesOf);
        const weight = transitions.length * Math.exp(sumOver(places.map((place) => logprobs[place])));
        return { transition, advantage: 0, weight, reference: references[i] };
      });
    };
    const { ascent } = await partOf(policy, await samples(), { ...objective, klCoefficient: 0.7 });
    assertSameGradient(ascent, gradientBy((at) => -0.7 * divergence(at), table), "in expectation");

    // And in every algorithm: on each trajectory once, k3's own gradient, weighed as the policy loss is.
    const k3 = (at: ArrayLike<number>) => {
      const own = logprobsOf(at);
      return sumOver(
        turns.flatMap(placesOf).map((place) => {
          const d = other[place] - own[place];
          return Math.exp(d) - d - 1;
        }),
      ) / turns.length;
    };
    const want = gradientBy((at) => -0.7 * k3(at), table);
    for (const [name, weight] of Object.entries(WEIGHTS)) {
      const got = await addedBy(gpu, algorithms[name], { klCoefficient: 0.7 });
      assertSameGradient(got, want.map((value) => value * weight), name, 1e-4);
    }
  },
);

gpuTest(
  "the entropy bonus ascends the mean entropy of the response tokens, for every algorithm",
  async (gpu) => {
    const entropy = (at: ArrayLike<number>) => {
      const own = logprobsOf(at);
      return sumOver(
        turns.flatMap(placesOf).map((place) => {
          const row = place - place % TOKENS;
          return -sumOver(Array.from({ length: TOKENS }, (_, t) => Math.exp(own[row + t]) * own[row + t]));
        }),
      ) / turns.length / 2;
    };
    const want = gradientBy((at) => 0.5 * entropy(at), table);
    for (const name of Object.keys(WEIGHTS)) {
      const got = await addedBy(gpu, algorithms[name], { entropyCoefficient: 0.5 });
      assertSameGradient(got, want, name, 1e-4);
    }
  },
);

gpuTest("the supervised term ascends log p of the corrections' tokens, for every algorithm", async (gpu) => {
  const imitation = (at: ArrayLike<number>) => {
    const own = logprobsOf(at);
    return sumOver(
      all.flat().flatMap((transition) => {
        const state = Number(transition.state);
        const [first, second] = correctionIn(transition);
        return placesOf({ state, tokens: [first, second], reward: 0 }).map((place) => own[place]);
      }),
    ) / turns.length / 2;
  };
  const want = gradientBy((at) => 0.4 * imitation(at), table);
  for (const name of Object.keys(WEIGHTS)) {
    const got = await addedBy(gpu, algorithms[name], { correctionCoefficient: 0.4 });
    assertSameGradient(got, want, name, 1e-4);
  }
});

gpuTest("the supervised term alone makes the corrections likely", async (gpu) => {
  const policy = new TablePolicy(gpu, table);
  const optimizer = new AdamW(gpu, policy.parameters, () => ({
    learningRateScale: 1,
    weightDecay: 0,
    clipGroup: "policy",
  }));
  const corrected = all.map((turns) =>
    turns.map((transition) => ({ ...transition, reward: 0, correction: correctionIn(transition) }))
  );
  const settings = plainSettings(any(ppo), {
    correctionCoefficient: 1,
    minibatch: 64,
    epochs: 4,
    ratioGuard: 1e9,
  });
  const run = (learningRate: number) =>
    learn(
      any(ppo),
      rolloutOf(corrected, (e) => e),
      settings,
      learnContext(policy, optimizer, { learningRate }),
    );
  const { correctionLoss: before } = await run(0);
  await run(0.1);
  const words = await policy.parameters.toHost();
  const now = logprobsOf(words.get("table")!.data);
  const after = -sumOver(
    all.flat().flatMap((transition) => {
      const [first, second] = correctionIn(transition);
      return placesOf({ state: Number(transition.state), tokens: [first, second], reward: 0 }).map((p) =>
        now[p]
      );
    }),
  ) / turns.length / 2;
  assert(after < before! / 4, `${before} nats before, ${after} after`);
  optimizer.dispose();
});

const equal = [0, 0, 5, 5].map((i) => all[i]); // two deals, all returns alike within each
const unequal = (deal: number[]) => deal.map((i) => all[i]);

gpuTest(
  "a deal whose episodes returned the same has no gradient, and is left out when asked",
  async (gpu) => {
    const rollout = rolloutOf(equal, (e) => e >> 1);
    const pairs = (algorithm: unknown, changes: Changes = {}) => {
      const policy = new TablePolicy(gpu, table);
      return ascent(policy, any(algorithm), rollout, { minibatch: 8, groupSize: 2, ...changes });
    };
    const zero = new Float64Array(table.length);
    assertEquals(await pairs(rloo), zero);
    assertEquals(await pairs(grpo, { dropEqualGroups: true }), zero);
    assertEquals((await pairs(grpo, { dropEqualGroups: false })).map(Math.abs), zero);

    const policy = new TablePolicy(gpu, table);
    const optimizer = new AdamW(gpu, policy.parameters, () => ({
      learningRateScale: 1,
      weightDecay: 0,
      clipGroup: "policy",
    }));
    const settings = plainSettings(any(grpo), { dapo: true, groupSize: 2, minibatch: 8 });
    const metrics = await learn(
      any(grpo),
      rollout,
      settings,
      learnContext(policy, optimizer, { learningRate: 0.1 }),
    );
    const { updates, groupsKept } = metrics as Record<string, number>;
    assertEquals([updates, groupsKept], [0, 0]);
    assertEquals((await policy.parameters.toHost()).get("table")!.data, table);
    optimizer.dispose();
  },
);

gpuTest(
  "the SNR filter learns from the deals of largest variance alone, in minibatches of the same shape",
  async (gpu) => {
    const of = (total: number) => trajectories.findIndex((t) => t.total === total);
    const wide = unequal([of(1.5), of(-0.5)]), narrow = unequal([of(0.5), of(0)]);
    const run = (name: string, episodes: Transition[][], changes: Changes) => {
      const policy = new TablePolicy(gpu, table);
      const rollout = rolloutOf(episodes, (e) => e >> 1);
      const context = { referenceLogprobs: referenceOf(reference) };
      return ascent(policy, algorithms[name], rollout, { minibatch: 8, groupSize: 2, ...changes }, {
        context,
      });
    };
    for (const name of ["reinforce++", "rloo", "grpo", "gigpo"]) {
      const alone = await run(name, wide, {});
      const filtered = await run(name, [...narrow, ...wide], { snrFilter: 0.9 });
      assertSameGradient(filtered, alone, name, 1e-6);
      const unfiltered = await run(name, [...narrow, ...wide], {});
      assert(unfiltered.some((value, i) => Math.abs(value - alone[i]) > 1e-3), name);
    }
    const listing = Object.values(algorithms).filter(({ options }) => "snrFilter" in options);
    assertEquals(listing.map(({ name }) => name).toSorted(), ["gigpo", "grpo", "reinforce++", "rloo"]);
  },
);
