/**
 * A minibatch in shares: each learner computes the gradient of its share from zero, and the gradients are added in the order of the
 * shares. Who computed which share does not show in the bits.
 *
 * @module
 */
import { type Slice } from "../kernels/gpu/mod.ts";
import { type AdamW, scale, type StepSettings, Tape, type Tensor } from "../model/mod.ts";
import { type PartContext, policyObjective, type PolicyPart, policyPart, type Sample } from "./objective.ts";
import type { Policy } from "./policy.ts";
import { finished, type UpdateResult } from "./update.ts";

/** What a learner computed of its share. */
export interface ShareGradient {
  /** Gradient, in the layout of the parameters' values. */
  readonly gradient: Float32Array;
  /** Losses without their weights, by name. */
  readonly losses: Readonly<Record<string, number>>;
  /** Readouts' contents, by name. */
  readonly readouts: Readonly<Record<string, Float32Array>>;
}

/** Those who compute the other shares. */
export interface Learners {
  /** Computes the gradient of each share with the policy's present weights, in the order of the shares. */
  readonly gradients: (
    policy: Policy,
    shares: readonly (readonly Sample[])[],
    whole: PartContext,
  ) => Promise<readonly ShareGradient[]>;
}

/** Computes the gradient of a share. The policy's parameters must have gradients; they hold this one's afterwards. */
export async function shareGradient(
  policy: Policy,
  samples: readonly Sample[],
  whole: PartContext,
): Promise<ShareGradient> {
  const { gpu, parameters } = policy;
  const objective = policyObjective(policy);
  await policy.look?.(samples.map(({ transition }) => transition));
  const part = policyPart(policy, samples, whole);
  const run = ({ part }: { readonly part: PolicyPart }): Slice[] => {
    gpu.clear(parameters.gradients!);
    using tape = new Tape(gpu, { record: true });
    const { losses, readouts = {} } = objective.losses(tape, part);
    known.set(policy, { losses: Object.keys(losses), readouts: Object.keys(readouts) });
    const kept: Tensor[] = [...Object.values(losses).map(([loss]) => loss), ...Object.values(readouts)];
    const results = kept.map((tensor) => tape.keep(tensor));
    const roots = Object.values(losses).filter(([, weight]) => weight !== 0);
    tape.backward(...roots.map(([loss, weight]) => weight === 1 ? loss : scale(tape, loss, weight)));
    return [parameters.gradients!, ...results.map(({ data }) => data)];
  };
  const [gradient, ...words] = await gpu.plans.run({ name: "share", owner: policy, run }, { part });
  const names = known.get(policy)!;
  return {
    gradient,
    losses: Object.fromEntries(names.losses.map((name, i) => [name, words[i][0]])),
    readouts: Object.fromEntries(names.readouts.map((name, i) => [name, words[names.losses.length + i]])),
  };
}

/** Names of the losses and readouts from when a share was traced. A replay returns only the numbers. */
const known = new WeakMap<Policy, { readonly losses: string[]; readonly readouts: string[] }>();

/**
 * Does one step of the optimiser on a minibatch in shares.
 *
 * @throws {NotFiniteError} when a loss or the gradient is not finite; the weights are then as they were.
 */
export async function updateInShares(
  policy: Policy,
  optimizer: AdamW,
  shares: readonly (readonly Sample[])[],
  whole: PartContext,
  settings: StepSettings,
  others: Learners | undefined,
): Promise<UpdateResult> {
  const [own, ...rest] = shares;
  // The others begin before this one, which keeps this process busy.
  const theirs = others?.gradients(policy, rest, whole);
  theirs?.catch(() => {});
  const computed = [await shareGradient(policy, own, whole)];
  if (theirs !== undefined) computed.push(...await theirs);
  else for (const share of rest) computed.push(await shareGradient(policy, share, whole));
  const sum = computed[0].gradient.slice();
  for (const { gradient } of computed.slice(1)) {
    for (let i = 0; i < sum.length; i++) sum[i] += gradient[i];
  }
  const { gpu, parameters } = policy;
  gpu.write(parameters.gradients!, sum);
  optimizer.apply(optimizer.advance(settings));
  const [norms] = await gpu.read(optimizer.norms);
  const total = (name: string) => computed.reduce((sum, { losses }) => sum + losses[name], 0);
  return finished({
    losses: Object.fromEntries(Object.keys(computed[0].losses).map((name) => [name, total(name)])),
    readouts: Object.fromEntries(
      Object.keys(computed[0].readouts).map((name) => [name, computed.map(({ readouts }) => readouts[name])]),
    ),
  }, norms);
}
