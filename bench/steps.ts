/**
 * Whole steps of training: warm-start update, PPO minibatch, rollout.
 *
 * @module
 */
import { numberLine } from "../envs/mod.ts";
import type { Gpu } from "../kernels/gpu/mod.ts";
import { type Contender, measureInTurns } from "../kernels/measure.ts";
import {
  deriveSizes,
  layOut,
  type ModelPreset,
  pictureOf,
  type Segment,
  sizeOf,
  Tape,
  type Vlm,
} from "../model/mod.ts";
import { Agent, type Situation } from "../rl/agent.ts";
import { resolveConfig, type TrainConfig } from "../rl/config.ts";
import { learn, ppo } from "../rl/algorithms/mod.ts";
import { policyLosses, type PolicyPart } from "../rl/objective.ts";
import { learnContext } from "../rl/reference.ts";
import { collectRollout, type Rollout, type Transition, VectorEnv } from "../rl/rollout.ts";
import { newAgent } from "../rl/setup.ts";
import { rlOptimizer, sftOptimizer } from "../rl/optimizers.ts";
import type { Demonstration } from "../rl/demonstrations.ts";
import { sftUpdate } from "../rl/sft.ts";
import type { Peer } from "./peers/common.ts";
import type { Jax } from "./peers/jax.ts";
import { isJaxPeer, jaxStep } from "./peers/jax_step.ts";
import { type BenchContext, profileLaunch, toRows } from "./run.ts";
import type { BenchRow } from "./types.ts";

/** A whole step, ready to be timed. */
export interface Step {
  readonly name: string;
  readonly contender: Contender;
  readonly flops: number;
  readonly tokens: number;
  /** Makes the same step on jax-js from the same weights. `error` is how far its loss is from ours. */
  readonly onJax?: (jax: Jax) => Promise<{ contender: Contender; error: number }>;
}

/** A step by its name. Making it allocates the model. */
export interface StepSpec {
  readonly name: string;
  make(gpu: Gpu): Promise<Step>;
}

/** Length of NumberLine's prompt and of its longest response, in tokens. */
const PROMPT_TOKENS = 6;
const RESPONSE_TOKENS = 14;

const MINI_SHAPE = { batch: 8, promptTokens: 22, responseTokens: 70 };

/** All whole steps. Learning rates are 0, so that the weights stay as initialised. That costs the same time. */
export const stepSpecs: readonly StepSpec[] = [
  sftSpec("nano", { batch: 64, promptTokens: PROMPT_TOKENS, responseTokens: RESPONSE_TOKENS }),
  ppoSpec("new"),
  ppoSpec("task"),
  rolloutSpec("new"),
  rolloutSpec("task"),
  sftSpec("mini", MINI_SHAPE),
  miniPpoSpec(),
];

/** Sizes of a synthetic batch. */
export interface BatchShape {
  readonly batch: number;
  readonly promptTokens: number;
  readonly responseTokens: number;
}

/** Settings of a NumberLine run with another model size. */
function benchConfig(preset: ModelPreset): TrainConfig {
  return resolveConfig({ preset, maxNewTokens: RESPONSE_TOKENS }, numberLine);
}

function sftSpec(preset: ModelPreset, shape: BatchShape): StepSpec {
  const name = `SFT step ${preset} batch ${shape.batch}`;
  return {
    name,
    make(gpu) {
      const config = benchConfig(preset);
      const agent = newAgent(gpu, numberLine, config);
      const optimizer = sftOptimizer(agent, config);
      const batch = syntheticBatch(agent.vlm, shape);
      const positions = deriveSizes(agent.vlm.config).imageTokens + shape.promptTokens + shape.responseTokens;
      return Promise.resolve({
        name: `${name} x ${positions} tokens`,
        contender: repeat(() => sftUpdate(agent, optimizer, batch, 0)),
        flops: 3 * forwardFlops(agent.vlm, shape.batch, positions, shape.responseTokens),
        tokens: shape.batch * positions,
        onJax: async (jax) => {
          const { sftLoss, valueLoss } = await sftUpdate(agent, optimizer, batch, 0);
          const wantLoss = sftLoss + config.sftValueCoefficient * valueLoss;
          return await jaxStep(jax, {
            vlm: agent.vlm,
            batch,
            valueCoefficient: config.sftValueCoefficient,
            trains: () => true,
            wantLoss,
          });
        },
      });
    },
  };
}

function ppoSpec(pictures: Pictures): StepSpec {
  const name = "PPO minibatch nano batch 64";
  return {
    name: `${name}${suffixOf(pictures)}`,
    async make(gpu) {
      const config = { ...benchConfig("nano"), envs: 32, rolloutSteps: 2, minibatch: 64, epochs: 1 };
      const agent = agentFor(gpu, config, pictures);
      const { vlm } = agent;
      const optimizer = rlOptimizer(agent, config);
      const rollout = await collectFor(agent, config, new VectorEnv(numberLine, config.envs, 0));
      const positions = deriveSizes(vlm.config).imageTokens + PROMPT_TOKENS + RESPONSE_TOKENS;
      const shape = { batch: 64, promptTokens: PROMPT_TOKENS, responseTokens: RESPONSE_TOKENS };
      return {
        name: `${name} x ${positions} tokens${suffixOf(pictures)}`,
        contender: repeat(() =>
          learn(ppo, rollout, config, learnContext(agent, optimizer, { learningRate: 0 }))
        ),
        flops: pictures === "new" ? 3 * forwardFlops(vlm, config.minibatch, positions, RESPONSE_TOKENS) : 0,
        tokens: config.minibatch * positions,
        ...(pictures === "new"
          ? { onJax: (jax) => ppoOnJax(jax, agent, syntheticBatch(vlm, shape), config) }
          : {}),
      };
    },
  };
}

/** A PPO minibatch of `mini`, of `batch` sequences. They are longer than any environment's, and therefore made up. */
export function miniPpoSpec(batch: number = MINI_SHAPE.batch): StepSpec {
  const name = `PPO minibatch mini batch ${batch}`;
  return {
    name,
    async make(gpu) {
      const settings = { envs: batch, rolloutSteps: 1, minibatch: batch, epochs: 1, klStop: 1e6 };
      const config = { ...benchConfig("mini"), ...settings };
      const agent = newAgent(gpu, numberLine, config);
      const { vlm } = agent;
      const optimizer = rlOptimizer(agent, config);
      const sequences = syntheticBatch(vlm, { ...MINI_SHAPE, batch });
      const mb = syntheticMinibatch(agent, sequences, config);
      const { logRatio: logPi } = await mb.lossesAt(new Float32Array(batch));
      const transitions = sequences.map(({ prompt, response, discountedReturn }, b) => ({
        ...{ prompt, response, logPi: logPi[b], weights: mb.weights.subarray(b * mb.R, (b + 1) * mb.R) },
        ...{ reward: discountedReturn, value: mb.values[b], terminated: true, truncated: false },
        ...{ logprobs: new Float32Array(response.length), entropies: new Float32Array(response.length) },
        correction: null,
      } as unknown as Transition));
      const rollout: Rollout = {
        transitions,
        bootstrapValues: new Float32Array(batch),
        trajectories: transitions.map((_, turn) => ({ turns: [turn], deal: turn, outcome: null })),
        episodes: [],
      };
      const positions = deriveSizes(vlm.config).imageTokens + MINI_SHAPE.promptTokens +
        MINI_SHAPE.responseTokens;
      return {
        name: `${name} x ${positions} tokens`,
        contender: repeat(() =>
          learn(ppo, rollout, config, learnContext(agent, optimizer, { learningRate: 0 }))
        ),
        flops: 3 * forwardFlops(vlm, batch, positions, MINI_SHAPE.responseTokens),
        tokens: batch * positions,
      };
    },
  };
}

/** PPO's inputs for made-up sequences, and its losses for any log pi when acting. */
function syntheticMinibatch(agent: Agent, batch: readonly Demonstration[], config: TrainConfig) {
  const { vlm } = agent;
  const layout = layOut(batch, vlm.config);
  const { B, R } = layout;
  const perSample = (value: (b: number) => number) => Float32Array.from({ length: B }, (_, b) => value(b));
  const mb = {
    // The last three tokens act, the others think.
    weights: Float32Array.from({ length: B * R }, (_, i) => i % R < R - 3 ? config.lambda : 1),
    advantages: perSample((b) => (b % 7 - 3) / 3),
    returns: perSample((b) => batch[b].discountedReturn),
    values: perSample((b) => (b % 5 - 2) / 5),
    entropyWeights: new Float32Array(B * R),
    steps: B,
  };
  const lossesAt = async (logPi: Float32Array) => {
    using tape = new Tape(vlm.gpu, { record: false });
    const part: PolicyPart = { ...mb, logPi, batch: layout, settings: ppo.objective(config) };
    const { losses, readouts } = policyLosses(tape, agent, part);
    const [[policyLoss], [valueLoss], logRatio] = await vlm.gpu.read(
      losses.policyLoss[0].data,
      losses.valueLoss[0].data,
      readouts!.logRatio.data,
    );
    return { policyLoss, valueLoss, logRatio };
  };
  return { ...mb, R, lossesAt };
}

/** A PPO minibatch of the same shape on jax-js. */
async function ppoOnJax(jax: Jax, agent: Agent, batch: readonly Demonstration[], config: TrainConfig) {
  const { lossesAt, R: _, ...mb } = syntheticMinibatch(agent, batch, config);
  const { logRatio: present } = await lossesAt(new Float32Array(batch.length));
  // Ratios on both sides of 1, some beyond the clip.
  const logPi = present.map((value, b) => value + (b % 9 - 4) / 10);
  const { policyLoss, valueLoss } = await lossesAt(logPi);
  return await jaxStep(jax, {
    vlm: agent.vlm,
    batch,
    valueCoefficient: config.sftValueCoefficient,
    ppo: { batch: { ...mb, logPi }, settings: config },
    trains: ({ kind, part }) => part === "value_head" || !config.freeze.includes(kind),
    wantLoss: policyLoss + config.valueCoefficient * valueLoss,
  });
}

function rolloutSpec(pictures: Pictures): StepSpec {
  const name = `rollout nano 32 environments x ${RESPONSE_TOKENS} tokens`;
  return {
    name: `${name}${suffixOf(pictures)}`,
    make(gpu) {
      const config = benchConfig("nano");
      const agent = agentFor(gpu, config, pictures);
      const environments = new VectorEnv(numberLine, config.envs, 0);
      const positions = deriveSizes(agent.vlm.config).imageTokens + PROMPT_TOKENS + RESPONSE_TOKENS;
      const responses = config.envs * config.rolloutSteps;
      return Promise.resolve({
        name: `${name} x ${config.rolloutSteps} steps${suffixOf(pictures)}`,
        contender: repeat(() => collectFor(agent, config, environments)),
        flops: pictures === "new" ? forwardFlops(agent.vlm, responses, positions, RESPONSE_TOKENS) : 0,
        // Every row decodes to the end, also those that end early.
        tokens: responses * RESPONSE_TOKENS,
      });
    },
  };
}

/**
 * Which pictures the environments show. With `new` all pictures differ in a pixel, so that all are encoded, as in other
 * frameworks. With `task` pictures repeat, and the model encodes each once in a batch. The amount of work then depends on the
 * episodes and is not counted.
 */
type Pictures = "new" | "task";

function suffixOf(pictures: Pictures): string {
  return pictures === "new" ? "" : ", NumberLine's pictures";
}

function agentFor(gpu: Gpu, config: TrainConfig, pictures: Pictures): Agent {
  const agent = newAgent(gpu, numberLine, config);
  return pictures === "task" ? agent : new NoveltyAgent(agent.vlm, agent.tokenizer, agent);
}

/** An agent that never sees a picture twice. */
class NoveltyAgent extends Agent {
  #seen = 0;

  override promptOf(situation: Situation): Segment[] {
    this.#seen++;
    return super.promptOf(situation).map((part) => {
      if (part.kind !== "image") return part;
      const pixels = part.picture.pixels.slice();
      for (let i = 0; i < 4; i++) pixels[i] = this.#seen >> (8 * i);
      return { ...part, picture: pictureOf(pixels) };
    });
  }
}

function collectFor(agent: Agent, config: TrainConfig, environments: VectorEnv) {
  return collectRollout(agent, environments, { ...config, steps: config.rolloutSteps, stepsBefore: 0 });
}

function repeat(step: () => Promise<unknown>): Contender {
  return {
    async run(count) {
      for (let index = 0; index < count; index++) await step();
    },
  };
}

/** Makes sequences of full length with reproducible ids and pixels. */
export function syntheticBatch({ config }: Vlm, shape: BatchShape): Demonstration[] {
  let state = 1;
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
  const ids = (count: number) => Array.from({ length: count }, () => next(config.vocabularySize));
  return Array.from({ length: shape.batch }, () => {
    const pixels = Uint8Array.from({ length: config.imageSize ** 2 * 3 }, () => next(256));
    const prompt: Segment[] = [{ kind: "image", picture: pictureOf(pixels) }, {
      kind: "text",
      ids: ids(shape.promptTokens),
    }];
    return { prompt, response: ids(shape.responseTokens), discountedReturn: next(256) / 128 - 1 };
  });
}

/**
 * Counts the floating-point operations of a forward pass. They are two for every weight of a matrix at every position that it
 * sees, and the products inside attention. Norms, GELU and softmax are left out, as is usual. Backward costs twice as much.
 */
export function forwardFlops({ config, parameters }: Vlm, batch: number, T: number, R: number): number {
  const { patches, imageTokens } = deriveSizes(config);
  const weights = (part: string, kind: string) =>
    parameters.list.filter((p) => p.part === part && p.kind === kind).reduce(
      (n, p) => n + sizeOf(p.shape),
      0,
    );
  const products = weights("vision", "matrix") * patches + weights("projector", "matrix") * imageTokens +
    weights("language", "matrix") * T + weights("language", "head") * R;
  const attention = config.visionLayers * 2 * patches ** 2 * config.visionWidth +
    config.layers * 2 * T ** 2 * config.width;
  return 2 * batch * (products + attention);
}

/** Times one step. It takes turns with the same step on jax-js, if that peer is open and can do it. */
export async function benchStep(
  { name, contender, flops, tokens, onJax }: Step,
  { gpu, ceiling, settings, profile, peers, warn }: BenchContext,
): Promise<BenchRow[]> {
  await contender.run(2); // at the second run every pipeline and storage exists
  const entries: { variant: string; peer: Peer | null; contender: Contender; error: number | null }[] = [
    { variant: "ponder", peer: null, contender, error: null },
  ];
  for (const peer of peers) {
    if (onJax === undefined || !isJaxPeer(peer)) continue;
    try {
      const { contender, error } = await onJax(peer.jax);
      entries.push({ variant: `${peer.name} ${peer.version}`, peer, contender, error });
    } catch (error) {
      warn(`Left out ${peer.name} at ${name}: ${(error as Error).message}`);
    }
  }
  // Whole steps leave a GPU idle in between, so that its clock takes longer to rise.
  const warmUpMs = 4 * (settings.warmUpMs ?? 0);
  const measured = await measureInTurns(entries.map((entry) => entry.contender), { ...settings, warmUpMs });
  const shares = profile ? await profileLaunch(gpu, () => contender.run(1)) : undefined;
  const timed = { suite: "steps", kernel: "steps", name, flops, bytes: 0, tokens } as const;
  const profiled = entries.map((entry) => entry.peer === null ? { ...entry, profile: shares } : entry);
  return toRows(timed, profiled, measured, { ceiling });
}
