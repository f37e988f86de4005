/**
 * Warm start: supervised fine-tuning on a scripted solver's imperfect demonstrations.
 *
 * RL needs a policy that reads the picture and keeps the format. The solver's deliberate mistakes leave it room to improve.
 * The value head learns the demonstrations' discounted returns at the same time.
 *
 * @module
 */
import { Random } from "../envs/mod.ts";
import { type AdamW, mean, multiply, square, subtract, sum } from "../model/mod.ts";
import {
  boolean,
  type BooleanSetting,
  choice,
  type ChoiceSetting,
  defaultsOf,
  integer,
  list,
  type ListSetting,
  number,
  type NumberSetting,
  path,
  type PathOption,
  type Values,
} from "./cli/mod.ts";
import type { Demonstration } from "./demonstrations.ts";
import type { Batch, Policy } from "./policy.ts";
import { shuffled } from "./shuffled.ts";
import { type Objective, update } from "./update.ts";

/** The warm start's settings. */
export const sftOptions = {
  demonstrations: integer(
    2000,
    "environment steps the scripted solver demonstrates; 0 begins RL from noise",
    {
      min: 0,
      unit: "steps",
    },
  ) as NumberSetting,
  sftSteps: integer(200, "length of the warm start", { min: 0, unit: "updates" }) as NumberSetting,
  sftBatch: integer(32, "demonstrated steps in an update", { min: 1, unit: "steps" }) as NumberSetting,
  sftDraw: choice(
    "steps",
    ["steps", "deals"],
    "draw each demonstrated step once an epoch, or a deal first, all alike, and then one of its steps",
  ) as ChoiceSetting<"steps" | "deals">,
  sftLearningRate: number(1e-3, "peak learning rate", { min: 0 }) as NumberSetting,
  sftWarmup: integer(50, "linear rise of the learning rate, then a cosine", {
    min: 0,
    unit: "updates",
  }) as NumberSetting,
  sftRateFloor: number(0.1, "least learning rate after the rise, over the peak", {
    min: 0,
    max: 1,
  }) as NumberSetting,
  sftWeightDecay: number(0.01, "weight decay of linear weights", { min: 0 }) as NumberSetting,
  sftBeta1: number(0.9, "momentum of Adam in the warm start", { min: 0, max: 0.9999 }) as NumberSetting,
  sftBeta2: number(0.98, "memory of Adam's squared gradients in the warm start", {
    min: 0,
    max: 0.99999,
  }) as NumberSetting,
  sftEpsilon: number(1e-8, "epsilon of Adam in the warm start", { min: 1e-12 }) as NumberSetting,
  sftGradientClip: number(1, "largest gradient norm, of the value head and of the rest; 0 clips nothing", {
    min: 0,
  }) as NumberSetting,
  sftValueCoefficient: number(0.1, "weight of the value loss, whose gradient reaches the whole model", {
    min: 0,
  }) as NumberSetting,
  perceptionGate: number(0.98, "share of picture fields read correctly (greedy) before RL may begin", {
    min: 0,
    max: 1,
  }) as NumberSetting,
  perceptionEpisodes: integer(64, "held-out episodes of a look at perception", {
    min: 1,
    unit: "episodes",
  }) as NumberSetting,
  perceptionExtraSteps: integer(400, "most SFT updates added, 50 at a time, until the gate is passed", {
    min: 0,
    unit: "updates",
  }) as NumberSetting,
  mistakes: list(
    [],
    "the demonstrator's mistakes as kind=probability, such as flipMinus=0.3, over its defaults; none makes none",
  ) as ListSetting,
  sftThoughts: boolean(
    false,
    "with --no-cot: demonstrate every step with its thought as well, so that reading is learnt as with a thought",
  ) as BooleanSetting,
  warmStart: {
    ...path(
      "run folder whose warm start to use: the same result, sooner; if that run trained on another environment, its weights",
    ),
    isRun: true,
  } as PathOption,
};

/** Values of {@linkcode sftOptions}. */
export type SftSettings = Values<typeof sftOptions>;

/**
 * Picks the minibatch of one update. Every epoch is a new order; a rest too small for a minibatch is left out. With
 * `sftDraw: "deals"` every deal is drawn as often as any other, however often it was demonstrated and however long it is.
 */
export function sftBatch(
  demonstrations: readonly Demonstration[],
  update: number,
  config: Pick<SftSettings, "sftBatch"> & Partial<Pick<SftSettings, "sftDraw">> & { readonly seed: number },
): Demonstration[] {
  const size = Math.min(config.sftBatch, demonstrations.length);
  if (config.sftDraw === "deals") {
    return drawnByDeal(demonstrations, size, new Random(config.seed, `sft ${update}`));
  }
  const perEpoch = Math.floor(demonstrations.length / size);
  const epoch = Math.floor(update / perEpoch);
  const order = shuffled(demonstrations.length, new Random(config.seed, `sft epoch ${epoch}`));
  const first = (update % perEpoch) * size;
  return Array.from(order.subarray(first, first + size), (index) => {
    const { prompt, response, discountedReturn } = demonstrations[index];
    return { prompt, response, discountedReturn };
  });
}

const dealsOf = new WeakMap<readonly Demonstration[], readonly (readonly Demonstration[])[]>();

/** Draws deals, all alike, and a step of each. */
function drawnByDeal(
  demonstrations: readonly Demonstration[],
  size: number,
  random: Random,
): Demonstration[] {
  let deals = dealsOf.get(demonstrations);
  if (deals === undefined) {
    deals = [...Map.groupBy(demonstrations, ({ deal }) => deal).values()];
    dealsOf.set(demonstrations, deals);
  }
  const known = deals;
  return Array.from({ length: size }, () => {
    const steps = known[random.integer(known.length)];
    const { prompt, response, discountedReturn } = steps[random.integer(steps.length)];
    return { prompt, response, discountedReturn };
  });
}

/** The learning rate of an update: a linear rise to the peak, then a cosine to `sftRateFloor` of it at `sftSteps`, then that. */
export function sftLearningRate(
  update: number,
  { sftWarmup, sftSteps, sftLearningRate: peak, sftRateFloor: floor }: Pick<
    SftSettings,
    "sftWarmup" | "sftSteps" | "sftLearningRate" | "sftRateFloor"
  >,
): number {
  if (update < sftWarmup) return peak * (update + 1) / sftWarmup;
  const progress = Math.min(1, (update - sftWarmup) / Math.max(1, sftSteps - sftWarmup));
  return peak * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}

/** What one update measured. */
export interface SftMetrics {
  /** Mean -log p of the demonstrated tokens, in nats. */
  readonly sftLoss: number;
  /** Half the mean squared error of the values. */
  readonly valueLoss: number;
  /** Norm of the gradient before clipping. If the value head is clipped on its own, it is left out. */
  readonly gradientNorm: number;
}

/** The inputs of an update: everything that differs from one to the next. */
interface SftPart {
  readonly batch: Batch;
  /** (B*R) -1 / tokens for response tokens, 0 for padding. */
  readonly lossWeights: Float32Array;
  /** (B) discounted, scaled returns. */
  readonly returns: Float32Array;
  readonly valueCoefficient: number;
}

/**
 * Imitation: -mean log p of the response tokens, and half the squared error of the values.
 *
 * Unlike in RL, the values' gradient reaches the whole model. Values are read at the last prompt position. That position
 * predicts only the fixed beginning of the response; without this gradient it would not learn what the picture shows.
 */
function imitation(policy: Policy): Objective<SftPart> {
  return {
    name: "sft",
    losses: (tape, { batch, lossWeights, returns, valueCoefficient }) => {
      const { B, R } = batch;
      const { logprob, values } = policy.forward(tape, batch, {
        temperature: 1,
        values: "turn",
        valuesReachModel: true,
      }); // (B, R), (B)
      const mbWeights = tape.constant(lossWeights, [B, R], "loss weights");
      const loss = sum(tape, multiply(tape, logprob, mbWeights));
      const error = subtract(tape, values!, tape.constant(returns, [B], "returns"));
      const squaredError = mean(tape, square(tape, error));
      return { losses: { loss: [loss, 1], valueError: [squaredError, 0.5 * valueCoefficient] } };
    },
  };
}

/**
 * Does one update: forward, backward and optimiser in one submission, with one readback.
 *
 * @throws {NotFiniteError} when a loss or the gradient is not finite; the weights are then as they were.
 */
export async function sftUpdate(
  policy: Policy,
  optimizer: AdamW,
  demonstrations: readonly Demonstration[],
  learningRate: number,
  settings: Pick<
    SftSettings,
    "sftBeta1" | "sftBeta2" | "sftEpsilon" | "sftGradientClip" | "sftValueCoefficient"
  > = SFT_DEFAULTS,
): Promise<SftMetrics> {
  await policy.look?.(demonstrations);
  const batch = policy.batch(demonstrations);
  const tokens = batch.mask.reduce((count, value) => count + value, 0);
  const part: SftPart = {
    batch,
    lossWeights: batch.mask.map((value) => -value / tokens),
    returns: Float32Array.from(demonstrations, ({ discountedReturn }) => discountedReturn),
    valueCoefficient: settings.sftValueCoefficient,
  };
  const { losses, gradientNorm } = await update(optimizer, imitation(policy), [part], {
    learningRate,
    beta1: settings.sftBeta1,
    beta2: settings.sftBeta2,
    epsilon: settings.sftEpsilon,
    policyClip: settings.sftGradientClip,
    valueClip: settings.sftGradientClip,
  });
  return { sftLoss: losses.loss, valueLoss: losses.valueError / 2, gradientNorm };
}

const SFT_DEFAULTS = defaultsOf(sftOptions) as SftSettings;
