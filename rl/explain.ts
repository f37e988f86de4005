/**
 * What a policy might have said instead, and where it looked: one more forward pass over responses that are written.
 *
 * @module
 */
import type { Gpu, Slice } from "../kernels/gpu/mod.ts";
import { attentionSizes, deriveSizes, type Sequence, Tape, type Tensor } from "../model/mod.ts";
import { Agent } from "./agent.ts";
import { CnnPolicy } from "./policies/cnn.ts";
import type { Policy } from "./policy.ts";

/** A token that a policy might have written, and how likely. */
export type Alternative = readonly [id: number, probability: number];

/** What one forward pass tells of a response. */
export interface Explanation {
  /** For each token of the response the most likely tokens in its place, the likeliest first; null if they cost too much. */
  readonly alternatives: readonly (readonly Alternative[])[] | null;
  /** Where each token's prediction looked in the picture; null for a policy without attention. */
  readonly attention: ImageAttention | null;
}

/** Attention to the picture, a mean over layers and heads, in the position that predicts each token. */
export interface ImageAttention {
  /** Columns and rows of the picture's tokens. */
  readonly grid: readonly [columns: number, rows: number];
  /** (tokens, rows x columns) share of the attention that each part of the picture got. */
  readonly shares: readonly Float32Array[];
}

/** What to explain. */
export interface ExplainSettings {
  /** Divides the logits. */
  readonly temperature: number;
  /** Alternatives of each token. */
  readonly alternatives: number;
}

/** What a token writes by itself; of one that writes nothing its name, which is "" if it ends a response. */
export const tokenText = (policy: Pick<Policy, "decode" | "nameOf">, id: number): string =>
  policy.decode([id]).text || (policy.nameOf?.(id) ?? "");

/** Most logits to read back, 16 MB: a large vocabulary has no alternatives. */
const MAX_LOGITS = 1 << 22;
/** Most words of queries and keys to read back, 64 MB: a large model has no picture of its attention. */
const MAX_ATTENTION = 1 << 24;

/** A forward pass that is under way: read its slices, together with others' if there are any, and then dispose of it. */
export interface Launched<Result> extends Disposable {
  readonly slices: readonly Slice[];
  /** Makes the result of the words of the slices. */
  result(words: readonly Float32Array[]): Result;
}

/** Reads several launched passes at once, which costs no more than one, and disposes of them. */
export async function readAll<const Results extends readonly unknown[]>(
  gpu: Gpu,
  launched: { readonly [index in keyof Results]: Launched<Results[index]> },
): Promise<Results> {
  try {
    const words = await gpu.read(...launched.flatMap(({ slices }) => slices));
    let first = 0;
    return launched.map((each) => each.result(words.slice(first, first += each.slices.length))) as never;
  } finally {
    for (const each of launched) each[Symbol.dispose]();
  }
}

/** What else `policy` might have answered to the same prompts, under its present weights. */
export async function explain(
  policy: Policy,
  sequences: readonly Sequence[],
  settings: ExplainSettings,
): Promise<Explanation[]> {
  return (await readAll<[Explanation[]]>(policy.gpu, [launchExplanation(policy, sequences, settings)]))[0];
}

/** Launches what {@linkcode explain} tells, under the weights of this moment. */
export function launchExplanation(
  policy: Policy,
  sequences: readonly Sequence[],
  settings: ExplainSettings,
): Launched<Explanation[]> {
  if (policy instanceof Agent) return launchAgent(policy, sequences, settings);
  if (policy instanceof CnnPolicy) return launchCnn(policy, sequences, settings);
  const nothing = sequences.map(() => ({ alternatives: null, attention: null }));
  return { slices: [], result: () => nothing, [Symbol.dispose]: () => {} };
}

/** Launches the log-probability of each token of responses under the present weights, a row for each response. */
export function launchLogprobs(
  policy: Policy,
  sequences: readonly Sequence[],
  temperature: number,
): Launched<Float32Array[]> {
  const batch = policy.batch(sequences);
  const tape = new Tape(policy.gpu, { record: false });
  const { logprob } = policy.forward(tape, batch, { temperature, values: "none" });
  return {
    slices: [logprob.data],
    result: ([words]) =>
      sequences.map(({ response }, b) => words.slice(b * batch.R, b * batch.R + response.length)),
    [Symbol.dispose]: () => tape.dispose(),
  };
}

function launchAgent(
  { vlm }: Agent,
  sequences: readonly Sequence[],
  { temperature, alternatives: count }: ExplainSettings,
): Launched<Explanation[]> {
  const layout = vlm.layOut(sequences);
  const { B, R, T, prefix, sources } = layout;
  const { vocabularySize: V, layers: L } = vlm.config;
  const { C, E } = attentionSizes(vlm.config);
  const hasAttention = L * B * T * (C + 2 * E) <= MAX_ATTENTION;
  const tape = new Tape(vlm.gpu, { record: false });
  const QKVs: Tensor[] = [];
  const hidden = vlm.hidden(tape, layout, (_, QKV, part) => {
    if (hasAttention) QKVs.push(part.keep(QKV));
  }); // (B R, C)
  const hasLogits = B * R * V <= MAX_LOGITS;
  const logits = hasLogits ? [vlm.logits(tape, hidden)] : []; // (B R, V)
  const result = (words: readonly Float32Array[]): Explanation[] => {
    const rows = hasLogits ? words[0] : null;
    const layers = words.slice(logits.length);
    return sequences.map(({ response }, b) => ({
      alternatives: rows && response.map((_, r) => {
        const first = (b * R + r) * V;
        return likeliest(rows.subarray(first, first + V), temperature, count);
      }),
      attention: !hasAttention ? null : imageAttention(layers, {
        ...attentionSizes(vlm.config),
        ...{ b, T },
        prefix: prefix[b],
        tokens: response.length,
        sources: sources.subarray(b * T, (b + 1) * T),
        imageTokens: deriveSizes(vlm.config).imageTokens,
      }),
    }));
  };
  const slices = [...logits, ...QKVs].map(({ data }) => data);
  return { slices, result, [Symbol.dispose]: () => tape.dispose() };
}

function launchCnn(
  policy: CnnPolicy,
  sequences: readonly Sequence[],
  { temperature, alternatives: count }: ExplainSettings,
): Launched<Explanation[]> {
  const { cnn, gpu, actions } = policy;
  const batch = policy.batch(sequences);
  const tape = new Tape(gpu, { record: false });
  const logits = cnn.logits(tape, cnn.features(tape, batch), batch.penalties); // (B, V)
  const result = ([rows]: readonly Float32Array[]): Explanation[] => {
    const V = rows.length / batch.B;
    return sequences.map((_, b) => ({
      alternatives: [
        likeliest(rows.subarray(b * V, (b + 1) * V), temperature, count)
          .filter(([id]) => id < actions.length),
      ],
      attention: null,
    }));
  };
  return { slices: [logits.data], result, [Symbol.dispose]: () => tape.dispose() };
}

/** The `count` most probable tokens of a row of logits. */
function likeliest(logits: Float32Array, temperature: number, count: number): Alternative[] {
  let largest = -Infinity;
  for (const logit of logits) if (logit > largest) largest = logit;
  let total = 0;
  const best: [id: number, logit: number][] = [];
  for (let id = 0; id < logits.length; id++) {
    total += Math.exp((logits[id] - largest) / temperature);
    if (best.length === count && logits[id] <= best[count - 1][1]) continue;
    let at = best.length;
    while (at > 0 && best[at - 1][1] < logits[id]) at--;
    best.splice(at, 0, [id, logits[id]]);
    if (best.length > count) best.pop();
  }
  return best.map(([id, logit]) => [id, Math.exp((logit - largest) / temperature) / total]);
}

/** A sequence of a batch, and what its attention is read from. */
interface Attending {
  /** Its row of the batch. */
  readonly b: number;
  /** Positions of a row. */
  readonly T: number;
  /** Heads of queries. */
  readonly H: number;
  /** Heads of keys and of values. */
  readonly K: number;
  /** Width of a head. */
  readonly D: number;
  /** Positions of the prompt. */
  readonly prefix: number;
  /** Tokens of the response. */
  readonly tokens: number;
  /** (T) below 0 at image tokens. */
  readonly sources: Int32Array;
  /** Tokens of one image. */
  readonly imageTokens: number;
}

/** Softmax attention from packed QKV, as `kernels/attention` has it, to the last image; null without one. */
function imageAttention(
  layers: readonly Float32Array[],
  attending: Attending,
): ImageAttention | null {
  const { b, T, H, K, D, prefix, tokens, sources, imageTokens: P } = attending;
  const last = sources.findLastIndex((source) => source < 0);
  const side = Math.sqrt(P);
  if (last < 0 || !Number.isInteger(side)) return null;
  const firstImage = last + 1 - P;
  const W = (H + 2 * K) * D;
  const shares = Array.from({ length: tokens }, () => new Float32Array(P));
  const weights = new Float64Array(T);
  for (const QKV of layers) {
    for (let r = 0; r < tokens; r++) {
      const query = prefix + r - 1;
      const seen = Math.max(prefix, query + 1);
      for (let h = 0; h < H; h++) {
        const q = (b * T + query) * W + h * D;
        // H / K neighbouring heads of queries share one of keys.
        const k = b * T * W + (H + Math.floor(h * K / H)) * D;
        let largest = -Infinity;
        for (let t = 0; t < seen; t++) {
          let dot = 0;
          for (let d = 0; d < D; d++) dot += QKV[q + d] * QKV[k + t * W + d];
          weights[t] = dot / Math.sqrt(D);
          if (weights[t] > largest) largest = weights[t];
        }
        let total = 0;
        for (let t = 0; t < seen; t++) total += weights[t] = Math.exp(weights[t] - largest);
        const scale = 1 / (total * H * layers.length);
        for (let p = 0; p < P; p++) shares[r][p] += weights[firstImage + p] * scale;
      }
    }
  }
  return { grid: [side, side], shares };
}
