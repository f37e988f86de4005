/** Demonstrations, their minibatches, and the supervised update. */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { makeEnv, numberLine, Random } from "../../envs/mod.ts";
import { layOut, Tape } from "../../model/mod.ts";
import { TRAINING_SEEDS } from "../../rl/rollout.ts";
import { newAgent } from "../../rl/setup.ts";
import { sftOptimizer } from "../../rl/optimizers.ts";
import { demonstrate } from "../../rl/demonstrations.ts";
import { sftBatch, sftLearningRate, sftUpdate } from "../../rl/sft.ts";
import { shuffled } from "../../rl/shuffled.ts";
import { gpuTest } from "../gpu.ts";
import { tinyConfig } from "./tiny_run.ts";

gpuTest("demonstrations follow the seed and end with the end token", async (gpu) => {
  const config = tinyConfig({ demonstrations: 40 });
  const agent = newAgent(gpu, numberLine, config);
  const first = await demonstrate(agent, numberLine, config);
  assertEquals(first.length, 40);
  const env = makeEnv(config.env);
  const start = env.reset({ seed: (config.seed + 1) * TRAINING_SEEDS - 1 });
  assertEquals(first[0].prompt, agent.promptOf({ env, ...start }));
  const responses = async (seed: number) =>
    (await demonstrate(agent, numberLine, { ...config, seed })).map(({ response }) => response);
  assertEquals(await responses(0), first.map(({ response }) => response));
  assert(JSON.stringify(await responses(1)) !== JSON.stringify(await responses(0)));
  for (const { response } of first) {
    assertEquals(response.indexOf(agent.tokenizer.endId), response.length - 1);
    assertEquals(response.includes(agent.tokenizer.unknownId!), false);
  }
  await gpu.settle();
});

gpuTest("demonstrating tells how far it is, and can be stopped", async (gpu) => {
  const config = tinyConfig({ demonstrations: 600 });
  const agent = newAgent(gpu, numberLine, config);
  const told: number[] = [];
  await demonstrate(agent, numberLine, config, (done) => void told.push(done));
  assertEquals(told.map((done) => Math.floor(done / 256)), [1, 2]);
  const stop = () => {
    throw new RangeError("stopped");
  };
  await assertRejects(() => demonstrate(agent, numberLine, config, stop), RangeError, "stopped");
  await gpu.settle();
});

gpuTest("a demonstration's return is its reward and the discounted return of the next step", async (gpu) => {
  const config = tinyConfig({ demonstrations: 60 });
  const agent = newAgent(gpu, numberLine, config);
  const known = async (gamma: number) =>
    (await demonstrate(agent, numberLine, { ...config, gamma })).map(({ discountedReturn }) =>
      discountedReturn
    );
  const rewards = await known(0), returns = await known(0.9);
  const average = returns.reduce((sum, value) => sum + value, 0) / returns.length;
  let inside = 0;
  returns.slice(0, -1).forEach((value, i) => {
    const isInside = Math.abs(value - (rewards[i] + 0.9 * returns[i + 1])) < 1e-9;
    const isEnd = value === rewards[i];
    const isCut = Math.abs(value - (rewards[i] + 0.9 * average)) < 1e-9;
    assert(isInside || isEnd || isCut, `step ${i}`);
    inside += Number(isInside && !isEnd && !isCut);
  });
  assert(inside > 5);
  await gpu.settle();
});

gpuTest("an epoch shows every demonstration once, the next one in another order", async (gpu) => {
  const config = tinyConfig({ demonstrations: 32, sftBatch: 8 });
  const all = await demonstrate(newAgent(gpu, numberLine, config), numberLine, config);
  const epoch = (number: number) =>
    [0, 1, 2, 3].flatMap((update) => sftBatch(all, 4 * number + update, config)).map((one) =>
      all.findIndex(({ response }) => response === one.response)
    );
  const sorted = (indices: number[]) => [...indices].sort((a, b) => a - b);
  const range = Array.from({ length: 32 }, (_, i) => i);
  assertEquals([sorted(epoch(0)), sorted(epoch(1))], [range, range]);
  assert(JSON.stringify(epoch(0)) !== JSON.stringify(epoch(1)));
  assertEquals(sftBatch(all, 0, { ...config, sftBatch: 100 }).length, 32);
  const [shown] = sftBatch(all, 0, config);
  assertEquals(shown.prompt, all.find(({ response }) => response === shown.response)!.prompt);
  await gpu.settle();
});

Deno.test("shuffled is a permutation that follows its generator", () => {
  const order = shuffled(100, new Random(1, "test"));
  assertEquals([...order].sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i));
  assertEquals(shuffled(100, new Random(1, "test")), order);
  assert(order.some((value, i) => value !== i));
  assertEquals([...shuffled(0, new Random(1, "test"))], []);
});

Deno.test("the learning rate rises linearly, falls as a cosine to a tenth, and stays there", () => {
  const config = tinyConfig({ sftSteps: 150, sftWarmup: 50, sftLearningRate: 1 });
  const at = (update: number) => sftLearningRate(update, config);
  assertAlmostEquals(at(0), 1 / 50);
  assertAlmostEquals(at(49), 1);
  assertAlmostEquals(at(50), 1);
  assertAlmostEquals(at(100), 0.55);
  assertAlmostEquals(at(150), 0.1);
  assertAlmostEquals(at(1000), 0.1);
});

gpuTest("the loss is the mean -log p of the demonstrated tokens, and updates lower it", async (gpu) => {
  const config = tinyConfig({ preset: "nano", demonstrations: 8 });
  const agent = newAgent(gpu, numberLine, config);
  const batch = await demonstrate(agent, numberLine, config);
  const { vlm } = agent;
  const layout = layOut(batch, vlm.config);
  let expected = 0, squaredError = 0;
  {
    using tape = new Tape(gpu, { record: false });
    const hidden = vlm.hidden(tape, layout);
    const { logprob } = vlm.responseLogprobs(tape, hidden, layout, 1);
    const [logprobs, values] = await gpu.read(logprob.data, vlm.values(tape, hidden, layout).data);
    const tokens = batch.reduce((count, { response }) => count + response.length, 0);
    batch.forEach(({ response, discountedReturn }, b) => {
      response.forEach((_, r) => expected -= logprobs[b * layout.R + r] / tokens);
      squaredError += (values[b] - discountedReturn) ** 2 / batch.length;
    });
  }
  const optimizer = sftOptimizer(agent, config);
  const first = await sftUpdate(agent, optimizer, batch, 1e-3);
  assertAlmostEquals(first.sftLoss, expected, 1e-4);
  assertAlmostEquals(first.valueLoss, squaredError / 2, 1e-4);
  let last = first;
  for (let update = 0; update < 6; update++) last = await sftUpdate(agent, optimizer, batch, 1e-3);
  assert(last.sftLoss < 0.8 * first.sftLoss, `${first.sftLoss} to ${last.sftLoss}`);
  assert(last.valueLoss < first.valueLoss, `${first.valueLoss} to ${last.valueLoss}`);
});

Deno.test("drawn by deals, a deal comes up as often as any other, and each of its steps alike", () => {
  const step = (deal: string, id: number) => ({ prompt: [], response: [id], discountedReturn: 0, deal });
  const demonstrations = [step("rare", 0), ...Array.from({ length: 9 }, (_, i) => step("common", 1 + i))];
  const counts = new Array(10).fill(0);
  const config = { seed: 3, sftBatch: 8, sftDraw: "deals" } as const;
  for (let update = 0; update < 500; update++) {
    for (const { response } of sftBatch(demonstrations, update, config)) counts[response[0]]++;
  }
  assertEquals(sftBatch(demonstrations, 7, config), sftBatch(demonstrations, 7, config));
  // 4,000 draws: a half of them, and an eighteenth, each within four standard deviations.
  assert(Math.abs(counts[0] - 2000) < 127, counts.join());
  for (const count of counts.slice(1)) assert(Math.abs(count - 4000 / 18) < 58, counts.join());
});

gpuTest("a demonstrated step knows the state that its episode began in", async (gpu) => {
  const config = tinyConfig({ demonstrations: 60 });
  const steps = await demonstrate(newAgent(gpu, numberLine, config), numberLine, config);
  const env = makeEnv(config.env);
  env.reset({ seed: (config.seed + 1) * TRAINING_SEEDS - 1 });
  assertEquals(steps[0].deal, env.stateKey());
  assert(new Set(steps.map(({ deal }) => deal)).size > 5);
  await gpu.settle();
});
