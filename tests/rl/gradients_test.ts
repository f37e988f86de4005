/** Minibatches in shares. */
import { assertEquals } from "@std/assert";
import { numberLine } from "../../envs/mod.ts";
import { findAlgorithm } from "../../rl/algorithms/mod.ts";
import { shareGradient } from "../../rl/gradients.ts";
import { objectiveSettings, type Sample } from "../../rl/objective.ts";
import { decodeMessage } from "../../rl/remote/message.ts";
import { encodeShare, gradientParts, placesOf, readGradient, readShare } from "../../rl/remote/shares.ts";
import { collectRollout, VectorEnv } from "../../rl/rollout.ts";
import { rlOptimizer } from "../../rl/optimizers.ts";
import { newAgent } from "../../rl/setup.ts";
import { gpuTest } from "../gpu.ts";
import { metricsOf, TempFolder, tinyConfig, trainHere } from "./tiny_run.ts";

gpuTest(
  "a run whose minibatches are computed in shares writes the bytes of one with as many micro-batches",
  async (gpu) => {
    using temp = new TempFolder();
    const [shares, micro] = [`${temp.path}/shares`, `${temp.path}/micro`];
    await trainHere(shares, tinyConfig({ sftSteps: 1, learners: 2 }));
    // Four of a minibatch's eight turns fit.
    const config = tinyConfig();
    const agent = newAgent(gpu, numberLine, config);
    const [slot] = new VectorEnv(numberLine, 1, 0).slots;
    const longest = agent.positionsOf({
      prompt: agent.promptOf(slot),
      response: Array(config.maxNewTokens).fill(0),
    });
    await trainHere(micro, tinyConfig({ sftSteps: 1, microBatchPositions: 4 * longest }));
    assertEquals(metricsOf(shares), metricsOf(micro));
  },
);

gpuTest("a share that was sent has the same gradient to the bit, whatever its scores are", async (gpu) => {
  const config = tinyConfig();
  const agent = newAgent(gpu, numberLine, config);
  rlOptimizer(agent, config);
  const { transitions } = await collectRollout(agent, new VectorEnv(numberLine, 4, 0), {
    ...config,
    steps: 1,
    stepsBefore: 0,
  });
  const perToken = (length: number) => Float32Array.from({ length }, (_, i) => i / 3);
  const forms: ((transition: typeof transitions[number], i: number) => Sample)[] = [
    (transition, i) => ({ transition, advantage: i / 3, valueTarget: 1 / 7 }),
    (transition, i) => ({
      transition,
      advantage: i / 3,
      valueTarget: -i,
      weight: i / 7,
      reference: transition.logprobs,
    }),
    (transition) => ({
      transition: { ...transition, correction: [3, 1] },
      advantage: 1 / 3,
      valueTarget: 0,
      value: 0.1,
    }),
    (transition) => ({
      transition,
      advantage: perToken(transition.response.length),
      valueTarget: perToken(transition.response.length),
      value: perToken(transition.response.length),
    }),
  ];
  for (const [form, sampleOf] of forms.entries()) {
    const samples = transitions.map(sampleOf);
    const objective = findAlgorithm("ppo").objective(config);
    const settings = objectiveSettings({
      ...objective,
      ...form === 1 && { klCoefficient: 0.1 },
      ...form === 2 && { correctionCoefficient: 0.5 },
      ...form === 3 && { ratio: "token" as const, values: "token" as const },
    });
    const whole = { settings, steps: 8, tokens: 31, correctedTokens: 8 };
    const learning = agent.parameters.list.map(({ name }) => name).filter((name) =>
      agent.parameters.get(name).requiresGradient
    );
    const job = { id: "a", version: 2, learning, whole, samples };
    const sent = readShare(await decodeMessage(await encodeShare(job)));
    assertEquals([sent.id, sent.version, sent.learning, sent.whole], ["a", 2, learning, whole]);
    const here = await shareGradient(agent, samples, whole);
    const there = await shareGradient(agent, sent.samples, sent.whole);
    assertEquals(there, here);
    const places = placesOf(agent.parameters, learning);
    const back = readGradient(gradientParts(there, places), places, here.gradient.length);
    assertEquals(back, here);
  }
});
