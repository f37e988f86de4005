/**
 * Forward passes beside the one that learns: log-probabilities under the warm start's weights, and values before every token.
 *
 * @module
 */
import { requireFinite, subslice } from "../kernels/gpu/mod.ts";
import { type AdamW, type HostTensor, sizeOf, Tape } from "../model/mod.ts";
import type { LearnContext } from "./algorithms/algorithm.ts";
import type { ForwardSettings, Policy } from "./policy.ts";
import type { Transition } from "./rollout.ts";

/** Turns of one forward pass. The last pass is filled up, so that few shapes occur. */
const BATCH = 64;

/** Computes log-probabilities or values of response tokens, a row for each response. */
async function rowsOf(
  policy: Policy,
  transitions: readonly Transition[],
  settings: ForwardSettings,
  which: "logprob" | "values",
): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for (let start = 0; start < transitions.length; start += BATCH) {
    const turns = transitions.slice(start, start + BATCH);
    await policy.look?.(turns);
    const batch = policy.batch([...turns, ...Array(BATCH - turns.length).fill(turns[0])]);
    using tape = new Tape(policy.gpu, { record: false });
    const [words] = await policy.gpu.read(policy.forward(tape, batch, settings)[which]!.data);
    const named = which === "values" ? "value" : "log-probability";
    turns.forEach(({ response }, b) => {
      const row = words.slice(b * batch.R, b * batch.R + response.length);
      requireFinite("compare policies", row, (t) => `the ${named} at token ${t} of response ${start + b}`);
      rows.push(row);
    });
  }
  return rows;
}

/** Computes the value before each response token under the present weights, a row for each response. */
export function tokenValues(policy: Policy, transitions: readonly Transition[]): Promise<Float32Array[]> {
  return rowsOf(policy, transitions, { temperature: 1, values: "token" }, "values");
}

/** The policy with other weights of the same shapes. */
export interface Reference {
  /** Computes the log-probability (nats) of each response token at the run's temperature, a row for each response. */
  readonly logprobs: (transitions: readonly Transition[]) => Promise<Float32Array[]>;
  /** Frees its weights on the GPU. */
  readonly dispose: () => void;
}

/**
 * Makes a reference of the warm start. Its weights take the place of the policy's during a forward pass. No second model is
 * needed.
 */
export function reference(
  policy: Policy,
  weights: Promise<ReadonlyMap<string, HostTensor>> | null,
  temperature: number,
): Reference {
  const { gpu, parameters } = policy;
  const words = parameters.values.length;
  const held = weights === null ? null : {
    reference: gpu.allocate(words, "reference"),
    present: gpu.allocate(words, "present"),
    isFilled: false,
  };
  return {
    logprobs: async (transitions) => {
      if (held === null || weights === null) {
        throw new TypeError("Cannot compare with the warm start: the algorithm does not say needsReference");
      }
      if (!held.isFilled) {
        // What is not among the weights is what it was then: frozen.
        gpu.copy(parameters.values, held.reference);
        for (const { name, shape, offset, frozen } of parameters.list) {
          const tensor = (await weights).get(name);
          if (tensor === undefined || frozen !== undefined) continue;
          gpu.write(subslice(held.reference, offset, sizeOf(shape)), tensor.data);
        }
        held.isFilled = true;
      }
      gpu.copy(parameters.values, held.present);
      gpu.copy(held.reference, parameters.values);
      try {
        return await rowsOf(policy, transitions, { temperature, values: "none" }, "logprob");
      } finally {
        gpu.copy(held.present, parameters.values);
      }
    },
    dispose: () => {
      if (held === null) return;
      gpu.free(held.reference);
      gpu.free(held.present);
    },
  };
}

/** Makes a context for one iteration outside a run. The log-probabilities when acting are its reference. */
export function learnContext(
  policy: Policy,
  optimizer: AdamW,
  changes: Pick<LearnContext, "learningRate"> & Partial<LearnContext>,
): LearnContext {
  return {
    policy,
    optimizer,
    iteration: 0,
    makeEnvironment: () => {
      throw new TypeError("Cannot play a deal again: no environment was given");
    },
    referenceLogprobs: (transitions) => Promise.resolve(transitions.map(({ logprobs }) => logprobs)),
    tokenValues: (transitions) => tokenValues(policy, transitions),
    memory: {},
    ...changes,
  };
}
