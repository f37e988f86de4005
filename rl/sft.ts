/**
 * Warm start: supervised fine-tuning on a scripted solver's imperfect demonstrations.
 *
 * RL needs a policy that reads the picture and keeps the format; the solver's biased mistakes leave it room to improve.
 * The value head learns the demonstrations' discounted returns at the same time.
 *
 * @module
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { makeEnv, Random } from "../envs/mod.ts";
import { NotFiniteError } from "../kernels/gpu/mod.ts";
import {
  type AdamW,
  type Layout,
  layOut,
  mean,
  multiply,
  type Segment,
  type Sequence,
  square,
  subtract,
  sum,
  Tape,
  type Vlm,
} from "../model/mod.ts";
import type { Agent } from "./agent.ts";
import type { TrainConfig } from "./config.ts";
import { trainingEnvSettings } from "./env_settings.ts";
import { eventLoopTurn } from "./event_loop.ts";
import { TRAINING_SEEDS } from "./rollout.ts";

/** A demonstrated step. */
export interface Demonstration extends Sequence {
  /** Discounted, scaled return from this step on. */
  readonly discountedReturn: number;
}

/** A demonstrated step among tens of thousands: its pictures are deflated, to a fifth of their size. */
class KeptDemonstration implements Demonstration {
  readonly response: readonly number[];
  readonly discountedReturn: number;
  readonly #prompt: readonly Segment[];

  constructor({ prompt, response }: Sequence, discountedReturn: number) {
    this.response = response;
    this.discountedReturn = discountedReturn;
    this.#prompt = withPixels(prompt, (pixels) => deflateRawSync(pixels, { level: 1 }));
  }

  /** Inflated anew at each use. */
  get prompt(): readonly Segment[] {
    return withPixels(this.#prompt, (pixels) => inflateRawSync(pixels));
  }
}

/** A prompt whose pictures are changed. */
function withPixels(prompt: readonly Segment[], change: (pixels: Uint8Array) => Uint8Array): Segment[] {
  return prompt.map((part) =>
    part.kind === "image"
      // Copied: what comes out of node:zlib is the beginning of 16 KiB.
      ? { ...part, picture: { ...part.picture, pixels: new Uint8Array(change(part.picture.pixels)) } }
      : part
  );
}

/** Demonstrated steps between looks at the event loop. */
const TURN_INTERVAL = 256;

/**
 * Has the environment's solver play `config.demonstrations` steps, with its default bias. Deterministic by seed.
 * `onProgress` is told of the steps done now and then, and may throw to stop.
 */
export async function demonstrate(
  agent: Agent,
  config: TrainConfig,
  onProgress: (done: number) => void = () => {},
): Promise<Demonstration[]> {
  const env = makeEnv(config.env, trainingEnvSettings(config));
  const random = new Random(config.seed, "demonstrations");
  const demonstrations: Demonstration[] = [];
  // Seeds from the far end of the run's range: RL's episodes count up from its start.
  let episodeSeed = (config.seed + 1) * TRAINING_SEEDS;
  while (demonstrations.length < config.demonstrations) {
    let state = env.reset({ seed: --episodeSeed });
    const steps: { sequence: Sequence; reward: number }[] = [];
    for (let isOver = false; !isOver;) {
      const text = env.demonstrate(random, { cot: config.cot });
      const prompt = agent.promptOf({ env, ...state });
      const response = [...agent.tokenizer.encode(text).ids, agent.tokenizer.endId];
      const result = env.step(env.parse(text).action ?? env.randomAction());
      steps.push({ sequence: { prompt, response }, reward: result.reward * config.rewardScale });
      state = result;
      isOver = result.terminated || result.truncated;
    }
    let discountedReturn = 0;
    const episode = steps.reverse().map(({ sequence, reward }) => {
      discountedReturn = reward + config.gamma * discountedReturn;
      return new KeptDemonstration(sequence, discountedReturn);
    });
    const before = demonstrations.length;
    demonstrations.push(...episode.reverse());
    if (Math.floor(before / TURN_INTERVAL) === Math.floor(demonstrations.length / TURN_INTERVAL)) continue;
    await eventLoopTurn();
    onProgress(Math.min(demonstrations.length, config.demonstrations));
  }
  return demonstrations.slice(0, config.demonstrations);
}

/** The minibatch of one update: every epoch is a new order of all demonstrations. */
export function sftBatch(
  demonstrations: readonly Demonstration[],
  update: number,
  config: TrainConfig,
): Demonstration[] {
  const size = Math.min(config.sftBatch, demonstrations.length);
  const perEpoch = Math.floor(demonstrations.length / size);
  const epoch = Math.floor(update / perEpoch);
  const order = shuffled(demonstrations.length, new Random(config.seed, `sft epoch ${epoch}`));
  const first = (update % perEpoch) * size;
  return Array.from(order.subarray(first, first + size), (index) => {
    const { prompt, response, discountedReturn } = demonstrations[index];
    return { prompt, response, discountedReturn };
  });
}

/** A random order of 0..n-1 (Fisher and Yates). */
export function shuffled(n: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** Linear warm-up, then a cosine from the peak to a tenth of it at `sftSteps`; a tenth after that. */
export function sftLearningRate(update: number, config: TrainConfig): number {
  const { sftWarmup, sftSteps, sftLearningRate: peak } = config;
  if (update < sftWarmup) return peak * (update + 1) / sftWarmup;
  const progress = Math.min(1, (update - sftWarmup) / Math.max(1, sftSteps - sftWarmup));
  return peak * (0.1 + 0.9 * 0.5 * (1 + Math.cos(Math.PI * progress)));
}

/** What one update measured. */
export interface SftMetrics {
  /** Mean -log p of the demonstrated tokens, in nats. */
  readonly sftLoss: number;
  /** Half the mean squared error of the values. */
  readonly valueLoss: number;
  /** Norm of the gradient before clipping, value head apart. */
  readonly gradientNorm: number;
}

/**
 * Weight of the value loss. Its gradient reaches the whole model, as it does not in RL: without it the last prompt
 * position, which predicts but the response's fixed beginning, need not know what the picture shows.
 */
export const SFT_VALUE_COEFFICIENT = 0.1;

/** One update: forward, backward and optimiser in one submission, one readback. */
export async function sftUpdate(
  agent: Agent,
  optimizer: AdamW,
  batch: readonly Demonstration[],
  learningRate: number,
): Promise<SftMetrics> {
  const { vlm } = agent;
  const layout = layOut(batch, vlm.config);
  const tokens = layout.mask.reduce((count, value) => count + value, 0);
  const inputs: SftInputs = {
    layout,
    lossWeights: layout.mask.map((value) => -value / tokens),
    returns: Float32Array.from(batch, ({ discountedReturn }) => discountedReturn),
    adamw: optimizer.advance({
      learningRate,
      beta1: 0.9,
      beta2: 0.98,
      epsilon: 1e-8,
      policyClip: 1,
      valueClip: 1,
    }),
  };
  const step = {
    name: "sft",
    owner: optimizer,
    run: (inputs: SftInputs) => launchSftUpdate(vlm, optimizer, inputs),
  };
  const [[loss], [squared], norms] = await vlm.gpu.plans.run(step, inputs);
  const metrics = { sftLoss: loss, valueLoss: squared / 2, gradientNorm: norms[0] };
  // The optimiser itself skips an update whose gradient is not finite, the value head's included.
  if (norms[2] !== 1 || !Number.isFinite(loss + squared)) {
    throw new NotFiniteError(`loss ${loss}, value loss ${metrics.valueLoss}, gradient norm ${norms[0]}`);
  }
  return metrics;
}

/** All that differs from one update to the next. */
interface SftInputs {
  readonly layout: Layout;
  /** (B*R) -1 / tokens for response tokens, 0 for padding. */
  readonly lossWeights: Float32Array;
  /** (B) */
  readonly returns: Float32Array;
  /** For {@linkcode AdamW.apply}. */
  readonly adamw: Float32Array;
}

/** Forward, backward and optimiser; returns the loss, the values' mean squared error and the gradient's norms. */
function launchSftUpdate(vlm: Vlm, optimizer: AdamW, { layout, lossWeights, returns, adamw }: SftInputs) {
  const { B, R } = layout;
  using tape = new Tape(vlm.gpu, { record: true });

  const hidden = vlm.hidden(tape, layout); // (B max(R, 1), C), at the positions that predict the response
  const { logprob } = vlm.responseLogprobs(tape, hidden, layout, 1); // (B, R)
  const mbWeights = tape.constant(lossWeights, [B, R], "loss weights");
  const sftLoss = tape.keep(sum(tape, multiply(tape, logprob, mbWeights)));

  const error = subtract(tape, vlm.values(tape, hidden, layout), tape.constant(returns, [B], "returns"));
  const squaredError = tape.keep(mean(tape, square(tape, error)));

  tape.backward(sftLoss, sum(tape, squaredError, 0.5 * SFT_VALUE_COEFFICIENT));
  optimizer.apply(adamw);
  return [sftLoss.data, squaredError.data, optimizer.norms];
}
