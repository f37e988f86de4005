/** Runs by kinds of algorithms: what they keep from one iteration to the next, reuse of plans, what an environment must have. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { AdamW } from "../../../model/mod.ts";
import {
  defineEnvironment,
  type EnvironmentDefinition,
  findEnvironment,
  gridPicture,
  numberLine,
} from "../../../envs/mod.ts";
import { type Algorithm, algorithms, learn } from "../../../rl/algorithms/mod.ts";
import { type GivenSettings, resolveConfig, type TrainConfig } from "../../../rl/config.ts";
import { UsageError } from "../../../rl/cli/mod.ts";
import { learnContext } from "../../../rl/reference.ts";
import { collectEpisodes, collectRollout, VectorEnv } from "../../../rl/rollout.ts";
import { newAgent } from "../../../rl/setup.ts";
import { gpuTest } from "../../gpu.ts";
import { metricsOf, TempFolder, trainHere } from "../tiny_run.ts";

/** 8 episodes an iteration, 3 iterations or so of an untrained model whose actions are drawn at random. */
const TINY: GivenSettings = {
  preset: "pico",
  cot: false,
  maxNewTokens: 6,
  sftSteps: 4,
  sftBatch: 8,
  demonstrations: 32,
  envs: 4,
  envSteps: 200,
  groups: 2,
  groupSize: 4,
  minibatch: 8,
  epochs: 1,
  evalEpisodes: 2,
};
const tiny = (name: string, changes: GivenSettings = {}, environment: EnvironmentDefinition = numberLine) =>
  resolveConfig(
    { ...TINY, algorithm: name, ...changes },
    environment,
    algorithms[name],
  ) as unknown as TrainConfig;

// deno-lint-ignore no-explicit-any -- the stages' lines have different keys
const linesOf = (run: string): any[] => metricsOf(run).trimEnd().split("\n").map((line) => JSON.parse(line));

gpuTest("what was remembered is trained on again in the next iteration", async () => {
  using temp = new TempFolder();
  await trainHere(`${temp.path}/run`, tiny("expert-iteration", { envSteps: 128 }));
  const iterations = linesOf(`${temp.path}/run`).filter(({ stage }) => stage === "rl");
  assert(iterations.length >= 2, `${iterations.length} iterations`);
  assert(iterations[1].kept > 0, "nothing was remembered");
});

// Every other algorithm, and all that is kept from one iteration to the next: ../run/resume_algorithms_test.ts.
gpuTest(
  "an algorithm with a reference goes on to the byte where it stopped, long after the warm start",
  async () => {
    using temp = new TempFolder();
    const [whole, halved] = [`${temp.path}/whole`, `${temp.path}/halved`];
    await trainHere(whole, tiny("reinforce++"));
    const lines = linesOf(whole);
    const iterations = lines.filter(({ stage }) => stage === "rl");
    assert(iterations.length >= 3, `${iterations.length} iterations`);
    const [first, ...later] = iterations.map(({ referenceK1 }) => Math.abs(referenceK1));
    assert(first < 1e-5, `the warm start differs from itself by ${first}`);
    assert(later.every((k1) => k1 > 1e-4), `the policy moved by ${later}`);

    const stopAt = lines.findIndex(({ stage }) => stage === "rl") + 2; // after its second iteration
    await trainHere(halved, tiny("reinforce++"), (soFar) => soFar >= stopAt);
    assertEquals(linesOf(halved).length, stopAt);
    await trainHere(halved, tiny("reinforce++", { resume: true }));
    assertEquals(metricsOf(halved), metricsOf(whole));
  },
);

gpuTest(
  "a second iteration of a group algorithm traces no new plan, whichever deals it leaves out",
  async (gpu) => {
    for (const name of ["rloo", "grpo", "gigpo", "reinforce++"]) {
      const config = tiny(name, { preset: "nano", minibatch: 4, temperature: 1 });
      const agent = newAgent(gpu, numberLine, config);
      const optimizer = new AdamW(gpu, agent.parameters, () => ({
        learningRateScale: 1,
        weightDecay: 0,
        clipGroup: "policy",
      }));
      const rollout = await collectEpisodes(agent, () => numberLine.make(), {
        ...config,
        lambda: 1,
        deals: [0, 0, 0, 0, 1, 1, 1, 1],
        firstEpisode: 0,
        envs: 8,
      });
      // Responses of an untrained model are cut at the same length.
      const lengths = new Set(rollout.transitions.map(({ response }) => response.length));
      assertEquals(lengths, new Set([config.maxNewTokens]));
      const iterate = (iteration: number, transitions = rollout.transitions) =>
        learn(algorithms[name] as Algorithm, { ...rollout, transitions }, config, {
          ...learnContext(agent, optimizer, { iteration, learningRate: 0 }),
        });
      await iterate(0);
      const traced = gpu.plans.traced;
      await iterate(1);
      // The second deal's episodes now all return the same.
      const [kept] = rollout.trajectories.filter(({ deal }) => deal === 0).slice(-1);
      const transitions = rollout.transitions.map((transition, i) =>
        i > kept.turns.at(-1)! ? { ...transition, reward: 0 } : transition
      );
      await iterate(2, transitions);
      assertEquals(gpu.plans.traced, traced, name);
      optimizer.dispose();
    }
  },
);

gpuTest("exact credit is logged when it is asked for, by every algorithm and nowhere else", async () => {
  for (
    const [name, changes] of [["ppo", { rolloutSteps: 4 }], ["gigpo", {}], ["expert-iteration", {}]] as const
  ) {
    using temp = new TempFolder();
    const given = { ...TINY, ...changes, envSteps: 32, exactCredit: true } as GivenSettings;
    if (name === "ppo") {
      ["groups", "groupSize"].forEach((key) => delete (given as Record<string, unknown>)[key]);
    }
    const config = resolveConfig(
      { ...given, algorithm: name },
      numberLine,
      algorithms[name],
    ) as unknown as TrainConfig;
    await trainHere(temp.path + "/run", config);
    const lines = metricsOf(temp.path + "/run").trimEnd().split("\n").map((line) => JSON.parse(line));
    const [first] = lines.filter(({ stage }) => stage === "rl");
    assert(first.regret > 0 && first.regret < 2, `${name}: regret ${first.regret}`);
    if (name === "expert-iteration") assertEquals(first.advantageCosine, null);
    else assert(Math.abs(first.advantageCosine) <= 1 && first.advantageCosine !== 0, name);
  }
});

gpuTest(
  "the supervised term asks the solver in the states that were visited, and its loss falls",
  async (gpu) => {
    const ppoGiven: GivenSettings = {
      ...Object.fromEntries(
        Object.entries(TINY).filter(([name]) => name !== "groups" && name !== "groupSize"),
      ),
      preset: "nano",
      rolloutSteps: 4,
      envSteps: 128,
      klStop: 100,
      learningRate: 1e-3,
      correctionCoefficient: 1,
    };
    const config = resolveConfig(ppoGiven, numberLine);
    const agent = newAgent(gpu, numberLine, config);
    const env = numberLine.make();
    const { transitions } = await collectRollout(agent, new VectorEnv(numberLine, 4, 0), {
      ...config,
      steps: 4,
      stepsBefore: 0,
      corrects: true,
    });
    for (const { correction, state } of transitions) {
      const [current, target] = state.split(" ").map(Number);
      const { action } = env.parse(agent.decode(correction!).text);
      assertEquals(env.actions[action!], current < target ? "+" : "-", state);
    }

    using temp = new TempFolder();
    await trainHere(`${temp.path}/run`, config);
    const lines = metricsOf(`${temp.path}/run`).trimEnd().split("\n").map((line) => JSON.parse(line));
    const losses = lines.filter(({ stage }) => stage === "rl").map(({ correctionLoss }) => correctionLoss);
    assertEquals(losses.length, 8);
    assert(losses.at(-1) < 0.8 * losses[0], `${losses}`);
  },
);

/** An environment of two doors that lacks all that is optional. */
const doors = defineEnvironment({
  name: "Doors",
  actions: ["left", "right"],
  reset: (random) => ({ winning: random.integer(2) }),
  step: (state, action) => ({ state, reward: Number(action === state.winning), terminated: true }),
  render: () => gridPicture(["."], { ".": [240, 240, 240] }),
});

Deno.test("what an environment lacks is said before training, and what else would do", () => {
  const given = { demonstrations: 0, perceptionGate: 0, envs: 4 } as const;
  const resolve = (environment: EnvironmentDefinition, changes: GivenSettings) =>
    resolveConfig({ ...given, ...changes }, environment, algorithms[changes.algorithm ?? "ppo"]);
  assertThrows(
    () => resolve(doors, { correctionCoefficient: 0.1, minibatch: 32 }),
    UsageError,
    "Cannot demonstrate Doors: its definition has no solver; use --correction-coefficient 0",
  );
  assertThrows(
    () => resolve(doors, { exactCredit: true, minibatch: 32 }),
    UsageError,
    "Cannot use --exact-credit in Doors: its definition has no actionValues",
  );
  // A reset that does not follow its seed.
  const stray = {
    ...numberLine,
    make: () => {
      const env = numberLine.make();
      const reset = env.reset.bind(env);
      env.reset = () => reset({ seed: 1 + stray.count++ });
      return env;
    },
    count: 0,
  };
  for (const algorithm of ["rloo", "grpo", "gigpo", "expert-iteration"]) {
    assertThrows(
      () => resolve(stray, { algorithm }),
      UsageError,
      `Cannot use ${algorithm} in NumberLine: its reset does not follow the seed; ` +
        "draw everything from the stream that reset is given, or use an algorithm that shares no deal, such as ppo",
    );
    resolve(findEnvironment("NumberLine"), { algorithm });
  }
  resolve(findEnvironment("Blackjack"), { exactCredit: true, envs: 32, minibatch: 32 });
  resolve(stray, { algorithm: "ppo", minibatch: 32 });
  resolve(stray, { algorithm: "reinforce++" });
});

Deno.test("groups that cannot be compared are refused", () => {
  const resolve = (algorithm: string, changes: GivenSettings) =>
    resolveConfig({ algorithm, ...changes }, numberLine, algorithms[algorithm]);
  for (const name of ["rloo", "grpo", "gigpo"]) {
    assertThrows(
      () => resolve(name, { groupSize: 1 }),
      UsageError,
      `Cannot use ${name} with --group-size 1: an episode needs others of its deal, use 2 or more`,
    );
  }
  assertThrows(
    () => resolve("reinforce++", { groupSize: 1, snrFilter: 0.5 }),
    UsageError,
    "Cannot use --snr-filter with --group-size 1: one episode of a deal has no variance, use 2 or more",
  );
  resolve("reinforce++", { groupSize: 2, snrFilter: 0.5 });
  assertThrows(
    () => resolve("reinforce++", { groupSize: 1, dealAgain: 0.5 }),
    UsageError,
    "Cannot use --deal-again with",
  );
});
