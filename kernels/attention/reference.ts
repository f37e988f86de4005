/**
 * Attention in plain loops with f64 sums: what every variant must compute. Rows of scores are held whole, so the
 * softmax here is the textbook's and not the streaming one of the kernels.
 *
 * @module
 */
import type { AttentionDecodeShape, AttentionShape, FillCacheShape } from "./mod.ts";

type Arrays = Readonly<Record<string, ArrayLike<number>>>;

/** Keys that query `q` sees, counted from 0: none for a padding row. */
function visibleKeys(q: number, prefix: number, length: number): number {
  return q < length ? Math.min(length, Math.max(q + 1, prefix)) : 0;
}

/** (query, key) pairs that the mask lets through, of one head: the work of a case. */
export function visiblePairs(T: number, prefix: ArrayLike<number>, length: ArrayLike<number>): number {
  let pairs = 0;
  for (let b = 0; b < length.length; b++) {
    for (let q = 0; q < T; q++) pairs += visibleKeys(q, prefix[b], length[b]);
  }
  return pairs;
}

/** Y and lse of {@linkcode attention}. */
export function attentionReference({ QKV, prefix, length }: Arrays, { B, T, H, K = H, D }: AttentionShape) {
  const [C, E] = [H * D, K * D];
  const Y = new Float64Array(B * T * C);
  const lse = new Float64Array(B * H * T);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      for (let q = 0; q < T; q++) {
        const row = (t: number) => (b * T + t) * (C + 2 * E);
        const keyHead = C + Math.floor(h * K / H) * D;
        const scores: number[] = [];
        for (let k = 0; k < visibleKeys(q, prefix[b], length[b]); k++) {
          let score = 0;
          for (let d = 0; d < D; d++) score += QKV[row(q) + h * D + d] * QKV[row(k) + keyHead + d];
          scores.push(score / Math.sqrt(D));
        }
        if (scores.length === 0) continue;
        const maximum = Math.max(...scores);
        const sum = scores.reduce((total, score) => total + Math.exp(score - maximum), 0);
        lse[(b * H + h) * T + q] = maximum + Math.log(sum);
        scores.forEach((score, k) => {
          const weight = Math.exp(score - maximum) / sum;
          for (let d = 0; d < D; d++) {
            Y[(b * T + q) * C + h * D + d] += weight * QKV[row(k) + keyHead + E + d];
          }
        });
      }
    }
  }
  return { Y, lse };
}

/** delta and dQKV of {@linkcode attentionBackward}; P is recomputed from scores, not read from lse. */
export function attentionBackwardReference(inputs: Arrays, shape: AttentionShape) {
  const { QKV, prefix, length, dY } = inputs;
  const { B, T, H, K = H, D } = shape;
  const [C, E] = [H * D, K * D];
  const { Y, lse } = attentionReference(inputs, shape);
  const delta = new Float64Array(B * H * T);
  const dQKV = new Float64Array(B * T * (C + 2 * E));
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      for (let q = 0; q < T; q++) {
        const qAt = (b * T + q) * (C + 2 * E) + h * D;
        const out = (b * T + q) * C + h * D;
        const statistic = (b * H + h) * T + q;
        const end = visibleKeys(q, prefix[b], length[b]);
        if (end === 0) continue;
        for (let d = 0; d < D; d++) delta[statistic] += dY[out + d] * Y[out + d];
        for (let k = 0; k < end; k++) {
          const kAt = (b * T + k) * (C + 2 * E) + C + Math.floor(h * K / H) * D;
          const vAt = kAt + E;
          let score = 0;
          let dP = 0;
          for (let d = 0; d < D; d++) {
            score += QKV[qAt + d] * QKV[kAt + d];
            dP += dY[out + d] * QKV[vAt + d];
          }
          const p = Math.exp(score / Math.sqrt(D) - lse[statistic]);
          const dS = p * (dP - delta[statistic]) / Math.sqrt(D);
          for (let d = 0; d < D; d++) {
            dQKV[qAt + d] += dS * QKV[kAt + d];
            dQKV[kAt + d] += dS * QKV[qAt + d];
            dQKV[vAt + d] += p * dY[out + d];
          }
        }
      }
    }
  }
  return { delta, dQKV };
}

/** The cache of {@linkcode fillCache}. */
export function fillCacheReference({ QKV, cache }: Arrays, { B, T, C, E = C, capacity }: FillCacheShape) {
  const filled = Float64Array.from(cache);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      for (let c = 0; c < 2 * E; c++) {
        filled[(b * capacity + t) * 2 * E + c] = QKV[(b * T + t) * (C + 2 * E) + C + c];
      }
    }
  }
  return { cache: filled };
}

/** The cache and Y of {@linkcode attentionDecode}: the last row of a causal attention over the sequence so far. */
export function attentionDecodeReference(
  { QKV, cache, position }: Arrays,
  { B, H, K = H, D, capacity }: AttentionDecodeShape,
) {
  const [C, E] = [H * D, K * D];
  const filled = Float64Array.from(cache);
  const Y = new Float64Array(B * C);
  for (let b = 0; b < B; b++) {
    const end = position[b];
    if (end >= capacity) continue;
    const row = b * (C + 2 * E);
    for (let c = 0; c < 2 * E; c++) filled[(b * capacity + end) * 2 * E + c] = QKV[row + C + c];
    for (let h = 0; h < H; h++) {
      const at = (t: number, part: number, d: number) =>
        filled[(b * capacity + t) * 2 * E + part * E + Math.floor(h * K / H) * D + d];
      const scores = Array.from({ length: end + 1 }, (_, t) => {
        let score = 0;
        for (let d = 0; d < D; d++) score += QKV[row + h * D + d] * at(t, 0, d);
        return score / Math.sqrt(D);
      });
      const maximum = Math.max(...scores);
      const sum = scores.reduce((total, score) => total + Math.exp(score - maximum), 0);
      scores.forEach((score, t) => {
        for (let d = 0; d < D; d++) Y[b * C + h * D + d] += Math.exp(score - maximum) / sum * at(t, 1, d);
      });
    }
  }
  return { cache: filled, Y };
}
