/**
 * One update of a policy's weights: forward and backward of every part of a minibatch, then the optimiser, then one readback.
 *
 * An objective says what is minimised and what is read back. Supervised fine-tuning, PPO and every other algorithm use this
 * one machine.
 *
 * @module
 */
import { NotFiniteError, type Slice } from "../kernels/gpu/mod.ts";
import { type AdamW, scale, type StepSettings, Tape, type Tensor } from "../model/mod.ts";
import { integer, number, type NumberSetting, type Values } from "./cli/mod.ts";

/** Settings of the updates in RL, whichever algorithm runs. */
export const updateOptions = {
  epochs: integer(2, "over each iteration's steps", { min: 1, unit: "passes" }) as NumberSetting,
  minibatch: integer(64, "steps in an update", { min: 1, unit: "steps" }) as NumberSetting,
  microBatchPositions: integer(2600, "most positions whose activations are in memory at once", {
    min: 1,
    unit: "positions",
  }) as NumberSetting,
  learners: integer(
    1,
    "compute a minibatch's shares, each from zero; with --workers all but the first elsewhere",
    {
      min: 1,
      unit: "learners",
    },
  ) as NumberSetting,
  learningRate: number(1e-4, "learning rate, falling linearly to a tenth", { min: 0 }) as NumberSetting,
  policyGradientClip: number(1, "largest gradient norm, value head apart; 0 clips nothing", {
    min: 0,
  }) as NumberSetting,
  valueGradientClip: number(1, "largest gradient norm of the value head; 0 clips nothing", {
    min: 0,
  }) as NumberSetting,
  adamBeta1: number(0.5, "momentum of Adam in RL", { min: 0, max: 0.9999 }) as NumberSetting,
  adamBeta2: number(0.999, "memory of Adam's squared gradients in RL", {
    min: 0,
    max: 0.99999,
  }) as NumberSetting,
  adamEpsilon: number(1e-8, "epsilon of Adam in RL", { min: 1e-12 }) as NumberSetting,
};

/** Values of {@linkcode updateOptions}. */
export type UpdateSettings = Values<typeof updateOptions>;

/** Picks the optimiser's settings for one step in RL. */
export function stepSettings(settings: UpdateSettings, learningRate: number): StepSettings {
  return {
    learningRate,
    beta1: settings.adamBeta1,
    beta2: settings.adamBeta2,
    epsilon: settings.adamEpsilon,
    policyClip: settings.policyGradientClip,
    valueClip: settings.valueGradientClip,
  };
}

/** What an objective puts on the tape for one part of a minibatch. */
export interface Losses {
  /** Scalars by name, each with its weight in the sum to minimise; weight 0 only measures. Parts of a minibatch add up. */
  readonly losses: Readonly<Record<string, readonly [loss: Tensor, weight: number]>>;
  /** Other tensors to read back, by name. */
  readonly readouts?: Readonly<Record<string, Tensor>>;
}

/**
 * What is minimised. A `Part` holds a part of a minibatch. Everything that differs from one update to the next must be in it:
 * the launches are traced once for each shape, and replayed.
 */
export interface Objective<Part extends object> {
  /** Names its plans. Objectives that share an optimiser need different names. */
  readonly name: string;
  /** Puts the losses of one part on the tape. */
  readonly losses: (tape: Tape, part: Part) => Losses;
}

/** What an update measured. */
export interface UpdateResult {
  /** Losses without their weights, summed over the minibatch's parts, by the objective's names. */
  readonly losses: Readonly<Record<string, number>>;
  /** The readouts' contents, one array for each part, by the objective's names. */
  readonly readouts: Readonly<Record<string, readonly Float32Array[]>>;
  /** Norm of the gradient before clipping, of the optimiser's group "policy": without a value head that is clipped on its own. */
  readonly gradientNorm: number;
}

interface Names {
  readonly losses: readonly string[];
  readonly readouts: readonly string[];
}

/** Names of the losses and readouts from when an optimiser's step was traced. A replay returns only the numbers. */
const namesOf = new WeakMap<AdamW, Map<string, Names>>();

/**
 * Does one step of the optimiser on an objective, in one submission and with one readback.
 *
 * @throws {NotFiniteError} when a loss or the gradient is not finite; the weights are then as they were.
 */
export async function update<Part extends object>(
  optimizer: AdamW,
  objective: Objective<Part>,
  parts: readonly Part[],
  settings: StepSettings,
): Promise<UpdateResult> {
  const known = namesOf.get(optimizer) ?? new Map<string, Names>();
  namesOf.set(optimizer, known);
  const inputs = { parts, adamw: optimizer.advance(settings) };
  const run = ({ parts, adamw }: typeof inputs): Slice[] => {
    const results: Tensor[] = [];
    using tape = new Tape(optimizer.gpu, { record: true });
    for (const part of parts) {
      const { losses, readouts = {} } = objective.losses(tape, part);
      known.set(objective.name, { losses: Object.keys(losses), readouts: Object.keys(readouts) });
      const kept = [...Object.values(losses).map(([loss]) => loss), ...Object.values(readouts)];
      results.push(...kept.map((tensor) => tape.keep(tensor)));
      const roots = Object.values(losses).filter(([, weight]) => weight !== 0);
      // The gradients add to those of earlier parts.
      tape.backward(...roots.map(([loss, weight]) => weight === 1 ? loss : scale(tape, loss, weight)));
    }
    optimizer.apply(adamw);
    return [optimizer.norms, ...results.map(({ data }) => data)];
  };
  const [norms, ...words] = await optimizer.gpu.plans.run(
    { name: objective.name, owner: optimizer, run },
    inputs,
  );
  return gather(known.get(objective.name)!, norms, words);
}

function gather(names: Names, norms: Float32Array, words: readonly Float32Array[]): UpdateResult {
  const losses = Object.fromEntries(names.losses.map((name) => [name, 0]));
  const readouts: Record<string, Float32Array[]> = Object.fromEntries(
    names.readouts.map((name) => [name, []]),
  );
  const each = names.losses.length + names.readouts.length;
  for (let first = 0; first < words.length; first += each) {
    names.losses.forEach((name, i) => losses[name] += words[first + i][0]);
    names.readouts.forEach((name, i) => readouts[name].push(words[first + names.losses.length + i]));
  }
  return finished({ losses, readouts }, norms);
}

/**
 * Completes what an update measured with the optimiser's norms.
 *
 * @throws {NotFiniteError} when a loss or the gradient is not finite.
 */
export function finished(
  { losses, readouts }: Omit<UpdateResult, "gradientNorm">,
  norms: Float32Array,
): UpdateResult {
  // The optimiser itself skips an update if any gradient is not finite, also the value head's.
  if (norms[2] !== 1 || !Object.values(losses).every(Number.isFinite)) {
    const inWords = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    const list = Object.entries(losses).map(([name, loss]) => `${inWords(name)} ${loss}`);
    throw new NotFiniteError(`${list.join(", ")}, gradient norm ${norms[0]}`);
  }
  return { losses, readouts, gradientNorm: norms[0] };
}

/**
 * Computes the size of a minibatch's parts, in sequences: the fewest parts of equal size with at most `most` positions each.
 *
 * @param steps Sequences of the minibatch.
 * @param longest Positions of its longest sequence.
 */
export function partSize(steps: number, longest: number, most: number): number {
  const count = Math.ceil(steps / Math.max(1, Math.floor(most / longest)));
  return Math.ceil(steps / count);
}
