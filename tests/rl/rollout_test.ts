/** Vectorised environments and what a rollout keeps of each step. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { numberLine } from "../../envs/mod.ts";
import { collectRollout, type RolloutSettings, samplerState, VectorEnv } from "../../rl/rollout.ts";
import { newAgent } from "../../rl/setup.ts";
import { gpuTest } from "../gpu.ts";
import { tinyConfig } from "./tiny_run.ts";

const settings: RolloutSettings = {
  steps: 3,
  lambda: 0.3,
  temperature: 1,
  maxNewTokens: 8,
  rewardScale: 0.1,
  formatPenalty: 0,
  seed: 5,
  stepsBefore: 0,
};

/** Actions that end some episodes; null draws one at random. */
const ACTIONS = [1, 1, null, 0, 1, null, 1, 0, 0, 1, null, 1];

Deno.test("environments restored from a checkpoint go on as if they had never stopped", () => {
  const whole = new VectorEnv(numberLine, 3, 7);
  const play = (vectorEnv: VectorEnv, from: number, to: number) =>
    ACTIONS.slice(from, to).flatMap((action) =>
      [0, 1, 2].map((slot) => {
        const { reward, action: taken, outcome } = vectorEnv.step(slot, action);
        return { reward, taken, outcome };
      })
    );
  play(whole, 0, 6);
  const state = JSON.parse(JSON.stringify(whole.save()));
  const restored = new VectorEnv(numberLine, 3, 7);
  restored.restore(state.slots, state.episodes);
  assertEquals(restored.save(), whole.save());
  assertEquals(restored.slots.map(({ info }) => info), whole.slots.map(({ info }) => info));
  assertEquals(play(restored, 6, 12), play(whole, 6, 12));
  assertEquals(restored.save(), whole.save());
});

Deno.test("a copy of a slot shows the state of when it was made", () => {
  const vectorEnv = new VectorEnv(numberLine, 1, 0);
  const [slot] = vectorEnv.slots;
  const copy = { ...slot };
  const { observation, info } = numberLine.make().reset({ seed: 0 });
  const { final, outcome } = vectorEnv.step(0, 0);
  assertEquals([copy.observation, copy.info, copy.episodeSeed], [observation, info, 0]);
  assertEquals(outcome, null);
  assertEquals([slot.observation, slot.info], [final.observation, final.info]);
  assert(final.observation !== copy.observation);
});

Deno.test("no two episodes of a run have one seed", () => {
  const vectorEnv = new VectorEnv(numberLine, 4, 2);
  const seeds = new Set(vectorEnv.slots.map(({ episodeSeed }) => episodeSeed));
  let episodes = seeds.size;
  for (let step = 0; step < 40; step++) {
    for (let slot = 0; slot < 4; slot++) {
      if (vectorEnv.step(slot, null).outcome === null) continue;
      seeds.add(vectorEnv.slots[slot].episodeSeed);
      episodes++;
    }
  }
  assert(episodes > 10);
  assertEquals(seeds.size, episodes);
});

Deno.test("rows of a batch sample from different streams, steps from different counters", () => {
  const first = samplerState(64, 3, 0), later = samplerState(64, 3, 16), other = samplerState(64, 4, 0);
  const seeds = (state: Uint32Array) => [...state].filter((_, i) => i % 2 === 0);
  assertEquals(new Set(seeds(first)).size, 64);
  assertEquals(seeds(first), seeds(later));
  assertEquals([...later].filter((_, i) => i % 2 === 1), Array(64).fill(16));
  assertEquals(new Set([...seeds(first), ...seeds(other)]).size, 128);
});

gpuTest(
  "a transition holds what replays it: weighted log-probabilities, scaled reward, sampler state",
  async (gpu) => {
    const agent = newAgent(gpu, numberLine, tinyConfig());
    const vectorEnv = new VectorEnv(numberLine, 4, 0);
    const { transitions, bootstrapValues, episodes } = await collectRollout(agent, vectorEnv, settings);
    assertEquals(transitions.length, 12);
    transitions.forEach((transition, i) => {
      const { response, logprobs, weights, logPi, isParsed, actionSpan, reward, terminated } = transition;
      assertEquals([logprobs.length, weights.length], [response.length, response.length]);
      const sum = response.reduce((total, _, j) => total + weights[j] * logprobs[j], 0);
      assertAlmostEquals(logPi, sum, 1e-9);
      assert([...weights].every((weight) => weight === Math.fround(0.3) || weight === 1));
      assertEquals(actionSpan[0] >= 0, isParsed);
      assert([-0.1, 0, 0.1].includes(reward));
      // Steps in rows of 4 environments; counters leave room for the longest response.
      assertEquals(transition.random[1], Math.floor(i / 4) * settings.maxNewTokens);
      const isLast = i >= 8;
      assertEquals(bootstrapValues[i] !== 0, transition.truncated || (isLast && !terminated));
    });
    assertEquals(episodes.length, transitions.filter((t) => t.terminated || t.truncated).length);
  },
);

gpuTest("one seed gives one rollout, another seed another", async (gpu) => {
  const agent = newAgent(gpu, numberLine, tinyConfig());
  const collect = async (changes: Partial<RolloutSettings>) => {
    const rollout = await collectRollout(agent, new VectorEnv(numberLine, 4, 0), {
      ...settings,
      ...changes,
    });
    return rollout.transitions.map(({ response, action, value, logPi }) => ({
      response,
      action,
      value,
      logPi,
    }));
  };
  const first = await collect({});
  assertEquals(await collect({}), first);
  const responses = (steps: typeof first) => JSON.stringify(steps.map(({ response }) => response));
  assert(responses(await collect({ seed: 6 })) !== responses(first));
  assert(responses(await collect({ stepsBefore: 3 })) !== responses(first));
});
