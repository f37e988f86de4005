/** One decoding step in plain f64 loops. */
import { uniformFromCounter } from "./uniform.ts";

type Numbers = ArrayLike<number>;

/** Settings of a step, as the launch takes them. */
export interface SampleTokensSettings {
  readonly B: number;
  readonly V: number;
  readonly step: number;
  readonly maxSteps: number;
  readonly temperature: number;
  readonly greedy: boolean;
  readonly endId: number;
  readonly padId: number;
}

type StateName = "done" | "tokens" | "logprobs" | "entropies" | "current" | "position";

/** The state after the step; nothing that is passed in is changed. */
export function sampleTokensReference(
  { logits, random, ...state }: Readonly<Record<"logits" | "random" | StateName, Numbers>>,
  { B, V, step, maxSteps, temperature, greedy, endId, padId }: SampleTokensSettings,
): Record<StateName, Float64Array> {
  const names: StateName[] = ["done", "tokens", "logprobs", "entropies", "current", "position"];
  const next = Object.fromEntries(names.map((name) => [name, Float64Array.from(state[name])]));
  for (let b = 0; b < B; b++) {
    const out = b * maxSteps + step;
    if (next.done[b] !== 0) {
      next.tokens[out] = padId;
      next.logprobs[out] = 0;
      next.entropies[out] = 0;
      continue;
    }
    const scaled = Array.from({ length: V }, (_, v) => logits[b * V + v] / temperature);
    const largest = scaled.reduce((x, y) => Math.max(x, y));
    const total = scaled.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
    const logps = scaled.map((logit) => logit - largest - Math.log(total));

    let token = logps.indexOf(logps.reduce((a, b) => Math.max(a, b)));
    if (!greedy) {
      const threshold = uniformFromCounter(random[2 * b], random[2 * b + 1] + step);
      let sum = 0;
      for (let v = 0; v < V && sum <= threshold; v++) {
        const p = Math.exp(logps[v]);
        if (p > 0) token = v;
        sum += p;
      }
    }
    next.tokens[out] = token;
    next.logprobs[out] = logps[token];
    next.entropies[out] = -logps.reduce((sum, logp) => sum + (logp > -700 ? Math.exp(logp) * logp : 0), 0);
    next.current[b] = token;
    next.position[b] += 1;
    if (token === endId) next.done[b] = 1;
  }
  return next as Record<StateName, Float64Array>;
}
