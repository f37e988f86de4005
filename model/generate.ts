/**
 * Batched generation with a key-value cache. Sampling, positions and end flags stay on the GPU: a response costs one
 * readback.
 *
 * @module
 */
import { fillCache } from "../kernels/attention/mod.ts";
import { fixed, requireFinite, roundUp, type Slice, subslice } from "../kernels/gpu/mod.ts";
import { sampleTokens } from "../kernels/sampling/mod.ts";
import { attentionSizes, cacheOf, chooseDecode, type DecodingState } from "./decode.ts";
import type { Layout, Segment } from "./sequence.ts";
import { Tape, type Tensor } from "./tape/mod.ts";
import type { Vlm } from "./vlm.ts";

/** How to sample. */
export interface GenerateOptions {
  /** Longest response in tokens, end token included; a prompt that leaves less room in the context gets less. */
  readonly maxNewTokens: number;
  /** Divides the logits, also in the reported log-probabilities. */
  readonly temperature: number;
  /** Take the most probable token instead of sampling. */
  readonly greedy: boolean;
  /** A response ends after this token. */
  readonly endId: number;
  /** What the rest of a response that ended is filled with. */
  readonly padId: number;
  /** (B, 2) u32: each row's generator seed and first counter. */
  readonly random: Uint32Array;
}

/** One generated response. */
export interface Response {
  /** Token ids, with the end token unless the limit came first. */
  readonly ids: readonly number[];
  /** Log-probability of each id when it was sampled. */
  readonly logprobs: Float32Array;
  /** Entropy of each distribution in nats. */
  readonly entropies: Float32Array;
  /** Value of the prompt. */
  readonly value: number;
}

/**
 * Writes a response to every prompt. A row's result does not depend on the other rows.
 *
 * @throws {RangeError} when `maxNewTokens` is below 1, or a prompt is empty or leaves no room in the context.
 * @throws {NotFiniteError} when a log-probability, entropy or value is NaN or infinite: what was drawn then means nothing.
 */
export async function generate(
  vlm: Vlm,
  prompts: readonly (readonly Segment[])[],
  options: GenerateOptions,
): Promise<Response[]> {
  const { gpu, config } = vlm;
  const { maxNewTokens, temperature, greedy, endId, padId } = options;
  const sequences = prompts.map((prompt) => ({ prompt, response: [] }));
  await vlm.look(sequences);
  const layout = vlm.layOut(sequences);
  if (!(maxNewTokens >= 1)) {
    throw new RangeError(`Cannot generate ${maxNewTokens} tokens: maxNewTokens must be at least 1`);
  }
  // Prompt and response must fit the context, so that every response can be trained on.
  const rooms = layout.length.map((length) => Math.min(maxNewTokens, config.contextLength - length));
  const full = rooms.indexOf(0);
  if (full >= 0) {
    throw new RangeError(
      `Cannot answer prompt ${full}: it takes all ${config.contextLength} positions of the context, shorten it`,
    );
  }
  const steps = rooms.reduce((a, b) => Math.max(a, b), 0);
  // A multiple of eight keeps the layers' parts of the cache aligned.
  const capacity = roundUp(Math.min(config.contextLength, layout.T + steps), 8);

  const inputs: GenerationInputs = {
    layout,
    random: options.random,
    steps,
    capacity,
    temperature,
    greedy,
    endId,
    padId,
  };
  const step = {
    name: "generate",
    owner: vlm,
    run: (inputs: GenerationInputs) => launchGeneration(vlm, inputs),
  };
  const [idWords, logprobWords, entropyWords, values] = steps <= WHOLE_STEPS
    ? await gpu.plans.run(step, inputs)
    : await generateUntilDone(vlm, inputs);
  const ids = new Uint32Array(idWords.buffer, idWords.byteOffset, idWords.length);
  return prompts.map((_, b) => {
    const row = ids.subarray(b * steps, (b + 1) * steps);
    const end = row.indexOf(endId);
    // A row that ran out of context went on beside longer ones. Its further tokens are void.
    const count = end < 0 ? rooms[b] : Math.min(end + 1, rooms[b]);
    const logprobs = logprobWords.slice(b * steps, b * steps + count);
    const entropies = entropyWords.slice(b * steps, b * steps + count);
    requireFinite("sample", logprobs, (t) => `the log-probability of token ${t} of response ${b}`);
    requireFinite("sample", entropies, (t) => `the entropy at token ${t} of response ${b}`);
    requireFinite("sample", [values[b]], () => `the value of prompt ${b}`);
    return { ids: Array.from(row.subarray(0, count)), logprobs, entropies, value: values[b] };
  });
}

/** The inputs of a call: everything that differs from one to the next. */
interface GenerationInputs
  extends Pick<GenerateOptions, "random" | "temperature" | "greedy" | "endId" | "padId"> {
  readonly layout: Layout;
  /** Tokens of a response. */
  readonly steps: number;
  /** Positions that the cache has room for. */
  readonly capacity: number;
}

/** Responses of up to so many tokens are decoded whole, by one plan. Longer ones mostly end early. */
const WHOLE_STEPS = 64;
/** Tokens of longer responses from one look at who has ended to the next. */
const CHUNK = 16;

/** Decodes all steps; returns (B, steps) ids, log-probabilities and entropies, and (B) values. */
function launchGeneration(vlm: Vlm, inputs: GenerationInputs): Slice[] {
  using tape = new Tape(vlm.gpu, { record: false });
  const { decodeStep, slices } = beginGeneration(tape, vlm, inputs);
  for (let index = 1; index < inputs.steps; index++) decodeStep(index);
  return slices;
}

/** The same, but stops once all responses have ended; what comes after their ends means nothing. */
async function generateUntilDone(vlm: Vlm, inputs: GenerationInputs): Promise<Float32Array[]> {
  const { gpu } = vlm;
  using tape = new Tape(gpu, { record: false });
  const { decodeStep, slices, done } = beginGeneration(tape, vlm, inputs);
  for (let index = 1; index < inputs.steps; index++) {
    if (index % CHUNK === 0) {
      const [ended] = await gpu.read(done);
      if (new Uint32Array(ended.buffer, ended.byteOffset, inputs.layout.B).every((flag) => flag !== 0)) break;
    }
    decodeStep(index);
  }
  return await gpu.read(...slices);
}

/** A generation whose prompts are read and whose first tokens are drawn. */
interface Generation {
  /** Decodes the tokens of an index, from 1 on, one after the other. */
  readonly decodeStep: (index: number) => void;
  /** (B, steps) ids, log-probabilities and entropies, and (B) values. */
  readonly slices: Slice[];
  /** (B) not 0 once a response has ended. */
  readonly done: Slice;
}

/** Reads the prompts and draws the first tokens. */
function beginGeneration(tape: Tape, vlm: Vlm, inputs: GenerationInputs): Generation {
  const { gpu, config } = vlm;
  const { layout, steps, capacity, temperature, greedy, endId, padId } = inputs;
  const { B, T } = layout;
  const { layers, vocabularySize: V } = config;
  const { C, E } = attentionSizes(config);
  const cache = tape.output([layers, B, capacity, 2 * E], "cache");
  const random = tape.indices(inputs.random, "random");
  const done = tape.indices(fixed(new Uint32Array(B)), "done");
  const current = tape.indices(fixed(new Uint32Array(B)), "current");
  // The position of `current`; sampling moves on by one.
  const position = tape.derived(
    layout.length,
    "position",
    (length) => length.map((positions) => positions - 1),
  );
  const tokens = tape.output([B, steps], "tokens");
  const logprobs = tape.output([B, steps], "logprobs");
  const entropies = tape.output([B, steps], "entropies");
  const sample = (logits: Tensor, step: number) =>
    sampleTokens(gpu, {
      logits: logits.data,
      random,
      done,
      tokens: tokens.data,
      logprobs: logprobs.data,
      entropies: entropies.data,
      current,
      position,
    }, { B, V, step, maxSteps: steps, temperature, greedy, endId, padId });

  const decoding: DecodingState = { B, capacity, cache, current, position };
  // Without responses the last prompt positions are the only readouts.
  const hidden = vlm.hidden(tape, layout, (layer, QKV) => {
    fillCache(gpu, { QKV: QKV.data, cache: cacheOf(decoding, layer) }, { B, T, C, E, capacity });
  }); // (B, C)
  const values = vlm.values(tape, hidden, layout);
  sample(vlm.logits(tape, hidden), 0);
  // The GPU reads the prompts while the host records what follows.
  gpu.flush();

  const decode = chooseDecode(vlm, decoding);
  return {
    decodeStep: (index) => {
      using step = new Tape(gpu, { record: false });
      sample(decode(step), index);
    },
    slices: [tokens.data, logprobs.data, entropies.data, subslice(values.data, 0, B)],
    done,
  };
}
