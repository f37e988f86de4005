/**
 * Published success rates, for comparison. Source if no other is named: Zhai et al. 2024 (arXiv:2405.10292), tables 1 and 2.
 *
 * @module
 */

/** One published number. */
export interface PublishedRow {
  readonly system: string;
  /** Parameters of its model; "-" if they are few or not public. */
  readonly size: string;
  /** Success in percent. */
  readonly success: number;
  /** Is it the peak of a moving average over training episodes, instead of an evaluation? */
  readonly isPeak?: boolean;
}

/** Names of the rows that the overview quotes. */
export const RL4VLM = "RL4VLM";
export const BEST_SINCE = "best since";

const rowsOf = (
  [cot, noCot, cnn, gpt, gemini, sft]: readonly number[],
  since?: number,
): readonly PublishedRow[] => [
  { system: RL4VLM, size: "7B", success: cot, isPeak: true },
  { system: "RL4VLM without chain of thought", size: "7B", success: noCot, isPeak: true },
  { system: "CNN + RL", size: "-", success: cnn, isPeak: true },
  { system: "GPT4-V", size: "-", success: gpt },
  { system: "Gemini", size: "-", success: gemini },
  { system: "LLaVA after SFT", size: "7B", success: sft },
  ...since === undefined ? [] : [{ system: BEST_SINCE, size: "2B to 7B", success: since }],
];

/** Published rows by environment. Household has none: ALFWorld is another environment. */
export const published: Readonly<Record<string, readonly PublishedRow[] | undefined>> = {
  NumberLine: rowsOf([89.4, 26.9, 87.1, 65.5, 82.5, 24.8], 100),
  EZPoints: rowsOf([50, 29.9, 0, 10.5, 2, 23], 100),
  Points24: rowsOf([2.3, 0, 0, 0, 0, 2.6], 53.5),
  Blackjack: rowsOf([40.2, 40.4, 38.8, 25.5, 30, 23.1], 42),
};
