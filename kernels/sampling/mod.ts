/**
 * One decoding step on the GPU: draw a token per row, score it, advance the row.
 *
 * @module
 */
import { type Gpu, params, read, type Slice, write } from "../gpu/mod.ts";
import naiveSource from "./naive.wgsl" with { type: "text" };

export { threefry2x32, uniformFromCounter, uniformsFromCounter } from "./uniform.ts";

/** Operands of {@linkcode sampleTokens}. `logits` and `random` may not share a storage with the others. */
export interface SampleTokensOperands {
  /** (B,V), before division by the temperature. */
  readonly logits: Slice;
  /** (B,2) u32, seed and counter of each row: step s draws by `uniformsFromCounter(seed, counter + s)`. */
  readonly random: Slice;
  /** (B) u32, 1 once a row has ended. Read and written. */
  readonly done: Slice;
  /** (B,maxSteps) u32; column `step` is written, with `padId` if the row was done before. */
  readonly tokens: Slice;
  /**
   * (B,maxSteps); log-probability of the token at the temperature, 0 if the row was done before. NaN when a logit of the
   * row is NaN or +infinity; the token is then void.
   */
  readonly logprobs: Slice;
  /** (B,maxSteps); entropy in nats of the distribution drawn from, 0 or NaN as `logprobs`. */
  readonly entropies: Slice;
  /** (B) u32; the token drawn, input of the next step. Unchanged if the row was done before. */
  readonly current: Slice;
  /** (B) u32; raised by 1: the sequence position of the next token. Unchanged if the row was done before. */
  readonly position: Slice;
}

/** Shape and settings of {@linkcode sampleTokens}. */
export interface SampleTokensShape {
  /** Rows. */
  readonly B: number;
  /** Vocabulary. */
  readonly V: number;
  /** Column of the outputs to write, from 0 to `maxSteps - 1`. */
  readonly step: number;
  /** Columns of the outputs. */
  readonly maxSteps: number;
  /** Logits are divided by it; above 0. */
  readonly temperature: number;
  /** Take the first of the most likely tokens; log-probabilities stay those at the temperature. */
  readonly greedy: boolean;
  /** The token that ends a row. */
  readonly endId: number;
  /** What rows that have ended write. */
  readonly padId: number;
}

/** llvmpipe silently ends all loops of an invocation after 65535 rounds in sum; two walks take V / 8, one V / 16. */
const MAX_SOFTWARE_V = 174_000;

/**
 * Draws the token of one step for every row that has not ended.
 *
 * @throws {RangeError} when an operand is too small, the step lies outside, the temperature is not positive, or V is
 * above 174000 on a software adapter.
 */
export function sampleTokens(gpu: Gpu, operands: SampleTokensOperands, shape: SampleTokensShape): void {
  const { logits, random, done, tokens, logprobs, entropies, current, position } = operands;
  const { B, V, step, maxSteps, temperature, greedy, endId, padId } = shape;
  if (!(temperature > 0)) {
    throw new RangeError(
      `Cannot sample tokens at temperature ${temperature}: it must be above 0, set greedy for the most likely token`,
    );
  }
  if (!(V >= 1 && step >= 0 && step < maxSteps)) {
    throw new RangeError(
      `Cannot sample tokens of step ${step} from V = ${V}: V must be at least 1 and step below maxSteps = ${maxSteps}`,
    );
  }
  if (gpu.isSoftware && V > MAX_SOFTWARE_V) {
    throw new RangeError(
      `Cannot sample tokens from V = ${V}: on a software adapter V must be at most ${MAX_SOFTWARE_V}`,
    );
  }
  const words = { logits: B * V, random: 2 * B, done: B, current: B, position: B };
  const columns = { tokens: B * maxSteps, logprobs: B * maxSteps, entropies: B * maxSteps };
  for (const [name, wanted] of Object.entries({ ...words, ...columns })) {
    const { label, length } = operands[name as keyof SampleTokensOperands];
    if (length >= wanted) continue;
    throw new RangeError(
      `Cannot sample tokens with (B,V,maxSteps) = (${B},${V},${maxSteps}): ${name} (${label}) must hold ${wanted} words, got ${length}`,
    );
  }
  const WORKGROUP = gpu.isSoftware ? 8 : 32;
  gpu.dispatch({
    kernel: { name: "sampling/naive", source: naiveSource, constants: { WORKGROUP } },
    bindings: [
      read(logits),
      read(random),
      write(done),
      write(tokens),
      write(logprobs),
      write(entropies),
      write(current),
      write(position),
      params({ B, V, step, maxSteps, isGreedy: greedy, endId, padId, temperature }),
    ],
    workgroups: [Math.ceil(B / WORKGROUP)],
  });
}
