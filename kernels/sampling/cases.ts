/** Shapes that test and time the sampling of tokens. */
import { caseValues, type KernelCase } from "../case.ts";
import { sampleTokens, type SampleTokensShape } from "./mod.ts";
import { sampleTokensReference } from "./reference.ts";

function stepCase(settings: SampleTokensShape): KernelCase {
  const { B, V, step, maxSteps, temperature, greedy } = settings;
  return {
    kernel: "sampling",
    name: `${B}x${V} step ${step} of ${maxSteps} t=${temperature}${greedy ? " greedy" : ""}`,
    variants: ["naive"],
    inputs: () => ({
      // Rounded to eighths, so that rows have ties.
      logits: caseValues(B * V, 1, 4).map((logit) => Math.round(logit * 8) / 8),
      random: Uint32Array.from({ length: 2 * B }, (_, i) => Math.imul(i + 1, 0x9e3779b9) >>> 0),
      done: Uint32Array.from({ length: B }, (_, b) => b % 5 === 3 ? 1 : 0),
      tokens: new Uint32Array(B * maxSteps).fill(777),
      logprobs: caseValues(B * maxSteps, 2),
      entropies: caseValues(B * maxSteps, 3),
      current: new Uint32Array(B).fill(888),
      position: Uint32Array.from({ length: B }, (_, b) => 10 + b),
    }),
    outputs: {
      done: B,
      tokens: B * maxSteps,
      logprobs: B * maxSteps,
      entropies: B * maxSteps,
      current: B,
      position: B,
    },
    integers: ["done", "tokens", "current", "position"],
    launch: (gpu, { logits, random, done, tokens, logprobs, entropies, current, position }) =>
      sampleTokens(gpu, { logits, random, done, tokens, logprobs, entropies, current, position }, settings),
    reference: ({ logits, random, done, tokens, logprobs, entropies, current, position }) =>
      sampleTokensReference(
        { logits, random, done, tokens, logprobs, entropies, current, position },
        settings,
      ),
    tolerance: 1e-5,
    flops: 8 * B * V,
    bytes: 4 * B * V + 40 * B,
  };
}

const ids = { endId: 2, padId: 0 };

export const cases: KernelCase[] = [
  stepCase({ B: 1, V: 1, step: 0, maxSteps: 1, temperature: 1, greedy: false, ...ids }),
  stepCase({ B: 1, V: 3, step: 0, maxSteps: 2, temperature: 1, greedy: true, ...ids }),
  stepCase({ B: 13, V: 5, step: 2, maxSteps: 3, temperature: 1, greedy: false, ...ids }),
  stepCase({ B: 32, V: 96, step: 5, maxSteps: 14, temperature: 0.4, greedy: false, ...ids }),
  stepCase({ B: 33, V: 95, step: 13, maxSteps: 14, temperature: 0.4, greedy: true, ...ids }),
  // Walks of four logits a round would pass llvmpipe's 65535 rounds an invocation.
  stepCase({ B: 2, V: 131_075, step: 0, maxSteps: 1, temperature: 1, greedy: false, ...ids }),
  stepCase({ B: 9, V: 4097, step: 0, maxSteps: 4, temperature: 2, greedy: false, ...ids }),
];
