/**
 * The goldens' model and batch on a GPU, and how far results are from the goldens.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { Gpu } from "../../../kernels/gpu/mod.ts";
import {
  layOut,
  multiply,
  pictureOf,
  type Sequence,
  subtract,
  sum,
  type Tape,
  type Tensor,
  Vlm,
  type VlmConfig,
} from "../../../model/mod.ts";
import { loadGoldens } from "./load.ts";
import { goldenImages, goldenWeight } from "./weights.ts";

const { config, batch } = loadGoldens();
const imageTokens = (config.imageSize / config.patchSize / config.mergeFactor) ** 2;

/** A model with the goldens' weights. */
export function goldenVlm(gpu: Gpu, changes: Partial<VlmConfig> = {}): Vlm {
  const vlm = new Vlm(gpu, { ...config, ...changes });
  vlm.parameters.fromHost(
    new Map(vlm.parameters.list.map(({ name, shape }) => [name, { data: goldenWeight(name, shape) }])),
  );
  return vlm;
}

/** The goldens' batch: an image, then the prompt's text, then the response. */
export function goldenSequences(): Sequence[] {
  const { ids, prefix, length } = batch;
  const imageBytes = config.imageSize ** 2 * 3;
  const pixels = goldenImages(ids.length, config.imageSize);
  return ids.map((row, b) => ({
    prompt: [
      { kind: "image", picture: pictureOf(pixels.slice(b * imageBytes, (b + 1) * imageBytes)) },
      { kind: "text", ids: row.slice(imageTokens, prefix[b]) },
    ],
    response: row.slice(prefix[b], length[b]),
  }));
}

/** The goldens' batch, laid out. */
export const goldenLayout = layOut(goldenSequences(), config);

/** For each of the goldens' response tokens, its index in a flat (B, R). */
export const goldenCells: readonly number[] = batch.rows.map(
  (row, r) => row * goldenLayout.R + batch.positions[r] - batch.prefix[row],
);

/** A value for each of the goldens' response tokens as a flat (B, R), zeros elsewhere. */
export function spread(values: readonly number[]): Float32Array {
  const { B, R } = goldenLayout;
  const cells = new Float32Array(B * R);
  values.forEach((value, r) => cells[goldenCells[r]] = value);
  return cells;
}

/** Mean of -log p over the batch's response tokens, at temperature 1. */
export function sftLoss(tape: Tape, vlm: Vlm, hidden: Tensor): Tensor {
  const { B, R, mask } = goldenLayout;
  const { logprob } = vlm.responseLogprobs(tape, hidden, goldenLayout, 1);
  return tape.keep(
    sum(tape, multiply(tape, logprob, tape.constant(mask, [B, R], "mask")), -1 / batch.rows.length),
  );
}

/** 0.5 * mean over B of (v - return)^2. */
export function valueLoss(tape: Tape, vlm: Vlm, hidden: Tensor): Tensor {
  const returns = tape.constant(Float32Array.from(batch.returns), [goldenLayout.B], "returns");
  const error = subtract(tape, vlm.values(tape, tape.detach(hidden), goldenLayout), returns);
  return tape.keep(sum(tape, multiply(tape, error, error), 0.5 / goldenLayout.B));
}

/** Requires the largest error, in units of the largest golden, to be at most `tolerance`. */
export function assertClose(
  got: ArrayLike<number>,
  want: readonly number[],
  tolerance: number,
  name: string,
): void {
  assert(got.length === want.length, `${name} has ${got.length} elements, want ${want.length}`);
  const scale = want.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
  // NaN is kept, unlike by Math.max over comparisons.
  const worst = want.reduce((error, x, i) => Math.max(error, Math.abs(got[i] - x)), 0) / scale;
  if (Deno.env.get("DEBUG")) console.log(`${name}: ${worst.toExponential(1)}`);
  assert(worst <= tolerance, `${name} is off by ${worst} of its largest element, over ${tolerance}`);
}
