/** Whole episodes that workers play: the same bytes, fewer messages, and nothing taken on trust. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { findEnvironment, numberLine } from "../../../envs/mod.ts";
import type { Actor } from "../../../rl/actors.ts";
import { findAlgorithm } from "../../../rl/algorithms/mod.ts";
import { resolveConfig } from "../../../rl/config.ts";
import {
  evaluate,
  type EvaluatedTurn,
  type EvaluationSettings,
  type Responder,
} from "../../../rl/evaluation.ts";
import { collectEpisodes, collectRollout, VectorEnv } from "../../../rl/rollout.ts";
import { newAgent } from "../../../rl/setup.ts";
import {
  cutEpisodes,
  EpisodesElsewhere,
  requireSameEpisodes,
  requireSamePlaces,
} from "../../../rl/remote/ahead.ts";
import { encodeResult, type Played, readJob } from "../../../rl/remote/jobs.ts";
import { withTurns } from "../../../rl/remote/life.ts";
import { decodeMessage } from "../../../rl/remote/message.ts";
import { connectTo, programName } from "../../../rl/remote/mod.ts";
import { playEpisodes, playPlaces } from "../../../rl/remote/playing.ts";
import { WeightReader } from "../../../rl/remote/weights.ts";
import { Stopped } from "../../../rl/run/stop.ts";
import { testGpu } from "../../gpu.ts";
import { NatsServer, withNats } from "../../nats.ts";
import { metricsOf, TempFolder, TINY, tinyConfig, trainHere } from "../tiny_run.ts";
import { trainAt, WorkersHere } from "./run_at.ts";

const { rolloutSteps: _, ...tiny } = TINY;
/** Deals are played again and given up, so that what is played depends on earlier episodes. */
const GROUPS = {
  ...{ ...tiny, algorithm: "grpo", groups: 3, groupSize: 4, envs: 8, envSteps: 110 },
  ...{ dealAgain: 0.4, extraGroups: 2, evalEpisodes: 6, sftSteps: 1 },
};

async function trainAlone(out: string, settings: Readonly<Record<string, unknown>>): Promise<string> {
  const algorithm = findAlgorithm(String(settings.algorithm ?? "ppo"));
  const config = resolveConfig(settings, findEnvironment("NumberLine"), algorithm);
  await trainHere(out, config as unknown as Parameters<typeof trainHere>[1]);
  return metricsOf(out);
}

const agent = newAgent(await testGpu(), numberLine, tinyConfig());
agent.vlm.parameters.initialize(0);
const rows = Array.from({ length: 7 }, (_, episodeSeed) => ({ episodeSeed, history: [] }));
const random = Uint32Array.from({ length: 14 }, (_, i) => i % 2 === 0 ? i : 0);
const sampling = { temperature: 1, greedy: false, maxNewTokens: 6 };
const playing = { policy: agent, make: () => numberLine.make(), isStopped: () => false };

Deno.test("episodes are the same however many are played side by side, and pass the learner's check", async () => {
  const alone = await playEpisodes({ ...sampling, rows, random, side: 1 }, playing);
  const beside = await playEpisodes({ ...sampling, rows, random, side: 3 }, playing);
  assertEquals(beside, alone);
  const episodes = await requireSameEpisodes(agent, numberLine.make(), rows, alone as Required<Played>);
  assertEquals(episodes.map(({ length }) => length), alone.turns);
  assertEquals(episodes.flat().map(({ response }) => response), alone.responses);
});

Deno.test("an episode that is cut, goes on, or shows something else is refused by name", async () => {
  const played = await playEpisodes({ ...sampling, rows, random, side: 7 }, playing) as Required<Played>;
  const refused = async (changes: Partial<Played>, says: string) => {
    const env = numberLine.make();
    await assertRejects(
      () => requireSameEpisodes(agent, env, rows, { ...played, ...changes }),
      Error,
      says,
    );
  };
  const [first, ...others] = played.turns;
  const { responses } = played;
  await refused(
    { turns: [first - 1, ...others], responses: responses.toSpliced(first - 1, 1) },
    `it left episode 0 after turn ${first - 1}, before its end`,
  );
  await refused(
    { turns: [first + 1, ...others], responses: responses.toSpliced(first, 0, responses[0]) },
    `it went on after turn ${first}, the last of episode 0`,
  );
  await refused({ prompts: "0".repeat(32) }, "it saw other pictures or prompts");
});

Deno.test("a worker that is stopped leaves an episode between turns", async () => {
  let turns = 0;
  const isStopped = () => turns++ === 2;
  await assertRejects(
    () => playEpisodes({ ...sampling, rows, random, side: 7 }, { ...playing, isStopped }),
    Stopped,
  );
  assertEquals(turns, 3);
});

Deno.test("timers fire between the readbacks of a response", async () => {
  const waiting = { read: () => Promise.resolve([]) };
  let fired = 0;
  const timer = setInterval(() => fired++, 0);
  for (let i = 0; i < 5; i++) await waiting.read();
  assertEquals(fired, 0);
  const gpu = withTurns(waiting, 0);
  for (let i = 0; i < 5; i++) await gpu.read();
  clearInterval(timer);
  assert(fired > 0);
});

Deno.test("episodes are cut into jobs for all workers, none with more than two rounds", () => {
  const plan = (episodes: number) => ({
    seeds: Array.from({ length: episodes }, (_, i) => i),
    random: Uint32Array.from({ length: 2 * episodes }, (_, i) => i),
  });
  const sizes = (episodes: number, side: number, workers: number) =>
    cutEpisodes(plan(episodes), side, workers).map(({ rows }) => rows.length);
  assertEquals(sizes(64, 64, 0), [64]);
  assertEquals(sizes(64, 32, 2), [32, 32]);
  assertEquals(sizes(100, 32, 2), [50, 50]);
  assertEquals(sizes(200, 32, 2), [64, 64, 64, 8]);
  assertEquals(sizes(5, 8, 3), [5]);
  const [, second] = cutEpisodes(plan(6), 3, 2);
  assertEquals([second.rows.map(({ episodeSeed }) => episodeSeed), [...second.random]], [[3, 4, 5], [
    6,
    7,
    8,
    9,
    10,
    11,
  ]]);
});

Deno.test("a turn is found by its deal and its sampler; greedy ones by their deal alone", async () => {
  const response = (id: number) => ({
    ids: [id],
    logprobs: new Float32Array(1),
    entropies: new Float32Array(1),
    value: 0,
  });
  const turns = [0, 1].map((id) => ({
    response: response(id),
    prompt: [{ kind: "text" as const, ids: [id] }],
  }));
  const env = numberLine.make();
  const { observation, info } = env.reset({ seed: 7 });
  const at = (steps: number) => ({
    ...{ env, observation, info },
    played: { episodeSeed: 7, history: Array(steps).fill({ action: 0, isRandom: false }) },
  });
  const part = { rows: [{ episodeSeed: 7, history: [] }], random: Uint32Array.of(5, 0xffff_fffd) };
  const elsewhere = new EpisodesElsewhere();
  elsewhere.add(part, sampling, Promise.resolve([turns.map((turn) => ({ ...turn }))]));
  const second = { ...sampling, random: Uint32Array.of(5, 3) };
  assertEquals(await elsewhere.take([at(1)], second), [turns[1]]);
  // The rollout has its prompt now.
  assertEquals(await elsewhere.take([at(1)], second), [{ ...turns[1], prompt: null }]);
  assertEquals(elsewhere.take([at(0)], second), null);
  assertEquals(elsewhere.take([at(1), at(1)], { ...sampling, random: Uint32Array.of(5, 3, 6, 3) }), null);
  assertEquals(elsewhere.take([at(1)], { ...second, greedy: true }), null);
  elsewhere.add(part, { greedy: true }, Promise.resolve([turns.map((turn) => ({ ...turn }))]));
  assertEquals(await elsewhere.take([at(0)], { ...second, greedy: true }), [turns[0]]);
});

/** Acts as workers do, `side` episodes side by side, and counts who is asked for turns. */
function actorAhead(side: number) {
  const elsewhere = new EpisodesElsewhere();
  const asked = { turns: 0, episodes: 0, places: 0 };
  const actor: Actor = {
    respond: async (situations, settings) => {
      const turns = await elsewhere.take(situations, settings);
      if (turns !== null) {
        return turns.map(({ response, prompt }, i) =>
          agent.decide(situations[i], prompt ?? agent.promptOf(situations[i]), response)
        );
      }
      asked.turns++;
      return await agent.respond(situations, settings);
    },
    playAhead: async (plan) => {
      const { situations: _, seeds, random: __, ...sampling } = plan;
      asked.episodes += seeds.length;
      for (const part of cutEpisodes(plan, side, 2)) {
        const played = await playEpisodes({ ...sampling, ...part, side }, playing);
        const env = numberLine.make();
        elsewhere.add(
          part,
          sampling,
          requireSameEpisodes(agent, env, part.rows, played as Required<Played>),
        );
      }
    },
  };
  const alone: Actor = {
    ...actor,
    playOn: async ({ situations, next, envs, turns: most, ...settings }) => {
      asked.places++;
      const job = {
        ...{ ...settings, side: envs, places: { next, turns: Math.min(most, 3) } },
        rows: situations.map(({ played }) => ({ ...played!, history: [...played!.history] })),
      };
      const played = await playPlaces(job, playing);
      const turns = await requireSamePlaces(
        ...[agent, playing.make, job.rows, job.places, played as Required<Played>] as const,
      );
      elsewhere.addTurns(settings.random, settings, turns);
      return Math.max(...turns.map(({ length }) => length));
    },
  };
  return { actor, alone, asked };
}

Deno.test("a panel has the same turns in the same order when its episodes are played ahead", async () => {
  const played = async (responder: Responder, settings: Partial<EvaluationSettings>) => {
    const turns: EvaluatedTurn[] = [];
    const onTurn = (turn: EvaluatedTurn) => void turns.push(turn);
    const all = { environment: numberLine, seed: 0, ...sampling, envs: 4, episodes: 9, ...settings };
    return { result: await evaluate(responder, { ...all, onTurn }), turns };
  };
  for (
    const [settings, isWhole] of [
      [{ greedy: true }, true],
      [{ greedy: true, samples: 2 }, true],
      [{ greedy: false, episodes: 4 }, true],
      // Where a place's next episode begins in its stream depends on when those before it end.
      [{ greedy: false }, false],
      [{ greedy: false, samples: 2 }, false],
    ] as const
  ) {
    const here = await played(agent, settings);
    const { actor, asked } = actorAhead(3);
    assertEquals(await played(actor, settings), here, JSON.stringify(settings));
    assertEquals(asked.turns === 0 && asked.episodes > 0, isWhole, JSON.stringify(settings));
    const one = actorAhead(3);
    assertEquals(await played(one.alone, settings), here, JSON.stringify(settings));
    assertEquals([one.asked.turns, one.asked.places > 1], [0, !isWhole]);
  }
});

Deno.test("a rollout of whole episodes is the same when they are played ahead", async () => {
  const settings = {
    ...{ ...sampling, lambda: 1, rewardScale: 1, formatPenalty: 1, seed: 5, firstEpisode: 8, envs: 4 },
    ...{ deals: [3, 3, 9, 9, 4, 4], keepsShape: true },
  };
  const { actor, asked } = actorAhead(4);
  const make = () => numberLine.make();
  assertEquals(
    await collectEpisodes(agent, make, { ...settings, actor }),
    await collectEpisodes(agent, make, settings),
  );
  assertEquals(asked, { turns: 0, episodes: 6, places: 0 });
});

Deno.test("two rollouts of turns are the same when one who has all places plays them on", async () => {
  const settings = { ...sampling, lambda: 1, rewardScale: 1, formatPenalty: 1, seed: 5, steps: 7 };
  const collected = async (actor: Actor) => {
    const vectorEnv = new VectorEnv(numberLine, 4, 5);
    const rollouts = [];
    for (const stepsBefore of [0, 7]) {
      rollouts.push(await collectRollout(agent, vectorEnv, { ...settings, actor, stepsBefore }));
    }
    return { rollouts, saved: vectorEnv.save() };
  };
  const { alone, asked } = actorAhead(4);
  assertEquals(await collected(alone), await collected(agent));
  // Three turns each, and one.
  assertEquals(asked, { turns: 0, episodes: 0, places: 6 });
});

Deno.test("a place that is left early, goes on, or shows something else is refused by name", async () => {
  const places = { turns: 9, next: [70, 71] };
  const job = { ...sampling, rows: rows.slice(0, 3), random: random.slice(0, 6), side: 3 };
  const played = await playPlaces({ ...job, places }, playing) as Required<Played>;
  const { responses, turns: [first, ...others] } = played;
  const refused = (changes: Partial<Played>, says: string) =>
    assertRejects(
      () => requireSamePlaces(agent, playing.make, job.rows, places, { ...played, ...changes }),
      SyntaxError,
      says,
    );
  await requireSamePlaces(agent, playing.make, job.rows, places, played);
  await refused(
    { turns: [first - 1, ...others], responses: responses.toSpliced(first - 1, 1) },
    `it left place 0 after turn ${first - 1}, before its end`,
  );
  await refused(
    { turns: [first + 1, ...others], responses: responses.toSpliced(first, 0, responses[0]) },
    `it went on after turn ${first}, the last of place 0`,
  );
  await refused({ prompts: "0".repeat(32) }, "it saw other pictures or prompts");
});

Deno.test("groups of episodes are the same with any number of workers, in a few jobs", withNats, async () => {
  using temp = new TempFolder();
  await using server = await NatsServer.start();
  const { klStop: _, ...imitating } = tiny;
  const few = { sftSteps: 1, evalEpisodes: 1 };
  const experts = { ...imitating, ...few, algorithm: "expert-iteration", groups: 6, envSteps: 60 };
  const turns = { ...TINY, ...few, algorithm: "ppo" };
  for (
    const { settings, workers } of [
      { settings: GROUPS, workers: Deno.args.includes("--all") ? [1, 2, 5] : [3] },
      { settings: experts, workers: [2] },
      // One worker plays all turns of an iteration.
      { settings: turns, workers: [1] },
    ]
  ) {
    const { algorithm } = settings;
    const alone = await trainAlone(`${temp.path}/${algorithm}`, settings);
    const iterations = alone.split("\n").filter((line) => line.includes('"stage":"rl"')).length;
    assert(iterations > 1, `${iterations} iterations`);
    for (const count of workers) {
      const notes: string[] = [];
      const out = `${temp.path}/${algorithm}-${count}`;
      await using here = new WorkersHere(server, Array.from({ length: count }, (_, i) => `w${i}`));
      const run = trainAt(server, out, settings, { onNote: (text) => notes.push(text) });
      await Promise.race([run, here.failed]);
      assertEquals(metricsOf(out), alone, `${algorithm} with ${count}`);
      const [, jobs] = notes.join("\n").match(/(\d+) jobs by/)!;
      // Four panels, and for each iteration its groups and up to two further ones: a job for every worker, two if it is narrow.
      const [most, least] = [2 * count * (4 + 3 * iterations), 4 + iterations];
      assert(Number(jobs) >= least && Number(jobs) <= most, `${jobs} jobs, ${iterations} iterations`);
      if (algorithm === "ppo") assertEquals(Number(jobs), least);
    }
  }
});

Deno.test(
  "a worker that dies amid episodes, one that ends them early, and a late one change no byte",
  withNats,
  async () => {
    using temp = new TempFolder();
    await using server = await NatsServer.start();
    const settings = { ...GROUPS, envSteps: 12, evalEpisodes: 4 };
    const alone = await trainAlone(`${temp.path}/alone`, settings);
    const notes: string[] = [];
    const out = `${temp.path}/shared`;
    const run = trainAt(server, out, { ...settings, jobTimeout: 1 }, { onNote: (text) => notes.push(text) });
    await using exchange = await connectTo(server.url, { flag: "--nats", note: () => {} });
    while (!(await exchange.runs()).includes("shared")) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const queues = await exchange.open("shared");
    const taken = async () => {
      for (;;) {
        const job = await queues.take("jobs");
        if (job !== null) return job;
      }
    };
    // The first job is a panel's. Whoever takes it first is never heard of again.
    const dead = await taken();
    const job = readJob(await decodeMessage(dead.bytes));
    assert(job.side !== undefined && job.rows.length === 4);
    // docs/scale.md has 250 bytes for a job without its rows.
    assert(Math.abs(dead.bytes.length - 16 * job.rows.length - 250) < 20, `${dead.bytes.length}`);
    const liar = { name: "liar", ponder: await programName(), adapter: "x" };
    const { digest } = await new WeightReader(queues).read(job.version);
    const one = { ids: [3], logprobs: new Float32Array(1), entropies: new Float32Array(1), value: 0 };
    const result = (turns: number[]) =>
      encodeResult({
        ...{ id: job.id, worker: liar, weights: digest, ms: 1 },
        outcome: { responses: turns.flatMap((count) => Array(count).fill(one)), turns, prompts: "p" },
      });
    await queues.publish("results", "early", await result([1, 1, 1, 1]));
    // It comes again, since the answer was refused, and then since nobody is done with the first.
    await using here = new WorkersHere(server, ["honest"]);
    await Promise.race([run, here.failed]);
    assertEquals(metricsOf(out), alone, notes.join("\n"));
    const said = notes.join("\n");
    assertStringIncludes(said, "Cannot use what worker liar sent: it left episode ");
    assertStringIncludes(said, `another worker gets job ${job.id}`);
  },
);
