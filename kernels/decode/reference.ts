/** A decoding step of the whole language model in plain f64 loops. */
import type { DecodeStepShape } from "./mod.ts";

type Numbers = ArrayLike<number>;

/** Logits (B,V) and the cache after the step; nothing that is passed in is changed. */
export function decodeStepReference(
  { parameters, offsets, current, position, cache }: Readonly<
    Record<"parameters" | "offsets" | "current" | "position" | "cache", Numbers>
  >,
  { B, C, H, layers, capacity, positions, V, epsilon }: DecodeStepShape,
): { logits: Float64Array; cache: Float64Array } {
  const D = C / H;
  const nextCache = Float64Array.from(cache);
  const logits = new Float64Array(B * V);
  const vector = (index: number, length: number) =>
    Float64Array.from({ length }, (_, i) => parameters[4 * offsets[index] + i]);
  const product = (x: Float64Array, index: number, N: number) => {
    const y = new Float64Array(N);
    x.forEach((value, k) => {
      for (let n = 0; n < N; n++) y[n] += value * parameters[4 * offsets[index] + k * N + n];
    });
    return y;
  };
  const linear = (x: Float64Array, index: number, N: number) => {
    const bias = vector(index + 1, N);
    return product(x, index, N).map((value, n) => value + bias[n]);
  };
  const normalize = (x: Float64Array, index: number) => {
    const mean = x.reduce((sum, value) => sum + value, 0) / C;
    const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / C;
    const [weight, bias] = [vector(index, C), vector(index + 1, C)];
    return x.map((value, c) => weight[c] * (value - mean) / Math.sqrt(variance + epsilon) + bias[c]);
  };
  const gelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

  for (let b = 0; b < B; b++) {
    const row = (table: number, index: number) => vector(table, (index + 1) * C).subarray(index * C);
    const positionRow = row(1, Math.min(position[b], positions - 1));
    let x = row(0, current[b]).map((value, c) => value + positionRow[c]);
    for (let layer = 0; layer < layers; layer++) {
      const part = 2 + 12 * layer;
      const qkv = linear(normalize(x, part), part + 2, 3 * C);
      const start = (layer * B + b) * capacity * 2 * C;
      // Rows [k | v] seen: those of the cache, then the new one.
      const seen: Float64Array[] = [];
      for (let t = 0; t < Math.min(position[b], capacity); t++) {
        seen.push(nextCache.slice(start + t * 2 * C, start + (t + 1) * 2 * C));
      }
      seen.push(qkv.slice(C));
      if (position[b] < capacity) nextCache.set(qkv.subarray(C), start + position[b] * 2 * C);
      const attended = new Float64Array(C);
      for (let head = 0; head < H; head++) {
        const dot = (row: Float64Array) => {
          let sum = 0;
          for (let d = head * D; d < (head + 1) * D; d++) sum += qkv[d] * row[d];
          return sum / Math.sqrt(D);
        };
        const scores = seen.map(dot);
        const largest = scores.reduce((a, c) => Math.max(a, c));
        const weights = scores.map((score) => Math.exp(score - largest));
        const total = weights.reduce((a, c) => a + c);
        for (let d = head * D; d < (head + 1) * D; d++) {
          attended[d] = seen.reduce((sum, row, t) => sum + weights[t] * row[C + d], 0) / total;
        }
      }
      const out = linear(attended, part + 4, C);
      const middle = x.map((value, c) => value + out[c]);
      const inner = linear(normalize(middle, part + 6), part + 8, 4 * C).map(gelu);
      const down = linear(inner, part + 10, C);
      x = middle.map((value, c) => value + down[c]);
    }
    const last = 2 + 12 * layers;
    logits.set(product(normalize(x, last), last + 2, V), b * V);
  }
  return { logits, cache: nextCache };
}
