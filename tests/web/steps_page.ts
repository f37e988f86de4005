/** Runs in the browser and in Deno alike: training steps and responses whose numbers are compared. */
import { defineEnvironment, gridPicture, numberLine } from "../../envs/mod.ts";
import { type Gpu, openGpu } from "../../kernels/gpu/mod.ts";
import { findAlgorithm, learn } from "../../rl/algorithms/mod.ts";
import { resolveConfig } from "../../rl/config.ts";
import { demonstrate } from "../../rl/demonstrations.ts";
import { learnContext } from "../../rl/reference.ts";
import { collectRollout, samplerState, VectorEnv } from "../../rl/rollout.ts";
import { loadAgent } from "../../rl/run/checkpoint.ts";
import { train } from "../../rl/run/training.ts";
import { newAgent } from "../../rl/setup.ts";
import { rlOptimizer, sftOptimizer } from "../../rl/optimizers.ts";
import { sftBatch, sftUpdate } from "../../rl/sft.ts";

/** An environment whose pictures are drawn without a canvas: the same pixels everywhere. */
const corridor = defineEnvironment({
  name: "Corridor",
  actions: ["left", "right"],
  stepLimit: 12,
  reset: (random) => ({ place: random.integer(4) }),
  step: ({ place }, action) => {
    const next = Math.max(0, place + (action === 1 ? 1 : -1));
    return { state: { place: next }, reward: next === 4 ? 1 : 0, terminated: next === 4 };
  },
  render: ({ place }) =>
    gridPicture(["A".padStart(place + 1, ".").padEnd(5, ".")], { ".": [240, 240, 240], A: [200, 0, 0] }),
  solve: () => 1,
});

let opened: Promise<Gpu> | null = null;
/** One device for all that is asked: a software adapter takes half a minute to compile these kernels. */
const sharedGpu = () => opened ??= openGpu();

/** Ends it; its pipelines go with it. */
export async function closeGpu(): Promise<void> {
  (await opened)?.destroy();
  opened = null;
}

/** What steps measured. */
export interface Steps {
  readonly sft: readonly {
    readonly sftLoss: number;
    readonly valueLoss: number;
    readonly gradientNorm: number;
  }[];
  readonly responses: readonly (readonly number[])[];
  readonly ppo: Readonly<Record<string, unknown>>;
}

/** Some SFT updates, a rollout, and an iteration of PPO, from seed 0. */
export async function trainingSteps(): Promise<Steps> {
  const gpu = await sharedGpu();
  const settings = {
    maxNewTokens: 6,
    demonstrations: 32,
    sftBatch: 8,
    envs: 4,
    rolloutSteps: 4,
    minibatch: 8,
    epochs: 1,
    envSteps: 16,
    klStop: 100,
  };
  const config = resolveConfig(settings, corridor);
  const agent = newAgent(gpu, corridor, config);
  const demonstrations = await demonstrate(agent, corridor, config);
  const warmStart = sftOptimizer(agent, config);
  const sft = [];
  for (let update = 0; update < 6; update++) {
    sft.push(await sftUpdate(agent, warmStart, sftBatch(demonstrations, update, config), 1e-3));
  }
  const vectorEnv = new VectorEnv(corridor, config.envs, config.seed);
  const rollout = await collectRollout(agent, vectorEnv, {
    ...config,
    steps: config.rolloutSteps,
    stepsBefore: 0,
  });
  const optimizer = rlOptimizer(agent, config);
  const context = learnContext(agent, optimizer, { iteration: 0, learningRate: 1e-4 });
  const ppo = await learn(findAlgorithm("ppo"), rollout, config, context);
  return { sft, responses: rollout.transitions.map(({ response }) => response), ppo: { ...ppo } };
}

/** What a checkpoint's policy writes greedily of each of NumberLine's 30 states. */
export async function greedyResponses(
  read: (name: string) => Promise<Uint8Array<ArrayBuffer>> = fetchDemo,
): Promise<{ texts: string[]; logprobs: number[][] }> {
  const gpu = await sharedGpu();
  const agent = await loadAgent(gpu, {
    path: "demo",
    manifest: null,
    read: async <Name extends string>(...names: Name[]) =>
      Object.fromEntries(
        await Promise.all(names.map(async (name) => [name, await read(name)])),
      ) as Record<Name, Uint8Array<ArrayBuffer>>,
  });
  const situations = [];
  for (let start = 0; start <= 5; start++) {
    for (let target = 0; target <= 5; target++) {
      if (start === target) continue;
      const env = numberLine.make();
      situations.push({ env, ...env.reset({ seed: 0, options: { start, target } }) });
    }
  }
  const { temperature, maxNewTokens } = agent.sampling;
  const random = samplerState(situations.length, 0, 0);
  const decisions = await agent.respond(situations, { greedy: true, temperature, maxNewTokens, random });
  return {
    texts: decisions.map(({ decoding }) => decoding.text),
    logprobs: decisions.map(({ response }) => [...response.logprobs]),
  };
}

async function fetchDemo(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await (await fetch(name)).arrayBuffer());
}

/** Trains in memory and returns how often the sampled policy succeeds after each stage, and how many iterations of RL there were. */
export async function trainToSuccess(settings: Record<string, unknown>) {
  const gpu = await sharedGpu();
  const success = { sft: NaN, rl: NaN };
  let iterations = 0;
  for await (const event of train({ environment: numberLine, settings, gpu })) {
    if (event.stage === "rl") iterations++;
    if (event.stage === "evaluation") success[event.after] = event.sampled.success;
  }
  return { success, iterations };
}
