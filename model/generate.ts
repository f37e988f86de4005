/**
 * Batched generation with a key-value cache. Sampling, positions and end flags stay on the GPU: a response costs one
 * readback.
 *
 * @module
 */
import { attentionDecode, fillCache } from "../kernels/attention/mod.ts";
import { embed } from "../kernels/embedding/mod.ts";
import { subslice } from "../kernels/gpu/mod.ts";
import { sampleTokens } from "../kernels/sampling/mod.ts";
import { languageBlocks } from "./language.ts";
import { layOut, type Segment } from "./sequence.ts";
import { gatherRows, linear, Tape, type Tensor } from "./tape/mod.ts";
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
 */
export async function generate(
  vlm: Vlm,
  prompts: readonly (readonly Segment[])[],
  options: GenerateOptions,
): Promise<Response[]> {
  const { gpu, config, parameters } = vlm;
  const { maxNewTokens, temperature, greedy, endId, padId } = options;
  const layout = layOut(prompts.map((prompt) => ({ prompt, response: [] })), config);
  const { B, T } = layout;
  const { width: C, heads: H, layers, vocabularySize: V } = config;
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
  const capacity = Math.min(config.contextLength, T + steps);

  using tape = new Tape(gpu, { record: false });
  const caches = Array.from(
    { length: layers },
    (_, layer) => tape.output([B, capacity, 2 * C], `cache.${layer}`),
  );
  const random = tape.indices(options.random, "random");
  const done = tape.indices(new Uint32Array(B), "done");
  const current = tape.indices(new Uint32Array(B), "current");
  // The position of `current`; sampling moves on by one.
  const position = tape.indices(layout.length.map((length) => length - 1), "position");
  const tokens = tape.output([B, steps], "tokens");
  const logprobs = tape.output([B, steps], "logprobs");
  const entropies = tape.output([B, steps], "entropies");

  let lastHidden: Tensor;
  let values: Tensor;
  {
    const hidden = vlm.hidden(
      tape,
      layout,
      (layer, QKV) => fillCache(gpu, { QKV: QKV.data, cache: caches[layer].data }, { B, T, C, capacity }),
    );
    values = vlm.values(tape, hidden, layout);
    lastHidden = gatherRows(tape, hidden, layout.lastPrompt); // (B, C)
  }

  const head = { weight: parameters.get("language.head.weight"), bias: null };
  const sample = (step: Tape, hidden: Tensor, index: number) => {
    const logits = linear(step, hidden, head); // (B, V)
    sampleTokens(gpu, {
      logits: logits.data,
      random,
      done,
      tokens: tokens.data,
      logprobs: logprobs.data,
      entropies: entropies.data,
      current,
      position,
    }, { B, V, step: index, maxSteps: steps, temperature, greedy, endId, padId });
  };
  sample(tape, lastHidden, 0);
  for (let index = 1; index < steps; index++) {
    using step = new Tape(gpu, { record: false });
    const X = step.output([B, C], "decode.embedding");
    embed(gpu, {
      sources: current,
      positions: position,
      tokenTable: parameters.get("language.token_embedding.weight").data,
      positionTable: parameters.get("language.position_embedding.weight").data,
      imageTokens: gpu.placeholder,
      Y: X.data,
    }, { N: B, C });
    const hidden = languageBlocks(step, parameters, config, X, (layer) => (QKV) => {
      const Y = step.output([B, C], "decode.attention");
      attentionDecode(gpu, { QKV: QKV.data, cache: caches[layer].data, position, Y: Y.data }, {
        B,
        H,
        D: C / H,
        capacity,
      });
      return Y;
    });
    sample(step, hidden, index);
  }

  const [idWords, logprobWords, entropyWords, valueWords] = await gpu.read(
    tokens.data,
    logprobs.data,
    entropies.data,
    subslice(values.data, 0, B),
  );
  const ids = new Uint32Array(idWords.buffer, idWords.byteOffset, idWords.length);
  return prompts.map((_, b) => {
    const row = ids.subarray(b * steps, (b + 1) * steps);
    const end = row.indexOf(endId);
    // A row that ran out of context went on beside longer-running ones; those tokens are void.
    const count = end < 0 ? rooms[b] : Math.min(end + 1, rooms[b]);
    return {
      ids: Array.from(row.subarray(0, count)),
      logprobs: logprobWords.slice(b * steps, b * steps + count),
      entropies: entropyWords.slice(b * steps, b * steps + count),
      value: valueWords[b],
    };
  });
}
