/**
 * Scores given responses, the model's own or another's: log-probabilities, as of a reference policy, and values at every token.
 *
 * @module
 */
import { requireFinite, type Slice } from "../kernels/gpu/mod.ts";
import type { Layout, Sequence } from "./sequence.ts";
import { Tape } from "./tape/mod.ts";
import type { Vlm } from "./vlm.ts";

/** How a model scores one response of n tokens. */
export interface Assessment {
  /** (n) log-probability of each token. */
  readonly logprobs: Float32Array;
  /** (n) entropy of each distribution in nats. */
  readonly entropies: Float32Array;
  /** (n) value of the state before each token, in units of scaled return; the first is the prompt's. */
  readonly values: Float32Array;
}

/** How {@linkcode assess} runs. */
export interface AssessOptions {
  /** Divides the logits. */
  readonly temperature: number;
  /** Sequences of a forward pass, 32 by default: more take more memory. */
  readonly batchSize?: number;
}

/**
 * Scores sequences by forward passes, one batch after another; nothing is recorded. An empty response has empty arrays.
 *
 * @throws {RangeError} when a sequence cannot be laid out, or `batchSize` is below 1.
 * @throws {NotFiniteError} when a log-probability, entropy or value is NaN or infinite.
 */
export async function assess(
  vlm: Vlm,
  sequences: readonly Sequence[],
  { temperature, batchSize = 32 }: AssessOptions,
): Promise<Assessment[]> {
  if (!(batchSize >= 1)) throw new RangeError(`Cannot assess ${batchSize} sequences at once: at least 1`);
  const step = { name: "assess", owner: vlm, run: (inputs: AssessInputs) => launchAssessment(vlm, inputs) };
  const assessments: Assessment[] = [];
  for (let first = 0; first < sequences.length; first += batchSize) {
    const batch = sequences.slice(first, first + batchSize);
    await vlm.look(batch);
    const layout = vlm.layOut(batch);
    const { R } = layout;
    const [logprobs, entropies, values] = R === 0
      ? new Array<Float32Array>(3).fill(new Float32Array(0))
      : await vlm.gpu.plans.run(step, { layout, temperature });
    batch.forEach(({ response: { length } }, b) => {
      const own = (words: Float32Array, what: string) => {
        const row = words.slice(b * R, b * R + length);
        requireFinite("score", row, (t) => `the ${what} of token ${t} of response ${first + b}`);
        return row;
      };
      assessments.push({
        logprobs: own(logprobs, "log-probability"),
        entropies: own(entropies, "entropy"),
        values: own(values, "value"),
      });
    });
  }
  return assessments;
}

/** The inputs of a batch: everything that differs from one to the next. */
interface AssessInputs {
  readonly layout: Layout;
  readonly temperature: number;
}

function launchAssessment(vlm: Vlm, { layout, temperature }: AssessInputs): Slice[] {
  using tape = new Tape(vlm.gpu, { record: false });
  const { logprob, entropy, values } = vlm.assess(tape, layout, temperature);
  return [logprob.data, entropy.data, values.data];
}
