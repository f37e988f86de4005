/** The table of `table_problem.ts` as a policy: one-hot contexts through the kernels that language models end in. */
import { assertAlmostEquals } from "@std/assert";
import type { Gpu } from "../../../kernels/gpu/mod.ts";
import { AdamW, linearLogprob, Parameters, reshape, scale, type Sequence, Tape } from "../../../model/mod.ts";
import type { SettingsOf } from "../../../rl/algorithms/algorithm.ts";
import { type Algorithm, learn, type LearnContext, type Scores } from "../../../rl/algorithms/mod.ts";
import { defaultsOf, type Options } from "../../../rl/cli/mod.ts";
import { optionsOf } from "../../../rl/config.ts";
import { type ObjectiveSettings, policyLosses, policyPart, type Sample } from "../../../rl/objective.ts";
import type { Batch, ForwardSettings, Outputs, Policy } from "../../../rl/policy.ts";
import { learnContext } from "../../../rl/reference.ts";
import type { Rollout, Transition } from "../../../rl/rollout.ts";
import { contextOf, CONTEXTS, logprobsOf, placesOf, type Table, TOKENS } from "./table_problem.ts";

interface TableBatch extends Batch {
  /** (B*R, CONTEXTS) one-hot. */
  readonly contexts: Float32Array;
  /** (B*R) */
  readonly targets: Uint32Array;
}

const unused = (): never => {
  throw new TypeError("Cannot act: the table only learns");
};

/** A table of logits; it has no value head. */
export class TablePolicy implements Policy<TableBatch> {
  readonly parameters: Parameters;
  readonly cot = true;
  readonly sharesFeatures = false;
  promptOf = unused;
  respond = unused;
  decide = unused;
  values = unused;
  encode = unused;
  decode = unused;
  act = unused;
  readonly sampling = { temperature: 1, maxNewTokens: 2 };
  readonly actions = [];

  constructor(readonly gpu: Gpu, table: Table) {
    const shape = [CONTEXTS, TOKENS];
    this.parameters = new Parameters(gpu, [{
      name: "table",
      shape,
      kind: "matrix",
      part: "language",
      std: 0,
    }]);
    this.write(table);
  }

  write(table: Table): void {
    const words = new Float32Array(this.parameters.values.length);
    words.set(table);
    this.gpu.write(this.parameters.values, words);
  }

  positionsOf(): number {
    return 1;
  }

  batch(sequences: readonly Sequence[]): TableBatch {
    const B = sequences.length, R = 2;
    const contexts = new Float32Array(B * R * CONTEXTS);
    const targets = new Uint32Array(B * R);
    sequences.forEach(({ prompt: [state], response: [first, second] }, b) => {
      if (state.kind !== "text") throw new TypeError("Cannot read a state: it is no text");
      contexts[(b * R) * CONTEXTS + contextOf(state.ids[0])] = 1;
      contexts[(b * R + 1) * CONTEXTS + contextOf(state.ids[0], first)] = 1;
      targets.set([first, second], b * R);
    });
    return { B, R, mask: new Float32Array(B * R).fill(1), contexts, targets };
  }

  forward(tape: Tape, { B, R, contexts, targets }: TableBatch, { temperature }: ForwardSettings): Outputs {
    const X = tape.constant(contexts, [B * R, CONTEXTS], "contexts");
    const { logprob, entropy } = linearLogprob(tape, X, this.parameters.get("table"), {
      targets,
      temperature,
    });
    return { logprob: reshape(tape, logprob, [B, R]), entropy: reshape(tape, entropy, [B, R]), values: null };
  }
}

/** Log-probabilities of the responses' tokens under another table, as a `LearnContext` gives them. */
export function referenceOf(table: Table): LearnContext["referenceLogprobs"] {
  const logprobs = logprobsOf(table);
  return (transitions) =>
    Promise.resolve(transitions.map((transition) => {
      const places = placesOf(turnIn(transition));
      return Float32Array.from(places, (place) => logprobs[place]);
    }));
}

/** The turn that a transition was made of. */
export function turnIn({ prompt: [state], response: [first, second], reward }: Transition) {
  if (state.kind !== "text") throw new TypeError("Cannot read a state: it is no text");
  return { state: state.ids[0], tokens: [first, second] as const, reward };
}

/** Changes of an algorithm's settings. */
export type Changes = Readonly<Record<string, unknown>>;

/** An algorithm's settings with neither noise nor clips that hide the gradient. */
export function plainSettings(algorithm: Algorithm, changes: Changes) {
  return {
    ...defaultsOf(optionsOf(algorithm)),
    epochs: 1,
    adamBeta1: 0,
    policyGradientClip: 0,
    valueGradientClip: 0,
    klStop: 1e9,
    temperature: 1,
    advantageFloor: 1,
    advantageClamp: 1e6,
    ...changes,
  } as unknown as SettingsOf<Options> & { readonly [name: string]: never };
}

/** What a whole iteration of an algorithm ascends: the real score, loss, backward pass and optimiser. */
export async function ascent(
  policy: TablePolicy,
  algorithm: Algorithm,
  rollout: Rollout,
  changes: Changes,
  { context = {}, reweigh = (scores) => scores }: {
    readonly context?: Partial<LearnContext>;
    readonly reweigh?: (scores: Scores) => Scores;
  } = {},
): Promise<Float64Array> {
  const optimizer = new AdamW(policy.gpu, policy.parameters, () => ({
    learningRateScale: 1,
    weightDecay: 0,
    clipGroup: "policy",
  }));
  try {
    const score: Algorithm["score"] = async (...args) => reweigh(await algorithm.score!(...args));
    const settings = plainSettings(algorithm, { minibatch: 512, ...changes });
    const whole = learnContext(policy, optimizer, { learningRate: 0, ...context });
    await learn({ ...algorithm, score } as Algorithm, rollout, settings, whole);
    const { m } = await optimizer.toHost(); // the gradient of the loss, since momentum is 0
    return Float64Array.from(m.subarray(0, CONTEXTS * TOKENS), (value) => -value);
  } finally {
    optimizer.dispose();
  }
}

/** Losses and ascent direction of samples as one part of a minibatch of `steps`, without an optimiser. */
export async function partOf(
  policy: TablePolicy,
  samples: readonly Sample[],
  settings: ObjectiveSettings,
  steps = samples.length,
) {
  const { gpu, parameters } = policy;
  parameters.train(() => true);
  using tape = new Tape(gpu, { record: true });
  const lengths = (live: boolean) => samples.filter(({ weight }) => !live || weight !== 0);
  const tokens = lengths(true).reduce((sum, { transition }) => sum + transition.response.length, 0);
  const correctedTokens = lengths(true).reduce(
    (sum, { transition }) => sum + (transition.correction?.length ?? 0),
    0,
  );
  const part = policyPart(policy, samples, { settings, steps, tokens, correctedTokens });
  const { losses } = policyLosses(tape, policy, part);
  const names = Object.keys(losses);
  const read = Object.values(losses).map(([loss]) => tape.keep(loss));
  tape.backward(
    ...Object.values(losses).filter(([, weight]) => weight !== 0).map(([loss, weight]) =>
      scale(tape, loss, weight)
    ),
  );
  const [gradient, ...words] = await gpu.read(parameters.gradients!, ...read.map(({ data }) => data));
  return {
    ascent: Float64Array.from(gradient.subarray(0, CONTEXTS * TOKENS), (value) => -value),
    losses: Object.fromEntries(names.map((name, i) => [name, words[i][0]])),
  };
}

/** Asserts that two gradients agree, to a share of the larger one's largest entry. */
export function assertSameGradient(
  got: Float64Array,
  want: ArrayLike<number>,
  what: string,
  share = 2e-5,
): void {
  const largest = Array.from(want).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  got.forEach((value, i) =>
    assertAlmostEquals(
      value,
      want[i],
      share * Math.max(largest, 1e-3),
      `${what}: row ${Math.floor(i / TOKENS)}, token ${i % TOKENS}`,
    )
  );
}
