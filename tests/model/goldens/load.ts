/**
 * The goldens, typed. `make_goldens.py` made them in f64 with PyTorch and says how to make them again.
 *
 * Letters: B batch, T positions, P image tokens, C width, V vocabulary; R response tokens of the whole batch, row
 * after row. Flat lists are row-major.
 *
 * @module
 */

import type { VlmConfig } from "../../../model/config.ts";
import goldens from "./goldens.json" with { type: "json" };

/** Every `stride`-th element of a gradient, from element 0, and the L2 norm of all its elements. */
export interface GoldenGradient {
  readonly shape: readonly number[];
  readonly norm: number;
  readonly stride: number;
  readonly samples: readonly number[];
}

/** Gradients by parameter name. */
export type GoldenGradients = Readonly<Record<string, GoldenGradient>>;

export interface Goldens {
  readonly config: VlmConfig;
  /** Images come from `goldenImages(B, imageSize)`, weights from `goldenWeight(name, shape)`. */
  readonly batch: {
    /** (B, T): image tokens, prompt, response, padding. */
    readonly ids: readonly (readonly number[])[];
    /** (B): positions of image and prompt. */
    readonly prefix: readonly number[];
    /** (B): positions without padding. */
    readonly length: readonly number[];
    /** (R): the row, and the position in it, of each response token; logits are those of the position before. */
    readonly rows: readonly number[];
    readonly positions: readonly number[];
    /** (R): ids of the response tokens. */
    readonly taken: readonly number[];
    /** (R): whether the token belongs to the action, not the thought. */
    readonly isAction: readonly boolean[];
    /** (B) */
    readonly returns: readonly number[];
    readonly advantages: readonly number[];
  };
  /** Check values for the formula: shape, first elements and sum of every parameter, in data-flow order. */
  readonly formula: {
    readonly weights: Readonly<
      Record<string, { shape: readonly number[]; first: readonly number[]; sum: number }>
    >;
    readonly images: { readonly first: readonly number[]; readonly sum: number };
  };
  readonly forward: {
    /** (B, P, C): the projector's output. */
    readonly imageTokens: readonly number[];
    /** The same with `imageNormalization: "fixed"`; everything else here is with `per-image`. */
    readonly imageTokensFixed: readonly number[];
    /** (R, V), before division by a temperature. */
    readonly logits: readonly number[];
    /** (B) */
    readonly values: readonly number[];
    /** (R) each: log-probability of the taken token, entropy of the distribution; for temperatures 1 and 0.5. */
    readonly temperatures: readonly {
      readonly temperature: number;
      readonly logProbs: readonly number[];
      readonly entropy: readonly number[];
    }[];
  };
  /** Mean over R of -log p at temperature 1. */
  readonly sft: { readonly loss: number; readonly gradients: GoldenGradients };
  /** 0.5 * mean over B of (v - return)^2, features detached. */
  readonly value: { readonly loss: number; readonly gradients: GoldenGradients };
  /** log pi = lambda * sum of thought + sum of action log-probs, a row; clipped policy and value losses, means over B. */
  readonly ppo: {
    readonly temperature: number;
    readonly lambda: number;
    readonly clip: number;
    /** (R) */
    readonly behaviourLogProbs: readonly number[];
    /** (B) */
    readonly oldValues: readonly number[];
    readonly ratios: readonly number[];
    readonly policyLoss: number;
    /** 0.5 * mean of the larger of the unclipped and the clipped squared error. */
    readonly valueLoss: number;
    readonly gradients: GoldenGradients;
    /** Of the clipped value loss. */
    readonly valueGradients: GoldenGradients;
  };
  /** AdamW on SFT loss + value loss of this one batch; policy and value head clipped apart. */
  readonly training: {
    readonly lr: number;
    readonly beta1: number;
    readonly beta2: number;
    readonly epsilon: number;
    readonly weightDecay: number;
    readonly clip: number;
    /** Taken before each step; the norms before clipping. */
    readonly steps: readonly {
      readonly sftLoss: number;
      readonly valueLoss: number;
      readonly policyNorm: number;
      readonly valueNorm: number;
    }[];
  };
}

/** The stored goldens. */
export function loadGoldens(): Goldens {
  return goldens as unknown as Goldens;
}

/** What a gradient under test has at a golden gradient's samples, and its L2 norm. */
export function sampleGradient(
  gradient: ArrayLike<number>,
  golden: GoldenGradient,
): { samples: number[]; norm: number } {
  const all = Array.from(gradient);
  return {
    samples: golden.samples.map((_, i) => all[i * golden.stride]),
    norm: Math.sqrt(all.reduce((sum, x) => sum + x * x, 0)),
  };
}
