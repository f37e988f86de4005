/**
 * Published success rates, for comparison, all of Zhai et al. 2024 (arXiv:2405.10292), tables 1 and 2. There an episode
 * succeeds when its return is above 0. Rows of trained policies are the peak of a moving average over training episodes.
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

/** Name of the row that the overview quotes. */
export const RL4VLM = "RL4VLM";

const rowsOf = ([cot, noCot, cnn, gpt, gemini, sft]: readonly number[]): readonly PublishedRow[] => [
  { system: RL4VLM, size: "7B", success: cot, isPeak: true },
  { system: "RL4VLM without chain of thought", size: "7B", success: noCot, isPeak: true },
  { system: "CNN + RL", size: "-", success: cnn, isPeak: true },
  { system: "GPT4-V", size: "-", success: gpt },
  { system: "Gemini", size: "-", success: gemini },
  { system: "LLaVA after SFT", size: "7B", success: sft },
];

/** Published rows by environment. Household has none: ALFWorld is another environment. */
export const published: Readonly<Record<string, readonly PublishedRow[] | undefined>> = {
  NumberLine: rowsOf([89.4, 26.9, 87.1, 65.5, 82.5, 24.8]),
  EZPoints: rowsOf([50, 29.9, 0, 10.5, 2, 23]),
  Points24: rowsOf([2.3, 0, 0, 0, 0, 2.6]),
  Blackjack: rowsOf([40.2, 40.4, 38.8, 25.5, 30, 23.1]),
};
